"""Times of log lines as UTC seconds: most are local and without a zone."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

__all__ = ["LogTime"]

_AHEAD_SECONDS: Final = 3600.0
"""A line without a date that would be further in the future is yesterday's."""
_BACK_SECONDS: Final = 60.0
"""Lines of several services come this much out of order at most."""
_KEPT_MINUTES: Final = 512


class LogTime:
    """Turns the columns of date, time and zone into UTC seconds, by this machine's time zone where the line has none.

    In the hour that a clock set back goes through twice, lines are taken in their order: none is before the last one.
    """

    def __init__(self) -> None:
        """Nothing is remembered yet."""
        self._newest: float | None = None
        self._minutes: dict[tuple[str, str, str], tuple[float, float] | None] = {}

    def seconds(self, date: str, time_of_day: str, now: float, zone: str = "") -> float | None:
        """UTC seconds; None where the columns are no time. `now` says which day a line without a date is of."""
        minute = self._minute(date, time_of_day[:5], zone, now)
        if minute is None:
            return None
        first, second = minute
        within = float(time_of_day[6:].replace(",", "."))
        seconds = round(first + within, 6)
        if second != first and self._is_second(seconds, round(second + within, 6), now):
            seconds = round(second + within, 6)
        if self._newest is None or seconds > self._newest:
            self._newest = seconds
        return seconds

    def _is_second(self, first: float, second: float, now: float) -> bool:
        if self._newest is not None:
            return first < self._newest - _BACK_SECONDS
        # The first line that is read: what was written just now is of the later hour.
        return second - _BACK_SECONDS <= now <= second + _AHEAD_SECONDS

    def _minute(self, date: str, hour_and_minute: str, zone: str, now: float) -> tuple[float, float] | None:
        if not date:
            return _undated(hour_and_minute, zone, now)
        key = (date, hour_and_minute, zone)
        if key not in self._minutes:
            if len(self._minutes) >= _KEPT_MINUTES:
                self._minutes.clear()
            self._minutes[key] = _both(f"{date}T{hour_and_minute}", zone)
        return self._minutes[key]


def _both(minute: str, zone: str) -> tuple[float, float] | None:
    """The first and the second time that a clock showed a minute; almost always the same."""
    try:
        local = datetime.fromisoformat(minute)
        if zone:
            seconds = local.replace(tzinfo=_offset(zone)).timestamp()
            return seconds, seconds
        first, second = local.timestamp(), local.replace(fold=1).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    # Where the clock was set forward there is no such time, and the two are the other way round.
    return (first, second) if first <= second else (first, first)


def _undated(hour_and_minute: str, zone: str, now: float) -> tuple[float, float] | None:
    try:
        # The day of the clock that wrote the line: its own where it has a zone, else this machine's.
        today = datetime.fromtimestamp(now, _offset(zone) if zone else None).date()
        both = _both(f"{today.isoformat()}T{hour_and_minute}", zone)
        if both is not None and both[0] > now + _AHEAD_SECONDS:
            both = _both(f"{(today - timedelta(days=1)).isoformat()}T{hour_and_minute}", zone)
    except (ValueError, OverflowError, OSError):
        return None
    return both


def _offset(zone: str) -> timezone:
    if zone == "Z":
        return UTC
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
