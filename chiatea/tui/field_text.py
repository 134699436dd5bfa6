"""Values of fields for a person: the end of a field's name says its unit. Pure."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from chiatea.protobuf.descriptors import Column, ColumnKind
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.plain_text import plain
from chiatea.units import format_bytes, short_duration

__all__ = ["field_text", "is_time", "moment_text", "number_text"]


def moment_text(timestamp: float, now: float) -> str:
    """A time of today as such, of other days with its day; local."""
    try:
        moment, today = (datetime.fromtimestamp(t, UTC).astimezone() for t in (timestamp, now))
    except (ValueError, OverflowError, OSError):
        return UNKNOWN
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment:%m-%d %H:%M:%S}"


def _full_time(timestamp: float) -> str:
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def is_time(name: str) -> bool:
    """Whether a field is a moment, in UTC seconds."""
    return name.endswith(("_time", "_since")) or name == "time"


def field_text(column: Column, value: Any) -> str:
    """A field's value for a person, in the unit that the end of its name says; times are local."""
    if value is None:
        return "not told"
    if column.enum is not None:
        names = {number: name for number, name in column.enum.values}  # noqa: C416
        return names.get(value, str(value))
    if column.kind is ColumnKind.BOOLEAN:
        return "yes" if value else "no"
    if column.kind in (ColumnKind.INTEGER, ColumnKind.REAL, ColumnKind.UNSIGNED):
        return number_text(column.name, value)
    return plain(str(value)) or "nothing"


_UNITS: Final[tuple[tuple[str, Callable[[float], str]], ...]] = (
    ("_bytes_per_second", lambda value: f"{format_bytes(value)}/s"),
    ("_bytes_behind", format_bytes),
    ("_bytes", format_bytes),
    ("bytes_done", format_bytes),
    ("_offset_seconds", lambda value: f"{value / 3600:+g} h"),
    ("_seconds", lambda value: short_duration(abs(value)) if value >= 0 else f"-{short_duration(-value)}"),
    ("_to_win", short_duration),
    ("_percent", lambda value: f"{value:.1f} %"),
    ("_celsius", lambda value: f"{value:.0f} °C"),
    ("_mhz", lambda value: f"{value:,.0f} MHz"),
    ("_megabits_per_second", lambda value: f"{value:,.0f} Mbit/s"),
    ("share_of_netspace", lambda value: f"{100 * value:.3g} %"),
    ("_hours", lambda value: f"{value:,} h"),
    ("_mojo", lambda value: f"{value:,.0f} mojo"),
)


def number_text(name: str, value: float) -> str:
    """A number in the unit that the end of its field's name says: "97.0 %", "1.50 TiB", "1,234"."""
    if not math.isfinite(value):
        return UNKNOWN
    if is_time(name):
        return _full_time(value) if value > 0 else "never"
    for suffix, text in _UNITS:
        if name.endswith(suffix):
            return text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
