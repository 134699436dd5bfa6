"""chia_plot, madMAx43v3r's plotter (chia-plotter, src/chia_plot.cpp and include/chia/phase*.hpp, read in 1.1.8)."""

import re
from collections.abc import Iterator
from typing import Final

from chiatea.collector.sources.plotters.line_text import seconds_of
from chiatea.collector.sources.plotters.plot_names import folder_of, plot_name_in
from chiatea.collector.sources.plotters.plot_observations import (
    Kind,
    PlotCopying,
    PlotCreated,
    PlotFinished,
    PlotObservation,
    Step,
)
from chiatea.collector.sources.plotters.run import Run
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["CPU_STEPS", "MADMAX", "MadmaxRun"]

_P1: Final = (25, 301, 346, 426, 425, 390, 286)
_P2: Final = ((7, 40, 96), (6, 106, 142), (5, 107, 133), (4, 99, 130), (3, 87, 152), (2, 104, 159))
_P3: Final = ((2, 135, 102), (3, 150, 82), (4, 120, 79), (5, 125, 82), (6, 129, 86), (7, 125, 104))
CPU_STEPS: Final = (
    *(Step(1, f"P1 Table {table}", seconds) for table, seconds in enumerate(_P1, start=1)),
    *(
        step
        for table, scan, rewrite in _P2
        for step in (Step(2, f"P2 Table {table} scan", scan), Step(2, f"P2 Table {table} rewrite", rewrite))
    ),
    *(
        step
        for table, first, second in _P3
        for step in (Step(3, f"P3-1 Table {table}", first), Step(3, f"P3-2 Table {table}", second))
    ),
    Step(4, "P4 C1 and C3 tables", 86),
    Step(4, "P4 C2 table", 1),
)
"""Seconds as in one run with 8 threads on an SSD."""
MADMAX: Final = Kind("madmax", PlotInProgress.MADMAX, CPU_STEPS)

_NUMBER: Final = r"([\d.]+(?:e[+-]?\d+)?)"
_SECONDS: Final = rf"took {_NUMBER} sec"
_MOST_CREATED: Final = 64


class MadmaxRun(Run):
    """A run of chia_plot; gigahorse's plotters write in the same form and add to it."""

    def __init__(self, kind: Kind = MADMAX) -> None:
        """A run of which nothing is read yet."""
        super().__init__(kind)
        self._created: dict[str, bool] = {}
        """Plots that are not in their place yet, oldest first, and whether their copy was begun."""
        self._stage_folder: str | None = None
        self.know(r"Multi-threaded pipelined Chia k|Chia k\d+ next-gen CUDA plotter", self.began)
        self.know(rf"^\[P(\d(?:-\d)?)\] (Setup|Table \d(?: \w+)??) {_SECONDS}", self._step_took)
        self.know(rf"^Phase (\d) {_SECONDS}", self._phase_took)
        self.know(r"^\[P4\] Finished writing C1 and C3 tables", self._c3_written)
        self.know(r"Crafting plot \d+ out of -?\d+", self._crafting)
        self.know(r"^(?:Process ID): (\d+)", self._process)
        self.know(r"^Working Directory:\s+(.+)", self._working)
        self.know(r"^Final D(?:irectory|estination): (.+)", self._final)
        self.know(r"^Stage Directory: (.+)", self._stage)
        self.know(r"Plot Name: (\S+)", self._named)
        self.know(rf"Total plot creation time was {_NUMBER} sec", self._total)
        self.know(r"^Started copy to (.+)", self._copying)
        self.know(r"^Copy to (.+) finished, took|^Renamed final plot to (.+)", self._copied)
        self.know(r"terminate called|\(core dumped\)|line \d+: +\d+ (?:Killed|Aborted|Terminated|Seg)", self.failed)

    def began(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        """Another run begins in the same log."""
        self._created.clear()
        self._stage_folder = None
        yield from super().began(match, time)

    def _crafting(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self._finish_uncopied(time)

    def _finish_uncopied(self, time: float) -> Iterator[PlotObservation]:
        """The next plot is begun after the copy of the last one: no word of a copy means that there is none."""
        for plot_id in [plot_id for plot_id, is_copying in self._created.items() if not is_copying]:
            del self._created[plot_id]
            yield PlotFinished(time, plot_id)

    def _process(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.header.process_id = int(match[1][:9])
        yield from ()

    def _working(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.header.temporary_folder = match[1]
        yield from ()

    def _final(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.header.target_folder = match[1]
        yield from ()

    def _stage(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self._stage_folder = match[1]
        yield from ()

    def _named(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match[1])
        if name is None:
            return
        self.header.k = name.k
        if name.compression_level is not None:
            self.compressed(name.compression_level)
        yield self.begin_plot(name.plot_id, time, name.start_time(time))

    def compressed(self, level: int) -> None:
        """The plots of this run are compressed."""
        self.header.compression_level = level

    def _step_took(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        number = self.kind.number_of.get(f"P{match[1]} {match[2]}")
        if number is not None:
            yield from self.at(number + 1, time, seconds=seconds_of(match[3]))

    def _phase_took(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self.after_phase(int(match[1]), time, seconds_of(match[2]))

    def _c3_written(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self.at(len(self.kind.steps) - 1, time)

    def _total(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        plot_id, self.plot_id = self.plot_id, None
        if plot_id is None:
            return
        yield PlotCreated(time, plot_id, seconds_of(match[1]))
        if self.is_created_in_place and not self.is_flushed_later:
            yield PlotFinished(time, plot_id)
            return
        self._created[plot_id] = False
        if len(self._created) > _MOST_CREATED:
            del self._created[next(iter(self._created))]

    @property
    def is_created_in_place(self) -> bool:
        """Whether a plot needs no copy once it is created."""
        return self.header.target_folder in {None, self.header.temporary_folder, self._stage_folder}

    @property
    def is_flushed_later(self) -> bool:
        """Whether a plot is still to be written to disk once it is created."""
        return False

    def _copying(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match[1])
        if name is not None:
            self._created[name.plot_id] = True
            yield PlotCopying(time, name.plot_id, folder_of(match[1]))

    def _copied(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match[1] or match[2])
        if name is not None:
            self._created.pop(name.plot_id, None)
            yield PlotFinished(time, name.plot_id)
