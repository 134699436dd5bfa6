"""Missed challenges: what each harvester owes its farmer, and what became of it.

Every signage point that the farmer sends to a connected harvester is owed one answer. No answer within 25 s is one
missed challenge, counted once; a late answer does not undo it. A harvester whose oldest owed point since its last
answer is 60 s old has timed out, until any answer comes. Points sent while it was not connected are not owed.

Pure: every time comes with what is told.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "MISSED_AFTER_SECONDS",
    "TIMED_OUT_AFTER_SECONDS",
    "Challenges",
    "HarvesterDebt",
    "Missed",
    "Point",
    "Turn",
]

MISSED_AFTER_SECONDS: Final = 25.0
TIMED_OUT_AFTER_SECONDS: Final = 60.0
_KEPT_POINTS: Final = 1000
"""Late answers are matched to points this far back: over two hours at one point each 9.4 s."""
_KEPT_MISSED: Final = 5000
"""As far back a late answer finds the miss that it belongs to."""


@dataclass(frozen=True, slots=True)
class Point:
    """A signage point as the farmer sent it."""

    signage_point: str
    challenge_hash: str
    index: int
    sent_time: float


@dataclass(slots=True)
class Missed:
    """A missed challenge; `late_answer_time` once the answer came after all."""

    node_id: str
    point: Point
    late_answer_time: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A harvester timed out, or recovered."""

    node_id: str
    time: float
    is_timed_out: bool


@dataclass(slots=True)
class HarvesterDebt:
    """What one harvester owes, and its counts."""

    is_connected: bool = False
    is_timed_out: bool = False
    has_answered: bool = False
    """Since it connected."""
    last_answer_time: float | None = None
    n_owed: int = 0
    n_answered: int = 0
    n_late: int = 0
    n_missed: int = 0
    n_timeouts: int = 0
    pending: "OrderedDict[str, Point]" = field(default_factory=OrderedDict)
    """Owed, not answered, not missed yet; oldest first."""
    silent_since: float | None = None
    """When the oldest point was sent that it owes since its last answer."""


class Challenges:
    """The ledger of all harvesters of one farmer."""

    def __init__(self) -> None:
        """An empty ledger."""
        self.harvesters: dict[str, HarvesterDebt] = {}
        self.missed: OrderedDict[tuple[str, str], Missed] = OrderedDict()
        """By node id and signage point, oldest first."""
        self._turns: list[Turn] = []
        self._points: OrderedDict[str, Point] = OrderedDict()
        self._answered: OrderedDict[tuple[str, str], None] = OrderedDict()

    def debt_of(self, node_id: str) -> HarvesterDebt:
        """One harvester's side of the ledger, new at first."""
        return self.harvesters.setdefault(node_id, HarvesterDebt())

    def sent(self, point: Point) -> bool:
        """The farmer sent a point: every connected harvester owes it. False where it was told before."""
        self.pass_time(point.sent_time)
        if point.signage_point in self._points:
            return False
        self._points[point.signage_point] = point
        while len(self._points) > _KEPT_POINTS:
            self._points.popitem(last=False)
        for debt in self.harvesters.values():
            if debt.is_connected:
                debt.n_owed += 1
                debt.pending[point.signage_point] = point
                if debt.silent_since is None:
                    debt.silent_since = point.sent_time
        return True

    def answered(self, node_id: str, signage_point: str, time: float) -> None:
        """A harvester answered."""
        self.pass_time(time)
        debt = self.debt_of(node_id)
        if debt.is_timed_out:
            self._turns.append(Turn(node_id, time, is_timed_out=False))
        debt.is_connected = debt.has_answered = True
        debt.is_timed_out = False
        debt.last_answer_time = time
        debt.silent_since = None
        key = (node_id, signage_point)
        if key in self._answered:
            return
        self._answered[key] = None
        while len(self._answered) > _KEPT_POINTS * max(1, len(self.harvesters)):
            self._answered.popitem(last=False)
        missed = self.missed.get(key)
        if debt.pending.pop(signage_point, None) is not None:
            debt.n_answered += 1
        elif missed is not None:
            debt.n_answered += 1
            debt.n_late += 1
            missed.late_answer_time = time
        elif signage_point in self._points:
            self._answered_unasked(node_id, debt, self._points[signage_point], time)

    def _answered_unasked(self, node_id: str, debt: HarvesterDebt, point: Point, time: float) -> None:
        """It was connected after all, or we had not heard of it yet: the answer proves that it owed the point."""
        debt.n_owed += 1
        debt.n_answered += 1
        if time - point.sent_time > MISSED_AFTER_SECONDS:
            debt.n_late += 1
            self._miss(node_id, debt, point, late_answer_time=time)

    def connected(self, node_id: str, time: float) -> None:
        """A harvester is connected, newly or still."""
        self.pass_time(time)
        self.debt_of(node_id).is_connected = True

    def disconnected(self, node_id: str, time: float) -> None:
        """A harvester went. What it owed till then it still owes; what comes is not owed."""
        self.pass_time(time)
        debt = self.debt_of(node_id)
        debt.is_connected = debt.is_timed_out = debt.has_answered = False
        debt.silent_since = None

    def forget_pending(self) -> None:
        """We did not listen for a while: what was under way cannot be judged, so it counts as never sent."""
        for debt in self.harvesters.values():
            debt.n_owed -= len(debt.pending)
            debt.pending.clear()
            debt.silent_since = None

    def pass_time(self, now: float) -> None:
        """Judges what is due by now."""
        for node_id, debt in self.harvesters.items():
            while debt.pending:
                oldest = next(iter(debt.pending.values()))
                if now - oldest.sent_time <= MISSED_AFTER_SECONDS:
                    break
                del debt.pending[oldest.signage_point]
                self._miss(node_id, debt, oldest)
            since = debt.silent_since
            if since is not None and not debt.is_timed_out and now - since >= TIMED_OUT_AFTER_SECONDS:
                debt.is_timed_out = True
                debt.n_timeouts += 1
                self._turns.append(Turn(node_id, since + TIMED_OUT_AFTER_SECONDS, is_timed_out=True))

    def take_turns(self) -> list[Turn]:
        """Time-outs that began or ended since this was last asked."""
        turns, self._turns = self._turns, []
        return turns

    def newest_missed(self, n: int = 100) -> list[Missed]:
        """The newest missed challenges, oldest first."""
        return list(self.missed.values())[-n:]

    def restore(self, missed: Missed) -> None:
        """Takes over a missed challenge that was counted before a restart."""
        self.missed[missed.node_id, missed.point.signage_point] = missed

    def _miss(self, node_id: str, debt: HarvesterDebt, point: Point, *, late_answer_time: float | None = None) -> None:
        debt.n_missed += 1
        self.missed[node_id, point.signage_point] = Missed(node_id, point, late_answer_time)
        while len(self.missed) > _KEPT_MISSED:
            self.missed.popitem(last=False)
