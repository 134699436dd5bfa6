"""Crashes at every call, several in a row, and a target that lost what was written to it."""

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.control import Control
from chiatea.copier.job_events import Cancelled, Done, Failed
from chiatea.copier.journal import EntryState
from chiatea.copier.system_calls import System
from tests.copier.plots import Move, make_move


class Crashed(BaseException):
    """The process ended here."""


class Crashing(System):
    """Ends the process, as far as a test can, at the n-th call; with `is_after`, when the call has done its work."""

    def __init__(self, n_calls: int, *, is_after: bool = False) -> None:
        self.n_calls = n_calls
        self.is_after = is_after

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in {"n_calls", "is_after", "close"}:
            return found
        self.n_calls -= 1
        if self.n_calls:
            return found
        if not self.is_after:
            raise Crashed(name)

        def last(*arguments: object, **named: object) -> None:
            with contextlib.suppress(OSError):
                found(*arguments, **named)
            raise Crashed(name)

        return last


def crash(move: Move, n_calls: int, *, is_after: bool = False) -> bool:
    """Whether the run crashed before its end."""
    try:
        event = move.run(system=Crashing(n_calls, is_after=is_after))
    except Crashed:
        return True
    assert isinstance(event, Done), event
    return False


def finish(move: Move) -> None:
    if move.source.exists() or move.journal.job_ids():
        event = move.run()
        assert isinstance(event, Done), event
    move.assert_moved()


def crash_in_copy(move: Move, at_byte: int = 250_000) -> None:
    """A crash behind the first checkpoint, at 131,072 bytes."""

    class AtByte(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            if offset >= at_byte:
                raise Crashed
            super().write(descriptor, data, offset)

    with pytest.raises(Crashed):
        move.run(system=AtByte())


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("part", range(4))
def test_a_crash_at_any_call_loses_nothing(tmp_path: Path, part: int, is_after: bool) -> None:
    n_calls = 1 + part
    while True:
        move = make_move(tmp_path / str(n_calls), 140_001, version=1 + n_calls % 2)
        if not crash(move, n_calls, is_after=is_after):
            break
        finish(move)
        shutil.rmtree(move.folder)
        n_calls += 4
    assert n_calls > 150


@given(
    crashes=st.lists(st.tuples(st.integers(1, 500), st.booleans()), max_size=5),
    losses=st.lists(st.integers(0, 2**32), max_size=5),
    n_bytes=st.sampled_from([140_000, 262_144, 300_001]),
)
def test_crashes_in_a_row_on_a_disk_that_loses_writes_lose_nothing(
    crashes: list[tuple[int, bool]], losses: list[int], n_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        move = make_move(Path(name) / "move", n_bytes)
        for number, (n_calls, is_after) in enumerate(crashes):
            if not move.source.exists() and not move.journal.job_ids():
                break
            crash(move, n_calls, is_after=is_after)
            if number < len(losses) and move.temporary.exists() and move.source.exists():
                lose(move.temporary, random.Random(losses[number]))
        finish(move)


def lose(path: Path, made: random.Random) -> None:
    """What a power cut may do to a file, and worse."""
    size = path.stat().st_size
    match made.randrange(4):
        case 0:
            os.truncate(path, made.randrange(size + 1))
        case 1 if size:
            begin = made.randrange(size)
            with path.open("r+b") as file:
                file.seek(begin)
                file.write(bytes(min(50_000, size - begin)))
        case 2:
            path.unlink()
        case _:
            pass


def test_what_was_durable_is_not_copied_again(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    written: list[int] = []

    class Writing(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            written.append(offset)
            super().write(descriptor, data, offset)

    assert isinstance(move.run("recover", system=Writing()), Done)
    assert min(written) == 131_072
    move.assert_moved()


def test_only_the_longest_good_prefix_is_kept(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    with move.temporary.open("r+b") as file:
        file.seek(70_000)
        file.write(b"rot")
    written: list[int] = []

    class Writing(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            written.append(offset)
            super().write(descriptor, data, offset)

    assert isinstance(move.run(system=Writing()), Done)
    assert min(written) == 65_536
    move.assert_moved()


def test_a_worker_that_leaves_off_goes_on_where_it_was(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    control = Control()

    class Leaving(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            if offset >= 230_000:
                control.leave_off()

    assert move.run(system=Leaving(), control=control) is None
    entry = move.journal.read("job-1")
    assert entry is not None
    assert (entry.state, len(entry.blocks)) == (EntryState.COPYING, 7)
    assert isinstance(move.run("recover"), Done)
    move.assert_moved()


def test_a_source_that_changed_meanwhile_is_copied_anew(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    content = bytearray(move.content)
    content[10_000] ^= 1
    move.source.write_bytes(content)
    os.utime(move.source, (1e9, 1e9))
    move.content = bytes(content)
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_a_source_that_is_gone_meanwhile_leaves_what_was_copied(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    move.source.unlink()
    for order in ("copy", "recover", "cancel"):
        event = move.run(order)
        assert isinstance(event, Failed)
        assert (event.kind, event.is_kept) == ("source", True)
        assert move.temporary.stat().st_size == len(move.content)


def test_a_complete_copy_needs_no_source(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class BeforeVerified(System):
        def resident_bytes(self, *_: int) -> int:
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=BeforeVerified())
    move.source.unlink()
    assert isinstance(move.run("recover"), Done)
    move.assert_moved()


def test_a_plot_that_is_neither_here_nor_there_is_told_of(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class AfterRename(System):
        def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
            super().rename_without_replacing(folder, old, new)
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=AfterRename())
    move.source.unlink()
    hidden = tmp_path / "hidden"
    move.target.rename(hidden)
    event = move.run("recover")
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("target_lost", True)
    hidden.rename(move.target)
    assert isinstance(move.run("recover"), Done)
    move.assert_moved()


def test_a_final_file_that_is_not_what_was_copied_does_not_cost_the_source(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class AfterRename(System):
        def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
            super().rename_without_replacing(folder, old, new)
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=AfterRename())
    with move.target.open("r+b") as file:
        file.seek(250_000)
        file.write(b"rot")
    event = move.run("recover")
    assert isinstance(event, Failed)
    assert event.kind == "name_taken"
    assert move.source.read_bytes() == move.content


def test_both_names_of_one_file_after_a_crash_between_link_and_unlink_become_one(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class BetweenLinkAndUnlink(System):
        def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
            os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder)
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=BetweenLinkAndUnlink())
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_a_temporary_file_that_another_wrote_meanwhile_is_left_alone(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class BeforeCreate(System):
        def create(self, *_: object) -> int:
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=BeforeCreate())
    move.temporary.write_bytes(b"somebody else's")
    event = move.run()
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("name_taken", False)
    assert move.temporary.read_bytes() == b"somebody else's"
    assert move.source.read_bytes() == move.content


def test_a_job_that_nobody_runs_is_cancelled_from_the_journal(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    assert move.run("cancel") == Cancelled("job-1")
    move.assert_not_moved()
    assert move.run("cancel") == Cancelled("job-1")


def test_a_plot_that_has_its_name_is_not_cancelled_any_more(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class AfterRename(System):
        def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
            super().rename_without_replacing(folder, old, new)
            raise Crashed

    with pytest.raises(Crashed):
        move.run(system=AfterRename())
    control = Control()
    control.cancel()
    event = move.run("recover", control=control)
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("internal", True)
    assert isinstance(move.run("cancel"), Done)
    move.assert_moved()


def test_a_damaged_entry_stops_its_own_job_and_says_so(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    crash_in_copy(move)
    entry = move.journal_folder / "job-1.json"
    entry.write_bytes(entry.read_bytes().replace(b"COPYING", b"VOID").replace(b'copying"', b'void"'))
    event = move.run()
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("internal", True)
    assert "damaged" in event.error
    assert move.source.read_bytes() == move.content


def test_a_job_that_the_journal_does_not_know_cannot_be_recovered(tmp_path: Path) -> None:
    event = make_move(tmp_path).run("recover")
    assert isinstance(event, Failed)
    assert event.kind == "internal"
