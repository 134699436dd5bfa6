"""Plots: a farm has more of them than a dashboard holds, so the server sorts, filters and pages them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import ListColumn, ListContent
from chiatea.tui.panels.panel import state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes

__all__ = ["PLOTS", "plots_told"]

_STATES: Final = {
    HarvesterPlot.LOADED: ("loaded", "good"),
    HarvesterPlot.FAILED_TO_OPEN: ("failed to open", "bad"),
    HarvesterPlot.NOT_FOUND: ("not found", "bad"),
    HarvesterPlot.NO_KEY: ("no key", "bad"),
    HarvesterPlot.DUPLICATE: ("duplicate", "warn"),
}
_COLUMNS: Final = (
    ListColumn("MACHINE", rank=4, least=8, sort_by="machine_id"),
    ListColumn("PLOT", least=34, sort_by="id"),
    ListColumn("STATE", sort_by="state", flashes=True),
    ListColumn("K", ">", 3, sort_by="k"),
    ListColumn("C", ">", 5, sort_by="compression_level"),
    ListColumn("SIZE", ">", 1, sort_by="file_bytes"),
    ListColumn("EFFECTIVE", ">", 6, sort_by="effective_bytes"),
    ListColumn("DISK", "<", 7, least=10, sort_by="disk_id"),
    ListColumn("MADE", "<", 2, sort_by="modified_time"),
)


def _day(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC).astimezone():%Y-%m-%d}" if moment > 0 else UNKNOWN
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def _row(view: FarmView, machine: Machine, plot: Any) -> Sequence[Cell]:  # noqa: ARG001
    strength = f"s{plot.strength}" if plot.HasField("strength") else f"C{plot.compression_level}"
    return [
        Cell(machine.name, "muted"),
        Cell(plain(plot.id), "strong"),
        state_cell(*_STATES.get(plot.state, ("unknown", "muted"))),
        Cell(f"k{plot.k}" if plot.HasField("k") else UNKNOWN),
        Cell(strength, "muted"),
        Cell(format_bytes(plot.file_bytes)),
        Cell(format_bytes(plot.effective_bytes) if plot.HasField("effective_bytes") else UNKNOWN, "muted"),
        Cell(plain(plot.disk_id) or UNKNOWN, "muted"),
        Cell(_day(plot.modified_time), "muted"),
    ]


def plots_told(machine_ids: Sequence[str]) -> Callable[[FarmView], object]:
    """What the farm tells of how many plots those machines have, all where none is named: it changes with the list."""

    def told(view: FarmView) -> object:
        machines = [view.machine(machine_id) for machine_id in machine_ids] or view.machines()
        counts = []
        for machine in machines:
            own = machine.one("harvester")
            if own is not None:
                counts.append(
                    (machine.id, own.n_plots, own.n_plots_added, own.n_plots_lost, own.n_failed_to_open, own.n_no_key)
                )
        return counts

    return told


PLOTS: Final = ListContent(
    "plots",
    "Plots",
    _COLUMNS,
    lambda _: (),
    _row,
    lambda machine, plot: "",  # noqa: ARG005 - the server filters
    lambda _: "",
    lambda _: ["No plot is known of.", "A harvester's own collector tells of its plots."],
    "Every plot file that harvesters know of, as they tell. The server sorts and filters: each word must be found in "
    "a path, an id, a key or the machine's name. Failed to open, not found and no key farm nothing; a duplicate is "
    "there twice. C is the level of compression, of v2 plots s their strength; EFFECTIVE is what a plot counts for. "
    "Enter shows all of a plot.",
)
