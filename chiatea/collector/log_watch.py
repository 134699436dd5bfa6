"""Chia's log, read in slices that neither stall the event loop nor lose a line."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from chiatea.chia.place import SERVICES, one_line
from chiatea.chia.untrusted import integer, items, number, printable, text
from chiatea.collector.observations import Observation, VersionTold
from chiatea.collector.source_health import LOG_STALE_SECONDS, SourceHealth
from chiatea.collector.sources.log.chia_log import ChiaLog, LogPart
from chiatea.collector.sources.log.log_reader import Position
from chiatea.question import Question, UnansweredError

__all__ = ["LogWatch"]

_QUIET_SECONDS: Final = 300.0
_QUIET_HINT: Final = (
    "only warnings are written: lookups are seen in it from level INFO on. "
    "Run `chia configure --log-level INFO` and restart Chia"
)
_SLICE_BYTES: Final = 4 * 1024 * 1024
_QUESTION_SECONDS: Final = 0.1
_LIMIT_SECONDS: Final = 2.0
_FIRST_SECONDS: Final = 6.0
"""The first look reads on to the end of all but the largest logs, so that the newest lookups show at once."""
_NEXT_SECONDS: Final = 1.0
_NEWEST_LINES: Final = 200
_FEWEST_STRANGE: Final = 8
"""Fewer strange lines than this say nothing of the whole log."""


class LogWatch:
    """The log of this machine's Chia."""

    def __init__(self, path: Path, take: Callable[[Observation], None], clock: Callable[[], float]) -> None:
        """`take` is called with each observation."""
        self.health = SourceHealth("chia log", clock, LOG_STALE_SECONDS)
        self.health.located(str(path))
        self.path = path
        self.position = Position()
        """As far as everything is taken."""
        self._context = (0, 0)
        self._take = take
        self._clock = clock
        self._log = ChiaLog(path)
        self._question = Question(self._read)
        self._is_first = True
        self.sums_history = True
        """Lookups of long ago are told as sums: right only where none of them was told before."""
        self._n_strange = self._n_fine = 0.0
        """Of about the newest 200 lines."""
        self._quiet_since: float | None = None
        """Of the first line after the newest one of level INFO."""

    def restore(self, memory: Mapping[str, Any]) -> bool:
        """Goes on from the memory file. False where its position is not of this log."""
        entry = self.health.entry
        entry.n_understood = max(0, integer(memory.get("n_understood")) or 0)
        entry.n_not_understood = max(0, integer(memory.get("n_not_understood")) or 0)
        entry.n_lines_cut = max(0, integer(memory.get("n_lines_cut")) or 0)
        for sample in items(memory.get("samples")):
            if told := text(sample):
                self._log.samples.add(told)
        self._tell_samples()
        self._quiet_since = number(memory.get("quiet_since"))
        position = Position.from_json(memory.get("position"))
        if position is None or memory.get("path") != str(self.path):
            return False
        self.position, self.sums_history = position, False
        self._log = ChiaLog(self.path, position, _context_of(memory.get("context")), self._log.samples)
        return True

    def as_json(self) -> dict[str, Any]:
        """What must survive a restart."""
        entry = self.health.entry
        return {
            "path": str(self.path),
            "position": self.position.as_json(),
            "context": self._context,
            "n_understood": entry.n_understood,
            "n_not_understood": entry.n_not_understood,
            "n_lines_cut": entry.n_lines_cut,
            "samples": list(entry.samples_not_understood),
            "quiet_since": self._quiet_since,
        }

    async def look(self) -> None:
        """Takes what was added since, or a good part of it."""
        until = time.monotonic() + (_FIRST_SECONDS if self._is_first else _NEXT_SECONDS)
        try:
            while True:
                parts = await self._question.answer(_LIMIT_SECONDS)
                for part in parts:
                    self._fold(part)
                    await asyncio.sleep(0)  # others have their turn between two
                if not _is_more(parts[-1]) or time.monotonic() > until:
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
            is_quiet = self._quiet_since is not None and self._clock() - self._quiet_since > _QUIET_SECONDS
            self.health.hint = _QUIET_HINT if is_quiet else ""
            if (strangeness := self._strangeness()) is not None:
                self.health.failed(strangeness)

    def _read(self) -> list[LogPart]:
        """In a thread: what is there, as far as it is read in a tenth of a second."""
        until = time.monotonic() + _QUESTION_SECONDS
        parts = [self._log.read_part(_SLICE_BYTES, self._clock(), sums_history=self.sums_history)]
        while _is_more(parts[-1]) and time.monotonic() < until:
            try:
                parts.append(self._log.read_part(_SLICE_BYTES, self._clock(), sums_history=self.sums_history))
            except OSError:  # said when it is asked again; what was read till now is not lost
                break
        return parts

    def _fold(self, part: LogPart) -> None:
        for observation in part.observations:
            self._take(observation)
        for service, (newest, version) in part.services.items():
            if service in SERVICES:
                self._take(VersionTold(newest, service, version))
        self.position, self._context = part.position, part.context
        if part.has_info or self._quiet_since is None:
            self._quiet_since = part.quiet_since
        entry = self.health.entry
        entry.n_understood += part.n_understood
        entry.n_not_understood += part.n_not_understood
        entry.n_lines_cut += part.n_cut
        if part.n_not_understood:
            self._tell_samples()
        if part.newest_time is not None:
            entry.last_news_time = part.newest_time
        if part.n_behind:
            entry.n_bytes_behind = part.n_behind
        else:
            entry.ClearField("n_bytes_behind")
        self._weigh(part)

    def _tell_samples(self) -> None:
        entry, samples = self.health.entry, [printable(sample) for sample in self._log.samples.all()]
        entry.samples_not_understood[:] = samples
        if samples:
            entry.last_not_understood = samples[-1]

    def _weigh(self, part: LogPart) -> None:
        n_fine = part.n_understood + part.n_not_understood - part.n_strange
        n_older = max(0, _NEWEST_LINES - part.n_strange - n_fine)
        before = self._n_strange + self._n_fine
        kept = min(1.0, n_older / before) if before else 0.0
        self._n_strange = self._n_strange * kept + part.n_strange
        self._n_fine = self._n_fine * kept + n_fine

    def _strangeness(self) -> str | None:
        """What is wrong where most of the newest lines were not understood: a log that changed is never silent."""
        if self._n_strange < _FEWEST_STRANGE or self._n_strange <= self._n_fine:
            return None
        share = round(100 * self._n_strange / (self._n_strange + self._n_fine))
        entry = self.health.entry
        return (
            f"{share} % of the newest lines were not understood, {entry.n_not_understood} in all: this Chia may be "
            f"newer than this chia-tea: as {entry.last_not_understood[:160]}"
        )

    def close(self) -> None:
        """Lets go of the file, unless a thread is stuck reading it."""
        if not self._question.is_unanswered:
            self._log.close()


def _is_more(part: LogPart) -> bool:
    """Whether reading on gives more now: a file may be longer than what can be read of it."""
    return part.n_behind > 0 and part.n_bytes > 0


def _context_of(value: object) -> tuple[int, int]:
    numbers = [max(0, integer(number) or 0) for number in items(value)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)
