"""The plotters that run: what each makes, where it writes what it says, and which plot its files are of."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from chiatea.collector.sources.plotters.plot_names import PlotName, plot_name_in
from chiatea.collector.sources.plotters.plotter_command import PlotterCommand, command_of

__all__ = ["PlotterProcess", "PlotterProcesses"]

_MOST_FILES: Final = 4096
_MOST_ANCESTORS: Final = 4
_NO_FILES: Final = ("/dev/", "/proc/")
_DELETED: Final = " (deleted)"


@dataclass(frozen=True, slots=True)
class PlotterProcess:
    """One plotter that runs."""

    pid: int
    create_time: float
    command: PlotterCommand
    parent_pids: tuple[int, ...]
    log_filepath: Path | None = None
    """The file that its standard output or error goes to."""
    plot: PlotName | None = None
    """Of the plot whose files it has open, or that lie in its folders."""


class PlotterProcesses:
    """Looks at plotters' processes. It may block on a folder of a dead mount: meant for a thread."""

    def __init__(self) -> None:
        """None is known."""
        self._known: dict[tuple[int, float], PlotterProcess | None] = {}

    def look(self, found: Iterable[tuple[int, float]]) -> list[PlotterProcess]:
        """The plotters among processes, each given as its id and the time it was begun at.

        Of a plotter and the one that started it, as `chia plotters madmax` starts chia_plot, only the first is given.
        """
        known = {key: self._known[key] if key in self._known else _command(*key) for key in found}
        self._known = known
        plotters = {process.pid: process for process in known.values() if process is not None}
        starters = {pid for process in plotters.values() for pid in process.parent_pids}
        seen: list[PlotterProcess] = []
        for process in plotters.values():
            if process.pid in starters:
                continue
            log = next(filter(None, map(_log_of, (process.pid, *self._starters(process, plotters)))), None)
            seen.append(replace(process, log_filepath=log, plot=_plot_of(process)))
        return seen

    @staticmethod
    def _starters(process: PlotterProcess, plotters: dict[int, PlotterProcess]) -> Iterator[int]:
        return (pid for pid in process.parent_pids if pid in plotters)


def _command(pid: int, create_time: float) -> PlotterProcess | None:
    try:
        process = psutil.Process(pid)
        command = command_of(process.cmdline())
        if command is None:
            return None
        folder: str | None = None
        with contextlib.suppress(psutil.Error, OSError):
            folder = process.cwd()
        parents = tuple(parent.pid for parent in process.parents()[:_MOST_ANCESTORS])
    except (psutil.Error, OSError):
        return None  # it ended, or is none of ours to see
    command = replace(
        command,
        temporary_folder=_absolute(command.temporary_folder or folder, folder),
        target_folder=_absolute(command.target_folder or folder, folder),
    )
    return PlotterProcess(pid, create_time, command, parents)


def _absolute(path: str | None, folder: str | None) -> str | None:
    if path is None or folder is None or path.startswith("@"):
        return path
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - "." and ".." are to go, links to stay


def _open_files(pid: int) -> Iterator[tuple[int, str]]:
    """Descriptors and paths of open files. On Linux without a look at the files, which may be on a dead mount."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        if folder.is_dir():
            with os.scandir(folder) as descriptors:
                for _, descriptor in zip(range(_MOST_FILES), descriptors, strict=False):
                    with contextlib.suppress(OSError, ValueError):
                        yield int(descriptor.name), str(Path(descriptor.path).readlink())
        else:
            for file in psutil.Process(pid).open_files()[:_MOST_FILES]:
                yield file.fd, file.path
    except (psutil.Error, OSError):
        return  # it ended, or is none of ours to see


def _log_of(pid: int) -> Path | None:
    by_descriptor = {fd: path for fd, path in _open_files(pid) if fd in {1, 2}}
    for descriptor in (1, 2):
        path = by_descriptor.get(descriptor, "")
        if Path(path).is_absolute() and not path.startswith(_NO_FILES) and not path.endswith(_DELETED):
            return Path(path)
    return None


def _plot_of(process: PlotterProcess) -> PlotName | None:
    names = {name.plot_id: name for _, path in _open_files(process.pid) if (name := plot_name_in(path)) is not None}
    if not names:
        # What an earlier plotter left behind was written before this one began.
        for folder in {process.command.temporary_folder, process.command.target_folder} - {None}:
            names.update(_temporary_plots(str(folder), process.create_time))
    return max(names.values(), key=lambda name: (name.date, name.time_of_day), default=None)


def _temporary_plots(folder: str, since: float) -> Iterator[tuple[str, PlotName]]:
    try:
        with os.scandir(folder) as files:
            for _, file in zip(range(_MOST_FILES), files, strict=False):
                name = plot_name_in(file.name) if file.name.endswith(".tmp") else None
                if name is not None and file.stat(follow_symlinks=False).st_mtime >= since:
                    yield name.plot_id, name
    except OSError:
        return
