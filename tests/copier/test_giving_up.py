"""One plot moved to a full target in this process, and what becomes of the old ones there."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier import transfer
from chiatea.copier.control import Control
from chiatea.copier.job_events import Cancelled, Done, Failed, Replaced
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.system_calls import System
from tests.copier.full_disk import FREE_BYTES, N_TO_GO, Exchange, PretendedDisk, make_exchange, rule
from tests.copier.plots import plot_bytes
from tests.copier.test_known_plots import BLOCKS, a_plot
from tests.copier.test_recovery import Crashed

_ALL = os.environ.get("CHIA_TEA_FAULTS") == "all"

both = pytest.mark.parametrize("deletes_first", [False, True], ids=["write first", "delete first"])


def run(exchange: Exchange, *, system: System | None = None, **more: object) -> tuple[object, list[Replaced]]:
    told: list[Replaced] = []
    event = exchange.move.run(system=system or PretendedDisk(exchange), replaced=told, **more)  # type: ignore[arg-type]
    return event, told


@both
def test_as_few_old_plots_go_as_are_needed_and_each_is_told(tmp_path: Path, deletes_first: bool) -> None:
    exchange = make_exchange(tmp_path, deletes_first=deletes_first)
    event, told = run(exchange)
    assert isinstance(event, Done)
    assert event.kept_old == ""
    exchange.move.assert_moved()
    assert exchange.gone() == exchange.old[:N_TO_GO]
    exchange.assert_rest_is_whole()
    assert [Path(each.path) for each in told] == exchange.gone()
    assert {(each.rule, each.job_id) for each in told} == {("old", "job-1")}
    assert all(each.n_bytes >= 100_000 for each in told)


@both
def test_the_hashes_of_those_that_went_are_forgotten_and_no_others(tmp_path: Path, deletes_first: bool) -> None:
    exchange = make_exchange(tmp_path, deletes_first=deletes_first)
    filepath = exchange.move.known_plots_filepath
    with KnownPlots(filepath) as known:
        for path in exchange.old:
            known.keep(a_plot(path), BLOCKS)
    assert isinstance(run(exchange)[0], Done)
    with KnownPlots(filepath, must_exist=True) as known:
        assert {plot.path for plot in known.plots()} == {exchange.move.target, *exchange.old[N_TO_GO:]}


def test_none_goes_before_the_new_plot_has_its_name_and_its_source_is_gone(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=False)

    class Watching(PretendedDisk):
        def remove(self, folder: int, name: str) -> None:
            if name in {path.name for path in exchange.old}:
                assert exchange.move.target.read_bytes() == exchange.move.content
                assert not exchange.move.source.exists()
            super().remove(folder, name)

    assert isinstance(run(exchange, system=Watching(exchange))[0], Done)
    assert len(exchange.gone()) == N_TO_GO


def test_of_those_that_go_first_only_as_many_go_before_as_the_new_plot_needs(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=True)
    gone_at_first_write: list[int] = []

    class Watching(PretendedDisk):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            if offset == 0:
                gone_at_first_write.append(len(exchange.gone()))
            super().write(descriptor, data, offset)

    assert isinstance(run(exchange, system=Watching(exchange))[0], Done)
    assert gone_at_first_write == [1]


def spoilt(exchange: Exchange, how: str) -> None:
    path = exchange.old[0]
    content = exchange.contents.pop(path)
    match how:
        case "gone":
            path.unlink()
        case "rewritten":
            path.write_bytes(content)
        case "touched":
            os.utime(path, (time.time() - 9000, time.time() - 9000))
        case "another file":
            status = path.stat()
            path.with_suffix(".other").write_bytes(content)
            path.with_suffix(".other").replace(path)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "a link":
            path.rename(path.with_suffix(".elsewhere"))
            path.symlink_to(path.with_suffix(".elsewhere"))
        case "a second name":
            os.link(path, path.with_suffix(".second"))
        case "no plot":
            status = path.stat()
            with path.open("r+b") as file:
                file.write(b"nothing")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "longer":
            status = path.stat()
            with path.open("ab") as file:
                file.write(b"x")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@both
@pytest.mark.parametrize(
    "how", ["gone", "rewritten", "touched", "another file", "a link", "a second name", "no plot", "longer"]
)
def test_one_that_is_not_what_was_chosen_stays_and_the_next_one_goes(
    tmp_path: Path, deletes_first: bool, how: str
) -> None:
    exchange = make_exchange(tmp_path, deletes_first=deletes_first)
    first = exchange.old[0]
    disk = PretendedDisk(exchange)
    spoilt(exchange, how)
    disk.capacity = disk._used() + FREE_BYTES[deletes_first]
    event, told = run(exchange, system=disk)
    assert isinstance(event, Done), event
    assert first.exists() or how == "gone"
    assert exchange.gone() == exchange.old[:N_TO_GO] == [Path(each.path) for each in told]
    exchange.assert_rest_is_whole()


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (rule(name="another"),),
        (rule(pattern="plot-k32-1999-*"),),
        (rule(new_suffixes=(".gplot",)),),
        (rule(version=2),),
    ],
)
@both
def test_none_goes_by_a_rule_that_is_not_in_force_any_more(
    tmp_path: Path, deletes_first: bool, rules: tuple[object, ...]
) -> None:
    exchange = make_exchange(tmp_path, deletes_first=deletes_first)
    exchange.move.rules = rules  # type: ignore[assignment]
    event, told = run(exchange)
    assert told == []
    assert exchange.gone() == []
    if deletes_first:
        assert isinstance(event, Failed)
        assert (event.kind, event.is_kept) == ("no_space", False)
        exchange.move.assert_not_moved()
    else:
        assert isinstance(event, Done)
        assert "does not go by rule old any more" in event.kept_old
        exchange.move.assert_moved()


def test_none_goes_first_by_a_rule_that_lets_it_go_only_after(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=True)
    exchange.move.rules = (rule(when_full="write_first"),)
    event, told = run(exchange)
    assert isinstance(event, Failed)
    assert told == []
    assert exchange.gone() == []


def test_where_all_that_may_go_first_is_not_enough_none_goes(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=True)
    disk = PretendedDisk(exchange)
    disk.capacity -= 1_000_000
    event, told = run(exchange, system=disk)
    assert isinstance(event, Failed)
    assert event.kind == "no_space"
    assert (told, exchange.gone()) == ([], [])
    exchange.move.assert_not_moved()


def test_the_plot_itself_under_another_name_stays(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=False)
    move = exchange.move
    twin = move.target_folder / move.source.name.replace("2026", "2025")
    shutil.copy2(move.source, twin)
    os.utime(twin, (time.time() - 9000, time.time() - 9000))
    status = twin.stat()
    assert move.replacement is not None
    chosen = move.replacement.chosen[0]
    plot_id, _ = plot_bytes(len(move.content), 2)
    plot = replace(
        chosen.plot, plot_id=plot_id, name=twin.name, file_bytes=status.st_size, mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
    )  # fmt: skip
    same = replace(chosen, plot=plot)
    move.replacement = replace(move.replacement, chosen=(same,))
    event, told = run(exchange)
    assert isinstance(event, Done)
    assert "is another plot, or the new one" in event.kept_old
    assert told == []
    assert twin.exists()


def test_a_removal_that_fails_is_no_fault_of_the_move(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=False)

    class Failing(PretendedDisk):
        def remove(self, folder: int, name: str) -> None:
            if name in {path.name for path in exchange.old}:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().remove(folder, name)

    event, told = run(exchange, system=Failing(exchange))
    assert isinstance(event, Done)
    assert "cannot be removed: Input/output error" in event.kept_old
    assert (told, exchange.gone()) == ([], [])
    exchange.move.assert_moved()


@both
def test_no_other_plot_goes_for_space_that_is_only_counted_late(
    tmp_path: Path, deletes_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = make_exchange(tmp_path, deletes_first=deletes_first)
    monkeypatch.setattr(transfer, "_FREED_SECONDS", 0.0)

    class Late(PretendedDisk):
        def free_bytes(self, folder: int) -> int:
            return super().free_bytes(folder) - sum(1 for _ in exchange.gone()) * 102_400

    event, _ = run(exchange, system=Late(exchange))
    assert isinstance(event, Done)
    assert len(exchange.gone()) == N_TO_GO


def test_a_cancelled_move_gives_up_no_more(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=True)
    control = Control()

    class Cancelling(PretendedDisk):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            control.cancel()

    event, told = run(exchange, system=Cancelling(exchange), control=control)
    assert isinstance(event, Cancelled)
    assert len(exchange.gone()) == len(told) == 1
    exchange.move.assert_not_moved()


def test_where_nobody_hears_of_a_deletion_it_is_told_again_at_the_next_start(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=False)
    control = Control()

    class Leaving(PretendedDisk):
        def remove(self, folder: int, name: str) -> None:
            super().remove(folder, name)
            if name == exchange.old[0].name:
                control.leave_off()  # as the worker does when its output is closed

    disk = Leaving(exchange)
    event, told = run(exchange, system=disk, control=control)
    assert event is None
    assert len(exchange.gone()) == 1
    exchange.move.replacement = None
    event, told = run(exchange, system=disk)
    assert isinstance(event, Done)
    assert [Path(each.path) for each in told] == exchange.gone() == exchange.old[:N_TO_GO]
    exchange.move.assert_moved()


class CrashingDisk(PretendedDisk):
    """Ends the process, as far as a test can, at the n-th call, or right behind it."""

    def __init__(self, exchange: Exchange, n_calls: int, *, is_after: bool) -> None:
        super().__init__(exchange)
        self.n_calls, self.is_after = n_calls, is_after

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in {"n_calls", "is_after", "close", "folder", "capacity"}:
            return found
        self.n_calls -= 1
        if self.n_calls:
            return found
        if not self.is_after:
            raise Crashed(name)
        call: Callable[..., object] = found

        def last(*arguments: object, **named: object) -> None:
            with contextlib.suppress(OSError):
                call(*arguments, **named)
            raise Crashed(name)

        return last


@both
@pytest.mark.timeout(600 if _ALL else 180)
@pytest.mark.parametrize("is_after", [False, True], ids=["before it", "behind it"])
def test_a_crash_at_any_call_loses_no_plot_and_gives_up_none_too_many(
    tmp_path: Path, deletes_first: bool, is_after: bool
) -> None:
    n_calls = 1
    while True:
        exchange = make_exchange(tmp_path / str(n_calls), deletes_first=deletes_first)
        disk = CrashingDisk(exchange, n_calls, is_after=is_after)
        told: list[Replaced] = []
        try:
            assert isinstance(exchange.move.run(system=disk, replaced=told), Done)
            break
        except Crashed:
            disk.n_calls = -1
        exchange.assert_new_is_safe()
        assert len(exchange.gone()) <= N_TO_GO
        while exchange.move.source.exists() or exchange.move.journal.job_ids():
            assert isinstance(exchange.move.run(system=disk, replaced=told), Done), n_calls
        exchange.move.assert_moved()
        assert exchange.gone() == exchange.old[:N_TO_GO], n_calls
        assert {Path(each.path) for each in told} == set(exchange.gone()), n_calls
        exchange.assert_rest_is_whole()
        shutil.rmtree(exchange.move.folder)
        n_calls += 1 if _ALL else 3
    assert n_calls > 60
