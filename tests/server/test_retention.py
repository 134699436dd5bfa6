"""Old events go in small steps; what stays is what the rule says, and the state is untouched."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyJob
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.database import Database
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.query import query
from chiatea.server.storage import KeepRule, batch_of

DAY = 86400.0
NOW = 20_000 * DAY
RULE = KeepRule(keep_seconds=90 * DAY, thin_after_seconds=7 * DAY, thin_to_seconds=300.0)


def cpu(timestamp: float, event_type: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(timestamp=timestamp, event_type=event_type)  # type: ignore[arg-type]
    event.cpu.usage_percent = timestamp % 100
    return event


def disk(mount: str, timestamp: float, event_type: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(timestamp=timestamp, event_type=event_type)  # type: ignore[arg-type]
    event.disk.id = mount
    return event


def wallet(timestamp: float) -> UpdateEvent:
    event = UpdateEvent(timestamp=timestamp, event_type=UPDATE)
    event.wallet.is_synced = True
    return event


def job(timestamp: float, copied_bytes: int, state: "CopyJob.State.ValueType" = CopyJob.COPYING) -> UpdateEvent:
    event = UpdateEvent(timestamp=timestamp, event_type=UPDATE)
    event.copy_job.id, event.copy_job.state, event.copy_job.copied_bytes = "job", state, copied_bytes
    return event


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "farm.db") as opened:
        yield opened


def fill(database: Database, events: list[UpdateEvent], machine_id: str = "m") -> None:
    info = MachineInfo(machine_id=machine_id, name=machine_id)
    for start in range(0, len(events), 5000):
        database.write([batch_of(machine_id, start + 1, events[start : start + 5000])], [info])


def tidy(database: Database, rule: KeepRule = RULE) -> list[int]:
    steps = []
    while done := database.tidy(rule, NOW):
        steps.append(done)
    return steps


def column(database: Database, statement: str) -> list[Any]:
    return [row[0] for row in query(database.filepath, statement)[1]]


def test_events_over_their_age_go_and_the_state_stays(database: Database) -> None:
    fill(database, [wallet(NOW - 100 * DAY), wallet(NOW - 91 * DAY)])
    fill(database, [wallet(NOW - 100 * DAY), wallet(NOW - 1 * DAY)], "n")
    tidy(database)
    assert column(database, "SELECT timestamp FROM WalletEvents") == [NOW - 1 * DAY]
    assert column(database, "SELECT timestamp FROM Wallet ORDER BY machine_id") == [NOW - 91 * DAY, NOW - 1 * DAY]


def test_an_event_exactly_at_the_age_stays(database: Database) -> None:
    fill(database, [wallet(NOW - 90 * DAY), wallet(NOW - 90 * DAY - 0.001)])
    tidy(database)
    assert column(database, "SELECT timestamp FROM WalletEvents") == [NOW - 90 * DAY]


def test_steps_are_small(database: Database) -> None:
    fill(database, [wallet(NOW - 100 * DAY + n) for n in range(4500)])
    steps = tidy(database)
    assert sum(steps) >= 4500
    assert max(steps[:4]) <= 1000


def test_many_events_of_one_moment_all_go(database: Database) -> None:
    fill(database, [disk(f"/{n}", NOW - 100 * DAY) for n in range(3000)])
    tidy(database)
    assert column(database, "SELECT count(*) FROM DiskEvents") == [0]


def test_what_changes_all_the_time_is_thinned_to_the_last_of_each_interval_and_entry(database: Database) -> None:
    start = NOW - 10 * DAY
    fill(database, [disk(mount, start + 10 * n) for n in range(180) for mount in ("/a", "/b")])
    tidy(database)
    for mount in ("/a", "/b"):
        kept = column(database, f"SELECT timestamp FROM DiskEvents WHERE id = '{mount}' ORDER BY timestamp")
        assert kept == [start + 300 * interval + 290 for interval in range(6)]


def test_what_came_and_went_is_never_thinned(database: Database) -> None:
    start = NOW - 10 * DAY
    fill(
        database,
        [disk("/a", start, ADD), disk("/a", start + 1), disk("/a", start + 2, DELETE), disk("/a", start + 3, ADD)],
    )
    tidy(database)
    assert column(database, "SELECT event_type FROM DiskEvents ORDER BY timestamp") == [ADD, UPDATE, DELETE, ADD]


def test_young_events_and_rare_topics_are_not_thinned(database: Database) -> None:
    fill(database, [cpu(NOW - 6 * DAY + n) for n in range(100)] + [wallet(NOW - 20 * DAY + n) for n in range(100)])
    tidy(database)
    assert column(database, "SELECT count(*) FROM CpuEvents") == [100]
    assert column(database, "SELECT count(*) FROM WalletEvents") == [100]


def test_a_copys_progress_is_thinned_after_an_hour_and_what_became_of_it_stays(database: Database) -> None:
    start = NOW - 2 * 3600
    fill(database, [job(start + n / 2, n) for n in range(200)] + [job(start + 100, 200, CopyJob.DONE)])
    fill(database, [job(NOW - 1800 + n, n) for n in range(10)], machine_id="other")
    tidy(database)
    assert column(database, "SELECT state FROM CopyJobEvents WHERE machine_id = 'm'") == [CopyJob.DONE]
    assert column(database, "SELECT count(*) FROM CopyJobEvents WHERE machine_id = 'other'") == [10]


def test_a_second_round_changes_nothing(database: Database) -> None:
    fill(database, [cpu(NOW - 30 * DAY + 7 * n) for n in range(2000)])
    tidy(database)
    once = column(database, "SELECT timestamp FROM CpuEvents")
    assert tidy(database) == []
    assert column(database, "SELECT timestamp FROM CpuEvents") == once


def test_a_restart_goes_on_where_the_last_round_ended(tmp_path: Path) -> None:
    with Database(tmp_path / "farm.db") as database:
        fill(database, [cpu(NOW - 30 * DAY + 10 * i) for i in range(6000)])
        assert len(tidy(database)) > 10
    with Database(tmp_path / "farm.db") as database:
        assert tidy(database) == []
        assert column(database, "SELECT count(*) FROM CpuEvents") == [200]


def test_the_file_gives_space_back(database: Database) -> None:
    fill(database, [disk(f"/mnt/{n % 100:0300}", NOW - 100 * DAY + n) for n in range(30_000)])
    with contextlib.closing(open_read_only(database.filepath)) as connection:
        before = connection.execute("PRAGMA page_count").fetchone()[0]
        tidy(database)
        assert connection.execute("PRAGMA page_count").fetchone()[0] < before / 4
