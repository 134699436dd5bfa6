"""All of one event: what it changed, and every field as it told it."""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from chiatea.protobuf.computer_info_pb2 import EventType, UpdateEvent
from chiatea.protobuf.descriptors import entry_of, topic_of
from chiatea.tui.changes import changed_fields
from chiatea.tui.field_lines import LABEL_WIDTH, field_lines
from chiatea.tui.field_text import moment_text
from chiatea.tui.line_view import LineView
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown

__all__ = ["EventScreen"]


class EventScreen(ShellScreen):
    """One event, and the one before it of the same entry where that is known. `o` opens the entry as it is now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "open_now", "As it is now", id="event.open_now", tooltip="The entry as it is now"),
    ]

    def __init__(self, event: UpdateEvent, before: UpdateEvent | None) -> None:
        """Shows an event."""
        super().__init__()
        self._event, self._before = event, before

    def compose_body(self) -> ComposeResult:
        """Its fields."""
        yield LineView(id="event")

    @property
    def crumbs(self) -> list[str]:
        """The topic."""
        topic = topic_of(self._event)
        return [topic.name.replace("_", " ") if topic is not None else "unknown"]

    def help(self) -> tuple[str, str]:
        """Of an event."""
        return "Event", "On top what it changed, below it every field as the event told it."

    def focus_first(self) -> None:
        """The fields scroll."""
        self.query_one(LineView).focus()

    def show_body(self, shown: Shown) -> None:
        """Draws it."""
        view = self.query_one(LineView)
        view.use_styles(shown.styles)
        view.set_lines(list(self._lines(shown)))

    def _lines(self, shown: Shown) -> Iterator[Line]:
        event, topic = self._event, topic_of(self._event)
        kind = EventType.Name(event.event_type) if event.event_type in EventType.values() else str(event.event_type)
        machine = shown.view.machine(event.machine_id).name
        yield Line(
            (Span(f"{moment_text(event.timestamp, shown.view.now)}  "), Span(machine, "strong"), Span(f"  {kind}"))
        )
        if topic is None:
            yield note("It tells what only a newer chia-tea knows.")
            return
        entry = entry_of(event, topic)
        yield note("")
        if self._before is not None:
            for column, old, new in changed_fields(topic, entry_of(self._before, topic), entry):
                yield Line(
                    (Span(f"{column.name:<{LABEL_WIDTH}}", "muted"), Span(f"{old} → "), Span(new, "accent")),
                    f"changed {column.name}",
                )
            yield note("")
        yield from field_lines(topic, entry)

    async def action_open_now(self) -> None:
        """The entry as it is now."""
        topic = topic_of(self._event)
        if topic is not None:
            identity = topic.id_of(entry_of(self._event, topic))
            await self.app.run_action(f"open_entry({self._event.machine_id!r}, {topic.name!r}, {identity!r})")
