"""One harvester: both sides' facts beside each other, its plot folders, what was said of it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from chiatea.tui.harvester_pairs import HarvesterPair, pair_of
from chiatea.tui.list_model import Item
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.harvester_facts import facts_content, folders_content, notices_content
from chiatea.tui.screens.lists import ListsScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["HarvesterScreen"]


class HarvesterScreen(ListsScreen):
    """Two columns where there is room. Enter on a folder lists its plots, `p` lists all."""

    CSS_PATH = "harvester.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plots", "Plots", id="harvester.plots", tooltip="All plots of this harvester"),
    ]

    def __init__(self, item: Item) -> None:
        """Shows the harvester that an item of the harvesters' list stands for."""
        super().__init__()
        self._item = item
        self._pair: HarvesterPair | None = None
        self._harvester_name = ""

    def compose_body(self) -> ComposeResult:
        """Facts; folders and notices beside or below them."""
        with Container(id="harvester"):
            yield ListPane(facts_content(self._item))
            with Vertical(id="beside"):
                yield ListPane(folders_content(self._item.machine_id if self._item.topic == "harvester" else ""))
                yield ListPane(notices_content(self._item))

    @property
    def crumbs(self) -> list[str]:
        """Its name."""
        return [self._harvester_name]

    def show_body(self, shown: Shown) -> None:
        """Draws what changed."""
        self._pair = pair_of(shown.view, self._item)
        if self._pair is not None:
            self._harvester_name = self._pair.name
        super().show_body(shown)

    async def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Opens the plots of a folder, or the entry that a row is of."""
        event.stop()
        event.prevent_default()
        item = event.item
        if item.topic == "plot_folder":
            await self.app.run_action(f"open_plots({item.machine_id!r}, {item.entry_id!r})")
            return
        if item.topic == "fact":
            item = self._item
        await self.app.run_action(f"open_entry({item.machine_id!r}, {item.topic!r}, {item.entry_id!r})")

    async def action_plots(self) -> None:
        """All plots of this harvester."""
        if self._pair is None or self._pair.machine is None:
            self.notify("No collector on its machine tells of its plots", severity="warning")
            return
        await self.app.run_action(f"open_plots({self._pair.machine.id!r})")
