import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chiatea.collector.plotting.watch import PlottingWatch
from chiatea.collector.sources.plotters.plotter_log import LogNews, PlotterLog
from chiatea.protobuf.chia_pb2 import PlotInProgress, Process, Source

Clock = Any
"""As conftest.py has it."""
Until = Callable[[Callable[[], bool]], Awaitable[None]]

DATA = Path(__file__).parents[2] / "data" / "plotters"
ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def lines_of(log: str) -> list[str]:
    return (DATA / f"{log}.log").read_text().splitlines(keepends=True)


def plot_ids(log: str) -> list[str]:
    words = (DATA / f"{log}.log").read_text().replace("-", " ").split()
    return list(dict.fromkeys(word for word in words if len(word) == 64 and word != "5e" * 32))


class Plotter:
    """A real process that bears a plotter's name and says what it is told to."""

    def __init__(self, folder: Path, name: str, *options: str, output: Path | None = None) -> None:
        program = folder / name
        if not program.exists():
            program.symlink_to(os.path.realpath(sys.executable))
        self._output = output.open("ab") if output is not None else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [program, "-c", ECHO, *options], stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.DEVNULL
        )
        self.pid = self._process.pid
        self._create_time = psutil.Process(self.pid).create_time()

    @property
    def found(self) -> list[Process]:
        """As the hardware's watch finds it."""
        if self._process.poll() is not None:
            return []
        return [Process(id=self.pid, kind=Process.PLOTTER, create_time=self._create_time)]

    def say(self, lines: list[str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(lines).encode())
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not isinstance(self._output, int):
            self._output.close()


@pytest.fixture
def plotters(tmp_path: Path) -> Iterator[Callable[..., Plotter]]:
    begun: list[Plotter] = []

    def begin(name: str, *options: str, output: Path | None = None) -> Plotter:
        begun.append(Plotter(tmp_path, name, *options, output=output))
        return begun[-1]

    yield begin
    for plotter in begun:
        plotter.kill()


@pytest.fixture
def watches() -> Iterator[Callable[..., PlottingWatch]]:
    begun: list[PlottingWatch] = []

    def begin(*patterns: Path, clock: Callable[[], float] = time.time) -> PlottingWatch:
        begun.append(PlottingWatch(patterns, clock))
        return begun[-1]

    yield begin
    for watch in begun:
        watch.close()


def write(path: Path, lines: list[str], at: float, mode: str = "w") -> None:
    with path.open(mode) as file:
        file.writelines(lines)
    os.utime(path, (at, at))


async def test_a_running_plotters_output_is_followed_without_configuration_until_it_is_killed(
    plotters: Callable[..., Plotter], watches: Callable[..., PlottingWatch], tmp_path: Path, until: Until
) -> None:
    log = tmp_path / "out.txt"
    plotter = plotters("chia_plot", "-t", str(tmp_path), "-k", "32", output=log)
    lines, watch = lines_of("madmax"), watches()
    plotter.say(lines[:20])
    await until(lambda: log.stat().st_size == sum(map(len, lines[:20])))
    (entry,) = (await watch.look(time.time(), plotter.found)).values()
    assert (entry.id, entry.process_id, entry.log_filepath) == (plot_ids("madmax")[0], plotter.pid, str(log))
    assert entry.state == PlotInProgress.RUNNING
    assert watch.health.entry.state == Source.OK
    before = entry.progress_percent
    plotter.say(lines[20:30])
    await until(lambda: log.stat().st_size == sum(map(len, lines[:30])))
    (entry,) = (await watch.look(time.time(), plotter.found)).values()
    assert entry.progress_percent > before
    plotter.kill()
    assert await watch.look(time.time(), plotter.found) == {}


async def test_a_plotter_without_a_log_is_told_by_its_command_and_its_files(
    plotters: Callable[..., Plotter], watches: Callable[..., PlottingWatch], tmp_path: Path
) -> None:
    target = tmp_path / "final"
    plotter = plotters("cuda_plot_k33", "-C", "7", "-t", str(tmp_path), "-d", str(target), "-f", "8a" * 48)
    watch, now = watches(), time.time()
    (entry,) = (await watch.look(now, plotter.found)).values()
    assert (entry.id, entry.process_id) == (f"process {plotter.pid}", plotter.pid)
    assert (entry.plotter, entry.k, entry.compression_level) == (PlotInProgress.GIGAHORSE, 33, 7)
    assert (entry.temporary_folder, entry.target_folder) == (str(tmp_path), str(target))
    assert entry.start_time == plotter.found[0].create_time
    assert "8a8a" not in str(entry)
    (tmp_path / f"plot-k33-c7-2020-01-01-10-30-{'0b' * 32}.plot.tmp").write_text("")
    os.utime(tmp_path / f"plot-k33-c7-2020-01-01-10-30-{'0b' * 32}.plot.tmp", (now - 9e6, now - 9e6))
    (tmp_path / f"plot-k33-c7-2024-01-31-10-30-{'0c' * 32}.plot.tmp").write_text("")
    (entry,) = (await watch.look(now + 11, plotter.found)).values()
    assert (entry.id, entry.k) == ("0c" * 32, 33)
    plotter.kill()
    assert await watch.look(now + 12, plotter.found) == {}
    assert watch.health.entry.state == Source.ABSENT


async def test_several_plotters_at_once_each_have_their_plot(
    plotters: Callable[..., Plotter], watches: Callable[..., PlottingWatch], tmp_path: Path, until: Until
) -> None:
    """One writes to a file, one through a pipe to a file that is configured, one to nowhere."""
    first = plotters("chia_plot", "-t", str(tmp_path), output=tmp_path / "first.log")
    first.say(lines_of("madmax")[:30])
    await until(lambda: (tmp_path / "first.log").stat().st_size == sum(map(len, lines_of("madmax")[:30])))
    piped, silent = plotters("bladebit_cuda", "cudaplot", "/out"), plotters("bladebit", "ramplot", "/ram")
    now = time.time() + 1
    write(tmp_path / "second.txt", lines_of("bladebit_cuda")[:45], now)
    watch = watches(tmp_path / "*.txt")
    found = [*first.found, *piped.found, *silent.found]
    entries = await watch.look(now + 300, found)
    assert len(entries) == 3
    assert entries[plot_ids("madmax")[0]].process_id == first.pid
    second = entries[plot_ids("bladebit_cuda")[0]]
    assert second.process_id in {piped.pid, silent.pid}
    (third,) = (entry for entry in entries.values() if entry.id.startswith("process "))
    assert {second.process_id, third.process_id} == {piped.pid, silent.pid}
    first.kill()
    assert set(await watch.look(now + 301, [*piped.found, *silent.found])) == set(entries) - {plot_ids("madmax")[0]}


async def test_a_log_alone_tells_its_plot_until_a_minute_after_its_last_word(
    watches: Callable[..., PlottingWatch], tmp_path: Path, clock: Clock
) -> None:
    write(tmp_path / "a.log", lines_of("chiapos")[:30], clock.now)
    watch = watches(tmp_path / "*.log", clock=clock)
    (plot_id,) = await watch.look(clock.now, [])
    assert plot_id == plot_ids("chiapos")[0]
    assert plot_id in await watch.look(clock.now + 59, [])
    assert await watch.look(clock.now + 61, []) == {}
    write(tmp_path / "a.log", lines_of("chiapos")[30:40], clock.now + 70, "a")
    assert plot_id in await watch.look(clock.now + 71, []), "it goes on, so it was not dead"


async def test_an_old_log_is_not_taken_for_that_of_a_plotter_begun_later(
    plotters: Callable[..., Plotter], watches: Callable[..., PlottingWatch], tmp_path: Path
) -> None:
    plotter, now = plotters("chia_plot", "-t", str(tmp_path)), time.time()
    write(tmp_path / "old.log", lines_of("madmax")[:30], now - 86400)
    watch = watches(tmp_path / "old.log")
    assert set(await watch.look(now, plotter.found)) == {f"process {plotter.pid}"}


async def test_after_a_restart_plots_come_back_as_they_were_and_durations_are_kept(
    watches: Callable[..., PlottingWatch], tmp_path: Path, clock: Clock
) -> None:
    log = tmp_path / "a.log"
    write(log, [*lines_of("madmax"), *lines_of("madmax")[:32]], clock.now)
    write(tmp_path / "b.log", lines_of("bladebit_ram")[:60], clock.now)
    watch = watches(tmp_path / "*.log", clock=clock)
    before = await watch.look(clock.now, [])
    assert len(before) == 2
    memory = json.loads(json.dumps(watch.as_json()))
    log.write_text("".join(lines_of("madmax")[:32]))
    os.utime(log, (clock.now, clock.now))
    again = watches(tmp_path / "*.log", clock=clock)
    again.restore(memory, before.values())
    after = await again.look(clock.now, [])
    assert after == before
    assert after[plot_ids("madmax")[0]].HasField("remaining_seconds")
    for strange in ({"durations": 5}, {"durations": {"madmax k32 c0": {"x": [None]}}}, {}):
        other = watches(tmp_path / "*.log", clock=clock)
        other.restore(strange, [])
        assert set(await other.look(clock.now, [])) == set(before)


async def test_what_was_known_stays_until_the_logs_are_read_and_then_goes(
    watches: Callable[..., PlottingWatch], tmp_path: Path, clock: Clock
) -> None:
    watch = watches(tmp_path / "*.log", clock=clock)
    watch.restore({}, [PlotInProgress(id="gone", progress_percent=40)])
    assert await watch.look(clock.now, []) == {}


async def test_a_log_that_appears_later_is_followed_and_one_that_cannot_be_read_hurts_no_other(
    watches: Callable[..., PlottingWatch], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watches(tmp_path / "*.log", clock=clock)
    assert await watch.look(clock.now, []) == {}
    assert watch.health.entry.state == Source.ABSENT
    write(tmp_path / "a.log", lines_of("madmax")[:30], clock.now)
    write(tmp_path / "b.log", lines_of("bladebit_disk")[:30], clock.now)
    clock.now += 11
    assert len(await watch.look(clock.now, [])) == 2
    assert (watch.health.entry.state, watch.health.entry.n_understood > 10) == (Source.OK, True)
    unread, read = tmp_path / "c.log", PlotterLog.read

    def refused(log: PlotterLog, now: float) -> LogNews:
        if log.path == unread:
            raise PermissionError(13, "Permission denied")
        return read(log, now)

    unread.write_text("")
    monkeypatch.setattr(PlotterLog, "read", refused)
    clock.now += 11
    assert len(await watch.look(clock.now, [])) == 2
    assert (watch.health.entry.state, watch.health.entry.error) == (Source.FAILING, f"{unread}: Permission denied")


async def test_a_log_on_a_dead_mount_holds_up_nothing(
    watches: Callable[..., PlottingWatch], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.log", lines_of("madmax")[:30], clock.now)
    write(tmp_path / "dead.log", lines_of("madmax")[:30], clock.now)
    released, read = threading.Event(), PlotterLog.read

    def stuck(log: PlotterLog, now: float) -> LogNews:
        if log.path.name == "dead.log":
            released.wait(30)
        return read(log, now)

    monkeypatch.setattr(PlotterLog, "read", stuck)
    monkeypatch.setattr("chiatea.collector.plotting.watch._FIRST_LIMIT_SECONDS", 0.3)
    watch = watches(tmp_path / "*.log", clock=clock)
    try:
        entries = await asyncio.wait_for(watch.look(clock.now, []), 3)
        assert [entry.log_filepath for entry in entries.values()] == [str(tmp_path / "a.log")]
        assert watch.health.entry.state == Source.FAILING
        assert watch.health.entry.error == f"{tmp_path / 'dead.log'}: reading it gives no answer in time"
        begun = time.monotonic()
        await watch.look(clock.now + 1, [])
        assert time.monotonic() - begun < 0.2, "it is not waited for again"
    finally:
        released.set()
