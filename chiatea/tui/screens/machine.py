"""One machine: its parts and what is wrong with them, its load over time, disks, processes and so on."""

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from chiatea.tui.charts import Charts
from chiatea.tui.drawing import count
from chiatea.tui.line_view import LineView
from chiatea.tui.lines import Span
from chiatea.tui.list_model import Item
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.disks import DISKS
from chiatea.tui.lists.machine_parts import (
    network_content,
    of_machine,
    parts_content,
    sensors_content,
    sources_content,
)
from chiatea.tui.lists.processes import PROCESSES
from chiatea.tui.reason_lines import GLYPHS
from chiatea.tui.reasons import Reason, silence_of
from chiatea.tui.screens.charts import ChartsScreen
from chiatea.tui.screens.disks import DisksScreen
from chiatea.tui.shown import Shown
from chiatea.tui.strips import styled

__all__ = ["MachineScreen"]


class MachineScreen(ChartsScreen, DisksScreen):
    """In a small terminal the focused list is open, and of the others only their headings are seen."""

    CSS_PATH = "machine.tcss"
    disks_id = "machine-disks"

    def __init__(self, machine_id: str) -> None:
        """Shows a machine."""
        super().__init__()
        self._machine_id, self._machine_name = machine_id, ""
        self.charts = Charts([Item(machine_id, "cpu"), Item(machine_id, "ram")])

    def compose_body(self) -> ComposeResult:
        """Two columns where there is room for them."""
        machine_id = self._machine_id
        yield Static(id="machine-silence", markup=False)
        with Container(id="machine"):
            with Vertical(id="machine-left"):
                yield ListPane(parts_content(machine_id))
                charts = LineView(id="machine-charts")
                charts.border_title = "Load"
                yield charts
                yield ListPane(sources_content(machine_id))
            with Vertical(id="machine-right"):
                yield ListPane(of_machine(DISKS, machine_id))
                yield ListPane(of_machine(PROCESSES, machine_id))
                yield ListPane(sensors_content(machine_id))
                yield ListPane(network_content(machine_id))

    @property
    def crumbs(self) -> list[str]:
        """Its name."""
        return [self._machine_name]

    def help(self) -> tuple[str, str]:
        """The focused list's, or the charts'."""
        if self.focused is not None and self.focused.id == "machine-charts":
            return "Load", (
                "How busy the machine was, from the server's history; empty where it was away. [ and ] choose how long."
            )
        return super().help()

    def focus_first(self) -> None:
        """Its parts: what is wrong with it is said there."""
        self.query_one("#parts").focus()

    def show_body(self, shown: Shown) -> None:
        """Draws all of it."""
        machine = shown.view.machine(self._machine_id)
        self._machine_name = machine.name
        silence = [span for reason in silence_of(machine, shown.view.now) for span in _spans(reason)]
        told = self.query_one("#machine-silence", Static)
        told.display = bool(silence)
        told.update(styled(silence, shown.styles))
        charts = self.query_one("#machine-charts", LineView)
        charts.use_styles(shown.styles)
        width = charts.scrollable_content_region.width
        if width > 0:
            self.ask_for_charts(shown, width)
            charts.set_lines(self.charts.lines(height=3))
        super().show_body(shown)
        for pane in self.query(ListPane):
            pane.border_title = f"{pane.content.title} {count(pane.model.n_all)}"

    def action_next_list(self, step: int) -> None:
        """Moves to the next list, or to the charts."""
        stops = [*(pane.table for pane in self.query(ListPane)), self.query_one("#machine-charts", LineView)]
        here = next((place for place, stop in enumerate(stops) if stop.has_focus), 0)
        stops[(here + step) % len(stops)].focus()


def _spans(reason: Reason) -> list[Span]:
    return [Span(f"{GLYPHS[reason.severity]} {reason.value}. ", reason.severity), Span(reason.advice, "muted")]
