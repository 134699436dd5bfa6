"""The plots in progress that one plotter's log tells of: folded from what its lines say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from chiatea.collector.plotting.durations import Durations, Way
from chiatea.collector.sources.plotters.plot_observations import (
    Kind,
    PlotAlive,
    PlotCopying,
    PlotCreated,
    PlotFinished,
    PlotObservation,
    PlotsFailed,
    PlotStarted,
    PlotStep,
    PlotterBegan,
)

__all__ = ["OpenPlot", "PlottingSide"]

_MOST_OPEN: Final = 16
_MOST_REMEMBERED: Final = 64


@dataclass(slots=True)
class OpenPlot:
    """One plot that was begun and is not in its place yet."""

    plot_id: str
    kind: Kind
    begun_time: float
    last_progress_time: float
    told: PlotStarted
    n_done: int = 0
    percent: float = 0.0
    elapsed_seconds: float = 0.0
    elapsed: dict[int, float] = field(default_factory=dict)
    """Seconds from its start, by the number of steps that were done then."""
    total_seconds: float | None = None
    is_created: bool = False
    copy_folder: str | None = None

    @property
    def start_time(self) -> float:
        """UTC seconds: as told, else from when it was first heard of and from what the log says it took since."""
        return self.told.start_time if self.told.start_time is not None else self.begun_time

    def way(self, durations: Durations) -> Way:
        """What such a plot takes."""
        return durations.way(self.kind, self.told.k, self.told.compression_level)


class PlottingSide:
    """One log's plots. A plot's progress never goes back, whatever the log says."""

    def __init__(self, durations: Durations, *, floor: Callable[[str], float] = lambda _: 0.0) -> None:
        """`floor` says what percentage of a plot was told before this log was first read."""
        self.plots: dict[str, OpenPlot] = {}
        """By id, oldest first."""
        self._durations = durations
        self._floor = floor
        self._percents: dict[str, float] = {}
        """What was told last of plots, the newest last: a log that is read again begins no plot anew."""

    def take(self, observation: PlotObservation) -> None:
        """Folds one fact in."""
        match observation:
            case PlotterBegan() | PlotsFailed():
                self.plots.clear()
            case PlotStarted():
                self._start(observation)
            case PlotStep(plot_id=plot_id) | PlotAlive(plot_id=plot_id) if plot_id in self.plots:
                self._move(self.plots[plot_id], observation)
            case PlotCreated(plot_id=plot_id) if plot_id in self.plots:
                self._created(self.plots[plot_id], observation)
            case PlotCopying(plot_id=plot_id, target_folder=folder) if plot_id in self.plots:
                plot = self.plots[plot_id]
                plot.copy_folder = folder or None
                plot.last_progress_time = max(plot.last_progress_time, observation.time)
            case PlotFinished(plot_id=plot_id):
                self.plots.pop(plot_id, None)
            case _:
                pass

    def take_all(self, observations: Iterable[PlotObservation]) -> None:
        """Folds facts in, in their order."""
        for observation in observations:
            self.take(observation)

    def killed(self) -> None:
        """The plotter is no more."""
        self.plots.clear()

    def _start(self, told: PlotStarted) -> None:
        plot = self.plots.get(told.plot_id)
        if plot is None:
            # A plotter computes one plot after the other: one that is not computed by now never will be.
            self.plots = {plot_id: plot for plot_id, plot in self.plots.items() if plot.is_created}
            plot = OpenPlot(told.plot_id, told.kind, told.time, told.time, told)
            plot.percent = min(100.0, max(0.0, self._floor(told.plot_id), self._percents.get(told.plot_id, 0.0)))
            self.plots[told.plot_id] = plot
            while len(self.plots) > _MOST_OPEN:
                del self.plots[next(iter(self.plots))]
        if plot.kind is not told.kind:
            plot.kind, plot.n_done = told.kind, 0
            plot.elapsed.clear()
        plot.told = told

    def _move(self, plot: OpenPlot, told: PlotObservation) -> None:
        plot.last_progress_time = max(plot.last_progress_time, told.time)
        if not isinstance(told, PlotStep):
            return
        plot.n_done = min(max(plot.n_done, told.n_done), len(plot.kind.steps))
        plot.elapsed_seconds = max(plot.elapsed_seconds, told.elapsed_seconds)
        plot.elapsed.setdefault(told.n_done, told.elapsed_seconds)
        plot.begun_time = min(plot.begun_time, told.time - told.elapsed_seconds)
        self._tell(plot, 100.0 * plot.way(self._durations).shares[plot.n_done])

    def _tell(self, plot: OpenPlot, percent: float) -> None:
        plot.percent = max(plot.percent, percent)
        self._percents.pop(plot.plot_id, None)
        self._percents[plot.plot_id] = plot.percent
        if len(self._percents) > _MOST_REMEMBERED:
            del self._percents[next(iter(self._percents))]

    def _created(self, plot: OpenPlot, told: PlotCreated) -> None:
        plot.is_created = True
        self._tell(plot, 100.0)
        plot.n_done = len(plot.kind.steps)
        plot.last_progress_time = max(plot.last_progress_time, told.time)
        if told.seconds is not None:
            self._durations.learn(
                plot.kind,
                plot.told.k,
                plot.told.compression_level,
                plot_id=plot.plot_id,
                total_seconds=told.seconds,
                elapsed=plot.elapsed,
            )
