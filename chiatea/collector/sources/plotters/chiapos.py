"""Chia's own plotter: `chia plots create`, `chia plotters chiapos`, ProofOfSpace (chiapos, src/plotter_disk.hpp)."""

import re
from collections.abc import Iterator
from typing import Final

from chiatea.collector.sources.plotters.line_text import ctime_seconds, seconds_of
from chiatea.collector.sources.plotters.plot_names import plot_name_in
from chiatea.collector.sources.plotters.plot_observations import (
    Kind,
    PlotAlive,
    PlotCreated,
    PlotFinished,
    PlotObservation,
    Step,
)
from chiatea.collector.sources.plotters.run import Run
from chiatea.collector.sources.plotters.step_lines import SECONDS, StepLine, StepLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["CHIAPOS", "ChiaposRun"]

_TABLES: Final = (165, 2580, 1048, 1206, 1177, 1072, 886)
_BACK: Final = ((7, 50), (6, 812), (5, 620), (4, 606), (3, 609), (2, 602))
_COMPRESSION: Final = (914, 1135, 1132, 1137, 1191, 1008)
CHIAPOS: Final = Kind(
    "chiapos",
    PlotInProgress.CHIAPOS,
    (
        *(Step(1, f"Computing table {table}", seconds) for table, seconds in enumerate(_TABLES, start=1)),
        *(Step(2, f"Backpropagating on table {table}", seconds) for table, seconds in _BACK),
        *(
            Step(3, f"Compressing tables {table} and {table + 1}", seconds)
            for table, seconds in enumerate(_COMPRESSION, start=1)
        ),
        Step(4, "C1 and C3 tables", 420),
        Step(4, "C2 table", 5),
    ),
)
"""Seconds as in one run with 4 threads on an SSD."""

_LINES: Final = StepLines(
    CHIAPOS,
    StepLine(r"^Computing table (\d)", "Computing table {0}", is_done=False),
    StepLine(rf"^F1 complete, time: {SECONDS}", "Computing table 1"),
    StepLine(rf"^(?:Forward propagation table time|Total backpropagation time:|Total compress table time): {SECONDS}"),
    StepLine(r"^Backpropagating on table (\d)", "Backpropagating on table {0}", is_done=False),
    StepLine(rf"^(?:scanned|sort) time = +{SECONDS}", is_done=False),
    StepLine(r"^Compressing tables (\d) and (\d)", "Compressing tables {0} and {1}", is_done=False),
    StepLine(r"^\s*Starting to write C1 and C3 tables", "C1 and C3 tables", is_done=False),
    StepLine(r"^\s*Writing C2 table", "C2 table", is_done=False),
    StepLine(r"^\s*Finished writing C2 table", "C2 table"),
)


class ChiaposRun(Run):
    """A run of Chia's own plotter. Plots that are computed at once and write to one file cannot be told apart."""

    def __init__(self) -> None:
        """A run of which nothing is read yet."""
        super().__init__(CHIAPOS)
        self._computed: str | None = None
        self.know(r"^\tBucket \d+ ", self._alive)
        self.know(r"Starting plotting progress into temporary dirs: (.+?) and .+", self._starting)
        self.know(r"^ID: ([0-9a-f]{64})", self._identified)
        self.know(r"^Plot size is: (\d+)", self._size)
        self.know(r"^Final Directory is: (.+)", self._target)
        self.know(r"^Process ID is: (\d+)", self._process)
        self.know(r"^Starting phase (\d)/4", self._phase_begun)
        self.know(r"^Time for phase (\d) = ([\d.]+) sec", self._phase)
        self.know(r"^Total time = ([\d.]+) sec", self._total)
        self.know(r"^Renamed final file from", self._renamed)
        self.know(r"Caught plotting error|^Traceback \(most recent call last\)|\(core dumped\)", self.failed)
        self.know(r"line \d+: +\d+ (?:Killed|Aborted|Term|Seg)", self.failed)

    @property
    def step_lines(self) -> StepLines:
        """The table of lines that tell how far a plot is."""
        return _LINES

    def _alive(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        if self.plot_id is not None:
            yield PlotAlive(time, self.plot_id)

    def _starting(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self.began(match, time)
        self.header.temporary_folder = match[1]

    def _identified(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield self.begin_plot(match[1], time)

    def _size(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        self.header.k = int(match[1][:2])
        yield from self._described(time)

    def _target(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        self.header.target_folder = match[1]
        yield from self._described(time)

    def _process(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        self.header.process_id = int(match[1][:9])
        yield from self._described(time)

    def _described(self, time: float, start_time: float | None = None) -> Iterator[PlotObservation]:
        if self.plot_id is not None:
            yield self.started(self.plot_id, time, start_time)

    def _phase_begun(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        phase = int(match[1])
        if phase == 1:
            yield from self._described(time, ctime_seconds(match.string, time))
        yield from self.at(self.kind.n_after_phase(phase - 1), time)

    def _phase(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self.after_phase(int(match[1]), time, seconds_of(match[2]))

    def _total(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        plot_id, self.plot_id = self.plot_id, None
        if plot_id is not None:
            self._computed = plot_id
            yield PlotCreated(time, plot_id, seconds_of(match[1]))

    def _renamed(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match.string)
        plot_id = name.plot_id if name is not None else self._computed
        if plot_id is not None:
            yield PlotFinished(time, plot_id)
