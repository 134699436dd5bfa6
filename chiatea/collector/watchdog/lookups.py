"""Lookups of this machine's harvester: each counted once whoever tells it, and figures over the newest."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from chiatea.chia.untrusted import items, number

__all__ = [
    "KEPT_LOOKUPS",
    "Figures",
    "ToldOnce",
    "figures_of",
    "median_interval",
    "newest_lookups_as_json",
    "newest_lookups_of",
]

KEPT_LOOKUPS: Final = 400
"""About one hour at one signage point each 9.4 s."""
_KEPT_KEYS: Final = 4000


class Figures(NamedTuple):
    """Lookup times in seconds."""

    median: float
    p99: float
    worst: float


def figures_of(seconds: Iterable[float]) -> Figures | None:
    """Median, 99th percentile (nearest rank) and worst; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    n = len(ordered)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return Figures(round(middle, 5), round(ordered[math.ceil(0.99 * n) - 1], 5), round(ordered[-1], 5))


def median_interval(times: Sequence[float]) -> float | None:
    """The usual seconds between two of the newest 64 times: the median does not mind one long stop."""
    newest = list(times)[-64:]
    gaps = figures_of(later - earlier for earlier, later in pairwise(newest))
    return round(gaps.median, 1) if gaps else None


class ToldOnce:
    """Says of each thing told whether it is a new one, where things have no name of their own.

    Daemon and log tell the same lookup under one key, at any distance in time, and one key may come several times
    (0 eligible plots in 0.00023 s). So the lookups of one key are as many as the source that told most of them says.
    """

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: OrderedDict[str, dict[str, int]] = OrderedDict()

    def is_new(self, key: str, source: str) -> bool:
        """Takes one telling; True where nobody told that thing before."""
        by_source = self._told.setdefault(key, {})
        self._told.move_to_end(key)
        known = max(by_source.values(), default=0)
        by_source[source] = told = by_source.get(source, 0) + 1
        while len(self._told) > _KEPT_KEYS:
            self._told.popitem(last=False)
        return told > known

    def as_json(self) -> list[Any]:
        """What must survive a restart. Older tellings are settled: no source comes back to them."""
        newest = list(self._told.items())[-KEPT_LOOKUPS:]
        return [[key, by_source] for key, by_source in newest]

    def fill(self, data: object) -> None:
        """Takes over what `as_json` gave."""
        for entry in items(data):
            match items(entry):
                case [str(key), dict(by_source)]:
                    self._told[key] = {str(k): v for k, v in by_source.items() if isinstance(v, int)}
                case _:
                    continue


def newest_lookups_as_json(lookups: Iterable[tuple[float, float]]) -> list[list[float]]:
    """(time, seconds) pairs for the memory file."""
    return [[time, seconds] for time, seconds in lookups]


def newest_lookups_of(data: object) -> deque[tuple[float, float]]:
    """The reverse of `newest_lookups_as_json`; strange entries are left out."""
    lookups: deque[tuple[float, float]] = deque(maxlen=KEPT_LOOKUPS)
    for entry in items(data):
        pair = [number(value) for value in items(entry)]
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            lookups.append((pair[0], pair[1]))
    return lookups
