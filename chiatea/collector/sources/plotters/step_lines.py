"""Lines that tell how far a plot is, as a table: what they look like, and which step they name."""

import re
from dataclasses import dataclass
from typing import Final

from chiatea.collector.sources.plotters.line_text import seconds_of
from chiatea.collector.sources.plotters.plot_observations import Kind

__all__ = ["SECONDS", "StepLine", "StepLines", "StepTold"]

SECONDS: Final = r"(?P<seconds>[\d.]+) sec"


@dataclass(frozen=True, slots=True)
class StepLine:
    """A form of line. `name` is the step's name, with {0} for what the first group took; without one, the line is of
    the step that is under way.
    """

    pattern: str
    name: str = ""
    is_done: bool = True
    """The step is done; else it is begun, or goes on."""


@dataclass(frozen=True, slots=True)
class StepTold:
    """What one line told: how many steps are done (None: those before the one that is under way), and what the last
    took.
    """

    n_done: int | None
    is_done: bool
    seconds: float | None


class StepLines:
    """All such lines of one kind of plotter."""

    def __init__(self, kind: Kind, *lines: StepLine) -> None:
        """`lines` are tried in their order."""
        self.kind = kind
        self._lines = [(re.compile(line.pattern), line) for line in lines]

    def told(self, text: str) -> StepTold | None:
        """What a line tells; None where it tells nothing of steps."""
        for pattern, line in self._lines:
            match = pattern.search(text)
            if match is None:
                continue
            seconds = seconds_of(match["seconds"]) if "seconds" in pattern.groupindex else None
            if not line.name:
                return StepTold(None, line.is_done, seconds)
            number = self.kind.number_of.get(line.name.format(*match.groups()))
            return None if number is None else StepTold(number + line.is_done, line.is_done, seconds)
        return None
