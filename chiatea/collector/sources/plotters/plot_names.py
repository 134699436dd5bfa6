"""What the name of a plot's file tells. Every plotter makes it in the same way."""

import re
from dataclasses import dataclass
from typing import Final

from chiatea.collector.sources.log.log_time import LogTime

__all__ = ["PlotName", "folder_of", "plot_name_in"]

_NAME: Final = re.compile(
    r"plot(?:-mmx)?-k(\d{2})(?:-c(\d{1,2}))?-(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-([0-9a-fA-F]{64})(?![0-9a-fA-F])"
)


@dataclass(frozen=True, slots=True)
class PlotName:
    """plot-k32-c07-2024-01-31-18-05-ID: the minute is local time."""

    k: int
    compression_level: int | None
    date: str
    time_of_day: str
    plot_id: str

    def start_time(self, now: float) -> float | None:
        """UTC seconds, to the minute; None where that is no time, or one still to come."""
        seconds = LogTime().seconds(self.date, self.time_of_day, now)
        return seconds if seconds is not None and seconds <= now + 60 else None


def plot_name_in(text: str) -> PlotName | None:
    """The first plot's name in a line or a path."""
    match = _NAME.search(text)
    if match is None:
        return None
    k, level, date, hour, minute, plot_id = match.groups()
    return PlotName(int(k), int(level) if level else None, date, f"{hour}:{minute}:00", plot_id.lower())


def folder_of(path: str) -> str:
    """The folder of a plot's path, "" where it is a bare name. The path may be of another system."""
    plain = path.strip().strip('"').replace("\\\\", "\\")
    end = max(plain.rfind("/"), plain.rfind("\\"))
    return plain[: max(end, 1)] if end >= 0 else ""
