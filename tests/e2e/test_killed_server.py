"""kill -9 of the server under load: every event that was acked is there, once. CHIA_TEA_KILLS=20 kills more often,
CHIA_TEA_EVENTS_PER_PUT=40 puts more at once, CHIA_TEA_SECONDS_PER_LIFE=2 lets it live longer in between."""

import asyncio
import itertools
import logging
import os

import pytest

from chiatea.config import load
from chiatea.protobuf.computer_info_pb2 import UPDATE, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.wire.channel import server_of
from chiatea.wire.feed import FarmFeed
from chiatea.wire.reporting import Reporting

from .conftest import Home

N_KILLS = int(os.environ.get("CHIA_TEA_KILLS", "4"))
N_COLLECTORS = 3
EVENTS_PER_PUT = int(os.environ.get("CHIA_TEA_EVENTS_PER_PUT", "7"))
SECONDS_PER_LIFE = float(os.environ.get("CHIA_TEA_SECONDS_PER_LIFE", "0.4"))


def numbered(number: int) -> UpdateEvent:
    """An event that says which one it is."""
    event = UpdateEvent(timestamp=1.7e9 + number, event_type=UPDATE)
    event.disk.id = f"/mnt/{number % 10}"
    event.disk.free_bytes = number
    return event


async def load_until(stop: asyncio.Event, reporting: Reporting, numbers: "itertools.count[int]") -> int:
    """Puts small batches as fast as there is room; returns how many events."""
    await reporting.is_ready.wait()
    n_events = 0
    while not stop.is_set():
        if reporting.has_room:
            reporting.put(numbered(next(numbers)) for _ in range(EVENTS_PER_PUT))
            n_events += EVENTS_PER_PUT
        await asyncio.sleep(0.001)
    return n_events


async def kill_and_restart(home: Home, feed: FarmFeed, reportings: list[Reporting]) -> None:
    for _ in range(N_KILLS):
        await asyncio.sleep(SECONDS_PER_LIFE)
        home.processes[-1].kill()
        home.processes[-1].wait()
        await asyncio.sleep(0.1)
        await asyncio.to_thread(home.start, "serve")
        async with asyncio.timeout(30):
            while not (feed.connection.is_up and all(reporting.is_connected for reporting in reportings)):
                await asyncio.sleep(0.02)


async def run(home: Home) -> dict[str, int]:
    config = load(home.config)
    collector = server_of(config, token_files=("collector.token",), address=f"127.0.0.1:{home.port}")
    viewer = server_of(config, token_files=("viewer.token",), address=f"127.0.0.1:{home.port}")
    reportings = [Reporting(collector, f"m{n}", f"m{n}", COLLECTOR) for n in range(N_COLLECTORS)]
    feed, stop = FarmFeed(viewer), asyncio.Event()
    background = [asyncio.create_task(feed.run()), *(asyncio.create_task(r.run()) for r in reportings)]
    loads = [asyncio.create_task(load_until(stop, reporting, itertools.count(1))) for reporting in reportings]
    await kill_and_restart(home, feed, reportings)
    stop.set()
    counts = await asyncio.gather(*loads)
    async with asyncio.timeout(30):
        while any(reporting.n_unacked for reporting in reportings):
            await asyncio.sleep(0.02)
        logging.getLogger(__name__).warning("%d events, %d kills", sum(counts), N_KILLS)
        for n, count in enumerate(counts):
            while max(e.message.free_bytes for e in feed.farm.machine(f"m{n}").of("disk").values()) != count:  # type: ignore[attr-defined]
                await asyncio.sleep(0.02)
    for task in background:
        task.cancel()
    await asyncio.wait(background)
    return {f"m{n}": count for n, count in enumerate(counts)}


@pytest.mark.timeout(60 + 10 * N_KILLS)
def test_every_acked_event_is_there_once_after_kills(home: Home) -> None:
    home.run("certs", "create")
    home.start("serve")
    counts = asyncio.run(run(home))
    for machine_id, count in counts.items():
        assert count > 0
        (row,) = home.sql(
            "SELECT count(*) AS n, count(DISTINCT free_bytes) AS n_distinct, max(free_bytes) AS last "
            f"FROM DiskEvents WHERE machine_id = '{machine_id}'"
        )
        assert row == {"n": count, "n_distinct": count, "last": count}
        state = home.sql(f"SELECT max(free_bytes) AS last, count(*) AS n FROM Disk WHERE machine_id = '{machine_id}'")
        assert state == [{"last": count, "n": 10}]
