"""How fast copies may be: all together, by the time of day or as was ordered, and what is each one's share."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from typing import Final

from chiatea.config import BandwidthPeriod
from chiatea.units import format_bytes

__all__ = ["TotalRate", "rate_text", "shares_of"]

_log = logging.getLogger(__name__)

_MINUTE: Final = 60.0
_LOOK_AHEAD_MINUTES: Final = 2 * 24 * 60
"""Every period begins or ends within a day and, where clocks are changed, an hour."""


def shares_of(max_bytes_per_second: int, own_limits: Mapping[str, int]) -> dict[str, int]:
    """What each job may move in a second: equal shares, and what one with a limit of its own leaves goes to the others.

    Args:
        max_bytes_per_second: of all together; 0 is no limit, here and in what is returned.
        own_limits: of each job.
    """
    if not max_bytes_per_second:
        return dict(own_limits)
    shares: dict[str, int] = {}
    left = max_bytes_per_second
    jobs = sorted(own_limits, key=lambda job_id: (own_limits[job_id] or inf, job_id))
    for n_done, job_id in enumerate(jobs):
        share = max(1, left // (len(jobs) - n_done))
        shares[job_id] = min(share, own_limits[job_id]) if own_limits[job_id] else share
        left = max(0, left - shares[job_id])
    return shares


def rate_text(max_bytes_per_second: int) -> str:
    """A limit for a person."""
    return f"{format_bytes(max_bytes_per_second)}/s" if max_bytes_per_second else "no limit"


class TotalRate:
    """What all copies together may move in a second now; 0 is no limit.

    The time of day is what the clock on the wall shows: it is asked anew for each minute, whatever daylight saving, the
    traveller's time zone or somebody who sets the clock make of it.
    """

    def __init__(
        self,
        always: int,
        periods: Sequence[BandwidthPeriod],
        *,
        clock: Callable[[], float] = time.time,
        local: Callable[[float], time.struct_time] = time.localtime,
    ) -> None:
        """As configured.

        Args:
            always: outside of all periods; bytes per second.
            periods: parts of the day, none over another.
            clock: UTC seconds since the epoch; it may jump.
            local: the clock on the wall at such a time.
        """
        self.always = always
        self.periods = tuple(periods)
        self._clock = clock
        self._local = local
        self._ordered: int | None = None
        self._until: float | None = None

    @property
    def periods_text(self) -> str:
        """The periods, to tell whether the configuration is another."""
        return " ".join(f"{period}={period.max}" for period in self.periods)

    def now(self) -> int:
        """The rate in force."""
        now = self._clock()
        if self._until is not None and not 0 < self._until - now <= _LOOK_AHEAD_MINUTES * _MINUTE:
            self._ordered = self._until = None
        if self._ordered is not None:
            return self._ordered
        period = self._period_at(now)
        return period.max if period is not None else self.always

    def next_change(self) -> float | None:
        """When the next period begins or ends; UTC seconds since the epoch; None where nothing ever changes."""
        now = self._clock()
        held, minute = self._period_at(now), now - now % _MINUTE
        times = (minute + n * _MINUTE for n in range(1, _LOOK_AHEAD_MINUTES))
        return next((later for later in times if self._period_at(later) is not held), None)

    def order(self, max_bytes_per_second: int, until: float | None) -> None:
        """Another rate for now, until then or, None, for as long as the configuration is the same."""
        self._ordered, self._until = max_bytes_per_second, until

    def time_text(self, later: float) -> str:
        """A time of today or tomorrow as the clock on the wall will show it."""
        return time.strftime("%H:%M", self._local(later))

    async def follow(
        self,
        limit: Callable[[int], Awaitable[None]],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Sets the limit for each minute, for ever."""
        told = self.now()
        while True:
            rate = self.now()
            if rate != told:
                told = rate
                _log.info("from now on for all copies together: %s, by copy.bandwidth_by_time", rate_text(rate))
            await limit(rate)
            await pause(_MINUTE - self._clock() % _MINUTE)

    def _period_at(self, time_: float) -> BandwidthPeriod | None:
        wall = self._local(time_)
        minute = wall.tm_hour * 60 + wall.tm_min
        return next((period for period in self.periods if period.holds_at(minute)), None)
