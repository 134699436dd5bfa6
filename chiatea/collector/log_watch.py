"""Chia's log, read in slices that neither stall the event loop nor lose a line."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from chiatea.collector.observations import Observation, VersionTold
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.chia_config import SERVICES, one_line
from chiatea.collector.sources.chia_log import ChiaLog, LogPart
from chiatea.collector.sources.log_reader import Position
from chiatea.collector.sources.untrusted import integer, printable, text
from chiatea.question import Question, UnansweredError

__all__ = ["LogWatch"]

_SLICE_BYTES: Final = 512 * 1024
_LIMIT_SECONDS: Final = 2.0
_FIRST_BYTES, _FIRST_SECONDS = 128 * 1024 * 1024, 6.0
"""The first look reads on to the end of all but the largest logs, so that the newest lookups show at once."""
_NEXT_BYTES, _NEXT_SECONDS = 16 * 1024 * 1024, 1.0


class LogWatch:
    """The log of this machine's Chia."""

    def __init__(self, path: Path, take: Callable[[Observation], None], clock: Callable[[], float]) -> None:
        """`take` is called with each observation."""
        self.health = SourceHealth("chia log", clock)
        self.health.located(str(path))
        self.path = path
        self.position = Position()
        """As far as everything is taken."""
        self._take = take
        self._clock = clock
        self._log = ChiaLog(path)
        self._question = Question(self._read)
        self._is_first = True

    def restore(self, memory: Mapping[str, Any]) -> bool:
        """Goes on from the memory file. False where its position is not of this log."""
        entry = self.health.entry
        entry.n_understood = max(0, integer(memory.get("n_understood")) or 0)
        entry.n_not_understood = max(0, integer(memory.get("n_not_understood")) or 0)
        sample = text(memory.get("last_not_understood"))
        if sample is not None:
            entry.last_not_understood = sample
        position = Position.from_json(memory.get("position"))
        if position is None or memory.get("path") != str(self.path):
            return False
        self.position = position
        self._log = ChiaLog(self.path, position)
        return True

    def as_json(self) -> dict[str, Any]:
        """What must survive a restart."""
        entry = self.health.entry
        return {
            "path": str(self.path),
            "position": self.position.as_json(),
            "n_understood": entry.n_understood,
            "n_not_understood": entry.n_not_understood,
            "last_not_understood": entry.last_not_understood,
        }

    async def look(self) -> None:
        """Takes what was added since, or a good part of it."""
        most_bytes, seconds = (_FIRST_BYTES, _FIRST_SECONDS) if self._is_first else (_NEXT_BYTES, _NEXT_SECONDS)
        until = time.monotonic() + seconds
        n_bytes = 0
        try:
            while n_bytes < most_bytes:
                part = await self._question.answer(_LIMIT_SECONDS)
                self._fold(part)
                n_bytes += part.n_bytes
                if part.n_bytes == 0 or time.monotonic() > until:
                    break
        except UnansweredError:
            self.health.failed(f"{self.path}: reading it gives no answer in time")
        except (FileNotFoundError, NotADirectoryError):
            self.health.absent(f"{self.path}: there is no such file")
        except OSError as error:
            self.health.failed(f"{self.path}: {error.strerror or one_line(error)}")
        else:
            self._is_first = False
            self.health.succeeded(has_news=False)

    def _read(self) -> LogPart:
        return self._log.read_part(_SLICE_BYTES, self._clock())

    def _fold(self, part: LogPart) -> None:
        for observation in part.observations:
            self._take(observation)
        for service, (newest, version) in part.services.items():
            if service in SERVICES:
                self._take(VersionTold(newest, service, version))
        self.position = part.position
        entry = self.health.entry
        entry.n_understood += part.n_understood
        entry.n_not_understood += part.n_not_understood
        if part.last_not_understood:
            entry.last_not_understood = printable(part.last_not_understood)
        if part.newest_time is not None:
            entry.last_news_time = part.newest_time

    def close(self) -> None:
        """Lets go of the file, unless a thread is stuck reading it."""
        if not self._question.is_unanswered:
            self._log.close()
