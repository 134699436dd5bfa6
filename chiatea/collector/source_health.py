"""Whether each source still tells something: the Source entries, and when to try one again that failed."""

from collections.abc import Callable
from typing import Final

from chiatea.chia.untrusted import printable
from chiatea.protobuf.chia_pb2 import Source

__all__ = ["ASKED_STALE_SECONDS", "DAEMON_STALE_SECONDS", "LOG_STALE_SECONDS", "BackOff", "SourceHealth"]

ASKED_STALE_SECONDS: Final = 60.0
"""What is asked each few seconds, and each 30 s where it fails."""
DAEMON_STALE_SECONDS: Final = 60.0
"""A signage point comes each 9.4 s, and with it news of each harvester: six in a row do not fail by chance."""
LOG_STALE_SECONDS: Final = 120.0
"""A harvester at level INFO writes a line for each signage point; a node's points pause for a minute now and then."""


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

    def __init__(self, name: str, clock: Callable[[], float], stale_after_seconds: float = ASKED_STALE_SECONDS) -> None:
        """A source of which nothing is known. Without news for so long it is stale."""
        self.entry = Source(id=name)
        self.hint = ""
        """Why it tells little though it is read or asked without fault, and what a person can do: it is stale then."""
        self._stale_after_seconds = stale_after_seconds
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

    def aged(self, *, is_news_due: bool = True) -> Source:
        """The entry now: one that is fine and tells nothing for too long is stale.

        `is_news_due` is false where there is nothing that it could tell.
        """
        entry = self.entry
        if entry.state in {Source.OK, Source.STALE}:
            # A time far ahead is of a clock that was set back since.
            age = abs(self._clock() - entry.last_news_time) if entry.HasField("last_news_time") else 0.0
            is_stale = (is_news_due and age > self._stale_after_seconds) or self.hint != ""
            entry.state = Source.STALE if is_stale else Source.OK
            if is_stale and self.hint:
                entry.error = self.hint
            else:
                entry.ClearField("error")
        return entry
