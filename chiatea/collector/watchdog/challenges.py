"""Missed challenges: what each harvester owes its farmer, and what became of it.

Every signage point that the farmer sends to a connected harvester is owed one answer. No answer within 25 s is one
missed challenge, counted once; a late answer does not undo it. A harvester whose oldest owed point since its last
answer is 60 s old has timed out, until any answer comes. Points sent while it was not connected are not owed.

Several sources tell the same things, each at its pace: what counts is the time that a thing is of, not the order in
which it is told. A point is one challenge chain signage point: a fork may have it sent again, and it stays one.

Pure: every time comes with what is told.
"""

from collections import OrderedDict, deque
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
_SAME_ANSWER_SECONDS: Final = 5.0
"""One answer told twice has nearly one time; a later one is to a point that was sent again."""
_KEPT_POINTS: Final = 1000
"""Late answers are matched to points this far back: over two hours at one point each 9.4 s."""
_KEPT_MISSED: Final = 5000
"""As far back a late answer finds the miss that it belongs to."""
_RECENT_POINTS: Final = 16
"""Word of a connection that comes after a point was told concerns points this far back."""


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

    is_connected: bool | None = None
    """None: nobody told, or not since we listen again. Such a harvester owes nothing."""
    connection_time: float = float("-inf")
    """Of the newest word on its connection: older ones come too late."""
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

    def owe(self, point: Point) -> None:
        """Takes a point that was sent to it."""
        self.n_owed += 1
        self.pending[point.signage_point] = point
        if self.silent_since is None:
            self.silent_since = point.sent_time


class Challenges:
    """The ledger of all harvesters of one farmer."""

    def __init__(self) -> None:
        """An empty ledger."""
        self.harvesters: dict[str, HarvesterDebt] = {}
        self.missed: OrderedDict[tuple[str, str], Missed] = OrderedDict()
        """By node id and signage point, oldest first."""
        self.points: OrderedDict[str, Point | None] = OrderedDict()
        """None: of before a gap in watching. Such a point is known when told again, and not judged any more."""
        self.answers: OrderedDict[str, dict[str, float]] = OrderedDict()
        """By signage point: who answered it first when."""
        self.recent: deque[str] = deque(maxlen=_RECENT_POINTS)
        """The newest points since the last gap."""
        self.is_judging = True
        """False while answers come that do not say whose they are."""
        self._turns: list[Turn] = []

    def debt_of(self, node_id: str) -> HarvesterDebt:
        """One harvester's side of the ledger, new at first."""
        return self.harvesters.setdefault(node_id, HarvesterDebt())

    def only_connected(self) -> str | None:
        """The one harvester that is connected; None where there are several or none."""
        connected = [node_id for node_id, debt in self.harvesters.items() if debt.is_connected]
        return connected[0] if len(connected) == 1 else None

    def sent(self, point: Point) -> bool:
        """The farmer sent a point: every connected harvester owes it. False where it was told before."""
        self.pass_time(point.sent_time)
        if point.signage_point in self.points:
            return False
        self.points[point.signage_point] = point
        self.recent.append(point.signage_point)
        while len(self.points) > _KEPT_POINTS:
            self.points.popitem(last=False)
        answers = self.answers.get(point.signage_point, {})
        for node_id, debt in self.harvesters.items():
            if node_id in answers:
                self._answered_unasked(node_id, debt, point, answers[node_id])
            elif debt.is_connected and self.is_judging:
                debt.owe(point)
        return True

    def answered(self, node_id: str, signage_point: str, time: float) -> bool:
        """A harvester answered. False where it was told before."""
        self.pass_time(time)
        debt = self.debt_of(node_id)
        answers = self.answers.setdefault(signage_point, {})
        is_new = node_id not in answers
        if not is_new and abs(time - answers[node_id]) < _SAME_ANSWER_SECONDS:
            return False
        answers.setdefault(node_id, time)
        while len(self.answers) > _KEPT_POINTS:
            self.answers.popitem(last=False)
        self._gave_sign(node_id, debt, time)
        if is_new:
            self._settle(node_id, debt, signage_point, time)
        return is_new

    def _gave_sign(self, node_id: str, debt: HarvesterDebt, time: float) -> None:
        self.is_judging = True
        if debt.is_timed_out:
            self._turns.append(Turn(node_id, time, is_timed_out=False))
        debt.is_timed_out = False
        if time >= debt.connection_time:
            debt.is_connected = debt.has_answered = True
            debt.connection_time = time
        debt.last_answer_time = max(time, debt.last_answer_time or time)
        debt.silent_since = min((p.sent_time for p in debt.pending.values() if p.sent_time > time), default=None)

    def _settle(self, node_id: str, debt: HarvesterDebt, signage_point: str, time: float) -> None:
        missed = self.missed.get((node_id, signage_point))
        if debt.pending.pop(signage_point, None) is not None:
            debt.n_answered += 1
        elif missed is not None and time - missed.point.sent_time > MISSED_AFTER_SECONDS:
            debt.n_answered += 1
            debt.n_late += 1
            missed.late_answer_time = time
        elif missed is not None:
            # It was told late, not given late.
            debt.n_answered += 1
            debt.n_missed -= 1
            del self.missed[node_id, signage_point]
        elif (point := self.points.get(signage_point)) is not None:
            self._answered_unasked(node_id, debt, point, time)

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
        debt = self.debt_of(node_id)
        if time < debt.connection_time:
            return
        debt.connection_time = time
        if debt.is_connected:
            return
        debt.is_connected = True
        for point in filter(None, map(self.points.get, self.recent)):
            is_answered = node_id in self.answers.get(point.signage_point, {})
            is_missed = (node_id, point.signage_point) in self.missed
            if self.is_judging and point.sent_time > time and not is_answered and not is_missed:
                debt.owe(point)

    def disconnected(self, node_id: str, time: float) -> None:
        """A harvester went. What it owed till then it still owes; what comes is not owed."""
        self.pass_time(time)
        debt = self.debt_of(node_id)
        if time < debt.connection_time:
            return
        debt.connection_time = time
        debt.is_connected = debt.is_timed_out = debt.has_answered = False
        debt.silent_since = None
        for point in [point for point in debt.pending.values() if point.sent_time > time]:
            del debt.pending[point.signage_point]
            debt.n_owed -= 1

    def not_watched(self, now: float) -> None:
        """We did not listen for a while, or the clock was set: what was under way counts as never sent.

        Who is connected has to be told anew. Times ahead of `now` are of a clock that was set back.
        """
        self._forget_pending()
        self.points = OrderedDict.fromkeys(self.points)
        self.recent.clear()
        for debt in self.harvesters.values():
            debt.is_connected = None if debt.is_connected else debt.is_connected
            debt.connection_time = min(debt.connection_time, now)
            if debt.last_answer_time is not None:
                debt.last_answer_time = min(debt.last_answer_time, now)

    def cannot_judge(self) -> None:
        """An answer came that does not say whose it is: nothing is owed till answers have names."""
        self.is_judging = False
        self._forget_pending()

    def _forget_pending(self) -> None:
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
