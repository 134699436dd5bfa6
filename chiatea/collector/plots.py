"""Plots: effective sizes, the disk and folder of each, totals. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chiatea.protobuf.chia_pb2 import HarvesterPlot, PlotFolder
from chiatea.protobuf.descriptors import TOPICS, EntryId
from chiatea.state.packed import PackedMessages

__all__ = [
    "PlotList",
    "PlotTotals",
    "disk_id_of",
    "effective_bytes",
    "expected_bytes",
    "folder_totals",
    "k_of_name",
]

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
    n_no_key: int = 0
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
        elif plot.state == HarvesterPlot.NO_KEY:
            self.n_no_key += 1
        elif plot.state == HarvesterPlot.LOADED:
            if plot.plot_version == 2:
                self.n_plots_v2 += 1
            else:
                self.n_plots_v1 += 1
            self.total_plot_bytes += plot.file_bytes
            if plot.HasField("k"):
                self.expected_plot_bytes += expected_bytes(plot.plot_version, plot.k) or 0

    def add_all(self, other: "PlotTotals") -> None:
        """Takes other sums in."""
        self.n_plots_v1 += other.n_plots_v1
        self.n_plots_v2 += other.n_plots_v2
        self.total_plot_bytes += other.total_plot_bytes
        self.n_failed_to_open += other.n_failed_to_open
        self.n_no_key += other.n_no_key
        self.expected_plot_bytes += other.expected_plot_bytes


class PlotList:
    """All plots of one harvester, packed, with what is summed up over them. Not changed once it is complete."""

    def __init__(self, before: "PlotList | None" = None) -> None:
        """An empty list; what it will have in common with the one `before` it takes no memory a second time."""
        self.messages: PackedMessages[HarvesterPlot] = (
            before.messages.copy() if before is not None else PackedMessages(TOPICS["harvester_plot"])
        )
        self.totals = PlotTotals()
        self.totals_by_parent: dict[str, PlotTotals] = {}
        """By the folder that the file is in."""
        self.not_loaded: set[EntryId] = set()
        self._left: set[EntryId] | None = set(self.messages.keys())

    @classmethod
    def of(cls, plots: "Iterable[HarvesterPlot] | PackedMessages[HarvesterPlot]") -> "PlotList":
        """A complete list of some plots."""
        made = cls()
        if isinstance(plots, PackedMessages):
            made.messages = plots.copy()
            for plot in plots.values():
                made._count(plot)
        else:
            for plot in plots:
                made.add(plot)
        return made.completed()

    def add(self, plot: HarvesterPlot) -> None:
        """Takes one plot in; of two of one file the first counts."""
        path, left = plot.id, self._left
        assert left is not None, "a complete list is not changed"
        if path in left:
            left.discard(path)
        elif path in self.messages:
            return
        self.messages[path] = plot
        self._count(plot)

    def _count(self, plot: HarvesterPlot) -> None:
        path = plot.id
        if plot.state != HarvesterPlot.LOADED:
            self.not_loaded.add(path)
        self.totals.add(plot)
        parent = path[: max(path.rfind("/"), path.rfind("\\") if "/" not in path else -1, 0)]
        by_parent = self.totals_by_parent.get(parent)
        if by_parent is None:
            by_parent = self.totals_by_parent[parent] = PlotTotals()
        by_parent.add(plot)

    def completed(self) -> "PlotList":
        """The list, once all plots are in it: what was before and did not come again goes."""
        for path in self._left or ():
            del self.messages[path]
        self._left = None
        return self

    def __len__(self) -> int:
        """Files of all states."""
        return len(self.messages)

    def __iter__(self) -> Iterator[HarvesterPlot]:
        """The plots, each made as it is come to."""
        return iter(self.messages.values())

    def n_loaded_beside(self, other: "PlotList") -> int:
        """How many plots are loaded here and not in the other list."""
        return sum(
            path not in self.not_loaded and (path not in other.messages or path in other.not_loaded)
            for path in self.messages
        )


def folder_totals(plots: PlotList, folders: Sequence[str], mount_points: Sequence[str]) -> Mapping[str, PlotFolder]:
    """One entry for each folder that the harvester loads from, empty ones too.

    A plot below no such folder, which is left of a folder that was taken out, counts for its own.
    """
    by_folder = {folder: PlotTotals() for folder in folders}
    for parent, totals in plots.totals_by_parent.items():
        by_folder.setdefault(disk_id_of(parent, folders) or parent, PlotTotals()).add_all(totals)
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
