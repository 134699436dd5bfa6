"""How fast disks fill, and when they will be full, from the server's history of what they hold. Pure."""

import itertools
import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, Series

__all__ = ["Growth", "rate_of", "seconds_until_full"]

_WINDOW_SECONDS: Final = 7 * 86_400.0
_LATELY_SECONDS: Final = 86_400.0
_MOST_STEPS: Final = 84
"""Of two hours each: some 3,500 pairs for each disk."""
_MOST_STEPS_IN_ALL: Final = 20_000
"""The server's own limit of one reply."""
_LEAST_POINTS: Final = 4
_LEAST_SPAN_SECONDS: Final = 6 * 3600.0
_FARTHEST_SECONDS: Final = 5 * 365 * 86_400.0
"""What lies farther away is not known from a week."""
_KEPT_SECONDS: Final = 600.0


def rate_of(points: Sequence[tuple[float, float]]) -> float | None:
    """How fast a value grows in a second: the median of all slopes between two points (Theil and Sen), which a single
    odd point does not move. None where a few hours are not covered.

    Args:
        points: UTC seconds and value, the oldest first.
    """
    if len(points) < _LEAST_POINTS or points[-1][0] - points[0][0] < _LEAST_SPAN_SECONDS:
        return None
    pairs = itertools.combinations(points, 2)
    return median((after - before) / (late - early) for (early, before), (late, after) in pairs if late > early)


def seconds_until_full(rate: float | None, free_bytes: float) -> float | None:
    """When no room is left, at a rate in bytes a second; None where it does not grow, or nobody can tell."""
    if rate is None or rate <= 0 or not math.isfinite(free_bytes):
        return None
    left = max(0.0, free_bytes) / rate
    return left if left < _FARTHEST_SECONDS else None


class _Rates(NamedTuple):
    asked_time: float
    by_disk: dict[str, float | None]


class Growth:
    """The growth of disks, machine by machine: asked for when somebody looks at them, and kept for some minutes."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._rates: dict[str, _Rates] = {}

    def due(self, machine_ids: Iterable[str], now: float) -> str | None:
        """The first of some machines of which nothing newer than some minutes is known."""
        for machine_id in machine_ids:
            rates = self._rates.get(machine_id)
            if rates is None or not 0 <= now - rates.asked_time < _KEPT_SECONDS:
                return machine_id
        return None

    def question(self, machine_id: str, n_disks: int, now: float) -> HistoryRequest:
        """What is asked for all disks of a machine at once. It is not due again before it is answered."""
        held = self._rates.get(machine_id)
        self._rates[machine_id] = _Rates(now, held.by_disk if held is not None else {})
        return HistoryRequest(
            machine_id=machine_id,
            topic="disk",
            fields=["used_bytes"],
            since=now - _WINDOW_SECONDS,
            until=now,
            n_steps=max(1, min(_MOST_STEPS, _MOST_STEPS_IN_ALL // max(1, n_disks))),
        )

    def take(self, question: HistoryRequest, reply: HistoryReply) -> None:
        """Takes an answer over."""
        rates = {series.entry_id: _rate_of_disk(question, series) for series in reply.series}
        self._rates[question.machine_id] = _Rates(question.until, rates)

    def rate(self, machine_id: str, disk: Any) -> float | None:
        """Bytes a second that a disk grows by, negative where it shrinks; None where that is not known."""
        rates = self._rates.get(machine_id)
        return rates.by_disk.get(disk.id) if rates is not None else None

    def full_in(self, machine_id: str, disk: Any) -> float | None:
        """Seconds until a disk is full, if it goes on as it did."""
        if not disk.HasField("free_bytes"):
            return None
        return seconds_until_full(self.rate(machine_id, disk), disk.free_bytes)


def _rate_of_disk(question: HistoryRequest, series: Series) -> float | None:
    """As in the last day where it grew then, else as in the whole week: what began to fill today was not seen to."""
    step_seconds = (question.until - question.since) / question.n_steps
    points = [(question.since + (step.index + 1) * step_seconds, step.last) for step in series.steps]
    lately = rate_of([point for point in points if point[0] > question.until - _LATELY_SECONDS])
    return lately if lately is not None and lately > 0 else rate_of(points)
