"""Everything that is known of one entry: why it is yellow or red, its fields, how its numbers went, what happened."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.descriptors import TOPICS, EntryId
from chiatea.tui.charts import Charts
from chiatea.tui.entry_past import Past, Since, question
from chiatea.tui.field_lines import field_lines
from chiatea.tui.line_view import LineView
from chiatea.tui.lines import Line, note
from chiatea.tui.list_model import Item
from chiatea.tui.plain_text import plain
from chiatea.tui.reason_lines import reason_lines
from chiatea.tui.reasons import Reason, reasons_of, silence_of
from chiatea.tui.screens.charts import ChartsScreen
from chiatea.tui.screens.shell import WIDE_FROM_WIDTH
from chiatea.tui.shown import Shown
from chiatea.tui.view import FarmView

__all__ = ["EntryScreen"]

_PACE_SECONDS: Final = 15.0
"""An entry may change each half second, and its past is a page of events."""

_HELP: Final = (
    "On top why it is yellow or red: the value, the threshold (`tui.thresholds` in config.yml), since when, and what "
    "to do. Then every field under the name that `chia-tea status --json` and SQL have for it; how its numbers went "
    "over time, where what is not known stays empty; and what changed in the last 7 days, without readings that move "
    "all the time."
)
_EDGE: Final = 5
"""Columns of a pane that its text has not: padding, border, scroll bar."""


class EntryScreen(ChartsScreen):
    """One entry of one machine, as it is now. Esc goes back to the list."""

    CSS_PATH = "entry.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plots", "Plots", id="entry.plots", tooltip="The plots on this disk, or in this folder"),
        Binding("tab", "app.focus_next", "Other column", show=False, id="panel.next", tooltip="To the other column"),
    ]

    def __init__(self, machine_id: str, topic: str, entry_id: EntryId) -> None:
        """Shows the entry of a topic."""
        super().__init__()
        self._item = Item(machine_id, topic, entry_id)
        self._machine_name = ""
        self.charts = Charts([self._item])
        self._past: Past | None = None
        self._past_error = ""
        self._asked_time: float | None = None
        self._asked_of: Any = None

    def compose_body(self) -> ComposeResult:
        """What it is now; beside it, where there is room, what was."""
        with Horizontal(id="entry-body"):
            yield LineView(id="entry")
            yield LineView(id="past")

    @property
    def crumbs(self) -> list[str]:
        """Machine, topic and entry."""
        entry = plain(str(self._item.entry_id))
        return [self._machine_name, TOPICS[self._item.topic].message_name, *([entry] if entry else [])]

    def help(self) -> tuple[str, str]:
        """Of its parts."""
        return "Details", _HELP

    def focus_first(self) -> None:
        """What it is now."""
        self.query_one("#entry", LineView).focus()

    def show_body(self, shown: Shown) -> None:
        """Draws all of it, and asks for what is due."""
        view, item = shown.view, self._item
        self._machine_name = view.machine(item.machine_id).name
        now_pane, past_pane = self.query_one("#entry", LineView), self.query_one("#past", LineView)
        is_wide = self.size.width >= WIDE_FROM_WIDTH
        past_pane.display = is_wide
        for pane in (now_pane, past_pane):
            pane.use_styles(shown.styles)
        # Not the panes' own: those come with the next layout.
        width = self.size.width // (2 if is_wide else 1) - _EDGE
        message = view.message(item.machine_id, item.topic, item.entry_id)
        self.ask_for_charts(shown, width)
        self._ask_for_past_if_due(shown, message)
        now_lines = list(self._now_lines(view, message, width))
        past_lines = list(self._past_lines(view))
        now_pane.set_lines(now_lines if is_wide else [*now_lines, note(""), *past_lines])
        past_pane.set_lines(past_lines if is_wide else [])

    def _now_lines(self, view: FarmView, message: Any, width: int) -> Iterator[Line]:
        if message is None:
            yield note("It is not there any more.", "warn")
            return
        machine = view.machine(self._item.machine_id)
        found = [*silence_of(machine, view.now)]
        found += reasons_of(self._item.topic, message, machine, view.thresholds, view.now)
        yield from reason_lines([(reason, self._since(reason, view)) for reason in found], view.now, width)
        yield note("")
        yield from field_lines(TOPICS[self._item.topic], message, now=view.now, width=width)

    def _since(self, reason: Reason, view: FarmView) -> Since | None:
        if self._past is None:
            return Since(reason.since, is_exact=True) if reason.since is not None else None
        return self._past.since(reason, reasons_of, view.machine(self._item.machine_id), view.thresholds)

    def _past_lines(self, view: FarmView) -> Iterator[Line]:
        charts = self.charts.lines()
        yield from charts
        if charts:
            yield note("")
        yield note("What changed", "title")
        if self._past_error:
            yield note(f"▲ {self._past_error}", "warn")
        elif self._past is None:
            yield note("asking…")
        if self._past is not None:
            yield from self._past.lines(view.now)

    def _ask_for_past_if_due(self, shown: Shown, message: Any) -> None:
        now = shown.view.now
        is_early = self._asked_time is not None and 0 <= now - self._asked_time < _PACE_SECONDS
        is_same = message is self._asked_of and not self._past_error and self._asked_time is not None
        if shown.frozen_since is None and not is_early and not is_same:
            self._asked_time, self._asked_of = now, message
            self._ask_for_past(now)

    @work(exclusive=True, group="past")
    async def _ask_for_past(self, now: float) -> None:
        try:
            page = await self.server.event_page(question(self._item, now))
        except ConnectionFailedError as error:
            self._past_error = plain(str(error))
        else:
            self._past, self._past_error = Past(self._item, page.events), ""
        self.app.post_message(self.Ready())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Plots are on disks and in folders."""
        if action == "plots":
            return self._item.topic in ("disk", "plot_folder")
        return super().check_action(action, parameters)

    async def action_plots(self) -> None:
        """The plots on this disk."""
        await self.app.run_action(f"open_plots({self._item.machine_id!r}, {str(self._item.entry_id)!r})")
