"""Chia's log as a source: reads a part, judges its lines, counts what was understood."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chiatea.collector.sources.log.ahead import Ahead
from chiatea.collector.sources.log.log_judge import LineJudge
from chiatea.collector.sources.log.log_part import LogPart
from chiatea.collector.sources.log.log_reader import LogReader, LogText, Position, lines_of
from chiatea.collector.sources.log.log_samples import Samples

if TYPE_CHECKING:
    from chiatea.collector.sources.log.log_bulk import BulkSorter, SortedLines

__all__ = ["ChiaLog", "LogPart"]

_BULK_BYTES: Final = 512 * 1024
"""A smaller block is read line by line: so is always what came between two looks."""
_AHEAD_BYTES: Final = 32 * 1024 * 1024
_HISTORY_BYTES: Final = 4 * 1024 * 1024
"""History is what lies further back than this from the end: hours or days of a log at INFO."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read, and sorted where it is much."""

    text: LogText
    position: Position
    n_behind: int
    sorted_blocks: "list[SortedLines | None]"


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
        self._sorter: BulkSorter | None = None
        self._ahead: Ahead[_Read] | None = None

    def read_part(self, max_bytes: int, now: float, *, sums_history: bool = False) -> LogPart:
        """The next part, of about `max_bytes` at most. It may take a while: meant for a thread.

        With `sums_history` lookups far back from the end of the log are told as sums, and signage points and refreshes
        that are as the one before are left out.

        Raises:
            FileNotFoundError: there is no log.
            OSError: it cannot be read.
        """
        read = self._next(max_bytes)
        part = LogPart(read.text.n_bytes, read.position, n_behind=read.n_behind)
        is_history = sums_history and part.n_behind > _HISTORY_BYTES
        for block, lines in zip(read.text.blocks, read.sorted_blocks, strict=True):
            if lines is not None:
                self._take_sorted(lines, part, now, is_history=is_history)
            else:
                self._take_lines(block, part, now)
        part.context = (self._judge.n_may_follow, self._judge.n_indented)
        return part

    def close(self) -> None:
        """Lets go of the file, unless it is being read."""
        if self._ahead is not None:
            self._ahead.end()
        if self._ahead is None or not self._ahead.is_begun:
            self._reader.close()

    def _next(self, max_bytes: int) -> _Read:
        """While there is much to come, the next part is read and sorted when this one is taken."""
        ahead = self._ahead
        read = ahead.answer() if ahead is not None and ahead.is_begun else self._read(max_bytes)
        if read.n_behind > _AHEAD_BYTES:
            if ahead is None:
                self._ahead = Ahead(lambda: self._read(max_bytes))
            else:
                ahead.begin()
        elif ahead is not None:
            ahead.end()
            self._ahead = None
        if not read.n_behind:
            self._sorter = None
        return read

    def _read(self, max_bytes: int) -> _Read:
        text = self._reader.read(max_bytes)
        sorted_blocks = [self._sorted(block) if len(block) >= _BULK_BYTES else None for block in text.blocks]
        return _Read(text, self._reader.position, self._reader.n_bytes_behind(), sorted_blocks)

    def _sorted(self, block: bytes | memoryview) -> "SortedLines | None":
        from chiatea.collector.sources.log.log_bulk import BulkSorter  # noqa: PLC0415 - 15 MiB that a quiet log never needs

        self._sorter = self._sorter or BulkSorter()
        return self._sorter.sort(block)

    def _take_lines(self, block: bytes | memoryview, part: LogPart, now: float) -> None:
        lines, n_cut = lines_of(block)
        part.n_cut += n_cut
        for line in lines:
            part.take(line, self._judge.judge(line, now), self.samples)

    def _take_sorted(self, lines: "SortedLines", part: LogPart, now: float, *, is_history: bool) -> None:
        from chiatea.collector.sources.log.log_catch_up import take_sorted  # noqa: PLC0415

        take_sorted(lines, part, self._judge, self.samples, now, sums_history=is_history)
