"""Which plotter's process writes which log."""

from collections.abc import Iterable
from pathlib import Path

from chiatea.collector.plotting.followed_log import FollowedLog
from chiatea.collector.sources.plotters.plotter_processes import PlotterProcess

__all__ = ["writers_of"]


def writers_of(
    logs: Iterable[FollowedLog], processes: list[PlotterProcess], alive: set[tuple[int, float]]
) -> dict[Path, PlotterProcess]:
    """By log, the process that writes it, where one is known; `alive` has ids and times of begin of all that run.

    Sure is a process whose output goes to the file, or whose id the log tells. Where it is gone, the plots in the log
    are killed. Of the others, which may write through a pipe, each may be the writer of one log of its family of
    plotters that was written to since the process was begun; the newest log comes first.
    """
    newest = sorted(logs, key=lambda log: log.modified_time, reverse=True)
    free = {process.pid: process for process in processes}
    writers: dict[Path, PlotterProcess] = {}
    for log in newest:
        writer = _sure_writer(log, processes)
        if writer is not None:
            log.linked = (writer.pid, writer.create_time)
            writers[log.path] = writer
            free.pop(writer.pid, None)
        elif log.linked is not None and log.linked not in alive:
            log.side.killed()
            log.linked = None
    for log in newest:
        if log.path in writers:
            continue
        for process in free.values():
            if process.log_filepath is None and log.may_be_of(process):
                writers[log.path] = free.pop(process.pid)
                break
    return writers


def _sure_writer(log: FollowedLog, processes: list[PlotterProcess]) -> PlotterProcess | None:
    for process in processes:
        if process.log_filepath == log.path:
            return process
    pids = log.told_pids
    return next((process for process in processes if process.pid in pids and log.may_be_of(process)), None)
