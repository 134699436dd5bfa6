import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiatea.copier.source_watch import SourceWatch
from chiatea.copier.sources import SourceFolder, SourceLook, job_id_of
from chiatea.copier.writers import writers_of

from .small_plots import a_plot, plot_id, plot_name, write_plot

SUFFIXES = (".plot", ".plot2")
SMALL = 4096


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Folder:
    """A source folder with clocks of its own; files in it were written at 1,000 s."""

    def __init__(self, folder: Path, settle_seconds: float = 60.0) -> None:
        self.folder = folder
        self.wall, self.steady = Clock(1000.0), Clock(0.0)
        self.source = SourceFolder(
            folder, SUFFIXES, settle_seconds, wall_clock=self.wall, steady_clock=self.steady, writers=lambda _: {}
        )

    def write(self, number: int, *, name: str | None = None, modified: float = 1000.0) -> Path:
        path = write_plot(self.folder, number, SMALL, name=name)
        touch(path, modified)
        return path

    def names(self) -> list[str]:
        return [plot.name for plot in self.source.look().plots]


def touch(path: Path, modified: float) -> None:
    os.utime(path, (modified, modified))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_plot_is_finished_when_nothing_was_written_for_the_settle_time(folder: Folder) -> None:
    folder.write(1)
    look = folder.source.look()
    assert (look.plots, look.wait_seconds) == ((), 60.0)
    folder.wall.now += 59
    look = folder.source.look()
    assert look.unfinished == {plot_name(1): "was written to 59 s ago"}
    assert look.wait_seconds == 1.0
    folder.wall.now += 1
    (plot,) = folder.source.look().plots
    assert (plot.name, plot.n_bytes, plot.fault) == (plot_name(1), SMALL, "")
    assert plot.job_id == job_id_of(folder.folder / plot_name(1), plot_id(1).hex())


def test_writing_begins_the_settle_time_anew(folder: Folder) -> None:
    path = folder.write(1)
    folder.wall.now += 60
    assert folder.names() == [path.name]
    touch(path, 1060.0)
    assert folder.names() == []
    folder.wall.now += 60
    assert folder.names() == [path.name]


def test_a_file_from_the_future_is_finished_when_it_was_seen_unchanged_for_the_settle_time(folder: Folder) -> None:
    folder.write(1, modified=999_999.0)
    assert folder.names() == []
    folder.steady.now += 60
    assert folder.names() == [plot_name(1)]


def test_a_wall_clock_set_back_holds_nothing_up_for_longer_than_the_settle_time(folder: Folder) -> None:
    folder.write(1)
    folder.source.look()
    folder.wall.now -= 86400
    assert folder.source.look().wait_seconds == 60.0
    folder.steady.now += 60
    assert folder.names() == [plot_name(1)]


def test_only_the_configured_suffixes_are_plots_and_half_copies_are_none(folder: Folder) -> None:
    folder.wall.now += 60
    suffixes = (".plot", ".plot2", ".gplot", ".plot.tmp", ".txt")
    names = [plot_name(number, suffix=suffix) for number, suffix in enumerate(suffixes)]
    for number, name in enumerate(names):
        folder.write(number, name=name)
    folder.write(9, name=f"{plot_name(9)}.copying")
    look = folder.source.look()
    assert [plot.name for plot in look.plots] == sorted(names[:2])
    assert not look.unfinished
    assert not look.passed_over


def test_folders_and_links_named_like_plots_are_passed_over_with_a_reason(folder: Folder, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write_plot(inside, 1, SMALL)
    (tmp_path / "a.plot").mkdir()
    (tmp_path / "b.plot").symlink_to(inside / plot_name(1))
    (tmp_path / "c.plot").symlink_to(tmp_path / "nowhere")
    look = folder.source.look()
    assert look.plots == ()
    assert look.passed_over["a.plot"] == "is a folder, not a plot"
    assert look.passed_over["b.plot"] == look.passed_over["c.plot"]
    assert "symbolic link" in look.passed_over["b.plot"]


def test_a_plot_with_another_header_than_its_name_is_refused_with_the_reason(folder: Folder) -> None:
    folder.wall.now += 60
    folder.write(1, name=plot_name(2))
    (folder.folder / plot_name(3)).write_bytes(bytes(SMALL))
    (folder.folder / plot_name(4)).write_bytes(b"")
    for name in (plot_name(3), plot_name(4)):
        touch(folder.folder / name, 1000.0)
    faults = {plot.name: plot.fault for plot in folder.source.look().plots}
    assert "its name tells of" in faults[plot_name(2)]
    assert "zeros" in faults[plot_name(3)]
    assert "empty" in faults[plot_name(4)]


def test_a_plot_that_was_mended_is_looked_into_again(folder: Folder) -> None:
    path = folder.write(1, name=plot_name(2))
    folder.wall.now += 60
    assert folder.source.look().plots[0].fault
    path.write_bytes(a_plot(2, SMALL))
    touch(path, 1060.0)
    folder.wall.now += 60
    assert folder.source.look().plots[0].fault == ""


def test_a_plot_that_cannot_be_read_is_told_and_stops_no_other(tmp_path: Path) -> None:
    def first_bytes_of(path: Path) -> bytes:
        if path.name == plot_name(1):
            raise OSError(5, "Input/output error")
        return path.read_bytes()

    write_plot(tmp_path, 1, SMALL)
    write_plot(tmp_path, 2, SMALL)
    source = SourceFolder(tmp_path, SUFFIXES, 0.0, first_bytes_of=first_bytes_of)
    faults = {plot.name: plot.fault for plot in source.look().plots}
    assert faults == {plot_name(1): "cannot be read: Input/output error", plot_name(2): ""}


def test_a_plots_header_is_read_once(tmp_path: Path) -> None:
    read: list[Path] = []

    def first_bytes_of(path: Path) -> bytes:
        read.append(path)
        return path.read_bytes()

    write_plot(tmp_path, 1, SMALL)
    source = SourceFolder(tmp_path, SUFFIXES, 0.0, first_bytes_of=first_bytes_of)
    assert source.look().plots == source.look().plots
    assert len(read) == 1


def test_a_look_at_many_slow_plots_ends_and_the_next_goes_on(tmp_path: Path) -> None:
    clock = Clock(0.0)

    def first_bytes_of(path: Path) -> bytes:
        clock.now += 8
        return path.read_bytes()

    for number in range(5):
        write_plot(tmp_path, number, SMALL)
    source = SourceFolder(tmp_path, SUFFIXES, 0.0, steady_clock=clock, first_bytes_of=first_bytes_of)
    looks = [source.look() for _ in range(3)]
    assert [len(look.plots) for look in looks] == [2, 4, 5]
    assert [look.is_partial for look in looks] == [True, True, False]


@pytest.fixture
def child_that_writes(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has two of three plots open, one of them only to read."""
    for number in range(3):
        write_plot(tmp_path, number, SMALL)
    script = "import sys; a, b = open(sys.argv[1], 'ab'), open(sys.argv[2], 'rb'); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / plot_name(0), tmp_path / plot_name(1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_a_plot_that_another_process_writes_is_not_finished_and_one_that_is_read_is(
    tmp_path: Path, child_that_writes: subprocess.Popen[bytes]
) -> None:
    assert writers_of(tmp_path / plot_name(n) for n in range(3)) == {tmp_path / plot_name(0): child_that_writes.pid}
    source = SourceFolder(tmp_path, SUFFIXES, 0.0)
    look = source.look()
    assert look.unfinished == {plot_name(0): f"process {child_that_writes.pid} has it open to write"}
    assert sorted(plot.name for plot in look.plots) == sorted([plot_name(1), plot_name(2)])
    assert look.wait_seconds == 5.0
    child_that_writes.communicate()
    assert len(source.look().plots) == 3


async def test_a_folder_that_hangs_holds_up_nobody_and_is_taken_up_when_it_answers(tmp_path: Path) -> None:
    answer = threading.Event()
    source = SourceFolder(tmp_path, SUFFIXES, 0.0)
    looks: list[SourceLook] = []

    def hanging() -> SourceLook:
        answer.wait()
        return source.look()

    watch = SourceWatch(
        tmp_path, hanging, SUFFIXES, rescan_every=0.01, on_look=lambda _, look: looks.append(look), limit_seconds=0.01
    )
    assert await watch.look() is None
    assert watch.problem == "does not answer"
    write_plot(tmp_path, 1, SMALL)
    answer.set()
    async with asyncio.timeout(10):
        while await watch.look() is None:
            await asyncio.sleep(0.01)
    assert watch.problem == ""
    assert [plot.name for plot in looks[0].plots] == [plot_name(1)]


async def test_a_new_file_is_seen_without_waiting_for_the_rescan(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    source = SourceFolder(folder, SUFFIXES, 0.0)
    looked, seen = asyncio.Event(), asyncio.Event()

    def on_look(_: SourceWatch, look: SourceLook) -> None:
        (seen if look.plots else looked).set()

    watch = SourceWatch(folder, source.look, SUFFIXES, rescan_every=3600.0, on_look=on_look)
    folder.mkdir()
    following = asyncio.create_task(watch.run(lambda _: None))
    async with asyncio.timeout(20):
        await looked.wait()
        number = 0
        while not seen.is_set():
            # The watch begins at some time after the first look.
            write_plot(folder, number, SMALL)
            number += 1
            await asyncio.sleep(0.2)
    following.cancel()
    await asyncio.wait([following])


async def test_a_folder_that_is_missing_is_told_once_and_followed_when_it_appears(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    source = SourceFolder(folder, SUFFIXES, 0.0)
    told: list[str] = []
    looked = asyncio.Event()
    watch = SourceWatch(folder, source.look, SUFFIXES, rescan_every=0.01, on_look=lambda *_: looked.set())
    await watch.look()
    assert watch.problem == "is not there"
    following = asyncio.create_task(watch.run(lambda watch: told.append(watch.problem)))
    folder.mkdir()
    async with asyncio.timeout(20):
        await looked.wait()
    following.cancel()
    await asyncio.wait([following])
    assert told == [""]
