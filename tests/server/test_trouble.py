"""A disk that is full, a file that is damaged or read only: said clearly, nothing lost, and it goes on by itself."""

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from chiatea.config import Config
from chiatea.errors import ConfigurationError, DatabaseError
from chiatea.protobuf.computer_info_pb2 import UPDATE, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.server import ingest as ingest_module
from chiatea.server.database.database import Database
from chiatea.server.database.query import query
from chiatea.server.storage import batch_of
from chiatea.wire.channel import open_channel
from chiatea.wire.reporting import Reporting

from .conftest import Running, task_of, until


def disk(number: int) -> UpdateEvent:
    event = UpdateEvent(timestamp=1.7e9 + number, event_type=UPDATE)
    event.disk.id = f"/mnt/{number:0500}"
    event.disk.free_bytes = number
    return event


async def health_of(server: Running) -> int:
    async with open_channel(server.as_seen_by("viewer")) as channel:
        stub: Any = HealthStub(channel)
        answer = await stub.Check(HealthCheckRequest(service="chiatea.Monitoring"))
        return int(answer.status)


async def test_with_a_full_disk_acks_stop_and_everything_arrives_once_there_is_room(
    server: Running, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "RETRY_SECONDS", 0.02)
    ingest = server.serving.ingest
    assert isinstance(ingest._database, Database)
    connection = ingest._database._connection
    reporting = Reporting(server.as_seen_by("collector"), "m1", "barn", COLLECTOR)
    async with task_of(reporting.run()):
        await reporting.is_ready.wait()
        reporting.put([disk(1)])
        await until(lambda: reporting.n_unacked == 0)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        reporting.put(disk(number) for number in range(2, 402))
        await until(lambda: ingest.failure)
        assert "full" in ingest.failure
        assert "make space" in ingest.failure
        assert reporting.n_unacked == 400
        await until_health(server, HealthCheckResponse.NOT_SERVING)
        connection.execute("PRAGMA max_page_count = 1000000")
        await until(lambda: reporting.n_unacked == 0)
        assert ingest.failure == ""
        await until_health(server, HealthCheckResponse.SERVING)
    rows = list(query(config.monitoring.server.db_filepath, "SELECT count(*), max(free_bytes) FROM DiskEvents")[1])
    assert rows == [(401, 401)]


async def until_health(server: Running, status: int) -> None:
    for _ in range(200):
        if await health_of(server) == status:
            return
    raise AssertionError("health did not change")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_on_a_small_file_system_a_full_disk_damages_nothing(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3M", "tmpfs", str(mount)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("this system mounts nothing")
    try:
        with Database(mount / "farm.db") as database:
            written = 0

            def fill() -> None:
                nonlocal written
                while True:
                    events = [disk(written * 20 + n) for n in range(20)]
                    database.write([batch_of("m", written + 1, events)], [])
                    written += 1

            with pytest.raises(DatabaseError, match="make space"):
                fill()
            assert written > 0
            (rows,) = query(mount / "farm.db", "SELECT count(*) FROM DiskEvents")[1]
            assert rows == (written * 20,)
        check = sqlite3.connect(mount / "farm.db")
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    filepath = tmp_path / "farm.db"
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk(n) for n in range(3000)])], [])
    content = bytearray(filepath.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 512] = os.urandom(512)
    filepath.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"farm\.db.*(malformed|damaged)") as caught, Database(filepath) as database:
        database.load()
    assert "backup" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting read only takes root")
def test_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    mount = tmp_path / "readonly"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1M", "tmpfs", str(mount)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("this system mounts nothing")
    try:
        with pytest.raises(ConfigurationError, match="readonly"):
            Database(mount / "farm.db")
    finally:
        subprocess.run(["umount", str(mount)], check=True)
