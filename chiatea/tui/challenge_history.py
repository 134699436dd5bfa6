"""What became of challenges over time, from counters that only grow: cells of a strip, and shares. Pure.

The counters are the farmer's of each harvester (§6 of the design): owed, missed, late. They begin at zero where the
farmer's collector lost its memory; owed never falls otherwise, so a fall of it is such a beginning, of all of them.
"""

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.protobuf.monitoring_service_pb2 import Series
from chiatea.tui.lines import Cell, Span

__all__ = [
    "COUNTERS", "MISSED_AFTER_SECONDS", "Count", "Interval", "Kind", "Miss", "Share", "cells_of", "intervals_of",
    "points_of", "share_over", "strip_cell",
]  # fmt: skip

COUNTERS: Final = ("n_challenges_owed", "missed_challenges", "n_challenges_late")
MISSED_AFTER_SECONDS: Final = 25.0
"""Then it is known that an answer is missing (collector/watchdog/challenges.py)."""
POINT_SECONDS: Final = 9.375
"""Between two signage points: Chia aims at 64 in ten minutes."""
SKIPPED_SHARE: Final = 0.1
"""Of a long interval's points some are always skipped: from more than this on it is shown."""
GAP_SECONDS: Final = 30.0
"""Without a point for so long, some were not seen."""


class Kind(Enum):
    """What one cell of a strip says: glyph, style, word. The taller, the worse."""

    ANSWERED = ("▁", "good", "answered")
    LATE = ("▄", "warn", "late")
    MISSED = ("█", "bad", "missed")
    SKIPPED = ("s", "accent", "skipped by node")
    AWAY = ("○", "muted", "away")
    UNKNOWN = ("·", "muted", "not watched")

    @property
    def span(self) -> Span:
        """As it is drawn."""
        return Span(self.value[0], self.value[1])

    @property
    def word(self) -> str:
        """As it is called."""
        return self.value[2]


class Interval(NamedTuple):
    """What was counted in one step of time. Corrections of an earlier count may make numbers negative."""

    n_owed: float = 0
    n_missed: float = 0
    n_late: float = 0
    n_skipped: float = 0
    is_connected: bool = True


class Miss(NamedTuple):
    """When a missing answer was known to be missing (UTC seconds), and whether it came after all."""

    time: float
    is_late: bool


class Count(NamedTuple):
    """What was counted till some time."""

    time: float
    n_owed: float
    n_missed: float


class Share(NamedTuple):
    """What was missed of what was owed, and over how many of the seconds that were asked for that is known."""

    n_missed: float
    n_owed: float
    known_seconds: float


def intervals_of(
    series: Mapping[str, Series], skipped: Series | None, n_steps: int, *, state_now: int = 0
) -> list[Interval]:
    """The differences from step to step.

    Args:
        series: of one harvester, by field: `COUNTERS` and "state".
        skipped: n_skipped_signage_points of its farmer.
        n_steps: steps that were asked for.
        state_now: the harvester's state, which holds where no other is told.
    """
    restarts = _falls(series.get(COUNTERS[0]), n_steps)
    owed, missed, late = (_differences(series.get(field), n_steps, restarts) for field in COUNTERS)
    skips = _differences(skipped, n_steps, _falls(skipped, n_steps))
    states = _held(series.get("state"), n_steps, state_now)
    is_away = [state == HarvesterViewedFromFarmer.DISCONNECTED for state in states]
    return [Interval(owed[i], missed[i], late[i], skips[i], not is_away[i]) for i in range(n_steps)]


def _falls(series: Series | None, n_steps: int) -> set[int]:
    """Steps in which a counter began at zero again."""
    falls, before = set[int](), None
    for step in series.steps if series is not None else ():
        if before is None and series is not None and series.HasField("before"):
            before = series.before
        if before is not None and step.last < before and 0 <= step.index < n_steps:
            falls.add(step.index)
        before = step.last
    return falls


def _differences(series: Series | None, n_steps: int, restarts: set[int]) -> list[float]:
    differences = [0.0] * n_steps
    if series is None:
        return differences
    before = series.before if series.HasField("before") else None
    for step in series.steps:
        if not 0 <= step.index < n_steps:
            continue
        if before is None:
            # Nothing is known of before: what the first event tells was counted at any time.
            before = step.least
        if step.index in restarts:
            differences[step.index] = max(0.0, step.greatest - before) + step.last
        else:
            differences[step.index] = step.last - before
        before = step.last
    return differences


def _held(series: Series | None, n_steps: int, now: float) -> list[float]:
    """The value at the end of each step."""
    if series is None:
        return [now] * n_steps
    told = {step.index: step.last for step in series.steps}
    value = series.before if series.HasField("before") else 0.0
    return [value := told.get(index, value) for index in range(n_steps)]


def cells_of(
    intervals: Sequence[Interval], misses: Iterable[Miss] = (), since: float = 0.0, step_seconds: float = 1.0
) -> list[Kind]:
    """A cell for each interval. Known misses tell which of them were answered late, however much later."""
    late = _late_by_step(misses, since, step_seconds)
    return [_kind(interval, late.get(index, 0)) for index, interval in enumerate(intervals)]


def _late_by_step(misses: Iterable[Miss], since: float, step_seconds: float) -> dict[int, int]:
    late: dict[int, int] = {}
    for miss in misses:
        if miss.is_late:
            index = int((miss.time - since) // step_seconds)
            late[index] = late.get(index, 0) + 1
    return late


def _kind(interval: Interval, n_known_late: int) -> Kind:
    if interval.n_missed > 0:
        return Kind.LATE if max(interval.n_late, n_known_late) >= interval.n_missed else Kind.MISSED
    n_owed = max(0.0, interval.n_owed)
    if not n_owed and not interval.is_connected:
        return Kind.AWAY
    if interval.n_skipped > SKIPPED_SHARE * (n_owed + interval.n_skipped):
        return Kind.SKIPPED
    return Kind.ANSWERED if n_owed else Kind.UNKNOWN


def points_of(
    intervals: Sequence[Interval], misses: Iterable[Miss], since: float, step_seconds: float, *, n_points: int
) -> list[Kind]:
    """A cell for each signage point, the newest last: of steps that are shorter than the time between two points."""
    late = _late_by_step(misses, since, step_seconds)
    points: list[Kind] = []
    quiet_steps = 0
    for index, interval in enumerate(intervals):
        points += [Kind.SKIPPED] * min(n_points, round(max(0.0, interval.n_skipped)))
        n_owed = min(n_points, round(max(0.0, interval.n_owed)))
        if not n_owed:
            quiet_steps += 1
            if quiet_steps * step_seconds >= GAP_SECONDS:
                n_gap = max(1, int(quiet_steps * step_seconds / POINT_SECONDS))
                points += [Kind.UNKNOWN if interval.is_connected else Kind.AWAY] * n_gap
                quiet_steps = 0
            continue
        quiet_steps = 0
        n_missed = min(n_owed, round(max(0.0, interval.n_missed)))
        kind = _kind(interval, late.get(index, 0))
        points += [Kind.ANSWERED] * (n_owed - n_missed) + [kind] * n_missed
    return points[-n_points:]


def share_over(counts: Sequence[Count], seconds: float, now: float) -> Share:
    """The share missed over the last so many seconds, from counts at some times, the oldest first, up to now."""
    begin = now - seconds
    # The last count before it, where it is near, else what is known from later on.
    first = bisect.bisect_right([count.time for count in counts], begin + 1.0) - 1
    known = [count for count in counts[max(0, first) :] if count.time >= begin - 0.1 * seconds]
    n_owed = n_missed = 0.0
    for before, after in itertools.pairwise(known):
        is_new = after.n_owed < before.n_owed
        n_owed += after.n_owed - (0 if is_new else before.n_owed)
        n_missed += after.n_missed - (0 if is_new else before.n_missed)
    return Share(max(0.0, n_missed), n_owed, now - known[0].time if known else 0.0)


def strip_cell(kinds: Sequence[Kind], width: int) -> Cell:
    """A strip, the newest at its right end."""
    spans = [Span(" " * max(0, width - len(kinds)))]
    for kind in kinds:
        if spans[-1].style == kind.span.style:
            spans[-1] = Span(spans[-1].text + kind.span.text, spans[-1].style)
        else:
            spans.append(kind.span)
    return Cell("".join(span.text for span in spans), "normal", tuple(spans))
