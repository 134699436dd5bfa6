"""Chia's bladebit: what its three plotters have in common (bladebit 1.2.4, 2.0.0 and 3.1.0, src/main.cpp)."""

import re
from collections.abc import Iterator
from typing import Final

from chiatea.collector.sources.plotters.bladebit_cuda import BLADEBIT_CUDA, CUDA_LINES
from chiatea.collector.sources.plotters.bladebit_disk import BLADEBIT_DISK, DISK_LINES
from chiatea.collector.sources.plotters.bladebit_ram import BLADEBIT_RAM, RAM_LINES
from chiatea.collector.sources.plotters.line_text import seconds_of
from chiatea.collector.sources.plotters.plot_names import folder_of, plot_name_in
from chiatea.collector.sources.plotters.plot_observations import (
    Kind,
    PlotCreated,
    PlotFinished,
    PlotObservation,
)
from chiatea.collector.sources.plotters.run import Run
from chiatea.collector.sources.plotters.step_lines import StepLines

__all__ = ["BladebitRun"]

_K: Final = 32
"""bladebit makes no other size."""
_LINES: Final = {lines.kind.name: lines for lines in (RAM_LINES, DISK_LINES, CUDA_LINES)}


class BladebitRun(Run):
    """A run of bladebit, whichever of its plotters it is.

    A plot of `ramplot` that is not the last one is written while the next one is computed. Once a plot's own lines
    say that it is computed, it is on its way to its place till a line says that it was written.
    """

    def __init__(self) -> None:
        """A run of which nothing is read yet."""
        super().__init__(BLADEBIT_RAM)
        self.header.k = _K
        self._unwritten: str | None = None
        self._written: str | None = None
        self.know(r"Bladebit Chia Plotter|Creating \d+ plots:", self.began)
        self.know(r"^\[Bladebit Disk Plotter\]|^Started plot\.", self._is_disk)
        self.know(r"^\[Bladebit CUDA Plotter\]|^Generating F1$", self._is_cuda)
        self.know(r"^ ?Output path +: (.+)", self._target)
        self.know(r"^ Temp1 path +: (.+)", self._temporary)
        self.know(r"^ Compression Level +: (\d{1,2})", self._level)
        self.know(r"Generating plot \d+(?: / \d+)?: ([0-9a-f]{64})\b", self._generating)
        self.know(r"^Plot temporary file: (.+)", self._named)
        self.know(r"^(?:Finished|Completed) Phase (\d) in ([\d.]+) sec", self._phase)
        self.know(r"^(?:Finished plotting in|Completed Plot \d+ in) ([\d.]+) sec", self._created)
        self.know(r"^Previous plot .*finished writing to disk", self._previous_written)
        self.know(r"\.tmp -> |^Plot .+ finished writing to disk", self._renamed)
        self.know(r"^Completed writing plot in|^Finished writing (?:tables to disk|plot)", self._all_written)
        self.know(
            r"Fatal Error:|\*\*\* Panic!!!|\(core dumped\)|line \d+: +\d+ (?:Killed|Aborted|Term|Seg)", self.failed
        )

    @property
    def step_lines(self) -> StepLines:
        """The table of lines that tell how far a plot is."""
        return _LINES[self.kind.name]

    def began(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        """Another run begins in the same log."""
        yield from super().began(match, time)
        self.kind = BLADEBIT_RAM
        self.header.k = _K
        self._unwritten = self._written = None

    def _is_disk(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self._is(BLADEBIT_DISK, time)

    def _is_cuda(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self._is(BLADEBIT_CUDA, time)

    def _is(self, kind: Kind, time: float) -> Iterator[PlotObservation]:
        if kind is not self.kind:
            self.kind = kind
            if self.plot_id is not None:
                yield self.started(self.plot_id, time)

    def _target(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        if match[1] != "Current directory.":
            self.header.target_folder = match[1]
        yield from ()

    def _temporary(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.header.temporary_folder = match[1]
        yield from ()

    def _level(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.header.compression_level = int(match[1])
        yield from ()

    def _generating(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield self.begin_plot(match[1], time)

    def _named(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match[1])
        if name is None or name.plot_id != self.plot_id:
            return
        if name.compression_level is not None:
            self.header.compression_level = name.compression_level
        self.header.target_folder = folder_of(match[1]) or self.header.target_folder
        yield self.started(name.plot_id, time, name.start_time(time))

    def _phase(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self.after_phase(int(match[1]), time, seconds_of(match[2]))

    def _created(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        plot_id, self.plot_id = self.plot_id, None
        if plot_id is None:
            return
        yield from self._finish_unwritten(time)
        yield PlotCreated(time, plot_id, seconds_of(match[1]))
        if plot_id == self._written:
            yield PlotFinished(time, plot_id)
        else:
            self._unwritten = plot_id

    def _finish_unwritten(self, time: float) -> Iterator[PlotObservation]:
        """There is never more than one plot that waits to be written."""
        if self._unwritten is not None:
            yield PlotFinished(time, self._unwritten)
            self._unwritten = None

    def _renamed(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        name = plot_name_in(match.string)
        if name is not None and name.plot_id == self._unwritten:
            yield from self._finish_unwritten(time)
        elif name is not None:
            self._written = name.plot_id

    def _previous_written(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self._finish_unwritten(time)

    def _all_written(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        yield from self._finish_unwritten(time)
        self._written = self.plot_id
