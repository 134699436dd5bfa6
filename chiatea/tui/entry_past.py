"""The past of one entry, from its events: what changed, and since when a reason holds. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, entry_of
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.tui.changes import change_text, telling_change
from chiatea.tui.field_text import moment_text
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.list_model import Item
from chiatea.tui.reasons import Reason
from chiatea.tui.thresholds import Thresholds
from chiatea.tui.view import Machine

__all__ = ["MOST_SHOWN", "Past", "Since", "question"]

_MOST_EVENTS: Final = 500
"""A page of the server's."""
_LOOK_BACK_SECONDS: Final = 7 * 86_400.0
MOST_SHOWN: Final = 40
Judge = Callable[[str, Any, Machine, Thresholds, float], Sequence[Reason]]


class Since(NamedTuple):
    """Since when a reason holds (UTC seconds); not exact where it held before all that is known."""

    time: float
    is_exact: bool


def question(item: Item, now: float) -> QueryEventsRequest:
    """What is asked for an entry's past: its newest events."""
    topic = TOPICS[item.topic]
    return QueryEventsRequest(
        machine_ids=[item.machine_id],
        topics=[item.topic],
        # Ids of numbers are in no text.
        text=str(item.entry_id) if topic.is_repeated and topic.id_is_text else "",
        since=now - _LOOK_BACK_SECONDS,
        newest_first=True,
        limit=_MOST_EVENTS,
    )


class Past:
    """The newest events of one entry."""

    def __init__(self, item: Item, events: Sequence[UpdateEvent] = ()) -> None:
        """Of events as the server gave them, the newest first: those of other entries are left out."""
        self._topic = TOPICS[item.topic]
        own = [e for e in events if e.WhichOneof("event_data") == item.topic]
        self.events = [e for e in own if self._topic.id_of(entry_of(e, self._topic)) == item.entry_id]
        self._worst: list[dict[str, bool]] | None = None

    def since(self, reason: Reason, judge: Judge, machine: Machine, thresholds: Thresholds) -> Since | None:
        """Since when something is at least as bad as a reason says; None where that is not known."""
        if reason.since is not None:
            return Since(reason.since, is_exact=True)
        if self._worst is None:
            self._worst = [self._judged(event, judge, machine, thresholds) for event in self.events]
        is_red = reason.severity == "bad"
        found = None
        for event, worst in zip(self.events, self._worst, strict=True):
            was_red = worst.get(reason.field)
            if was_red is None or (is_red and not was_red):
                return Since(found, is_exact=True) if found is not None else None
            found = event.timestamp
            if event.event_type == ADD:
                return Since(found, is_exact=True)
        return Since(found, is_exact=False) if found is not None else None

    def _judged(self, event: UpdateEvent, judge: Judge, machine: Machine, thresholds: Thresholds) -> dict[str, bool]:
        """By field whether it was red; fields that were fine are not there."""
        if event.event_type == DELETE:
            return {}
        judged = judge(self._topic.name, entry_of(event, self._topic), machine, thresholds, event.timestamp)
        worst: dict[str, bool] = {}
        for reason in judged:
            worst[reason.field] = worst.get(reason.field, False) or reason.severity == "bad"
        return worst

    def lines(self, now: float) -> list[Line]:
        """What changed and when, the newest first; numbers that move all the time are left out."""
        told = list(self._told(now))
        return told or [note("Nothing but its readings changed in the last 7 days.")]

    def _told(self, now: float) -> Iterator[Line]:
        n_shown = 0
        for place, (event, text) in enumerate(self._changes()):
            if text and n_shown < MOST_SHOWN:
                n_shown += 1
                yield Line((Span(f"{moment_text(event.timestamp, now):<16}", "muted"), Span(text)), f"event {place}")

    def _changes(self) -> Iterator[tuple[UpdateEvent, str]]:
        for event, before in pairwise(self.events):
            yield event, telling_change(event, before) if event.event_type != ADD else change_text(event, None)
        for event in self.events[-1:]:
            yield event, change_text(event, None) if event.event_type in (ADD, DELETE) else ""
