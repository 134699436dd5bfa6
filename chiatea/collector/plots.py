"""Plots: effective sizes, the disk and folder of each, totals. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from chiatea.protobuf.chia_pb2 import HarvesterPlot, PlotFolder

__all__ = ["PlotTotals", "disk_id_of", "effective_bytes", "expected_bytes", "folder_totals", "k_of_name", "totals_of"]

_EFFECTIVE_SHARE: Final = 0.78
"""Chia's UI_ACTUAL_SPACE_CONSTANT_FACTOR (chia/consensus/pos_quality.py)."""
_K_IN_NAME: Final = re.compile(r"(?:^|/)plot-(?:mainnet-|testnet\d*-)?k(\d{2})-")


def expected_bytes(plot_version: int, k: int) -> int | None:
    """What a plot of that kind counts for in the farm's size, before Chia's factor of 0.78.

    Both are Chia 2.7.5's `_expected_plot_size` (chia/consensus/pos_quality.py): (2k + 1) * 2^(k-1) for v1,
    (k + 1.46) * 2^k / 8 for v2, whatever the strength. There it says that the second may still change a little.
    """
    if not 1 <= k <= 50:
        return None
    if plot_version == 1:
        return (2 * k + 1) << (k - 1)
    return int((k + 1.46) * 2**k / 8)


def effective_bytes(plot_version: int, k: int) -> int | None:
    """The plot's share of the farm's effective size."""
    expected = expected_bytes(plot_version, k)
    return None if expected is None else int(_EFFECTIVE_SHARE * expected)


def k_of_name(filepath: str) -> int | None:
    """The k in a plot file's name."""
    match = _K_IN_NAME.search(filepath)
    return int(match[1]) if match else None


def disk_id_of(filepath: str, mount_points: Iterable[str]) -> str | None:
    """The longest mount point that the path lies under."""
    best = None
    for mount_point in mount_points:
        prefix = mount_point if mount_point.endswith("/") else f"{mount_point}/"
        is_under = filepath.startswith(prefix) or filepath == mount_point
        if is_under and (best is None or len(mount_point) > len(best)):
            best = mount_point
    return best


@dataclass(slots=True)
class PlotTotals:
    """Sums over plots. Sizes and counts are of the loaded ones."""

    n_plots_v1: int = 0
    n_plots_v2: int = 0
    total_plot_bytes: int = 0
    n_failed_to_open: int = 0
    n_not_found: int = 0
    expected_plot_bytes: int = 0

    @property
    def n_plots(self) -> int:
        """Loaded plots of all kinds."""
        return self.n_plots_v1 + self.n_plots_v2

    @property
    def effective_plot_bytes(self) -> int:
        """Rounded once over all, as Chia does."""
        return int(_EFFECTIVE_SHARE * self.expected_plot_bytes)

    def add(self, plot: HarvesterPlot) -> None:
        """Takes one plot in."""
        if plot.state == HarvesterPlot.FAILED_TO_OPEN:
            self.n_failed_to_open += 1
        elif plot.state == HarvesterPlot.NOT_FOUND:
            self.n_not_found += 1
        elif plot.state == HarvesterPlot.LOADED:
            if plot.plot_version == 2:
                self.n_plots_v2 += 1
            else:
                self.n_plots_v1 += 1
            self.total_plot_bytes += plot.file_bytes
            if plot.HasField("k"):
                self.expected_plot_bytes += expected_bytes(plot.plot_version, plot.k) or 0


def totals_of(plots: Iterable[HarvesterPlot]) -> PlotTotals:
    """Sums over plots."""
    totals = PlotTotals()
    for plot in plots:
        totals.add(plot)
    return totals


def folder_totals(
    plots: Iterable[HarvesterPlot], folders: Sequence[str], mount_points: Sequence[str]
) -> Mapping[str, PlotFolder]:
    """One entry for each folder that the harvester loads from, empty ones too.

    A plot below no such folder, which is left of a folder that was taken out, counts for its own.
    """
    by_folder = {folder: PlotTotals() for folder in folders}
    parents: dict[str, str] = {}
    for plot in plots:
        parent = str(PurePosixPath(plot.id).parent) if "/" in plot.id else plot.id.rpartition("\\")[0]
        folder = parents.get(parent)
        if folder is None:
            folder = parents[parent] = disk_id_of(parent, folders) or parent
        by_folder.setdefault(folder, PlotTotals()).add(plot)
    return {
        folder: PlotFolder(
            id=folder,
            disk_id=disk_id_of(folder, mount_points),
            n_plots=totals.n_plots,
            n_plots_v1=totals.n_plots_v1,
            n_plots_v2=totals.n_plots_v2,
            total_plot_bytes=totals.total_plot_bytes,
            effective_plot_bytes=totals.effective_plot_bytes,
            n_failed_to_open=totals.n_failed_to_open,
        )
        for folder, totals in by_folder.items()
    }
