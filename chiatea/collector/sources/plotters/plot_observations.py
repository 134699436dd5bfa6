"""What plotters' logs tell: plain facts, each with the time it was told at (UTC seconds)."""

from dataclasses import dataclass
from functools import cached_property

from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = [
    "Kind",
    "PlotAlive",
    "PlotCopying",
    "PlotCreated",
    "PlotFinished",
    "PlotObservation",
    "PlotStarted",
    "PlotStep",
    "PlotsFailed",
    "PlotterBegan",
    "Step",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step on a plotter's way, and what it took in one typical run: only the shares count."""

    phase: int
    name: str
    seconds: float


@dataclass(frozen=True)
class Kind:
    """One kind of plotter: its way from nothing to a plot."""

    name: str
    """What durations are learned under."""
    plotter: "PlotInProgress.Plotter.ValueType"
    steps: tuple[Step, ...]

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Of the whole, what is done when 0, 1, ... all steps are: from 0 to 1."""
        total = sum(step.seconds for step in self.steps)
        done = [sum(step.seconds for step in self.steps[:n]) / total for n in range(len(self.steps))]
        return (*done, 1.0)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of steps before each step, by its name."""
        return {step.name: n for n, step in enumerate(self.steps)}

    def n_after_phase(self, phase: int) -> int:
        """How many steps are done at the end of a phase."""
        return sum(step.phase <= phase for step in self.steps)


@dataclass(frozen=True, slots=True)
class PlotObservation:
    """One fact. `time` is when it was so, or shortly after."""

    time: float


@dataclass(frozen=True, slots=True)
class PlotterBegan(PlotObservation):
    """A plotter began to write to this log. What another one left unfinished in it is not going on."""


@dataclass(frozen=True, slots=True)
class PlotStarted(PlotObservation):
    """A plot was begun; told again when more is known of it."""

    plot_id: str
    kind: Kind
    k: int | None = None
    compression_level: int | None = None
    start_time: float | None = None
    temporary_folder: str | None = None
    target_folder: str | None = None
    process_id: int | None = None


@dataclass(frozen=True, slots=True)
class PlotStep(PlotObservation):
    """So many of its kind's steps are done; `elapsed_seconds` is what the log says it took till then."""

    plot_id: str
    n_done: int
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class PlotAlive(PlotObservation):
    """The step that is under way goes on."""

    plot_id: str


@dataclass(frozen=True, slots=True)
class PlotCreated(PlotObservation):
    """All is computed; the plot is still on its way to its place. `seconds` is what it took."""

    plot_id: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class PlotCopying(PlotObservation):
    """Its last copy is under way."""

    plot_id: str
    target_folder: str


@dataclass(frozen=True, slots=True)
class PlotFinished(PlotObservation):
    """It is in its place."""

    plot_id: str


@dataclass(frozen=True, slots=True)
class PlotsFailed(PlotObservation):
    """The plotter that writes this log is at its end: nothing goes on."""
