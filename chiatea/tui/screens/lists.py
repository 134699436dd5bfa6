"""A screen that is one list, or a few."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from chiatea.tui.list_model import ListContent
from chiatea.tui.list_pane import ListPane
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["ListsScreen"]


class ListsScreen(ShellScreen):
    """Shows its contents one below the other; Enter opens the entry of a row."""

    title_of_screen = ""
    contents: ClassVar[Sequence[ListContent]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_list(1)", "Next list", show=False, id="panel.next", tooltip="To the next list"),
        Binding(
            "shift+tab", "next_list(-1)", "Previous", show=False, id="panel.previous", tooltip="To the list before"
        ),
    ]

    def compose_body(self) -> ComposeResult:
        """One pane for each list."""
        for content in self.contents:
            yield ListPane(content)

    @property
    def crumbs(self) -> list[str]:
        """Its title."""
        return [self.title_of_screen]

    @property
    def focused_pane(self) -> ListPane:
        """The list that has the focus; the first one where none has it."""
        panes = list(self.query(ListPane))
        return next((pane for pane in panes if pane.has_focus_within), panes[0])

    def help(self) -> tuple[str, str]:
        """The focused list's."""
        content = self.focused_pane.content
        return content.title, content.help

    def show_body(self, shown: Shown) -> None:
        """Draws the lists."""
        for pane in self.query(ListPane):
            if pane.display:
                pane.show(shown.view)

    def action_next_list(self, step: int) -> None:
        """Moves to the next list."""
        panes = [pane for pane in self.query(ListPane) if pane.display]
        panes[(panes.index(self.focused_pane) + step) % len(panes)].table.focus()

    async def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Opens what the row stands for."""
        event.stop()
        item = event.item
        await self.app.run_action(f"open_entry({item.machine_id!r}, {item.topic!r}, {item.entry_id!r})")
