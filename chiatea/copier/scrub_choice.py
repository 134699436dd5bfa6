"""Which plots a scrub is for: known ones, those to be adopted, those to be forgotten."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from chiatea.copier.known_plot import FindingState, KnownPlot
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.plot_file import FaultError, NotReadError, PlotFile
from chiatea.copier.shown import shown
from chiatea.copier.system_calls import System
from chiatea.errors import ChiaTeaError

__all__ = ["known_below", "to_adopt", "to_forget"]


def known_below(known: KnownPlots, paths: Sequence[Path], *, read_before: float | None = None) -> list[KnownPlot]:
    """The known plots of some paths, or all where none is named, in the order in which they are due.

    Raises:
        ChiaTeaError: of some path none is known.
    """
    for path in paths:
        if not known.plots([path]):
            folders = known.folders()
            where = f", but in {', '.join(shown(folder) for folder in folders[:5])}" if folders else ""
            more = f" and {len(folders) - 5} more folders" if len(folders) > 5 else ""
            raise ChiaTeaError(
                f"{shown(path)}: no plot is known there{where}{more}",
                "`chia-tea copy scrub --adopt PATH` takes the hashes of plots that were not moved by chia-tea",
            )
    return known.plots(paths, read_before=read_before)


def to_adopt(known: KnownPlots, paths: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The plots below some folders that are not known yet; of those that are named themselves, also what is known and
    is not any more what it was.

    Raises:
        ChiaTeaError: a path leads nowhere, or to a file that is no plot by its name.
    """
    chosen: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            for found in _plots_below(path, suffixes):
                if known.plot(found) is None:
                    chosen[found] = None
        elif not path.name.endswith(suffixes) or not _is_plain_file(path):
            raise ChiaTeaError(f"{shown(path)}: is no plot, and no folder", f"plots end in {' or '.join(suffixes)}")
        elif (plot := known.plot(path)) is None or plot.finding is not None:
            chosen[path] = None
    return list(chosen)


def _plots_below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ChiaTeaError(f"{shown(error.filename)}: cannot be read: {error.strerror}", "name other folders")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            if name.endswith(suffixes) and _is_plain_file(Path(parent, name)):
                yield Path(parent, name)


def to_forget(known: KnownPlots, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Known plots that are to be forgotten, and the folders of those that are not, since their disk is away.

    A plot that is named itself is forgotten in any case; of those below a folder those that are not there, and all
    whose disk is away only where their very folder is named: it may come back.

    Raises:
        ChiaTeaError: of some path none is known.
    """
    known_below(known, paths)
    gone: dict[Path, None] = {}
    away: dict[Path, None] = {}
    for path in paths:
        for plot in known.plots([path]):
            presence = "missing" if plot.path == path else _presence(plot)
            if presence == "missing" or (presence == "away" and plot.path.parent == path):
                gone[plot.path] = None
            elif presence == "away":
                away[plot.path.parent] = None
    return list(gone), list(away)


def _presence(plot: KnownPlot) -> Literal["there", "missing", "away"]:
    with contextlib.ExitStack() as stack:
        try:
            PlotFile(plot.path, System(), stack, may_be_on_root=plot.is_on_root)
        except FaultError as fault:
            return "missing" if fault.state is FindingState.MISSING else "there"
        except NotReadError as error:
            return "away" if error.is_away else "there"
    return "there"


def _is_plain_file(path: Path) -> bool:
    """Whether a path is a file itself, and no link to one; not where that cannot be told."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
