"""Times of log lines, which are local and without a zone, as UTC seconds."""

import time as clocks
from datetime import datetime, timedelta
from typing import Final

__all__ = ["LogTime"]

_AHEAD_SECONDS: Final = 3600.0
"""A line without a date that would be further in the future is yesterday's."""


class LogTime:
    """Turns the date and time columns into UTC seconds by this machine's time zone."""

    def __init__(self) -> None:
        """Nothing is remembered yet."""
        self._minute = ""
        self._minute_seconds: float | None = None

    def seconds(self, date: str, time_of_day: str, now: float) -> float | None:
        """UTC seconds; None where the columns are no time. `now` says which day a line without a date is of."""
        minute = f"{date}T{time_of_day[:5]}"
        if not date or minute != self._minute:
            self._minute, self._minute_seconds = minute, _minute_seconds(date, time_of_day[:5], now)
        if self._minute_seconds is None:
            return None
        return round(self._minute_seconds + float(time_of_day[6:].replace(",", ".")), 6)


def _minute_seconds(date: str, hour_and_minute: str, now: float) -> float | None:
    try:
        if date:
            return clocks.mktime(datetime.fromisoformat(f"{date}T{hour_and_minute}").timetuple())
        today = datetime.fromtimestamp(now).date()  # noqa: DTZ006 - the log's time is local too
        local = datetime.fromisoformat(f"{today.isoformat()}T{hour_and_minute}")
        seconds = clocks.mktime(local.timetuple())
        if seconds > now + _AHEAD_SECONDS:
            seconds = clocks.mktime((local - timedelta(days=1)).timetuple())
    except (ValueError, OverflowError):
        return None
    return seconds
