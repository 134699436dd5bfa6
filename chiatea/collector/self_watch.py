"""The collector's own entry: what it keeps for the server, and what it costs its machine."""

from collections import deque
from typing import Final, Protocol

import psutil

from chiatea.protobuf.chia_pb2 import Collector

__all__ = ["SelfWatch"]

_OVER_SECONDS: Final = 60.0


class Sending(Protocol):
    """What the entry tells of the way to the server."""

    @property
    def n_spooled_events(self) -> int:
        """Events on this machine's disk."""

    @property
    def spooled_bytes(self) -> int:
        """The room that they take there."""

    away_since: float | None
    n_dropped: int


class SelfWatch:
    """Reads this process's processor time and memory."""

    def __init__(self, start_time: float) -> None:
        """`start_time` is when the collector began (UTC seconds)."""
        self._start_time = start_time
        self._process = psutil.Process()
        self._readings: deque[tuple[float, float]] = deque()

    def entry(self, sending: Sending, now: float) -> Collector:
        """The collector now. `now` is any clock that does not jump, in seconds."""
        entry = Collector(
            start_time=self._start_time,
            is_spooling=sending.away_since is not None,
            spooling_since=sending.away_since,
            n_spooled_events=sending.n_spooled_events,
            spooled_bytes=sending.spooled_bytes,
            n_dropped_events=sending.n_dropped,
        )
        times = self._process.cpu_times()
        self._readings.append((now, times.user + times.system))
        while now - self._readings[0][0] > _OVER_SECONDS and len(self._readings) > 2:
            self._readings.popleft()
        (began, before), (_, after) = self._readings[0], self._readings[-1]
        if now > began:
            entry.cpu_percent = round(100 * (after - before) / (now - began), 1)
        entry.resident_bytes = self._process.memory_info().rss >> 20 << 20
        return entry
