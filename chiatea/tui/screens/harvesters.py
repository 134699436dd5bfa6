"""Harvesters in one list, as they and their farmers see them."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from chiatea.tui.harvester_pairs import pair_of
from chiatea.tui.list_model import Item
from chiatea.tui.lists.harvesters import HARVESTERS
from chiatea.tui.screens.harvester import HarvesterScreen
from chiatea.tui.screens.lists import ListsScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["HarvestersScreen"]


class HarvestersScreen(ListsScreen):
    """Enter opens a harvester, `p` its plots."""

    title_of_screen = "Harvesters"
    contents = (HARVESTERS,)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plots", "Plots", id="harvesters.plots", tooltip="The plots of the harvester"),
    ]

    def show_body(self, shown: Shown) -> None:
        """Draws the list."""
        self._view = shown.view
        super().show_body(shown)

    @property
    def _item(self) -> Item | None:
        return self.focused_pane.table.cursor_item

    async def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Opens a harvester."""
        event.stop()
        event.prevent_default()
        await self.app.push_screen(HarvesterScreen(event.item))

    async def action_plots(self) -> None:
        """The plots of the harvester under the cursor."""
        pair = pair_of(self._view, self._item) if self._item is not None else None
        if pair is None:
            return
        if pair.machine is None:
            self.notify(
                f"No collector on the machine of {pair.name} tells of its plots", severity="warning", markup=False
            )
            return
        await self.app.run_action(f"open_plots({pair.machine.id!r})")
