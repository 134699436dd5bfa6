"""Chia's log as a source: reads a part, parses it, counts what it understood."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chiatea.collector.observations import Observation
from chiatea.collector.sources.log_lines import is_known_uninteresting, observation_of_line, parse_form
from chiatea.collector.sources.log_reader import LogReader, Position
from chiatea.collector.sources.log_time import LogTime

__all__ = ["ChiaLog", "LogPart"]

_SAMPLE_LETTERS: Final = 300


@dataclass(slots=True)
class LogPart:
    """What the next part of the log told."""

    n_bytes: int
    position: Position
    observations: list[Observation] = field(default_factory=list)
    services: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Of each service that wrote: the time of its newest line, and its version or ""."""
    newest_time: float | None = None
    n_understood: int = 0
    n_not_understood: int = 0
    n_cut: int = 0
    last_not_understood: str = ""
    has_info: bool = False
    """Whether there was a line of level INFO or DEBUG."""
    quiet_since: float | None = None
    """The time of the first line after the newest one of those, else of the first line."""


class ChiaLog:
    """The log of one machine's Chia services, which all write to one file."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        """The log at `path`, from its start or from a saved position."""
        self._reader = LogReader(path, position)
        self._time = LogTime()

    def read_part(self, max_bytes: int, now: float) -> LogPart:
        """The next part, of about `max_bytes` at most. It may take a while: meant for a thread.

        Raises:
            FileNotFoundError: there is no log.
            OSError: it cannot be read.
        """
        text = self._reader.read(max_bytes)
        part = LogPart(text.n_bytes, self._reader.position, n_cut=text.n_cut)
        for line in text.lines:
            self._take(line, part, now)
        return part

    def close(self) -> None:
        """Lets go of the file."""
        self._reader.close()

    def _take(self, text: str, part: LogPart, now: float) -> None:
        line = parse_form(text)
        if line is None:
            return
        time = self._time.seconds(line.date, line.time_of_day, now)
        observation = observation_of_line(line, time) if time is not None else None
        if observation is not None:
            part.observations.append(observation)
            part.n_understood += 1
        elif time is not None and is_known_uninteresting(line):
            part.n_understood += 1
        else:
            part.n_not_understood += 1
            part.last_not_understood = text[:_SAMPLE_LETTERS]
        if time is not None:
            part.services[line.service] = (time, line.version)
            part.newest_time = time
            if line.level in {"INFO", "DEBUG"}:
                part.has_info, part.quiet_since = True, None
            elif part.quiet_since is None:
                part.quiet_since = time
