"""File systems of the test's own: power cuts, full disks, disks that lose writes, folders that are mounted over.

They need root and loop devices. `make test-faults` cuts the power at every call of a move; a plain run at some.
"""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from chiatea.copier.job_events import Done, Failed, Replaced
from chiatea.copier.steps import Geometry
from chiatea.copier.system_calls import System
from tests.copier.full_disk import FREE_BYTES, N_TO_GO, fill, make_exchange
from tests.copier.plots import make_move
from tests.copier.test_recovery import Crashed
from tests.copier.test_transfer import Disturbed

_ALL = os.environ.get("CHIA_TEA_FAULTS") == "all"
_FS_IOC_SHUTDOWN: Final = 0x8004587D  # linux/fs.h
_NO_LOG_FLUSH: Final = struct.pack("=I", 2)  # what was not on the device is lost, as in a power cut
_SIZES: Final = {"ext4": 64 << 20, "xfs": 320 << 20}

pytestmark = pytest.mark.timeout(600 if _ALL else 60)


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(part) for part in command], capture_output=True, check=False)


def is_mount_point(path: Path) -> bool:
    """`Path.is_mount` asks the file system, which may be dead."""
    return f" {path} " in Path("/proc/self/mountinfo").read_text()


class Disk:
    """A file system in a file, mounted."""

    def __init__(self, folder: Path, kind: str, n_bytes: int) -> None:
        self.image = folder / "image"
        self.mount_point = folder / "mounted"
        self.mount_point.mkdir()
        with self.image.open("wb") as file:
            file.truncate(n_bytes)
        if shutil.which(f"mkfs.{kind}") is None:
            pytest.skip(f"mkfs.{kind} is not installed")
        made = run(f"mkfs.{kind}", "-q", *(("-m", 0) if kind == "ext4" else ()), self.image)
        assert made.returncode == 0, made.stderr
        mounted = self.mount()
        if mounted.returncode != 0:
            pytest.skip(f"{kind} cannot be mounted here")

    def mount(self) -> subprocess.CompletedProcess[bytes]:
        return run("mount", "-o", "loop", self.image, self.mount_point)

    def unmount(self) -> None:
        while is_mount_point(self.mount_point):
            unmounted = run("umount", self.mount_point)
            assert unmounted.returncode == 0, unmounted.stderr

    def cut_power(self) -> None:
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _FS_IOC_SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.mount_point).free


@pytest.fixture(params=["ext4", "xfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[..., Disk]]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    with contextlib.ExitStack() as stack:

        def make(kind: str, n_bytes: int = 0, folder: Path = tmp_path / "disk") -> Disk:
            folder.mkdir(exist_ok=True)
            disk = Disk(folder, kind, n_bytes or _SIZES[kind])
            stack.callback(disk.unmount)
            return disk

        yield make


class CutAt(System):
    """The power goes at the n-th call; with it, the process."""

    def __init__(self, disk: Disk, n_calls: int) -> None:
        self.disk, self.n_calls = disk, n_calls

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in {"disk", "n_calls", "close"}:
            return found
        self.n_calls -= 1
        if self.n_calls == 0:
            self.disk.cut_power()
            raise Crashed
        return found


@pytest.mark.parametrize("is_all_on_it", [False, True], ids=["target alone", "source, target and journal"])
def test_a_power_cut_at_any_call_loses_nothing(
    tmp_path: Path,
    kind: str,
    make_disk: Callable[..., Disk],
    is_all_on_it: bool,
    record_property: Callable[[str, object], None],
) -> None:
    disk = make_disk(kind)
    hit, point = 0, 1
    while True:
        name = f"{point}"
        base = disk.mount_point if is_all_on_it else tmp_path
        (disk.mount_point / name).mkdir()
        target_folder = disk.mount_point / name / "plots"
        target_folder.mkdir()
        move = make_move(base / name if is_all_on_it else base / "moves" / name, 140_001, target_folder=target_folder)
        os.sync()
        try:
            event = move.run(system=CutAt(disk, point))
        except Crashed:
            hit += 1
        else:
            assert isinstance(event, Done), event
            break
        disk.unmount()
        assert disk.mount().returncode == 0
        if not move.source.exists():
            assert move.target.read_bytes() == move.content
        if move.source.exists() or move.journal.job_ids():
            event = move.run()
            assert isinstance(event, Done), (point, event)
        move.assert_moved()
        shutil.rmtree(disk.mount_point / name)
        point += 1 if _ALL else 23
    assert hit >= (150 if _ALL else 6)
    record_property("points", hit)


@pytest.mark.parametrize("deletes_first", [False, True], ids=["write first", "delete first"])
def test_a_power_cut_at_any_call_of_a_move_that_replaces_old_plots_costs_none_too_many(
    tmp_path: Path,
    kind: str,
    make_disk: Callable[..., Disk],
    deletes_first: bool,
    record_property: Callable[[str, object], None],
) -> None:
    disk, scale = make_disk(kind, {"ext4": 160 << 20, "xfs": 320 << 20}[kind]), 100
    hit, point = 0, 1
    while True:
        plots = disk.mount_point / f"{point}"
        exchange = make_exchange(tmp_path / f"{point}", deletes_first=deletes_first, target_folder=plots, scale=scale)
        os.sync()
        fill(disk.mount_point, FREE_BYTES[deletes_first] * scale)
        os.sync()
        move, told = exchange.move, list[Replaced]()
        try:
            event = move.run(system=CutAt(disk, point), replaced=told, geometry=Geometry())
        except Crashed:
            hit += 1
        else:
            assert isinstance(event, Done), event
            assert exchange.gone() == exchange.old[:N_TO_GO]
            break
        disk.unmount()
        assert disk.mount().returncode == 0
        exchange.assert_new_is_safe()
        if move.source.exists() or move.journal.job_ids():
            event = move.run(replaced=told, geometry=Geometry())
            assert isinstance(event, Done), (point, event)
        move.assert_moved()
        exchange.assert_rest_is_whole()
        assert set(exchange.gone()) <= {*exchange.old[:N_TO_GO], *(Path(each.path) for each in told)}
        assert len(exchange.gone()) <= N_TO_GO, point
        shutil.rmtree(plots)
        (disk.mount_point / "filler").unlink()
        point += 1 if _ALL else 17
    assert hit >= (80 if _ALL else 4)
    record_property("points", hit)


def test_a_move_that_is_done_and_the_plots_hashes_survive_a_power_cut(
    tmp_path: Path, kind: str, make_disk: Callable[..., Disk]
) -> None:
    disk = make_disk(kind)
    target_folder = disk.mount_point / "plots"
    target_folder.mkdir()
    for number in range(3):
        os.sync()
        move = make_move(disk.mount_point / f"{number}", 140_001 + number, target_folder=target_folder)
        os.sync()
        # One file for all: the first move makes it, the others write to it.
        journal_folder = disk.mount_point / "journal"
        assert isinstance(move.run(journal_folder=journal_folder), Done)
        disk.cut_power()
        disk.unmount()
        assert disk.mount().returncode == 0
        move.assert_moved(journal_folder=journal_folder)


def test_a_disk_that_goes_away_in_mid_copy_is_lost_and_gets_its_plot_when_it_is_back(
    tmp_path: Path, kind: str, make_disk: Callable[..., Disk]
) -> None:
    disk = make_disk(kind)
    move = make_move(tmp_path / "move", target_folder=disk.mount_point)

    class Vanishing(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            if offset == 200_704:
                disk.cut_power()
            super().write(descriptor, data, offset)

    event = move.run(system=Vanishing())
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("target_lost", True)
    assert move.source.read_bytes() == move.content
    disk.unmount()
    assert disk.mount().returncode == 0
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_an_unmounted_target_is_never_written_to(tmp_path: Path, make_disk: Callable[..., Disk]) -> None:
    disk = make_disk("ext4")
    move = make_move(tmp_path / "move", target_folder=disk.mount_point)
    device = move.spec.target_device
    disk.unmount()
    event = move.run(target_device=device)
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("target_lost", False)
    assert list(disk.mount_point.iterdir()) == []


@pytest.mark.parametrize("how", ["mounted over", "unmounted"])
def test_a_target_that_is_mounted_over_or_unmounted_in_mid_copy_is_lost(
    tmp_path: Path, make_disk: Callable[..., Disk], how: str
) -> None:
    disk = make_disk("ext4")
    move = make_move(tmp_path / "move", target_folder=disk.mount_point)

    class Remounting(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            if offset == 200_704:
                command = ("umount", "-l") if how == "unmounted" else ("mount", "-t", "tmpfs", "none")
                assert run(*command, disk.mount_point).returncode == 0

    device = move.spec.target_device
    event = move.run(system=Remounting(), target_device=device)
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("target_lost", False)
    assert list(disk.mount_point.iterdir()) == []
    if how == "mounted over":
        assert run("umount", disk.mount_point).returncode == 0
    else:
        assert disk.mount().returncode == 0
    assert not move.temporary.exists()
    assert isinstance(move.run(), Done)
    move.assert_moved()


@pytest.mark.parametrize("reserves", [True, False], ids=["when it is reserved", "in mid copy"])
def test_a_full_disk_is_told_of_and_gets_its_space_back(
    tmp_path: Path, kind: str, make_disk: Callable[..., Disk], reserves: bool
) -> None:
    disk = make_disk(kind)
    move = make_move(tmp_path / "move", 4_000_001, target_folder=disk.mount_point)
    filler = disk.mount_point / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.free_bytes() - 2_000_000)
    os.sync()
    free = disk.free_bytes()

    class WithoutReserving(System):
        def preallocate(self, descriptor: int, n_bytes: int) -> bool:
            return reserves and super().preallocate(descriptor, n_bytes)

    event = move.run(system=WithoutReserving())
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("no_space", False)
    os.sync()
    assert abs(disk.free_bytes() - free) < 100_000
    filler.unlink()
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_a_disk_that_fills_up_under_two_copies_gives_one_of_them_back(
    tmp_path: Path, make_disk: Callable[..., Disk]
) -> None:
    disk = make_disk("ext4")
    first, second = (
        make_move(tmp_path / str(number), int(disk.free_bytes() * 0.7) + number, target_folder=disk.mount_point)
        for number in range(2)
    )
    events: list[object] = []
    happening = Disturbed(1 << 20, lambda: events.append(second.run(geometry=Geometry())))
    assert isinstance(first.run(system=happening, geometry=Geometry()), Done)
    assert isinstance(events[0], Failed)
    assert (events[0].kind, events[0].is_kept) == ("no_space", False)
    first.assert_moved()
    second.assert_not_moved()


def test_a_disk_whose_writes_are_lost_later_never_costs_the_source(
    tmp_path: Path, make_disk: Callable[..., Disk]
) -> None:
    """A thin disk: an image on a tmpfs that is full, so that space which was promised is not there."""
    thin = tmp_path / "thin"
    thin.mkdir()
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", "size=16M", "none", thin).returncode != 0:
        pytest.skip("only root may mount")
    try:
        disk = make_disk("ext4", 64 << 20, thin)
        os.sync()
        filler = thin / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(100_000))
                file.flush()
        move = make_move(tmp_path / "move", 8_000_001, target_folder=disk.mount_point)
        event = move.run()
        assert isinstance(event, Failed), event
        assert event.kind in {"target_lost", "no_space"}
        assert move.source.read_bytes() == move.content
        assert not move.target.exists()
    finally:
        run("umount", thin / "mounted")
        run("umount", thin)
