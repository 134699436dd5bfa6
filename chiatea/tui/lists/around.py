"""The events around a missed challenge, those that matter set off."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.descriptors import entry_of, topic_of
from chiatea.tui.around import Reason, Scene, reason_of
from chiatea.tui.changes import NOTHING_CHANGED, change_text
from chiatea.tui.field_text import moment_text
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, text_of
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine

__all__ = ["Around", "Told"]


class Told(NamedTuple):
    """One event, the one before it of the same entry, and why it matters; None where it does not."""

    event: UpdateEvent
    before: UpdateEvent | None
    reason: Reason | None


class Around:
    """The events that were asked for, in order of time."""

    def __init__(self, scene: Scene, sent_time: float) -> None:
        """None yet."""
        self.is_all = True
        self._scene, self._sent_time = scene, sent_time
        self._told: list[Told] = []

    def take(self, events: Iterable[UpdateEvent]) -> None:
        """Takes over what was asked for, the oldest first."""
        newest: dict[tuple[str, str, object], UpdateEvent] = {}
        self._told = []
        for event in events:
            topic = topic_of(event)
            if topic is None:
                continue
            key = (event.machine_id, topic.name, topic.id_of(entry_of(event, topic)))
            self._told.append(Told(event, newest.get(key), reason_of(event, self._scene)))
            newest[key] = event

    @property
    def n_all(self) -> int:
        """Events that are here."""
        return len(self._told)

    def reasons(self) -> list[Reason]:
        """What may have to do with it, each thing once, the worst first."""
        found = {told.reason.text: told.reason for told in self._told if told.reason is not None}
        return sorted(found.values(), key=lambda reason: reason.style != "bad")

    def told(self, item: Item) -> Told:
        """An event of the list."""
        return self._told[int(item.entry_id)]

    def content(self) -> ListContent:
        """The list of them."""
        return ListContent(
            "around",
            "What else happened",
            _COLUMNS,
            lambda _: [
                Item(told.event.machine_id, told.event.WhichOneof("event_data") or "", number)
                for number, told in enumerate(self._told)
                if self.is_all or told.reason is not None
            ],
            self._row,
            self._text,
            lambda _: "",
            lambda _: [
                "Nothing that may have to do with it is known." if self._told else "No event of that time is kept."
            ],
            "What changed from 90 s before to 90 s after the challenge was sent, on the harvester's and the farmer's "
            "machine. ▶ marks what may have kept the harvester from answering: disks that were busy or did not answer, "
            "slow lookups, lost connections, copies, a full processor or memory. a shows only those, m the other "
            "machines' events too. Enter shows all of an event.",
            lambda _, item: self.told(item) if int(item.entry_id) < len(self._told) else None,
            lambda _, told: False,  # noqa: ARG005 - what happened stays
        )

    def _row(self, view: FarmView, machine: Machine, told: Told) -> Sequence[Cell]:
        event, reason = told.event, told.reason
        style = reason.style if reason is not None else "muted"
        what = _what(told)
        return [
            Cell("▶" if reason is not None else "", style),
            Cell(f"{event.timestamp - self._sent_time:+.0f} s", style if reason is not None else "normal"),
            Cell(moment_text(event.timestamp, view.now), "muted"),
            Cell(machine.name, "strong" if reason is not None else "muted"),
            Cell((event.WhichOneof("event_data") or "").replace("_", " "), "accent" if reason is not None else "muted"),
            Cell(_entry_name(event), "normal" if reason is not None else "muted"),
            Cell(_with_reason(what, reason), style),
        ]

    def _text(self, machine: Machine, told: Told) -> str:
        reason = told.reason.text if told.reason is not None else ""
        topic = (told.event.WhichOneof("event_data") or "").replace("_", " ")
        return text_of(machine.name, topic, _entry_name(told.event), reason, _what(told))


def _what(told: Told) -> str:
    if told.event.HasField("missed_challenge"):
        # Its hashes tell a person nothing.
        return f"signage point {told.event.missed_challenge.signage_point_index}"
    return change_text(told.event, told.before)


def _with_reason(what: str, reason: Reason | None) -> str:
    if reason is None or reason.text in what:
        return what
    return reason.text if what == NOTHING_CHANGED else f"{reason.text} · {what}"


def _entry_name(event: UpdateEvent) -> str:
    topic = topic_of(event)
    entry: Any = entry_of(event, topic) if topic is not None else None
    return plain(str(topic.id_of(entry))) if topic is not None else ""


_COLUMNS: Final = (
    ListColumn(""),
    ListColumn("FROM IT", ">", sort=lambda _, told: told.event.timestamp),
    ListColumn("TIME", "<", 4),
    ListColumn("MACHINE", "<", 2, least=6, sort=lambda machine, _: machine.name),
    ListColumn("TOPIC", "<", 1, least=10, sort=lambda _, told: told.event.WhichOneof("event_data") or ""),
    ListColumn("ENTRY", "<", 3, least=8),
    ListColumn("WHAT", least=44),
)
