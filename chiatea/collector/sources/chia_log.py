"""Chia's log as a source: reads a part, judges its lines, counts what was understood."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from chiatea.collector.sources.log_judge import LineJudge
from chiatea.collector.sources.log_part import LogPart
from chiatea.collector.sources.log_reader import LogReader, Position, lines_of
from chiatea.collector.sources.log_samples import Samples

if TYPE_CHECKING:
    from chiatea.collector.sources.log_bulk import BulkSorter

__all__ = ["ChiaLog", "LogPart"]

_BULK_BYTES: Final = 512 * 1024
"""A smaller block is read line by line: so is always what came between two looks."""
_HISTORY_BYTES: Final = 4 * 1024 * 1024
"""History is what lies further back than this from the end: hours or days of a log at INFO."""


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

    def read_part(self, max_bytes: int, now: float, *, sums_history: bool = False) -> LogPart:
        """The next part, of about `max_bytes` at most. It may take a while: meant for a thread.

        With `sums_history` lookups far back from the end of the log are told as sums, and signage points and refreshes
        that are as the one before are left out.

        Raises:
            FileNotFoundError: there is no log.
            OSError: it cannot be read.
        """
        text = self._reader.read(max_bytes)
        part = LogPart(text.n_bytes, self._reader.position, n_behind=self._reader.n_bytes_behind())
        is_history = sums_history and part.n_behind > _HISTORY_BYTES
        for block in text.blocks:
            if len(block) < _BULK_BYTES or not self._take_bulk(block, part, now, is_history=is_history):
                self._take_lines(block, part, now)
        if part.n_behind == 0:
            self._sorter = None
        part.context = (self._judge.n_may_follow, self._judge.n_indented)
        return part

    def close(self) -> None:
        """Lets go of the file."""
        self._reader.close()

    def _take_lines(self, block: bytes | memoryview, part: LogPart, now: float) -> None:
        lines, n_cut = lines_of(block)
        part.n_cut += n_cut
        for line in lines:
            part.take(line, self._judge.judge(line, now), self.samples)

    def _take_bulk(self, block: bytes | memoryview, part: LogPart, now: float, *, is_history: bool) -> bool:
        """Takes a large block; False where it cannot be taken so."""
        from chiatea.collector.sources.log_bulk import BulkSorter  # noqa: PLC0415 - 15 MiB that a quiet log never needs
        from chiatea.collector.sources.log_catch_up import take_sorted  # noqa: PLC0415

        self._sorter = self._sorter or BulkSorter()
        lines = self._sorter.sort(block)
        if lines is not None:
            take_sorted(lines, part, self._judge, self.samples, now, sums_history=is_history)
        return lines is not None
