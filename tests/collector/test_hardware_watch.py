import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chiatea.collector.hardware_watch import HardwareWatch
from chiatea.collector.sources.disks import Disks
from chiatea.collector.sources.mounts import Mount
from chiatea.collector.sources.spaces import Space
from chiatea.config import HardwareConfig
from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk, System

Clock = Any
Until = Callable[[Callable[[], bool]], Awaitable[None]]
SPACE = Space(is_folder=True, total_bytes=100, used_bytes=60, free_bytes=30, total_inodes=10, free_inodes=5)


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "pids", list)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def watch_of(clock: Clock, ask: Callable[[str], Space], counters: dict[str, tuple[float, ...]]) -> HardwareWatch:
    mounts = [Mount("/dev/sdx1", "/mnt/a", "ext4", "rw"), Mount("/dev/sdy1", "/mnt/b", "ext4", "rw")]
    disks = Disks(mounts=lambda: mounts, ask=ask, counters=lambda: dict(counters), limit_seconds=2.0)
    return HardwareWatch(clock, HardwareConfig(smartctl=""), disks=disks, monotonic=lambda: float(clock()))


async def disks_of(watch: HardwareWatch, clock: Clock) -> dict[Any, Any]:
    return dict((await watch.look(clock.now, ()))["disk"])


async def test_a_disk_that_hangs_holds_up_no_look_and_all_else_is_told(
    clock: Clock, release: threading.Event, until: Until
) -> None:
    is_hanging = False

    def ask(point: str) -> Space:
        if is_hanging and point == "/mnt/a":
            release.wait(20)
        return SPACE

    watch = watch_of(clock, ask, {})
    await disks_of(watch, clock)
    is_hanging = True
    loop = asyncio.get_running_loop()
    clock.now += 5
    began = loop.time()
    disks = await disks_of(watch, clock)
    assert loop.time() - began < 1.5, "it waits as long as a disk may take"
    assert disks["/mnt/a"].state == Disk.OK, "nothing is known yet"
    for _ in range(20):
        clock.now += 2
        began = loop.time()
        topics = await watch.look(clock.now, ())
        assert loop.time() - began < 1.5
        assert {"cpu", "ram", "system"} <= topics.keys()
        told = {disk_id: disk.state for disk_id, disk in dict(topics["disk"]).items() if isinstance(disk, Disk)}
        if told["/mnt/a"] == Disk.HANGING:
            break
    assert told == {"/mnt/a": Disk.HANGING, "/mnt/b": Disk.OK}
    assert watch.health.entry.state == Source.OK
    await watch.close()


async def test_what_a_disk_did_is_found_again_by_the_time_of_it(clock: Clock) -> None:
    counters: dict[str, tuple[float, ...]] = {"sdx1": (0.0, 0.0, 0.0)}
    watch = watch_of(clock, lambda _: SPACE, counters)
    for busy in (0.0, 4900.0, 5000.0, 5100.0):
        counters["sdx1"] = (busy * 1e5, 0.0, busy)
        await watch.look(clock.now, ())
        clock.now += 5
    then = watch.history.at("/mnt/a", clock.now - 16, 3.0)
    assert then == Disk(id="/mnt/a", busy_percent=98.0, read_bytes_per_second=9.8e7)
    now = watch.history.at("/mnt/a", clock.now - 5, 3.0)
    assert now is not None
    assert now.busy_percent == 2.0
    await watch.close()


async def test_rates_are_told_by_the_second_look_however_soon_it_is(clock: Clock) -> None:
    counters: dict[str, tuple[float, ...]] = {"sdx1": (0.0, 0.0, 0.0)}
    watch = watch_of(clock, lambda _: SPACE, counters)
    await watch.look(clock.now, ())
    clock.now += 0.5
    counters["sdx1"] = (1e6, 0.0, 100.0)
    disk = (await disks_of(watch, clock))["/mnt/a"]
    assert (disk.read_bytes_per_second, disk.busy_percent) == (2e6, 20.0)
    await watch.close()


async def test_a_restart_keeps_the_start_time_and_knows_lost_disks(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "boot_time", lambda: 1001.0)
    watch = watch_of(clock, lambda _: SPACE, {})
    known = ComputerInfo(system=System(boot_time=1000.0), disks=[Disk(id="/mnt/gone", state=Disk.OK)])
    watch.restore(known)
    topics = await watch.look(clock.now, ["/mnt/gone/plots"])
    system, lost = topics["system"][""], topics["disk"]["/mnt/gone"]
    assert isinstance(system, System)
    assert isinstance(lost, Disk)
    assert (system.boot_time, lost.state) == (1000.0, Disk.MOUNT_LOST)
    await watch.close()


async def test_a_source_that_fails_is_told_once_and_hurts_no_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(**_: object) -> object:
        raise OSError(5, "Input/output error")

    watch = watch_of(clock, lambda _: SPACE, {})
    await watch.look(clock.now, ())
    monkeypatch.setattr(psutil, "cpu_times", refuse)
    clock.now += 5
    topics = await watch.look(clock.now, ())
    assert (watch.health.entry.state, watch.health.entry.error) == (Source.FAILING, "Input/output error")
    assert len(topics["disk"]) == 2
    monkeypatch.undo()
    await watch.look(clock.now, ())
    assert watch.health.entry.state == Source.OK
    await watch.close()
