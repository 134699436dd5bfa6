"""Plots in progress, of all plotters on all machines."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import PlotInProgress
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.copy_cells import left_cell
from chiatea.tui.panels.panel import bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["PLOTTING"]

_PLOTTERS: Final = {
    PlotInProgress.MADMAX: "madMAx",
    PlotInProgress.GIGAHORSE: "Gigahorse",
    PlotInProgress.BLADEBIT: "BladeBit",
    PlotInProgress.BLADEBIT_DISK: "BladeBit disk",
    PlotInProgress.BLADEBIT_CUDA: "BladeBit CUDA",
    PlotInProgress.CHIAPOS: "chiapos",
}
_COLUMNS: Final = (
    ListColumn("MACHINE", rank=2, least=8, sort=lambda machine, _: machine.name),
    ListColumn("PLOTTER", least=13, sort=lambda _, plot: _plotter(plot)),
    ListColumn("K", "<", 4, sort=lambda _, plot: (plot.k, plot.compression_level)),
    ListColumn("STATE", sort=lambda _, plot: plot.state, flashes=True),
    ListColumn("PHASE", "<", 1, sort=lambda _, plot: plot.phase if plot.HasField("phase") else None, flashes=True),
    ListColumn("STEP", "<", 5, least=16),
    ListColumn("PROGRESS", sort=lambda _, plot: plot.progress_percent if plot.HasField("progress_percent") else None),
    ListColumn("RUNNING FOR", ">", 3, sort=lambda _, plot: -plot.start_time if plot.HasField("start_time") else None),
    ListColumn(
        "LEFT", ">", 1, sort=lambda _, plot: plot.remaining_seconds if plot.HasField("remaining_seconds") else None
    ),
    ListColumn("TEMPORARY", "<", 6, least=10, sort=lambda _, plot: plot.temporary_folder),
    ListColumn("TO", "<", 6, least=10, sort=lambda _, plot: plot.target_folder),
    ListColumn("PLOT", "<", 7, least=10, sort=lambda _, plot: plot.id),
)


def _plotter(plot: Any) -> str:
    return _PLOTTERS.get(plot.plotter, "unknown")


def _state(plot: Any, now: float) -> Cell:
    if plot.state == PlotInProgress.STALLED:
        quiet = f" {short_duration(now - plot.last_progress_time)}" if plot.HasField("last_progress_time") else ""
        return state_cell(f"stalled{quiet}", "warn")
    if plot.state == PlotInProgress.COPYING_OUT:
        return state_cell("copying out", "good")
    return state_cell("running", "good") if plot.state == PlotInProgress.RUNNING else state_cell("unknown", "muted")


def _size(plot: Any) -> str:
    if not plot.HasField("k"):
        return UNKNOWN
    return f"k{plot.k} C{plot.compression_level}" if plot.compression_level else f"k{plot.k}"


def _phase(plot: Any) -> str:
    if not plot.HasField("phase"):
        return UNKNOWN
    return f"{plot.phase} of {plot.n_phases}" if plot.n_phases > 0 else str(plot.phase)


def _row(view: FarmView, machine: Machine, plot: Any) -> Sequence[Cell]:
    progress = plot.progress_percent if plot.HasField("progress_percent") else None
    running = short_duration(view.now - plot.start_time) if plot.HasField("start_time") else UNKNOWN
    return [
        Cell(machine.name, "muted"),
        Cell(_plotter(plot), "strong"),
        Cell(_size(plot)),
        _state(plot, view.now),
        Cell(_phase(plot)),
        Cell(plain(plot.step) or UNKNOWN, "muted"),
        bar_cell(progress) if progress is not None else Cell(UNKNOWN, "muted"),
        Cell(running),
        left_cell(plot),
        Cell(plain(plot.temporary_folder) or UNKNOWN, "muted"),
        Cell(plain(plot.target_folder) or UNKNOWN, "muted"),
        Cell(plain(plot.id)[:12] or UNKNOWN, "muted"),
    ]


def _text(machine: Machine, plot: Any) -> str:
    state = "stalled" if plot.state == PlotInProgress.STALLED else ""
    return text_of(
        machine.name, _plotter(plot), _size(plot), state, plot.step, plot.temporary_folder, plot.target_folder, plot.id
    )


def _items(view: FarmView) -> Iterable[Item]:
    return items_of(view, "plotting_plot")


def _summary(view: FarmView) -> str:
    plots = [plot for machine in view.machines() for plot in machine.all("plotting_plot")]
    stalled = sum(plot.state == PlotInProgress.STALLED for plot in plots)
    return f"{len(plots)} in progress" + (f", {stalled} stalled" if stalled else "")


PLOTTING: Final = ListContent(
    "plotting",
    "Plots in progress",
    _COLUMNS,
    _items,
    _row,
    _text,
    _summary,
    lambda _: [
        "No plot is being made on these machines.",
        "Running plotters are found by themselves; chia.plotter_logs names logs that are elsewhere.",
    ],
    "Plots that are being made, by plotter. PHASE and STEP are the plotter's own. LEFT is learned from the plots that "
    "this machine has finished. A plot is stalled when its plotter has said nothing for much longer than its step "
    "takes. TEMPORARY is where it is made, TO where it goes.",
)
