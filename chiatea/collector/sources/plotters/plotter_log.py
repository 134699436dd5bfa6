"""One plotter's log file, followed while it is appended to, rotated, emptied or replaced."""

import time as clocks
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chiatea.collector.sources.log.log_reader import LogReader, Position
from chiatea.collector.sources.plotters.plot_observations import PlotObservation
from chiatea.collector.sources.plotters.plotter_lines import PlotterLines

__all__ = ["LogNews", "PlotterLog"]

_TAIL_BYTES: Final = 2 * 1024 * 1024
"""Of a log that is first seen so much is read: Chia's own plotter, which says most, writes 0.2 MB for a plot."""
_SLICE_BYTES: Final = 256 * 1024
_MOST_SECONDS: Final = 0.5


@dataclass(slots=True)
class LogNews:
    """What was added to a log."""

    modified_time: float
    """When it was last written to, UTC seconds."""
    is_at_end: bool
    """There is nothing more to read now."""
    observations: list[PlotObservation] = field(default_factory=list)


class PlotterLog:
    """Reads one log. Its methods may block: they are meant for a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self.path = path
        self._reader: LogReader | None = None
        self._lines = PlotterLines()

    def read(self, now: float) -> LogNews:
        """What was added since the last call, or as much of it as can be read in half a second.

        A line is of the time of the file's last change, unless it says another: it was written no later than that.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: it cannot be read.
        """
        if self._reader is None:
            self._reader = LogReader(self.path, _tail_of(self.path))
        modified_time = min(self.path.stat().st_mtime, now)
        news = LogNews(modified_time, is_at_end=False)
        until = clocks.monotonic() + _MOST_SECONDS
        while not news.is_at_end and clocks.monotonic() < until:
            try:
                text = self._reader.read(_SLICE_BYTES)
            except OSError:
                if not news.observations:
                    raise
                break  # what was read till now is told first
            news.is_at_end = text.n_bytes == 0
            for line in text.lines:
                news.observations += self._lines.take(line, modified_time)
        return news

    def close(self) -> None:
        """Lets go of the file."""
        if self._reader is not None:
            self._reader.close()


def _tail_of(path: Path) -> Position | None:
    """Where to begin in a long file: somewhere in a line, whose rest is passed over."""
    status = path.stat()
    if status.st_size <= _TAIL_BYTES:
        return None
    return Position(inode=status.st_ino, offset=status.st_size - _TAIL_BYTES, is_in_cut_line=True)
