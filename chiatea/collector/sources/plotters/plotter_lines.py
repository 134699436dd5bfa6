"""The lines of any plotter's log: finds out which plotter writes, and lets it tell."""

import re
from typing import Final

from chiatea.collector.sources.plotters.bladebit import BladebitRun
from chiatea.collector.sources.plotters.chiapos import ChiaposRun
from chiatea.collector.sources.plotters.gigahorse import GigahorseRun
from chiatea.collector.sources.plotters.line_text import plain_lines
from chiatea.collector.sources.plotters.plot_observations import PlotObservation, PlotterBegan
from chiatea.collector.sources.plotters.run import Run

__all__ = ["PlotterLines"]

_BEGINNINGS: Final[tuple[tuple[re.Pattern[str], type[GigahorseRun | BladebitRun | ChiaposRun]], ...]] = (
    (
        re.compile(
            r"Multi-threaded pipelined Chia k|Chia k\d+ next-gen CUDA plotter|Crafting plot \d+ out of|Plot Name: plot-"
        ),
        GigahorseRun,
    ),
    (
        re.compile(r"Bladebit Chia Plotter|Creating \d+ plots:|Generating plot \d+(?: / \d+)?: [0-9a-f]{64}"),
        BladebitRun,
    ),
    (re.compile(r"Starting plotting progress into temporary dirs: "), ChiaposRun),
)
"""What a run of each family begins with; the second and later ones are for logs whose beginning is not there."""


class PlotterLines:
    """Fed with a log's lines in their order. Whatever they are, it never raises."""

    def __init__(self) -> None:
        """Nothing read yet."""
        self._run: Run | None = None

    def take(self, line: str, now: float) -> list[PlotObservation]:
        """What one line says; `now` is its time where it has none itself."""
        observations: list[PlotObservation] = []
        for plain, time in plain_lines(line, now):
            if not plain.startswith("\tBucket"):
                observations += self._begin(plain, time)
            if self._run is not None:
                observations += self._run.take(plain, time)
        return observations

    def _begin(self, line: str, time: float) -> list[PlotObservation]:
        for pattern, run in _BEGINNINGS:
            if pattern.search(line) is not None:
                if isinstance(self._run, run):
                    return []
                self._run = run()
                return [PlotterBegan(time)]
        return []
