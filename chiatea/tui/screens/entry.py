"""Everything that is known of one entry: its fields."""

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult

from chiatea.protobuf.descriptors import TOPICS, EntryId, as_dict
from chiatea.tui.line_view import LineView
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.view import FarmView

__all__ = ["EntryScreen"]


class EntryScreen(ShellScreen):
    """One entry of one machine, as it is now. Esc goes back to the list."""

    def __init__(self, machine_id: str, topic: str, entry_id: EntryId) -> None:
        """Shows the entry of a topic."""
        super().__init__()
        self._machine_id, self._topic, self._entry_id = machine_id, topic, entry_id
        self._machine_name = ""

    def compose_body(self) -> ComposeResult:
        """The fields."""
        yield LineView(id="entry")

    @property
    def crumbs(self) -> list[str]:
        """Machine, topic and entry."""
        return [self._machine_name, TOPICS[self._topic].message_name, plain(str(self._entry_id))]

    def help(self) -> tuple[str, str]:
        """Of its fields."""
        return "Details", "Every field of the entry, under the name that `chia-tea status --json` and SQL have for it."

    def focus_first(self) -> None:
        """The fields scroll."""
        self.query_one(LineView).focus()

    def show_body(self, shown: Shown) -> None:
        """Draws the fields."""
        self._machine_name = shown.view.machine(self._machine_id).name
        view = self.query_one(LineView)
        view.use_styles(shown.styles)
        view.set_lines(list(self._lines(shown.view)))

    def _lines(self, view: FarmView) -> Iterator[Line]:
        message: Any = view.message(self._machine_id, self._topic, self._entry_id)
        if message is None:
            yield note("It is not there any more.", "warn")
            return
        for name, value in as_dict(message).items():
            yield Line((Span(f"{name:<28}", "muted"), Span(plain(str(value)))), name)
