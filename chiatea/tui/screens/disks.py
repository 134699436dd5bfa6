"""A screen with a list of disks: it asks how fast those fill that are seen."""

from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.monitoring_service_pb2 import HistoryRequest
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.growth import Growth
from chiatea.tui.screens.lists import ListsScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["DisksScreen"]


class DisksScreen(ListsScreen):
    """One question at a time, for all disks of one machine. `p` lists the plots on the disk under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plots", "Plots", id="disks.plots", tooltip="The plots on the disk, or of the machine"),
    ]
    disks_id = "disks"
    _is_asking = False

    def show_body(self, shown: Shown) -> None:
        """Draws the lists, and asks for the growth of what is seen."""
        super().show_body(shown)
        if self._is_asking or shown.frozen_since is not None:
            return
        seen = self.query_one(f"#{self.disks_id}", TableView).seen_items
        growth, now = shown.view.growth, shown.view.now
        machine_id = growth.due(dict.fromkeys(item.machine_id for item in seen), now)
        if machine_id is not None:
            self._is_asking = True
            n_disks = len(shown.view.machine(machine_id).state.of("disk"))
            self._ask_for_growth(growth, growth.question(machine_id, n_disks, now))

    @work(exclusive=True, group="growth")
    async def _ask_for_growth(self, growth: Growth, question: HistoryRequest) -> None:
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        try:
            growth.take(question, await server.history(question))
        except ConnectionFailedError:
            # The banner says so already, and "-" is what is known: it is asked again in some minutes.
            return
        finally:
            self._is_asking = False
        self.app.post_message(self.Ready())

    async def action_plots(self) -> None:
        """The plots on the disk under the cursor, else of its machine."""
        item = self.focused_pane.table.cursor_item
        if item is not None:
            text = str(item.entry_id) if item.topic == "disk" else ""
            await self.app.run_action(f"open_plots({item.machine_id!r}, {text!r})")
