"""One plotter's run, as its log tells it: what all kinds have in common."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chiatea.collector.sources.plotters.plot_observations import (
    Kind,
    PlotObservation,
    PlotsFailed,
    PlotStarted,
    PlotStep,
    PlotterBegan,
)
from chiatea.collector.sources.plotters.step_lines import StepLines, StepTold

__all__ = ["Run", "StepClock", "Tell"]

Tell = Callable[["re.Match[str]", float], Iterator[PlotObservation]]
"""What a line says that a pattern took, at a time."""


class StepClock:
    """How long a plot took till now, as its log says: whole phases, and steps of the one under way."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._phases: dict[int, float] = {}
        self._in_phase = 0.0

    @property
    def elapsed_seconds(self) -> float:
        """Since the plot was begun."""
        return sum(self._phases.values()) + self._in_phase

    def step(self, seconds: float | None) -> None:
        """A step took so long."""
        self._in_phase += seconds or 0.0

    def phase(self, phase: int, seconds: float | None) -> None:
        """A phase took so long, its steps and what was between them together."""
        self._phases[phase] = self._in_phase if seconds is None else seconds
        self._in_phase = 0.0


@dataclass(slots=True)
class Header:
    """What a run says before its plots."""

    k: int | None = None
    compression_level: int | None = None
    temporary_folder: str | None = None
    target_folder: str | None = None
    process_id: int | None = None


class Run:
    """Reads one run's lines, one after the other, in any state a log may be cut to. Never raises."""

    def __init__(self, kind: Kind) -> None:
        """A run of which nothing is read yet."""
        self.kind = kind
        self.header = Header()
        self.plot_id: str | None = None
        """The plot that lines without a name are of."""
        self._clock = StepClock()
        self._n_done = 0
        self._start_time: float | None = None
        self._patterns: list[tuple[re.Pattern[str], Tell]] = []

    def know(self, pattern: str, tell: Tell) -> None:
        """Lines in which `pattern` is found are told by `tell`; the first pattern that is found counts."""
        self._patterns.append((re.compile(pattern), tell))

    def take(self, line: str, time: float) -> list[PlotObservation]:
        """What a line says."""
        for pattern, tell in self._patterns:
            match = pattern.search(line)
            if match is not None:
                return list(tell(match, time))
        lines = self.step_lines
        told = lines.told(line) if lines is not None and self.plot_id is not None else None
        return [] if told is None else list(self._told(told, time))

    @property
    def step_lines(self) -> StepLines | None:
        """The table of lines that tell how far a plot is."""
        return None

    def _told(self, told: StepTold, time: float) -> Iterator[PlotObservation]:
        n_done = told.n_done
        if n_done is None:
            n_done = min(self._n_done + told.is_done, len(self.kind.steps))
        yield from self.at(n_done, time, seconds=told.seconds)

    def begin_plot(self, plot_id: str, time: float, start_time: float | None = None) -> PlotStarted:
        """A plot is under way from now on."""
        self.plot_id = plot_id
        self._clock = StepClock()
        self._n_done = 0
        self._start_time = None
        return self.started(plot_id, time, start_time)

    def started(self, plot_id: str, time: float, start_time: float | None = None) -> PlotStarted:
        """All that is known of a plot."""
        header = self.header
        if start_time is not None:
            self._start_time = start_time
        return PlotStarted(
            time,
            plot_id,
            self.kind,
            header.k,
            header.compression_level,
            self._start_time,
            header.temporary_folder,
            header.target_folder,
            header.process_id,
        )

    def at(self, n_done: int, time: float, *, seconds: float | None = None) -> Iterator[PlotObservation]:
        """So many steps are done, the last of which took `seconds`."""
        self._clock.step(seconds)
        yield from self._step(n_done, time)

    def after_phase(self, phase: int, time: float, seconds: float | None) -> Iterator[PlotObservation]:
        """A phase is done."""
        self._clock.phase(phase, seconds)
        yield from self._step(self.kind.n_after_phase(phase), time)

    def _step(self, n_done: int, time: float) -> Iterator[PlotObservation]:
        self._n_done = max(self._n_done, n_done)
        if self.plot_id is not None:
            yield PlotStep(time, self.plot_id, n_done, self._clock.elapsed_seconds)

    def began(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        """Another run begins in the same log."""
        self.header = Header()
        self.plot_id = None
        yield PlotterBegan(time)

    def failed(self, _match: "re.Match[str]", time: float) -> Iterator[PlotObservation]:
        """The plotter says that it cannot go on."""
        self.plot_id = None
        yield PlotsFailed(time)
