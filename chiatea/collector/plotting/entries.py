"""A plot in progress as it is told: out of its log, out of its plotter's process."""

from itertools import pairwise
from typing import Final

from chiatea.chia.untrusted import printable
from chiatea.collector.plotting.durations import Durations, Way
from chiatea.collector.plotting.side import OpenPlot
from chiatea.collector.sources.plotters.plotter_processes import PlotterProcess
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["complete", "entry_of_plot", "entry_of_process", "is_stalled", "remaining_seconds"]

_LEAST_STEPS: Final = 3
_TIMES_LONGEST: Final = 3.0
_LEAST_STALL_SECONDS: Final = 600.0
_STALL_SECONDS: Final = 7200.0
_LEAST_PERCENT: Final = 10.0


def remaining_seconds(plot: OpenPlot, way: Way, now: float) -> float | None:
    """Till a plot is computed, without its last copy; None where that is not known.

    From what such plots took on this machine; while none was finished yet, from what this one took so far, once a
    tenth of it is done by the shares that are typical of its kind. While a step is under way the time goes down, but
    not below what is left after that step.
    """
    if plot.is_created:
        return None
    share = way.shares[plot.n_done]
    total = way.total_seconds
    if total is None:
        if 100.0 * share < _LEAST_PERCENT:
            return None
        elapsed = plot.elapsed_seconds or plot.last_progress_time - plot.start_time
        total = elapsed / share
    next_share = way.shares[min(plot.n_done + 1, len(way.shares) - 1)]
    silent = max(0.0, now - plot.last_progress_time)
    return _coarse(max(total * (1 - share) - silent, total * (1 - next_share), 0.0))


def is_stalled(plot: OpenPlot, way: Way, now: float) -> bool:
    """Whether a plot's log was silent for much longer than a step ever takes.

    That is three times the longest step of such plots on this machine, or of this one once three steps of it are
    done, and ten minutes at least; two hours while neither is known, and while the plot is copied.
    """
    longest = way.longest_step_seconds
    steps = sorted(plot.elapsed.items())
    if longest is None and len(steps) > _LEAST_STEPS:
        longest = max(after - before for (_, before), (_, after) in pairwise(steps))
    limit = _STALL_SECONDS
    if longest is not None and not plot.is_created:
        limit = max(_LEAST_STALL_SECONDS, _TIMES_LONGEST * longest)
    return now - plot.last_progress_time > limit


def _coarse(seconds: float) -> float:
    """Rounded, so that not every look makes an update of it."""
    unit = 60.0 if seconds > 600 else 10.0
    return round(seconds / unit) * unit


def entry_of_plot(plot: OpenPlot, durations: Durations, now: float, log_filepath: str) -> PlotInProgress:
    """A plot of which a log tells."""
    way = plot.way(durations)
    state = PlotInProgress.COPYING_OUT if plot.is_created else PlotInProgress.RUNNING
    entry = PlotInProgress(
        id=plot.plot_id,
        plotter=plot.kind.plotter,
        state=PlotInProgress.STALLED if is_stalled(plot, way, now) else state,
        k=plot.told.k,
        compression_level=plot.told.compression_level,
        start_time=plot.start_time,
        last_progress_time=plot.last_progress_time,
        n_phases=plot.kind.steps[-1].phase,
        progress_percent=round(plot.percent, 1),
        remaining_seconds=remaining_seconds(plot, way, now),
        temporary_folder=_text(plot.told.temporary_folder),
        target_folder=_text(plot.copy_folder or plot.told.target_folder),
        process_id=plot.told.process_id,
        log_filepath=printable(log_filepath),
    )
    step = plot.kind.steps[min(plot.n_done, len(plot.kind.steps) - 1)]
    entry.phase = step.phase
    if not plot.is_created:
        entry.step = step.name
    return entry


def _text(value: str | None) -> str | None:
    return printable(value)[:1000] if value else None


def complete(entry: PlotInProgress, writer: PlotterProcess) -> None:
    """What a log does not say, its plotter's command line does."""
    command = writer.command
    entry.process_id = writer.pid
    if not entry.HasField("k") and command.k is not None:
        entry.k = command.k
    if not entry.HasField("compression_level") and command.compression_level is not None:
        entry.compression_level = command.compression_level
    _fill_folders(entry, writer)


def _fill_folders(entry: PlotInProgress, process: PlotterProcess) -> None:
    if not entry.HasField("temporary_folder") and process.command.temporary_folder:
        entry.temporary_folder = printable(process.command.temporary_folder)
    if not entry.HasField("target_folder") and process.command.target_folder:
        entry.target_folder = printable(process.command.target_folder)


def entry_of_process(process: PlotterProcess, now: float) -> PlotInProgress:
    """A plot of which only its plotter's process tells."""
    plot, command = process.plot, process.command
    entry = PlotInProgress(
        id=plot.plot_id if plot is not None else f"process {process.pid}",
        plotter=command.plotter,
        state=PlotInProgress.RUNNING,
        k=plot.k if plot is not None else command.k,
        compression_level=plot.compression_level if plot is not None else command.compression_level,
        start_time=process.create_time,
        process_id=process.pid,
    )
    began = plot.start_time(now) if plot is not None else None
    if began is not None:
        entry.start_time = max(began, process.create_time)
    _fill_folders(entry, process)
    return entry
