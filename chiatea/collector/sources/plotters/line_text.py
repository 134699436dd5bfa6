"""A line of a plotter's log without what terminals, journals and scripts put around it."""

import math
import re
from collections.abc import Iterator
from typing import Final

from chiatea.collector.sources.log.log_time import LogTime

__all__ = ["ctime_seconds", "plain_lines", "seconds_of"]

_MOST_LETTERS: Final = 2000
_MOST_SECONDS: Final = 1e7
_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-_])|[\x00-\x08\x0b\x0c\x0e-\x1f]")
_STAMP: Final = re.compile(r"^\[?(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,]\d+)?\]?[ \t]+")
_OTHER_STAMPS: Final = (
    re.compile(r"^\[[^\]]{0,30}\d\d:\d\d:\d\d[^\]]{0,20}\][ \t]?"),
    re.compile(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \S{1,80} \S{1,80}\[\d+\]: "),
)
_CTIME: Final = re.compile(r"\w{3} (\w{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def plain_lines(line: str, now: float) -> Iterator[tuple[str, float]]:
    """What a line says, with its time: the one that stands before it, else `now`, and never later than that.

    A carriage return begins the line anew, as on a terminal.
    """
    for piece in line[:_MOST_LETTERS].split("\r"):
        plain = _TERMINAL.sub("", piece)
        time = now
        stamp = _STAMP.match(plain)
        if stamp is not None:
            year, month, day, time_of_day = stamp.groups()
            told = LogTime().seconds(f"{year}-{month}-{day}", time_of_day, now)
            time = min(told, now) if told is not None else now
            plain = plain[stamp.end() :]
        else:
            for pattern in _OTHER_STAMPS:
                plain = pattern.sub("", plain, count=1)
        plain = plain.rstrip()
        if plain:
            yield plain, time


def ctime_seconds(line: str, now: float) -> float | None:
    """The time that a line ends with, as chiapos writes it: "Wed Jul 14 22:33:24 2021", local."""
    match = _CTIME.search(line)
    if match is None:
        return None
    month, day, time_of_day, year = match.groups()
    if month not in _MONTHS:
        return None
    date = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}"
    told = LogTime().seconds(date, time_of_day, now)
    return min(told, now) if told is not None else None


def seconds_of(text: str) -> float | None:
    """A duration out of a line; None where it is none."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < _MOST_SECONDS else None
