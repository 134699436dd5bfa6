"""Whether each source still tells something: the Source entries, and when to try one again that failed."""

from collections.abc import Callable
from typing import Final

from chiatea.collector.sources.untrusted import printable
from chiatea.protobuf.chia_pb2 import Source

__all__ = ["BackOff", "SourceHealth"]

_STALE_SECONDS: Final = 300.0
"""Without news for this long a source that should tell all the time is stale."""


class BackOff:
    """Seconds till the next try: doubled with each failure in a row, from `first` to `most`."""

    def __init__(self, first: float, most: float) -> None:
        """No failure yet."""
        self._first, self._most = first, most
        self._n_failures = 0

    def failed(self) -> float:
        """Counts one failure; gives how long to wait now."""
        self._n_failures += 1
        return min(self._most, self._first * 2.0 ** min(self._n_failures - 1, 16))

    def succeeded(self) -> None:
        """Begins anew."""
        self._n_failures = 0


class SourceHealth:
    """One source's entry."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        """A source of which nothing is known."""
        self.entry = Source(id=name)
        self._clock = clock
        self.is_seen = False
        """It told something once, now or before a restart."""

    def located(self, location: str) -> None:
        """Where it is."""
        self.entry.location = printable(location)

    def succeeded(self, *, has_news: bool = True, n_understood: int = 0) -> None:
        """It was read or asked."""
        now = self._clock()
        self.is_seen = True
        self.entry.state = Source.OK
        self.entry.last_success_time = now
        if has_news:
            self.entry.last_news_time = now
        self.entry.n_understood += n_understood
        self.entry.ClearField("error")

    def absent(self, reason: str = "") -> None:
        """There is no such thing; one that was there before is failing instead."""
        if self.is_seen and reason:
            self.failed(reason)
            return
        self.entry.state = Source.ABSENT
        self.entry.ClearField("error")

    def failed(self, reason: str) -> None:
        """It is there and could not be read or asked."""
        self.entry.state = Source.FAILING
        self.entry.error = printable(" ".join(reason.split())[:300])

    def aged(self) -> Source:
        """The entry now: one that is fine and tells nothing for minutes is stale."""
        entry = self.entry
        if entry.state in {Source.OK, Source.STALE} and entry.HasField("last_news_time"):
            is_stale = self._clock() - entry.last_news_time > _STALE_SECONDS
            entry.state = Source.STALE if is_stale else Source.OK
        return entry
