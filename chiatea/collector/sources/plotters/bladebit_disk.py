"""`bladebit diskplot` (src/plotdisk: DiskPlotter.cpp, DiskPlotPhase2 and 3, k32/DiskPlotBounded.cpp)."""

from typing import Final

from chiatea.collector.sources.plotters.plot_observations import Kind, Step
from chiatea.collector.sources.plotters.step_lines import SECONDS, StepLine, StepLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["BLADEBIT_DISK", "DISK_LINES"]

_TABLES: Final = (100, 250, 300, 330, 320, 259, 181)
BLADEBIT_DISK: Final = Kind(
    "bladebit disk",
    PlotInProgress.BLADEBIT_DISK,
    (
        *(Step(1, f"Table {table}", seconds) for table, seconds in enumerate(_TABLES, start=1)),
        Step(1, "F7 and C tables", 45),
        *(Step(2, f"Mark table {table}", 30) for table in (6, 5, 4, 3, 2)),
        *(Step(3, f"Compress tables {table} and {table + 1}", 150) for table in range(1, 7)),
        Step(3, "P7 parks", 20),
        Step(3, "Pending writes", 30),
    ),
)
"""Roughly: tables 6 and 7 as in a user's log (bladebit issue 241), the others in their proportion."""

DISK_LINES: Final = StepLines(
    BLADEBIT_DISK,
    StepLine(rf"^Finished f1 generation in {SECONDS}", "Table 1"),
    StepLine(rf"^Completed table (\d) in {SECONDS}", "Table {0}"),
    StepLine(rf"^Completed F7 tables in {SECONDS}", "F7 and C tables"),
    StepLine(rf"^Finished marking table (\d) in {SECONDS}", "Mark table {0}"),
    StepLine(rf"^Finished compressing tables (\d) and (\d) in {SECONDS}", "Compress tables {0} and {1}"),
    StepLine(rf"^Finished writing P7 parks in {SECONDS}", "P7 parks"),
    StepLine(rf"^Completed pending writes in {SECONDS}", "Pending writes"),
)
