"""Plots read again in this process: bits that flipped, blocks that cannot be read, files that went, and all in turn."""

import contextlib
import errno
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier import plot_file, plot_reading, scrub_choice
from chiatea.copier.block_hashes import whole_file_hash
from chiatea.copier.control import Control
from chiatea.copier.job_events import Done
from chiatea.copier.known_plot import FindingState, KnownPlot
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.locks import name_locked
from chiatea.copier.scrub import Outcome, Scrub, Scrubbed
from chiatea.copier.scrub_choice import known_below, to_adopt, to_forget
from chiatea.copier.scrub_verdict import byte_ranges
from chiatea.copier.system_calls import System
from chiatea.errors import ChiaTeaError
from tests.copier.plots import SMALL, Move, block_hashes, make_move
from tests.copier.test_disks import Disk, make_disk  # noqa: F401 - a fixture
from tests.copier.test_recovery import Crashed

BLOCK = SMALL.block_bytes


class Shelf:
    """Moved plots, and a scrub of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moves: list[Move] = []
        self.known_filepath = folder / "plots.db"
        self.now = 1_900_000_000.0

    def move(self, n_bytes: int = 300_001, target_folder: Path | None = None, verification: str = "full") -> Move:
        number = len(self.moves)
        move = make_move(self.folder / f"{number}", n_bytes + number, target_folder=target_folder)
        journal = self.folder / "journal"
        assert isinstance(move.run(journal_folder=journal, verification=verification), Done)
        self.moves.append(move)
        return move

    @contextlib.contextmanager
    def scrub(self, system: System | None = None, control: Control | None = None) -> Iterator[tuple[KnownPlots, Scrub]]:
        with KnownPlots(self.known_filepath) as known:
            yield known, Scrub(
                known, self.folder / "scrub.lock", control or Control(),
                system=system, geometry=SMALL, wall_clock=lambda: self.now,
            )  # fmt: skip

    def again(self, *below: Path, system: System | None = None, control: Control | None = None) -> list[Scrubbed]:
        self.now += 10
        with self.scrub(system, control) as (known, scrub):
            return list(scrub.again(known.plots(below)))

    def adopt(self, *paths: Path, system: System | None = None, settle_seconds: float = 0.0) -> list[Scrubbed]:
        self.now += 10
        with self.scrub(system) as (known, scrub):
            return list(scrub.adopt(to_adopt(known, paths, (".plot", ".plot2")), settle_seconds))

    def known(self, path: Path) -> KnownPlot | None:
        with KnownPlots(self.known_filepath) as known:
            return known.plot(path)

    def findings(self) -> list[FindingState]:
        with KnownPlots(self.known_filepath) as known:
            return [plot.finding.state for plot in known.with_findings() if plot.finding is not None]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def flip(path: Path, *places: int, keeps_time: bool = True) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 0x10]))
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class Failing(System):
    """A disk that cannot read some bytes of its files."""

    def __init__(self, *places: int, error: int = errno.EIO) -> None:
        self.places = places
        self.error = error
        self.n_read = 0

    def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        self.n_read += 1
        if any(offset <= place < offset + len(buffer) for place in self.places):
            raise OSError(self.error, os.strerror(self.error))
        return super().read(descriptor, buffer, offset)


@pytest.mark.parametrize("verification", ["full", "sample", "none"])
def test_whatever_was_verified_a_moved_plot_has_its_hash_and_is_fine(shelf: Shelf, verification: str) -> None:
    move = shelf.move(verification=verification)
    plot = shelf.known(move.target)
    assert plot is not None
    assert (plot.read_time > 0) == (verification == "full")
    (result,) = shelf.again()
    assert (result.outcome, result.n_bytes) == (Outcome.FINE, len(move.content))
    assert result.found_hash == plot.hash == whole_file_hash(block_hashes(move.content), len(move.content))
    after = shelf.known(move.target)
    assert after == replace(plot, read_time=shelf.now, scrubbed_time=shelf.now)


def test_a_flipped_bit_is_found_where_it_is_and_a_plot_that_is_put_back_is_fine_again(shelf: Shelf) -> None:
    move, other = shelf.move(), shelf.move()
    flip(move.target, 3 * BLOCK, 4 * BLOCK + 5, 300_000)
    rotten, fine = shelf.again()
    assert (rotten.path, rotten.outcome) == (move.target, Outcome.ROTTEN)
    ranges = f"bytes {3 * BLOCK}-{5 * BLOCK - 1}, {9 * BLOCK}-300000"
    assert rotten.text == f"3 of 10 blocks hold other bytes: {ranges}"
    flipped = move.target.read_bytes()
    assert rotten.found_hash == whole_file_hash(block_hashes(flipped), len(flipped)) != rotten.expected_hash
    assert (fine.path, fine.outcome) == (other.target, Outcome.FINE)
    found_time = shelf.now
    (again,) = shelf.again(move.target)
    assert again.was_found
    plot = shelf.known(move.target)
    assert plot is not None
    assert plot.finding is not None
    assert (plot.finding.found_time, plot.scrubbed_time) == (found_time, shelf.now)
    move.target.write_bytes(move.content)  # as cp would, with a time of its own
    (mended,) = shelf.again(move.target)
    assert (mended.outcome, mended.was_found) == (Outcome.FINE, True)
    assert shelf.findings() == []


def test_a_plot_that_was_written_to_is_changed_and_no_rot(shelf: Shelf) -> None:
    written, cut, replaced, linked = (shelf.move() for _ in range(4))
    flip(written.target, 7, keeps_time=False)
    os.truncate(cut.target, 1000)
    replaced.target.unlink()
    replaced.target.mkdir()
    linked.target.rename(linked.folder / "elsewhere")
    linked.target.symlink_to(linked.folder / "elsewhere")
    results = shelf.again()
    assert [result.outcome for result in results] == [Outcome.CHANGED] * 4
    assert "it was written to at 20" in results[0].text
    assert "1 of 10 blocks hold other bytes: bytes 0-32767" in results[0].text
    assert results[1].text == f"has 1000 bytes, and had {len(cut.content)}"
    assert results[2].text == results[3].text == "is no plain file any more"


def test_a_plot_that_was_only_touched_is_fine_and_rots_later(shelf: Shelf) -> None:
    move = shelf.move()
    move.target.touch()
    assert [result.outcome for result in shelf.again()] == [Outcome.FINE]
    flip(move.target, 50_000)
    assert [result.outcome for result in shelf.again()] == [Outcome.ROTTEN]


def test_what_the_disk_cannot_read_is_told_with_its_place_and_the_rest_is_read_all_the_same(shelf: Shelf) -> None:
    move, other = shelf.move(), shelf.move()
    flip(move.target, 9 * BLOCK + 1)
    bad, fine = shelf.again(system=Failing(2 * BLOCK + 5000))
    assert bad.outcome is Outcome.UNREADABLE
    assert bad.text == (
        f"1 of 10 blocks cannot be read: bytes {2 * BLOCK}-{3 * BLOCK - 1}: first the plot: cannot be read back at "
        f"byte {2 * BLOCK + 4096}: Input/output error; 1 of 10 blocks hold other bytes: bytes {9 * BLOCK}-300000"
    )
    assert bad.found_hash == ""
    assert fine.path == other.target
    assert shelf.findings() == [FindingState.UNREADABLE, FindingState.UNREADABLE]
    assert [result.outcome for result in shelf.again()] == [Outcome.ROTTEN, Outcome.FINE]


def test_of_a_plot_that_cannot_be_read_at_all_the_rest_is_not_tried(shelf: Shelf) -> None:
    move = shelf.move(n_bytes=20 * BLOCK)
    system = Failing(*(number * BLOCK for number in range(20)))
    (result,) = shelf.again(system=system)
    assert result.outcome is Outcome.UNREADABLE
    assert f"8 of 20 blocks cannot be read: bytes 0-{8 * BLOCK - 1}:" in result.text
    assert result.text.endswith(f"from byte {8 * BLOCK} on it was not tried")
    assert system.n_read == plot_reading.MOST_UNREADABLE
    assert shelf.findings() == [FindingState.UNREADABLE]
    assert move.target.exists()


def test_a_plot_that_cannot_be_opened_is_unreadable_and_one_that_we_may_not_read_is_none(shelf: Shelf) -> None:
    shelf.move()

    class Refusing(System):
        error = errno.EIO

        def open_to_read(self, folder: int, name: str) -> int:  # noqa: ARG002
            raise OSError(self.error, os.strerror(self.error))

    class Forbidding(Refusing):
        error = errno.EACCES

    (result,) = shelf.again(system=Forbidding())
    assert (result.outcome, result.text) == (
        Outcome.NOT_READ, "cannot be opened: Permission denied: run as the user who may read it",
    )  # fmt: skip
    assert shelf.findings() == []
    (result,) = shelf.again(system=Refusing())
    assert (result.outcome, result.text) == (Outcome.UNREADABLE, "cannot be opened: Input/output error")
    assert shelf.findings() == [FindingState.UNREADABLE]


def test_a_plot_that_is_gone_is_missing_and_one_whose_disk_is_away_is_not(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, without_folder, unmounted, on_root = (shelf.move() for _ in range(4))
    gone.target.unlink()
    shutil.rmtree(without_folder.target_folder)
    root = Path("/").stat().st_dev
    with KnownPlots(shelf.known_filepath) as known:
        plot = known.plot(on_root.target)
        assert plot is not None
        assert plot.is_on_root == (on_root.target.stat().st_dev == root)
        known.keep(replace(plot, is_on_root=False), known.blocks(plot.path))
    is_away = unmounted.target_folder
    monkeypatch.setattr(plot_file, "unmounted_point", lambda folder: folder if folder == is_away else None)
    monkeypatch.setattr(plot_file, "is_on_root", lambda device: device == on_root.target.stat().st_dev)
    with KnownPlots(shelf.known_filepath) as known:
        for move in (gone, without_folder, unmounted):
            plot = known.plot(move.target)
            assert plot is not None
            known.keep(replace(plot, is_on_root=True), known.blocks(plot.path))
    results = {result.path: result for result in shelf.again()}
    assert results[gone.target].outcome is Outcome.MISSING
    others = [results[move.target] for move in (without_folder, unmounted, on_root)]
    assert [result.outcome for result in others] == [Outcome.NOT_READ] * 3
    assert "its folder cannot be opened: No such file" in others[0].text
    assert "which fstab names" in others[1].text
    assert "its folder is on the system's own" in others[2].text
    assert shelf.findings() == [FindingState.MISSING]

    with KnownPlots(shelf.known_filepath) as known:
        paths, away = to_forget(known, [shelf.folder])
        assert paths == [gone.target]
        assert set(away) == {move.target_folder for move in (without_folder, unmounted, on_root)}
        assert to_forget(known, [without_folder.target_folder, on_root.target]) == (
            [without_folder.target, on_root.target], [],
        )  # fmt: skip
        with pytest.raises(ChiaTeaError, match="no plot is known there, but in"):
            to_forget(known, [Path("/nowhere")])


def test_a_plot_that_is_written_or_removed_while_it_is_read_is_left_for_another_time(shelf: Shelf) -> None:
    written, removed = shelf.move(), shelf.move()

    class Disturbing(System):
        def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
            if offset == 5 * BLOCK:
                written.target.touch()
                removed.target.unlink(missing_ok=True)
            return super().read(descriptor, buffer, offset)

    assert [result.outcome for result in shelf.again(system=Disturbing())] == [Outcome.NOT_READ, Outcome.MISSING]
    assert shelf.findings() == [FindingState.MISSING]
    assert [result.outcome for result in shelf.again(written.target)] == [Outcome.FINE]


def reads_of(shelf: Shelf, n_bytes: int, when: int, how: Callable[[], None]) -> tuple[System, list[int]]:
    """A system that notes the offsets that are read, and does something at the n-th."""
    offsets: list[int] = []

    class Noting(System):
        def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
            offsets.append(offset)
            if len(offsets) == when:
                how()
            return super().read(descriptor, buffer, offset)

    return Noting(), offsets


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_scrub_that_is_ended_goes_on_in_the_middle_of_the_plot(
    shelf: Shelf, is_killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, n_steps = shelf.move(n_bytes=10 * BLOCK), BLOCK // SMALL.step_bytes
    flip(move.target, 10, 7 * BLOCK)
    control = Control()

    def crash() -> None:
        raise Crashed

    monkeypatch.setattr(plot_reading, "_KEEP_SECONDS", 0.0)
    system, offsets = reads_of(shelf, 10 * BLOCK, 4 * n_steps + 2, crash if is_killed else control.leave_off)
    with pytest.raises(Crashed) if is_killed else contextlib.nullcontext():
        assert shelf.again(system=system, control=control) == []
    assert max(offsets) // BLOCK == 4
    system, offsets = reads_of(shelf, 10 * BLOCK, 0, crash)
    (result,) = shelf.again(system=system)
    assert offsets[0] == 4 * BLOCK
    assert result.text == f"2 of 10 blocks hold other bytes: bytes 0-{BLOCK - 1}, {7 * BLOCK}-{8 * BLOCK - 1}"
    system, offsets = reads_of(shelf, 10 * BLOCK, 0, crash)
    shelf.again(system=system)
    assert offsets[0] == 0


def test_a_plot_that_was_written_to_since_is_read_from_its_beginning(shelf: Shelf) -> None:
    move, control = shelf.move(n_bytes=10 * BLOCK), Control()
    system, _ = reads_of(shelf, 10 * BLOCK, 50, control.leave_off)
    shelf.again(system=system, control=control)
    flip(move.target, 10, keeps_time=False)
    system, offsets = reads_of(shelf, 10 * BLOCK, 0, control.leave_off)
    assert [result.outcome for result in shelf.again(system=system)] == [Outcome.CHANGED]
    assert offsets[0] == 0


def test_two_scrubs_share_the_plots_and_read_none_twice(shelf: Shelf) -> None:
    for _ in range(6):
        shelf.move(n_bytes=5000)
    with shelf.scrub() as (known, one), shelf.scrub() as (_, other):
        plots = known.plots()
        first = one.again(plots)
        done = [next(first).path]
        done += [result.path for result in other.again(plots)]
        done += [result.path for result in first]
    assert sorted(done) == sorted(plot.path for plot in plots)
    assert len(done) == 6


def test_a_plot_that_another_process_reads_is_left_to_it(shelf: Shelf) -> None:
    move = shelf.move()
    pid = os.fork()
    if pid == 0:  # what is locked by fcntl is locked for other processes only
        with name_locked(shelf.folder / "scrub.lock", os.fsencode(move.target)) as is_ours:
            (shelf.folder / "is locked").write_text(str(is_ours))
            while not (shelf.folder / "let go").exists():
                threading.Event().wait(0.01)
        os._exit(0)
    try:
        while not (shelf.folder / "is locked").exists():
            threading.Event().wait(0.01)
        assert (shelf.folder / "is locked").read_text() == "True"
        assert shelf.again() == []
    finally:
        (shelf.folder / "let go").touch()
        os.waitpid(pid, 0)
    assert [result.outcome for result in shelf.again()] == [Outcome.FINE]


def test_a_plot_that_is_moved_on_or_forgotten_while_it_is_read_is_no_finding(shelf: Shelf) -> None:
    move = shelf.move()
    flip(move.target, 5)

    def forget() -> None:
        with KnownPlots(shelf.known_filepath) as known:
            known.forget([move.target])

    system, _ = reads_of(shelf, 300_000, 20, forget)
    (result,) = shelf.again(system=system)
    assert result.outcome is Outcome.NOT_READ
    assert shelf.known(move.target) is None
    with KnownPlots(shelf.known_filepath) as known:
        assert known.plots() == []


def test_plots_of_others_are_adopted_once_and_watched_from_then_on(shelf: Shelf) -> None:
    move = shelf.move()
    strangers = [make_move(shelf.folder / "other" / f"{number}", 100_000 + number).source for number in range(3)]
    flip(strangers[2], 25, keeps_time=True)  # its header: no plot of that name
    (strangers[0].parent / "x.plot.copying").write_bytes(b"half")
    (strangers[0].parent / "link.plot").symlink_to(strangers[0])
    results = shelf.adopt(shelf.folder)
    assert [result.outcome for result in results] == [Outcome.ADOPTED, Outcome.ADOPTED, Outcome.NOT_READ]
    assert "is no whole plot: " in results[2].text
    assert shelf.adopt(shelf.folder / "other" / "0", move.target) == []
    flip(strangers[0], 70_000)
    outcomes = {result.path: result.outcome for result in shelf.again()}
    assert outcomes == {move.target: Outcome.FINE, strangers[0]: Outcome.ROTTEN, strangers[1]: Outcome.FINE}
    assert shelf.adopt(shelf.folder / "other" / "0") == []  # what is rotten is not made right by the way
    assert [result.outcome for result in shelf.adopt(strangers[0])] == [Outcome.ADOPTED]
    assert shelf.findings() == []
    with KnownPlots(shelf.known_filepath) as known, pytest.raises(ChiaTeaError, match="is no plot, and no folder"):
        to_adopt(known, [shelf.folder / "nothing.plot"], (".plot",))


def test_what_is_just_written_or_cannot_be_read_is_not_adopted(shelf: Shelf) -> None:
    fresh = make_move(shelf.folder / "fresh").source
    shelf.now = fresh.stat().st_mtime
    (result,) = shelf.adopt(fresh, settle_seconds=60.0)
    assert (result.outcome, result.text) == (Outcome.NOT_READ, "was written to 10 s ago: it may not be finished")
    (result,) = shelf.adopt(fresh, system=Failing(5 * BLOCK))
    assert result.outcome is Outcome.UNREADABLE
    assert shelf.known(fresh) is None


def test_a_whole_disk_is_chosen_in_the_order_that_is_due(shelf: Shelf) -> None:
    moves = [shelf.move(n_bytes=5000) for _ in range(3)]
    shelf.again(moves[0].target)
    with KnownPlots(shelf.known_filepath) as known:
        assert [plot.path for plot in known_below(known, [])] == [moves[n].target for n in (1, 2, 0)]
        due = known_below(known, [moves[0].folder, moves[1].folder], read_before=shelf.now)
        assert [plot.path for plot in due] == [moves[1].target]


@pytest.mark.parametrize(
    ("blocks", "ranges"),
    [([], []), ([0], [(0, BLOCK - 1)]), ([1, 2, 4], [(BLOCK, 3 * BLOCK - 1), (4 * BLOCK, 4 * BLOCK + 99)])],
)
def test_neighbours_make_one_range_and_the_last_ends_with_the_file(
    blocks: Sequence[int], ranges: list[tuple[int, int]]
) -> None:
    assert byte_ranges(blocks, 4 * BLOCK + 100, SMALL) == ranges


@pytest.fixture
def disk(make_disk: Callable[..., Disk]) -> Disk:  # noqa: F811
    return make_disk("ext4")


def test_what_rots_on_the_disk_itself_is_read_from_there_and_leaves_no_page_in_memory(shelf: Shelf, disk: Disk) -> None:
    """The file system's own pages still hold what was written: only the disk under it has changed."""
    move = shelf.move(n_bytes=2_000_000, target_folder=disk.mount_point)
    os.sync()
    image = disk.image.read_bytes()
    place = image.index(move.content[50 * BLOCK : 50 * BLOCK + 512])
    assert move.target.read_bytes() == move.content
    flip(disk.image, place + 100)
    assert move.target.read_bytes() == move.content, "it is read from memory"
    (result,) = shelf.again()
    assert result.is_from_device
    assert result.text == f"1 of 62 blocks hold other bytes: bytes {50 * BLOCK}-{51 * BLOCK - 1}"
    descriptor = os.open(move.target, os.O_RDONLY)
    try:
        assert System().resident_bytes(descriptor, len(move.content)) == 0
    finally:
        os.close(descriptor)


def test_sectors_that_a_disk_has_lost_are_unreadable(shelf: Shelf, disk: Disk) -> None:
    move = shelf.move(n_bytes=4_000_000, target_folder=disk.mount_point)
    os.sync()
    image = disk.image.read_bytes()
    os.truncate(disk.image, image.index(move.content[60 * BLOCK : 60 * BLOCK + 512]))
    (result,) = shelf.again()
    os.truncate(disk.image, len(image))
    assert result.outcome is Outcome.UNREADABLE, result
    # The system reads many pages at once, and cannot tell which of them it is.
    found = re.search(r"cannot be read back at byte (\d+): Input/output error", result.text)
    assert found is not None, result.text
    assert 30 * BLOCK < int(found[1]) <= 60 * BLOCK


def test_the_choice_of_plots_knows_a_link_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [scrub_choice._is_plain_file(tmp_path / name) for name in "abc"] == [True, False, False]
