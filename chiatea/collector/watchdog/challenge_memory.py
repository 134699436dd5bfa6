"""The ledger of challenges as JSON and back, so that a restart neither loses nor invents an answer.

Counters and missed challenges are in the entries themselves; here is what those do not say.
"""

from collections.abc import Sequence
from typing import Any, Final

from chiatea.chia.untrusted import boolean, integer, items, mapping, number, text
from chiatea.collector.watchdog.challenges import Challenges, HarvesterDebt, Point

__all__ = ["challenges_as_json", "fill_challenges"]

_KEPT_POINTS: Final = 64
"""Ten minutes: an answer that comes later than that is to a point that was missed, and those are kept apart."""


def challenges_as_json(challenges: Challenges) -> dict[str, Any]:
    """What must survive a restart."""
    numbers = {node_id: n for n, node_id in enumerate(challenges.harvesters)}
    points = list(challenges.points.items())[-_KEPT_POINTS:]
    answers = list(challenges.answers.items())[-_KEPT_POINTS:]
    return {
        "harvesters": [_debt_as_json(node_id, debt) for node_id, debt in challenges.harvesters.items()],
        "points": [_point_as_json(name, point) for name, point in points],
        "answers": [[point, [[numbers[n], t] for n, t in by_node.items()]] for point, by_node in answers],
        "recent": list(challenges.recent),
        "is_judging": challenges.is_judging,
    }


def _point_as_json(name: str, point: Point | None) -> list[Any]:
    return [name] if point is None else [name, point.challenge_hash, point.index, point.sent_time]


def _point(name: str, entry: Sequence[Any]) -> Point | None:
    index, sent_time = (integer(entry[2]), number(entry[3])) if len(entry) == 4 else (None, None)
    if index is None or sent_time is None:
        return None
    return Point(name, text(entry[1]) or "", index, sent_time)


def _debt_as_json(node_id: str, debt: HarvesterDebt) -> dict[str, Any]:
    return {
        "id": node_id,
        "is_connected": debt.is_connected,
        "connection_time": debt.connection_time if debt.connection_time > 0 else None,
        "is_timed_out": debt.is_timed_out,
        "has_answered": debt.has_answered,
        "silent_since": debt.silent_since,
        "pending": list(debt.pending),
    }


def fill_challenges(challenges: Challenges, data: object) -> None:
    """Takes over what `challenges_as_json` gave, of harvesters whose counters are restored already."""
    told = mapping(data)
    for entry in map(items, items(told.get("points"))):
        name = text(entry[0]) if entry else None
        if name is not None:
            challenges.points[name] = _point(name, entry)
    node_ids = [_fill_debt(challenges, mapping(entry)) for entry in items(told.get("harvesters"))]
    for entry in map(items, items(told.get("answers"))):
        if len(entry) == 2 and isinstance(entry[0], str):
            challenges.answers[entry[0]] = _answers(entry[1], node_ids)
    challenges.recent.extend(point for point in items(told.get("recent")) if isinstance(point, str))
    challenges.is_judging = told.get("is_judging") is not False


def _fill_debt(challenges: Challenges, told: Any) -> str:
    node_id = text(told.get("id")) or ""
    debt = challenges.harvesters.get(node_id)
    if debt is None:
        return node_id
    debt.is_connected = boolean(told.get("is_connected"))
    debt.connection_time = number(told.get("connection_time")) or float("-inf")
    # The entry says it, which may be the newer word; but not of one of whom nobody knows whether it is connected.
    debt.is_timed_out |= debt.is_connected is None and told.get("is_timed_out") is True
    debt.has_answered = told.get("has_answered") is True
    debt.silent_since = number(told.get("silent_since"))
    for name in items(told.get("pending")):
        point = challenges.points.get(name) if isinstance(name, str) else None
        # The server may know of later than the memory file.
        if point is not None and (node_id, point.signage_point) not in challenges.missed:
            debt.pending[point.signage_point] = point
    # What it owed and cannot be judged any more counts as never sent.
    debt.n_owed = debt.n_answered - debt.n_late + debt.n_missed + len(debt.pending)
    return node_id


def _answers(pairs: object, node_ids: list[str]) -> dict[str, float]:
    answers: dict[str, float] = {}
    for pair in map(items, items(pairs)):
        number_, time = (integer(pair[0]), number(pair[1])) if len(pair) == 2 else (None, None)
        if number_ is not None and time is not None and 0 <= number_ < len(node_ids):
            answers[node_ids[number_]] = time
    return answers
