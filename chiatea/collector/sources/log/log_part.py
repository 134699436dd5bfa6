"""What the next part of a log told."""

from dataclasses import dataclass, field

from chiatea.collector.observations import Observation
from chiatea.collector.sources.log.complaint_lines import COMPLAINING
from chiatea.collector.sources.log.log_judge import Judged, Verdict
from chiatea.collector.sources.log.log_reader import Position
from chiatea.collector.sources.log.log_samples import Samples

__all__ = ["LogPart"]


@dataclass(slots=True)
class LogPart:
    """Observations and counts of some lines that follow each other."""

    n_bytes: int
    position: Position
    context: tuple[int, int] = (0, 0)
    """How many lines without columns may still belong to the last one that has them; with the position it says all
    that is needed to go on.
    """
    n_behind: int = 0
    """Bytes that are there and not read yet."""
    observations: list[Observation] = field(default_factory=list)
    services: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Of each service that wrote: the time of its newest line, and its version or ""."""
    newest_time: float | None = None
    n_understood: int = 0
    n_not_understood: int = 0
    n_strange: int = 0
    """Of those not understood: lines that are no warning or error in the columns of Chia's log."""
    n_cut: int = 0
    has_info: bool = False
    """Whether there was a line of level INFO or DEBUG."""
    quiet_since: float | None = None
    """The time of the first line after the newest one of those, else of the first line."""

    def take(self, text: str, judged: Judged, samples: Samples) -> None:
        """Takes one line."""
        if judged.verdict is Verdict.CONTINUED:
            return
        if judged.observation is not None:
            self.observations.append(judged.observation)
        if judged.verdict is Verdict.NOT_UNDERSTOOD:
            self.n_not_understood += 1
            self.n_strange += judged.observation is None
            samples.add(text)
        else:
            self.n_understood += 1
        if judged.line is not None and judged.time is not None:
            self.services[judged.line.service] = (judged.time, judged.line.version)
            self.newest_time = judged.time
            if judged.line.level not in COMPLAINING:
                self.pass_info()
            elif self.quiet_since is None:
                self.quiet_since = judged.time

    def pass_info(self) -> None:
        """There was a line of level INFO or DEBUG."""
        self.has_info, self.quiet_since = True, None
