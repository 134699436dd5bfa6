"""Plots, of one machine or of all, in pages from the server; and all of one plot."""

from collections.abc import Sequence
from typing import Any

from textual import work
from textual.app import ComposeResult

from chiatea.protobuf.descriptors import TOPICS
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.field_lines import field_lines
from chiatea.tui.line_view import LineView
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.plots import PLOTS, plots_told
from chiatea.tui.paged_model import PagedModel
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["PlotsScreen"]


class PlotsScreen(ShellScreen):
    """A list of any length. Esc goes back to where it was opened from."""

    def __init__(self, machine_id: str = "", text: str = "") -> None:
        """Plots of one machine, "" for all, that have every word of a text."""
        super().__init__()
        machine_ids: Sequence[str] = [machine_id] if machine_id else []
        self._machine_id, self._machine_name = machine_id, ""
        self._model = PagedModel(
            PLOTS, "harvester_plot", machine_ids=machine_ids, filter_text=text, changes_with=plots_told(machine_ids)
        )

    def compose_body(self) -> ComposeResult:
        """The list."""
        yield ListPane(PLOTS, self._model)

    @property
    def crumbs(self) -> list[str]:
        """Whose plots."""
        return [f"Plots of {self._machine_name}" if self._machine_id else "Plots"]

    def help(self) -> tuple[str, str]:
        """The list's."""
        return PLOTS.title, PLOTS.help

    def on_mount(self) -> None:
        """Begins to ask."""
        super().on_mount()
        self._ask()

    @work(exclusive=True, group="plots")
    async def _ask(self) -> None:
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        table = self.query_one(TableView)
        await self._model.keep_asking(server.entries, self._on_change, lambda: table.move_to(0))

    def _on_change(self) -> None:
        # An answer may come while the screen is taken down.
        for pane in self.query(ListPane):
            if pane.is_attached:
                pane.update()

    def show_body(self, shown: Shown) -> None:
        """Draws what is here; the model asks for what is not."""
        self._machine_name = shown.view.machine(self._machine_id).name
        self.query_one(ListPane).show(shown.view)

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Shows all of a plot."""
        event.stop()
        plot = self._model.message_of(event.item)
        if plot is not None:
            self.app.push_screen(PlotScreen(event.item.machine_id, plot))


class PlotScreen(ShellScreen):
    """Everything that is known of one plot, as it was when its list was read."""

    def __init__(self, machine_id: str, plot: Any) -> None:
        """Shows a plot of a machine."""
        super().__init__()
        self._machine_id, self._plot = machine_id, plot

    def compose_body(self) -> ComposeResult:
        """Its fields."""
        yield LineView(id="entry")

    @property
    def crumbs(self) -> list[str]:
        """The file's name."""
        return [plain(self._plot.id).rpartition("/")[2] or "Plot"]

    def help(self) -> tuple[str, str]:
        """Of its fields."""
        return "Plot", "Every field of the plot, under the name that `chia-tea status --json` and SQL have for it."

    def focus_first(self) -> None:
        """The fields scroll."""
        self.query_one(LineView).focus()

    def show_body(self, shown: Shown) -> None:
        """Draws the fields."""
        view = self.query_one(LineView)
        view.use_styles(shown.styles)
        machine = shown.view.machine(self._machine_id)
        head = Line((Span("on "), Span(machine.name, "strong")))
        view.set_lines([head, note(""), *field_lines(TOPICS["harvester_plot"], self._plot)])
