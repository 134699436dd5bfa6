"""madMAx43v3r's gigahorse plotters: chia_plot for the processor, cuda_plot_kNN for the graphics card.

They are closed source: read in the strings of chia_plot 2.0.0 (ce733e8) and in logs of cuda_plot_k32 and k34 that users
put into the project's issues (14, 109, 111, 120, 237).
"""

import re
from collections.abc import Iterator
from typing import Final

from chiatea.collector.sources.plotters.madmax import CPU_STEPS, MADMAX, MadmaxRun
from chiatea.collector.sources.plotters.plot_observations import Kind, PlotFinished, PlotObservation, Step
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["GIGAHORSE_CPU", "GIGAHORSE_GPU", "GigahorseRun"]

GIGAHORSE_CPU: Final = Kind("gigahorse", PlotInProgress.GIGAHORSE, CPU_STEPS)
_P1: Final = (4.4, 8.2, 12.7, 13.8, 14.2, 14.0, 9.0)
GIGAHORSE_GPU: Final = Kind(
    "gigahorse gpu",
    PlotInProgress.GIGAHORSE,
    (
        Step(1, "P1 Setup", 0.4),
        *(Step(1, f"P1 Table {table}", seconds) for table, seconds in enumerate(_P1, start=1)),
        Step(2, "P2 Setup", 0.2),
        *(Step(2, f"P2 Table {table}", 2.5) for table in (7, 6, 5, 4, 3)),
        Step(3, "P3 Setup", 0.2),
        *(
            Step(3, f"P3 Table {table} {word}", seconds)
            for table in (3, 4, 5, 6, 7)
            for word, seconds in (("PDSK", 4.7), ("LPSK", 8.0), ("NSK", 8.1))
        ),
        Step(4, "P4 Setup", 0.2),
        Step(4, "P4 P7 parks", 4.0),
        Step(4, "P4 C3 parks", 2.0),
    ),
)
"""Higher compression leaves out the first tables of phases 2 and 3."""


class GigahorseRun(MadmaxRun):
    """A run of gigahorse's chia_plot or cuda_plot."""

    def __init__(self, kind: Kind = MADMAX) -> None:
        """A run of which nothing is read yet; without a word of compression it may be madmax's own chia_plot."""
        super().__init__(kind)
        self.know(r"^Compression Level:\s+C(\d{1,2})\b", self._level)
        self.know(r"^\[P4\] total_(p7|c3)_parks", self._parks)
        self.know(r"^Flushing to disk took", self._flushed)

    def began(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        """Another run begins in the same log."""
        if "CUDA" in match[0]:
            self.kind = GIGAHORSE_GPU
        else:
            self.kind = GIGAHORSE_CPU if "next-gen" in match.string else MADMAX
        yield from super().began(match, time)

    def _level(self, match: "re.Match[str]", _time: float) -> Iterator[PlotObservation]:
        self.compressed(int(match[1]))
        yield from ()

    def compressed(self, level: int) -> None:
        """The plots of this run are compressed: it is none of madmax's."""
        super().compressed(level)
        if self.kind is MADMAX:
            self.kind = GIGAHORSE_CPU

    @property
    def is_flushed_later(self) -> bool:
        """Whether a plot is still to be written to disk once it is created."""
        return self.kind is GIGAHORSE_GPU

    def _step_took(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        if match[2] == "Setup" and self.kind is not GIGAHORSE_GPU:
            # A log that was cut before it says which plotter writes it.
            self.kind = GIGAHORSE_GPU
            if self.plot_id is not None:
                yield self.started(self.plot_id, time)
        yield from super()._step_took(match, time)

    def _parks(self, match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        if self.kind is GIGAHORSE_GPU:
            yield from self.at(self.kind.number_of[f"P4 {match[1].upper()} parks"] + 1, time)

    def _finish_uncopied(self, time: float) -> Iterator[PlotObservation]:
        """A plot of the graphics card goes to disk while the next one is computed, and is copied after that."""
        if self.kind is not GIGAHORSE_GPU:
            yield from super()._finish_uncopied(time)

    def _flushed(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        if self.is_created_in_place:
            for plot_id in list(self._created)[:1]:
                del self._created[plot_id]
                yield PlotFinished(time, plot_id)
