"""`bladebit ramplot`, and bladebit 1.x, which has nothing else (src/plotmem/MemPlotter.cpp and MemPhase1 to 4)."""

from typing import Final

from chiatea.collector.sources.plotters.plot_observations import Kind, Step
from chiatea.collector.sources.plotters.step_lines import SECONDS, StepLine, StepLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["BLADEBIT_RAM", "RAM_LINES"]

_TABLES: Final = (56.6, 53.4, 53.4, 53.4, 51.5, 20.5)
_COMPRESSION: Final = (31.2, 35.1, 32.4, 33.4, 34.8, 36.4)
BLADEBIT_RAM: Final = Kind(
    "bladebit ram",
    PlotInProgress.BLADEBIT,
    (
        Step(1, "F1", 6.9),
        Step(1, "Sort F1", 18.2),
        *(Step(1, f"Table {table}", seconds) for table, seconds in enumerate(_TABLES, start=2)),
        Step(2, "Prune table 6", 0.6),
        *(Step(2, f"Prune table {table}", 10.9) for table in (5, 4, 3, 2)),
        *(
            Step(3, f"Compress tables {table} and {table + 1}", seconds)
            for table, seconds in enumerate(_COMPRESSION, start=1)
        ),
        Step(4, "P7", 0.7),
        Step(4, "C1 table", 0.1),
        Step(4, "C2 table", 0.1),
        Step(4, "C3 table", 0.4),
    ),
)
"""Seconds as in one run with 88 threads."""

RAM_LINES: Final = StepLines(
    BLADEBIT_RAM,
    StepLine(rf"^Finished F1 generation in {SECONDS}", "F1"),
    StepLine(rf"^Finished F1 sort in {SECONDS}", "Sort F1"),
    StepLine(rf"^Finished forward propagating table (\d) in {SECONDS}", "Table {0}"),
    StepLine(rf"^ *Finished prunn?ing table (\d) in {SECONDS}", "Prune table {0}"),
    StepLine(rf"^ *Finished compressing tables (\d) and (\d) in {SECONDS}", "Compress tables {0} and {1}"),
    StepLine(rf"^ *Finished writing (P7|C\d table) in {SECONDS}", "{0}"),
)
