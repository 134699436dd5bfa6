import asyncio
import os
import shutil
import threading
from pathlib import Path

import pytest

from chiatea.collector.sources.block_devices import BlockDevices
from chiatea.collector.sources.disks import Disks
from chiatea.collector.sources.mounts import Mount
from chiatea.collector.sources.spaces import Space, space_of
from chiatea.protobuf.hardware_pb2 import Disk

SPACE = Space(is_folder=True, total_bytes=100, used_bytes=60, free_bytes=30, total_inodes=10, free_inodes=5)


def mount(device: str, point: str, kind: str = "ext4", options: str = "rw") -> Mount:
    return Mount(device, point, kind, options)


def test_space_agrees_with_df() -> None:
    space, told = space_of("/"), shutil.disk_usage("/")
    status = os.statvfs("/")
    assert space.total_bytes == told.total
    assert abs(space.free_bytes - status.f_bavail * status.f_frsize) < 1 << 30
    assert space.is_folder


async def test_a_hanging_disk_is_reported_and_blocks_nothing_and_piles_up_no_threads() -> None:
    release = threading.Event()
    asked: list[str] = []

    def ask(point: str) -> Space:
        asked.append(point)
        if point == "/mnt/dead":
            release.wait(20)
        return SPACE

    mounts = [mount("/dev/sda1", "/mnt/a"), mount("nas:/x", "/mnt/dead", "nfs4")]
    disks = Disks(mounts=lambda: mounts, ask=ask, limit_seconds=0.3)
    try:
        for time in range(5):
            looked = await asyncio.wait_for(disks.look(float(time), float(time), ()), 5)
        assert looked["/mnt/dead"].state == Disk.HANGING
        assert looked["/mnt/a"].state == Disk.OK
        assert looked["/mnt/a"].free_bytes == 30
        assert (asked.count("/mnt/dead"), asked.count("/mnt/a")) == (1, 5)
    finally:
        release.set()


async def test_a_disk_that_answers_again_is_fine_again() -> None:
    release = threading.Event()

    def ask(_: str) -> Space:
        release.wait(20)
        return SPACE

    disks = Disks(mounts=lambda: [mount("/dev/sda1", "/mnt/a")], ask=ask, limit_seconds=0.3)
    assert (await disks.look(0.0, 0.0, ()))["/mnt/a"].state == Disk.HANGING
    release.set()
    for time in range(1, 200):
        if (await disks.look(float(time), float(time), ()))["/mnt/a"].state == Disk.OK:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("it stays hanging")


async def test_a_lost_mount_stays_as_lost_and_a_bound_file_is_no_disk() -> None:
    mounts = [mount("/dev/sda1", "/mnt/a"), mount("/dev/sdb1", "/etc/hosts")]
    no_folder = Space(is_folder=False, total_bytes=1, used_bytes=1, free_bytes=0, total_inodes=None, free_inodes=None)
    disks = Disks(mounts=lambda: mounts, ask=lambda point: no_folder if point == "/etc/hosts" else SPACE)
    assert list(await disks.look(0.0, 0.0, ())) == ["/mnt/a"]
    mounts.clear()
    lost = await disks.look(1.0, 1.0, ["/mnt/a/plots"])
    assert lost["/mnt/a"].state == Disk.MOUNT_LOST
    assert list(await disks.look(2.0, 2.0, ())) == []


class Machine:
    """Disks whose mounts, answers and counters a test sets."""

    def __init__(self, *mounts: Mount, devices: BlockDevices | None = None, limit_seconds: float = 1.5) -> None:
        self.mounts = list(mounts)
        self.answers: dict[str, Space | Exception | threading.Event] = {}
        self.counters: dict[str, tuple[float, ...]] = {}
        self.asked: list[str] = []
        self.disks = Disks(
            mounts=lambda: list(self.mounts),
            ask=self.ask,
            counters=lambda: dict(self.counters),
            devices=devices,
            limit_seconds=limit_seconds,
        )

    def ask(self, point: str) -> Space:
        self.asked.append(point)
        answer = self.answers.get(point, SPACE)
        if isinstance(answer, threading.Event):
            answer.wait(20)
            return SPACE
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def look(self, now: float, *folders: str) -> dict[str, Disk]:
        return await asyncio.wait_for(self.disks.look(now, now, folders), 10)


async def test_a_file_system_with_an_error_is_failing_and_keeps_its_last_known_figures() -> None:
    machine = Machine(mount("/dev/sda1", "/mnt/a"))
    machine.answers["/mnt/a"] = OSError(5, "Input/output error")
    first = (await machine.look(0.0))["/mnt/a"]
    assert (first.state, first.error, first.HasField("free_bytes")) == (Disk.FAILING, "Input/output error", False)
    del machine.answers["/mnt/a"]
    fine = (await machine.look(1.0))["/mnt/a"]
    assert (fine.state, fine.HasField("error"), fine.free_bytes) == (Disk.OK, False, 30)
    machine.answers["/mnt/a"] = OSError(107, "Transport endpoint is not connected")
    again = (await machine.look(2.0))["/mnt/a"]
    assert (again.state, again.free_bytes, again.total_inodes) == (Disk.FAILING, 30, 10)


async def test_what_this_user_may_not_see_is_not_failing() -> None:
    machine = Machine(mount("user@host:/x", "/home/x/remote", "fuse.sshfs"))
    machine.answers["/home/x/remote"] = PermissionError(13, "Permission denied")
    seen = (await machine.look(0.0))["/home/x/remote"]
    assert (seen.state, seen.error) == (Disk.UNKNOWN, "Permission denied")


async def test_a_hanging_disk_keeps_its_figures_and_says_since_when_also_after_a_restart() -> None:
    machine = Machine(mount("/dev/sda1", "/mnt/a"), limit_seconds=0.3)
    await machine.look(1_795_463_720.0)
    machine.answers["/mnt/a"] = release = threading.Event()
    try:
        first = (await machine.look(1_795_463_725.0))["/mnt/a"]
        assert (first.state, first.free_bytes) == (Disk.HANGING, 30)
        assert first.error == "no answer since 2026-11-23 19:55:25 UTC"
        later = await machine.look(1_795_463_730.0)
        assert later["/mnt/a"] == first
        restarted = Machine(*machine.mounts, limit_seconds=0.3)
        restarted.answers = machine.answers
        restarted.disks.restore(later.values())
        assert (await restarted.look(1_795_463_800.0))["/mnt/a"] == first
    finally:
        release.set()


async def test_many_disks_that_hang_at_once_take_no_longer_than_one_and_the_others_are_told() -> None:
    points = [f"/mnt/{n}" for n in range(50)]
    machine = Machine(*(mount(f"/dev/sd{n}", f"/mnt/{n}") for n in range(50)), limit_seconds=0.5)
    release = threading.Event()
    machine.answers.update(dict.fromkeys(points[5:45], release))
    try:
        began = asyncio.get_running_loop().time()
        for now in range(4):
            looked = await machine.look(float(now))
        assert asyncio.get_running_loop().time() - began < 4
        states = [looked[point].state for point in points]
        assert states == [Disk.OK] * 5 + [Disk.HANGING] * 40 + [Disk.OK] * 5
        assert max(machine.asked.count(point) for point in points[5:45]) == 1
    finally:
        release.set()


async def test_more_hanging_disks_than_threads_are_allowed_are_not_asked() -> None:
    machine = Machine(*(mount(f"/dev/sd{n}", f"/mnt/{n}") for n in range(80)), limit_seconds=0.3)
    release = threading.Event()
    machine.answers = {f"/mnt/{n}": release for n in range(80)}
    try:
        looked = await machine.look(0.0)
        assert len(machine.asked) == 64
        assert sum(disk.state == Disk.HANGING for disk in looked.values()) == 64
        assert {disk.error for disk in looked.values() if disk.state != Disk.HANGING} == {
            "not asked: too many disks give no answer"
        }
    finally:
        release.set()


async def test_disks_that_answer_are_asked_in_one_thread() -> None:
    threads: set[int] = set()

    def ask(_: str) -> Space:
        threads.add(threading.get_ident())
        return SPACE

    mounts = [mount(f"/dev/sd{n}", f"/mnt/{n}") for n in range(20)]
    await Disks(mounts=lambda: mounts, ask=ask).look(0.0, 0.0, ())
    assert len(threads) == 1


async def test_a_device_that_is_gone_is_told_though_its_file_system_still_answers() -> None:
    machine = Machine(mount("/dev/sdq1", "/mnt/usb"), mount("nas:/x", "/mnt/nas", "nfs4"))
    machine.counters = {"sda": (0, 0, 0), "sdq1": (0, 0, 0)}
    assert (await machine.look(0.0))["/mnt/usb"].state == Disk.OK
    del machine.counters["sdq1"]
    looked = await machine.look(1.0)
    assert (looked["/mnt/usb"].state, looked["/mnt/usb"].error) == (Disk.FAILING, "its device is gone")
    assert looked["/mnt/nas"].state == Disk.OK
    machine.counters = {}
    assert (await machine.look(2.0))["/mnt/usb"].state == Disk.OK, "where nothing is counted nothing is known"


async def test_a_file_system_that_turns_read_only_or_shuts_down_is_told_at_the_next_look() -> None:
    machine = Machine(mount("/dev/sda1", "/mnt/a"))
    assert not (await machine.look(0.0))["/mnt/a"].is_read_only
    machine.mounts = [mount("/dev/sda1", "/mnt/a", options="ro,errors=remount-ro")]
    looked = (await machine.look(1.0))["/mnt/a"]
    assert (looked.is_read_only, looked.state) == (True, Disk.OK)
    machine.mounts = [mount("/dev/sda1", "/mnt/a", options="rw,shutdown")]
    assert (await machine.look(2.0))["/mnt/a"].state == Disk.FAILING


async def test_rates_and_busy_time_are_those_of_the_device(tmp_path: Path) -> None:
    members = tmp_path / "fs" / "btrfs" / "uuid" / "devices"
    for name in ("sdb1", "sdc1"):
        (members / name).mkdir(parents=True)
    machine = Machine(
        mount("/dev/sda1", "/mnt/a"), mount("/dev/sdb1", "/mnt/b", "btrfs"), devices=BlockDevices(tmp_path)
    )
    machine.counters = dict.fromkeys(("sda1", "sdb1", "sdc1"), (0, 0, 0))
    assert not (await machine.look(0.0))["/mnt/a"].HasField("busy_percent")
    machine.counters = {"sda1": (2e6, 1e6, 500), "sdb1": (1e6, 0, 2000), "sdc1": (3e6, 0, 100)}
    looked = await machine.look(2.0)
    a, b = looked["/mnt/a"], looked["/mnt/b"]
    assert (a.read_bytes_per_second, a.write_bytes_per_second, a.busy_percent) == (1e6, 5e5, 25.0)
    assert (b.read_bytes_per_second, b.busy_percent) == (2e6, 100.0)


async def test_the_mount_with_plots_is_the_disk_and_stays_it() -> None:
    machine = Machine(mount("/dev/sda1", "/data"), mount("/dev/sda1", "/plots"))
    assert list(await machine.look(0.0)) == ["/data"]
    assert list(await machine.look(1.0, "/plots/one")) == ["/plots"]
    machine.mounts.reverse()
    assert list(await machine.look(2.0)) == ["/plots"]


async def test_what_is_mounted_twice_and_shown_once_is_not_lost() -> None:
    machine = Machine(mount("/dev/sda1", "/data"), mount("/dev/sda1", "/plots"))
    await machine.look(0.0)
    looked = await machine.look(1.0, "/plots/one", "/data/two")
    assert [disk.state for disk in looked.values()] == [Disk.OK]


async def test_a_lost_disk_says_since_when_and_two_unreadable_names_stay_apart() -> None:
    machine = Machine(mount("/dev/sda1", "/mnt/\udcff"), mount("/dev/sdb1", "/mnt/\udcfe"))
    assert sorted(await machine.look(0.0)) == ["/mnt/\ufffd", "/mnt/\ufffd (/dev/sdb1)"]
    machine.mounts = []
    lost = await machine.look(1_795_463_720.0, "/mnt/\udcff/plots")
    assert lost["/mnt/\ufffd"].error == "not mounted since 2026-11-23 19:55:20 UTC"
    assert lost == await machine.look(1_795_463_730.0, "/mnt/\udcff/plots")


async def test_mount_points_that_are_no_utf8_are_told_readably() -> None:
    looked = await Disks(mounts=lambda: [mount("/dev/sda1", "/mnt/\udcff")], ask=lambda _: SPACE).look(0.0, 0.0, ())
    assert list(looked) == ["/mnt/\ufffd"]


async def test_this_machine_s_disks_are_told_by_default() -> None:
    looked = await Disks().look(0.0, 0.0, ())
    assert looked["/"].total_bytes == shutil.disk_usage("/").total
    assert not {"proc", "sysfs", "devtmpfs"} & {disk.filesystem_type for disk in looked.values()}
