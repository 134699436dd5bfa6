import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier.disks import disk_of, unmounted_point
from chiatea.copier.locks import FolderLocks
from chiatea.copier.placement import Target, TargetState
from chiatea.copier.targets import TargetFolder, look_at_target
from chiatea.errors import ConfigurationError

from .jobs_and_targets import NOW, a_target

LOCKING = (
    "import sys; from pathlib import Path; from chiatea.copier.locks import FolderLocks\n"
    "FolderLocks().take(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
)


def test_a_target_tells_its_file_system_its_room_and_what_half_copies_take_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.plot.copying").write_bytes(bytes(10_000))
    (tmp_path / "b.plot").write_bytes(bytes(10_000))
    target = look_at_target(tmp_path, on_root=True, now=NOW)
    room = os.statvfs(tmp_path)
    assert (target.state, target.reason) == (TargetState.READY, "")
    assert target.device == tmp_path.stat().st_dev
    assert target.total_bytes == room.f_blocks * room.f_frsize
    assert list(target.temporary_bytes) == ["a.plot.copying"]
    assert 10_000 <= target.temporary_bytes["a.plot.copying"] <= 20_480
    assert (target.disk, target.looked_time) == (disk_of(target.device), NOW)


def test_a_target_that_is_not_there_or_no_folder_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, reason in (("nowhere", "is not there"), ("file", "is not a folder")):
        target = look_at_target(tmp_path / name, on_root=True, now=NOW)
        assert (target.state, target.reason) == (TargetState.NOT_MOUNTED, reason)


def test_an_empty_mount_point_on_the_systems_disk_is_not_mounted(tmp_path: Path) -> None:
    is_on_root = tmp_path.stat().st_dev == Path("/").stat().st_dev
    target = look_at_target(tmp_path, on_root=False, now=NOW)
    assert (target.state is TargetState.NOT_MOUNTED) == is_on_root
    assert look_at_target(Path("/"), on_root=False, now=NOW).state is TargetState.NOT_MOUNTED


def test_what_fstab_mounts_and_is_not_mounted_now_is_found_from_any_folder_below(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    disk = tmp_path / "my disk"
    (disk / "plots").mkdir(parents=True)
    escaped = str(disk).replace(" ", "\\040")
    lines = ("# comment", "UUID=1 / ext4 defaults 0 1", f"UUID=2 {escaped} xfs nofail 0 0", "UUID=3 none swap sw", "x")
    fstab.write_text("\n".join(lines))
    assert unmounted_point(disk, fstab) == disk
    assert unmounted_point(disk / "plots", fstab) == disk
    assert unmounted_point(tmp_path, fstab) is None
    assert unmounted_point(disk, tmp_path / "no fstab") is None
    fstab.write_text("proc /proc proc defaults 0 0\n")
    assert unmounted_point(Path("/proc/self"), fstab) is None


def test_partitions_of_a_disk_have_its_name_and_other_devices_their_number(tmp_path: Path) -> None:
    disk = tmp_path / "devices" / "sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "sda1" / "partition").write_text("1\n")
    for number, folder in (("8:0", disk), ("8:1", disk / "sda1")):
        (tmp_path / number).symlink_to(folder)
    assert disk_of(os.makedev(8, 0), tmp_path) == disk_of(os.makedev(8, 1), tmp_path) == "sda"
    assert disk_of(os.makedev(0, 52), tmp_path) == "0:52"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def ready(clock: Clock) -> Target:
    return replace(a_target("/t"), looked_time=clock())


async def test_a_target_takes_nothing_before_it_was_looked_at() -> None:
    clock = Clock()
    folder = TargetFolder(Path("/t"), lambda _: ready(clock), clock)
    assert folder.now().state is TargetState.UNKNOWN
    await folder.look()
    assert folder.now().state is TargetState.READY


async def test_a_target_that_failed_is_left_alone_for_a_while_and_then_taken_up_again() -> None:
    clock = Clock()
    n_looks = 0
    let_go: list[Path] = []

    def look(_: Path) -> Target:
        nonlocal n_looks
        n_looks += 1
        return ready(clock)

    folder = TargetFolder(Path("/t"), look, clock, let_go=let_go.append)
    await folder.look()
    folder.hold_back(TargetState.QUARANTINED, "Input/output error", NOW + 900)
    await folder.look()
    now = folder.now()
    assert (now.state, now.reason, now.retry_time) == (TargetState.QUARANTINED, "Input/output error", NOW + 900)
    assert (n_looks, let_go) == (1, [Path("/t")])
    clock.now += 900
    assert folder.now().state is TargetState.UNKNOWN
    await folder.look()
    assert folder.now().state is TargetState.READY


async def test_a_target_without_space_is_full_for_a_while_but_still_looked_at() -> None:
    clock = Clock()
    folder = TargetFolder(Path("/t"), lambda _: ready(clock), clock)
    folder.hold_back(TargetState.FULL, "No space left on device", NOW + 900)
    await folder.look()
    assert folder.now().state is TargetState.FULL
    clock.now += 900
    assert folder.now().state is TargetState.READY


async def test_a_drained_target_is_drained_unless_there_is_worse_to_say() -> None:
    clock = Clock()
    seen = ready(clock)
    folder = TargetFolder(Path("/t"), lambda _: seen, clock, is_drained=True)
    await folder.look()
    assert folder.now().state is TargetState.DRAINED
    seen = replace(seen, state=TargetState.NOT_MOUNTED, reason="is not there")
    await folder.look()
    assert folder.now().state is TargetState.NOT_MOUNTED


async def test_a_look_that_began_before_a_copy_ended_is_not_believed() -> None:
    clock = Clock()
    looks = [replace(ready(clock), free_bytes=1)]

    def look(_: Path) -> Target:
        return looks.pop() if looks else replace(ready(clock), free_bytes=2)

    folder = TargetFolder(Path("/t"), look, clock)
    clock.now += 1
    folder.outdate()
    await folder.look()
    assert folder.now().free_bytes == 2


async def test_after_a_copy_ended_nothing_is_promised_before_the_next_look() -> None:
    clock = Clock()
    folder = TargetFolder(Path("/t"), lambda _: ready(clock), clock)
    await folder.look()
    folder.outdate()
    assert folder.now().state is TargetState.UNKNOWN
    await folder.look()
    assert folder.now().state is TargetState.READY


async def test_a_target_that_hangs_is_said_to_and_holds_up_nobody() -> None:
    clock, answer = Clock(), threading.Event()

    def look(_: Path) -> Target:
        answer.wait()
        return ready(clock)

    folder = TargetFolder(Path("/t"), look, clock, limit_seconds=0.01)
    await folder.look()
    assert (folder.now().state, folder.now().reason) == (TargetState.UNKNOWN, "does not answer")
    answer.set()
    while folder.now().state is not TargetState.READY:
        await asyncio.sleep(0.01)
        await folder.look()


@pytest.fixture
def other_copier(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has locked the folder."""
    process = subprocess.Popen([sys.executable, "-c", LOCKING, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_a_folder_of_another_copier_is_refused_by_naming_it(
    tmp_path: Path, other_copier: subprocess.Popen[bytes]
) -> None:
    locks = FolderLocks()
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: another chia-tea copy .process {other_copier.pid}."):
        locks.take(tmp_path)
    locks.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, other_copier: subprocess.Popen[bytes]) -> None:
    other_copier.kill()
    other_copier.wait()
    locks = FolderLocks()
    locks.take(tmp_path)
    locks.take(tmp_path)
    locks.release()


def test_a_released_folder_is_free(tmp_path: Path) -> None:
    first, second = FolderLocks(), FolderLocks()
    first.take(tmp_path)
    with pytest.raises(ConfigurationError):
        second.take(tmp_path)
    first.release()
    second.take(tmp_path)
    second.release()


def test_one_folder_under_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    locks = FolderLocks()
    locks.take(tmp_path / "a")
    with pytest.raises(ConfigurationError, match="are one folder"):
        locks.take(tmp_path / "b")
    locks.release()


def test_a_folder_that_took_the_place_of_another_is_locked_in_its_stead(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    locks, other = FolderLocks(), FolderLocks()
    locks.take(folder)
    folder.rename(tmp_path / "old")
    folder.mkdir()
    locks.take(folder)
    other.take(tmp_path / "old")
    with pytest.raises(ConfigurationError):
        other.take(folder)
    locks.release()
    other.release()


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderLocks().take(tmp_path / "nowhere")
