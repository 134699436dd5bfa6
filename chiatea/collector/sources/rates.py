"""Rates out of counters that only grow. Pure."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

__all__ = ["Rates", "three_digits"]

K = TypeVar("K", bound=Hashable)


def three_digits(value: float) -> float:
    """Three significant digits: what changes below that is noise."""
    return float(f"{value:.3g}")


class Rates(Generic[K]):
    """Changes per second of many counters, by key."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self._time: float | None = None
        self._before: Mapping[K, tuple[float, ...]] = {}

    def of(self, counters: Mapping[K, tuple[float, ...]], time: float) -> dict[K, tuple[float, ...]]:
        """Rates since the last call, for keys that were there then. A counter that fell was reset: its rate is 0."""
        elapsed = time - self._time if self._time is not None else 0.0
        before, self._before, self._time = self._before, counters, time
        if elapsed <= 0:
            return {}
        return {
            key: tuple(max(0.0, new - old) / elapsed for new, old in zip(values, before[key], strict=True))
            for key, values in counters.items()
            if key in before
        }
