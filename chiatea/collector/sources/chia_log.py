"""Chia's log as a source: reads a part, judges its lines, counts what was understood."""

from dataclasses import dataclass, field
from pathlib import Path

from chiatea.collector.observations import Observation
from chiatea.collector.sources.log_judge import Judged, LineJudge, Verdict
from chiatea.collector.sources.log_reader import LogReader, Position, lines_of
from chiatea.collector.sources.log_samples import Samples

__all__ = ["ChiaLog", "LogPart"]


@dataclass(slots=True)
class LogPart:
    """What the next part of the log told."""

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


class ChiaLog:
    """The log of one machine's Chia services, which all write to one file."""

    def __init__(
        self,
        path: Path,
        position: Position | None = None,
        context: tuple[int, int] = (0, 0),
        samples: Samples | None = None,
    ) -> None:
        """The log at `path`, from its start or from a saved position and context."""
        self.samples = samples if samples is not None else Samples()
        """Lines that were not understood."""
        self._reader = LogReader(path, position)
        self._judge = LineJudge(*context)

    def read_part(self, max_bytes: int, now: float) -> LogPart:
        """The next part, of about `max_bytes` at most. It may take a while: meant for a thread.

        Raises:
            FileNotFoundError: there is no log.
            OSError: it cannot be read.
        """
        text = self._reader.read(max_bytes)
        part = LogPart(text.n_bytes, self._reader.position, n_behind=self._reader.n_bytes_behind())
        for block in text.blocks:
            lines, n_cut = lines_of(block)
            part.n_cut += n_cut
            for line in lines:
                self._take(line, self._judge.judge(line, now), part)
        part.context = (self._judge.n_may_follow, self._judge.n_indented)
        return part

    def close(self) -> None:
        """Lets go of the file."""
        self._reader.close()

    def _take(self, text: str, judged: Judged, part: LogPart) -> None:
        if judged.verdict is Verdict.CONTINUED:
            return
        if judged.observation is not None:
            part.observations.append(judged.observation)
        if judged.verdict is Verdict.NOT_UNDERSTOOD:
            part.n_not_understood += 1
            part.n_strange += judged.observation is None
            self.samples.add(text)
        else:
            part.n_understood += 1
        if judged.line is not None and judged.time is not None:
            part.services[judged.line.service] = (judged.time, judged.line.version)
            part.newest_time = judged.time
