"""The events that are in the dashboard: a stretch of history, the newest last, that grows at both ends."""

from collections.abc import Iterable, Sequence
from typing import Final

from chiatea.protobuf.computer_info_pb2 import EventType, UpdateEvent
from chiatea.protobuf.descriptors import entry_of, topic_of
from chiatea.tui.changes import change_text
from chiatea.tui.field_text import moment_text
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, Row
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView

__all__ = ["EVENT_COLUMNS", "EventModel"]

MOST_EVENTS: Final = 20_000
"""What is held at once: of more the oldest are let go, and asked for again when they are scrolled to."""
_TYPES: Final = {"ADD": "good", "DELETE": "warn"}

EVENT_COLUMNS: Final = (
    ListColumn("TIME"),
    ListColumn("MACHINE", rank=1, least=8),
    ListColumn("TOPIC", rank=2),
    ListColumn("ENTRY", least=10),
    ListColumn("WHAT", least=20),
)


class EventModel:
    """Rows of events. What the server is asked for decides what is in it: it filters and sorts nothing itself."""

    sort_column: int | None = None
    is_reversed = False
    state = ""

    def __init__(self) -> None:
        """Empty."""
        self.filter_text = ""
        self._events: list[UpdateEvent] = []
        self._first = 0
        self._texts: dict[int, str] = {}
        self._last_of: dict[tuple[str, str, object], int] = {}
        self._view: FarmView | None = None

    @property
    def columns(self) -> Sequence[ListColumn]:
        """Time, machine, topic, entry, what changed."""
        return EVENT_COLUMNS

    @property
    def n_rows(self) -> int:
        """Events that are here."""
        return len(self._events)

    @property
    def n_all(self) -> int:
        """The same: the server knows of more."""
        return len(self._events)

    @property
    def events(self) -> Sequence[UpdateEvent]:
        """The oldest first."""
        return self._events

    @property
    def whats(self) -> list[str]:
        """Of each event in words what it changed."""
        return [self._texts[self._first + place] for place in range(len(self._events))]

    def event_of(self, item: Item) -> UpdateEvent | None:
        """The event that a row stands for."""
        place = int(item.entry_id) - self._first
        return self._events[place] if 0 <= place < len(self._events) else None

    def before(self, item: Item) -> UpdateEvent | None:
        """The event before it of the same entry, where it is here."""
        place = int(item.entry_id) - self._first
        key = _entry_key(self._events[place])
        return next((event for event in reversed(self._events[:place]) if _entry_key(event) == key), None)

    def show(self, view: FarmView) -> None:
        """Names of machines and today's date are the view's."""
        self._view = view

    def clear(self) -> None:
        """Forgets all: another question was asked."""
        self._events, self._first = [], 0
        self._texts.clear()
        self._last_of.clear()

    def add_newer(self, events: Iterable[UpdateEvent]) -> None:
        """Adds events at the end, in their order."""
        for event in events:
            number = self._first + len(self._events)
            self._tell(number, event)
            self._events.append(event)
        over = len(self._events) - MOST_EVENTS
        if over > 0:
            del self._events[:over]
            for number in range(self._first, self._first + over):
                self._texts.pop(number, None)
            self._first += over

    def _tell(self, number: int, event: UpdateEvent) -> None:
        key = _entry_key(event)
        place = self._last_of.get(key, -1) - self._first
        before = self._events[place] if 0 <= place < len(self._events) else None
        self._texts[number] = change_text(event, before)
        self._last_of[key] = number

    def add_older(self, events: Sequence[UpdateEvent]) -> None:
        """Adds events at the beginning, the oldest of them first."""
        self._events[:0] = events
        self._first -= len(events)
        # What came before is known of more of them now.
        self._texts.clear()
        self._last_of.clear()
        held, self._events = self._events, []
        for offset, event in enumerate(held):
            self._tell(self._first + offset, event)
            self._events.append(event)

    def item_at(self, index: int) -> Item | None:
        """What a row stands for: its number, which stays."""
        if not 0 <= index < len(self._events):
            return None
        event = self._events[index]
        return Item(event.machine_id, event.WhichOneof("event_data") or "", self._first + index)

    def row_at(self, index: int) -> Row:
        """How a row is drawn."""
        item = self.item_at(index)
        if item is None or self._view is None:
            return Row("", [Cell("")] * len(EVENT_COLUMNS))
        event = self._events[index]
        known = event.event_type in EventType.values()
        style = _TYPES.get(EventType.Name(event.event_type) if known else "", "normal")
        return Row(
            item.id,
            [
                Cell(moment_text(event.timestamp, self._view.now), "muted"),
                Cell(self._view.machine(event.machine_id).name, "strong"),
                Cell(item.topic.replace("_", " "), "accent"),
                Cell(plain(str(_entry_id(event)))),
                Cell(self._texts.get(int(item.entry_id), ""), style),
            ],
        )

    def index_of(self, item_id: str) -> int | None:
        """Where an item stands."""
        number = item_id.rpartition("/")[2]
        place = int(number) - self._first if number.lstrip("-").isdigit() else -1
        return place if 0 <= place < len(self._events) else None

    def set_filter(self, text: str) -> None:
        """Kept for the question to the server."""
        self.filter_text = text

    def set_sort(self, column: int | None, *, is_reversed: bool) -> None:
        """Events have one order."""


def _entry_id(event: UpdateEvent) -> object:
    topic = topic_of(event)
    return topic.id_of(entry_of(event, topic)) if topic is not None else ""


def _entry_key(event: UpdateEvent) -> tuple[str, str, object]:
    return event.machine_id, event.WhichOneof("event_data") or "", _entry_id(event)
