"""What the server tells of challenges over time: asked for whole farms at once, as its events are in order of time.

A question of one harvester would read all events of its farmer as well. The shares over days are made from counts at a
few moments, which takes the server milliseconds; to sum up seven days of 20 harvesters takes it three seconds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, Series
from chiatea.tui.challenge_history import (
    COUNTERS,
    Count,
    Kind,
    Miss,
    Share,
    cells_of,
    intervals_of,
    points_of,
    share_over,
)
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.view import FarmView

__all__ = ["RANGES", "WINDOWS", "ChallengeStrips", "Harvester", "Range", "StripQuestion"]

Harvester = tuple[str, str]
"""A farmer's machine id, and the node id that it knows a harvester by."""
WINDOWS: Final = (("1 h", 3600.0), ("24 h", 86_400.0), ("7 d", 7 * 86_400.0))
COUNT_AGES: Final = tuple(hours * 3600.0 for hours in (168, 144, 120, 96, 72, 48, 24, 12, 6, 3, 2, 1))
"""How long ago the counts are that shares are made from: a counter that began anew between two is noticed."""
COUNT_WITHIN_SECONDS: Final = 300.0
COUNTS_EVERY_SECONDS: Final = 60.0
POINT_STEP_SECONDS: Final = 3.0
MAX_STEPS_IN_ALL: Final = 20_000
"""What the server tells at once (server/database/series.py)."""
LEAST_STEPS: Final = 10


class Range(NamedTuple):
    """How far back a strip goes, and how often it is asked for: the longer, the more it costs the server."""

    title: str
    seconds: float
    every_seconds: float
    is_by_point: bool = False


RANGES: Final = (
    Range("10 min", 600.0, 5.0, is_by_point=True),
    Range("1 h", 3600.0, 15.0),
    Range("24 h", 86_400.0, 60.0),
    Range("7 d", 7 * 86_400.0, 600.0),
)


class StripQuestion(NamedTuple):
    """What strips are asked for: how far back, in how many cells, of which farmers."""

    range: Range
    n_cells: int
    farmer_ids: tuple[str, ...]

    @property
    def cell_seconds(self) -> float:
        """The time that one cell stands for."""
        return self.range.seconds / self.n_cells


class ChallengeStrips:
    """Strips and counts of all harvesters, as the server last told them."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.strips: dict[Harvester, list[Kind]] = {}
        self.state = ""
        self._counts: dict[Harvester, list[Count]] = {}
        self._counts_time = -math.inf

    def share(self, harvester: Harvester, seconds: float, now: Count) -> Share:
        """What a harvester missed over the last so many seconds."""
        return share_over([*self._counts.get(harvester, ()), now], seconds, now.time)

    async def load(
        self, server: FarmServer, question: StripQuestion, view: FarmView, misses: Mapping[Harvester, Sequence[Miss]]
    ) -> None:
        """Asks for all strips; for counts, where those are old.

        Raises:
            ConnectionFailedError: when the server cannot be asked.
        """
        if not self._counts_time <= view.now < self._counts_time + COUNTS_EVERY_SECONDS:
            await self._load_counts(server, question.farmer_ids, view.now)
        strips: dict[Harvester, list[Kind]] = {}
        for farmer_id in question.farmer_ids:
            seen = view.machine(farmer_id).all("farmer_harvester")
            steps = _steps(question, max(1, len(seen)), view.now)
            told = await server.history(steps.request(farmer_id, "farmer_harvester", (*COUNTERS, "state")))
            skipped = await server.history(steps.request(farmer_id, "farmer", ("n_skipped_signage_points",)))
            skips = skipped.series[0] if skipped.series else None
            by_node = _by_entry(told)
            for entry in seen:
                harvester, series = (farmer_id, entry.id), by_node.get(entry.id, {})
                intervals = intervals_of(series, skips, steps.n_steps, state_now=entry.state)
                known = misses.get(harvester, ())
                strips[harvester] = (
                    points_of(intervals, known, steps.since, steps.step_seconds, n_points=question.n_cells)
                    if question.range.is_by_point
                    else cells_of(intervals, known, steps.since, steps.step_seconds)
                )
        self.strips = strips

    async def _load_counts(self, server: FarmServer, farmer_ids: Sequence[str], now: float) -> None:
        counts: dict[Harvester, list[Count]] = {}
        for farmer_id in farmer_ids:
            for age in COUNT_AGES:
                moment = now - age
                steps = _Steps(moment - COUNT_WITHIN_SECONDS, moment, 1)
                reply = await server.history(steps.request(farmer_id, "farmer_harvester", COUNTERS[:2]))
                for node_id, series in _by_entry(reply).items():
                    owed, missed = (_last(series.get(field)) for field in COUNTERS[:2])
                    if owed is not None and missed is not None:
                        counts.setdefault((farmer_id, node_id), []).append(Count(moment, owed, missed))
        self._counts, self._counts_time = counts, now


class _Steps(NamedTuple):
    """Equal steps of time, in UTC seconds."""

    since: float
    until: float
    n_steps: int

    @property
    def step_seconds(self) -> float:
        return (self.until - self.since) / self.n_steps

    def request(self, machine_id: str, topic: str, fields: Sequence[str]) -> HistoryRequest:
        return HistoryRequest(machine_id=machine_id, topic=topic, fields=fields, **self._asdict())


def _steps(question: StripQuestion, n_harvesters: int, now: float) -> _Steps:
    """Steps up to now, as many as the server tells at once."""
    most = max(LEAST_STEPS, MAX_STEPS_IN_ALL // ((len(COUNTERS) + 1) * n_harvesters))
    wanted = round(question.range.seconds / POINT_STEP_SECONDS) if question.range.is_by_point else question.n_cells
    n_steps = min(most, wanted)
    step_seconds = question.range.seconds / n_steps
    # At multiples of a step, so that cells stay what they are as time goes on.
    until = math.ceil(now / step_seconds) * step_seconds
    return _Steps(until - n_steps * step_seconds, until, n_steps)


def _by_entry(reply: HistoryReply) -> dict[str, dict[str, Series]]:
    entries: dict[str, dict[str, Series]] = {}
    for series in reply.series:
        entries.setdefault(series.entry_id, {})[series.field] = series
    return entries


def _last(series: Series | None) -> float | None:
    if series is None:
        return None
    if series.steps:
        return series.steps[-1].last
    return series.before if series.HasField("before") else None
