"""`bladebit_cuda cudaplot` (cuda/CudaPlotter.cu, CudaPlotPhase2.cu and 3.cu)."""

from typing import Final

from chiatea.collector.sources.plotters.plot_observations import Kind, Step
from chiatea.collector.sources.plotters.step_lines import SECONDS, StepLine, StepLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["BLADEBIT_CUDA", "CUDA_LINES"]

_TABLES: Final = (6.2, 13.1, 12.9, 12.2, 9.9, 7.0)
BLADEBIT_CUDA: Final = Kind(
    "bladebit cuda",
    PlotInProgress.BLADEBIT_CUDA,
    (
        Step(1, "F1", 2.8),
        *(Step(1, f"Table {table}", seconds) for table, seconds in enumerate(_TABLES, start=2)),
        Step(1, "Finalize table 7", 4.0),
        *(Step(2, f"Mark table {table}", 2.2) for table in (6, 5, 4, 3, 2, 1)),
        *(Step(3, f"Compress tables {table} and {table + 1}", 12) for table in range(1, 7)),
        Step(3, "P7 entries", 4),
    ),
)
"""Phases 1 and 2 as in a user's log (bladebit issue 405). Compression leaves out the first tables of 2 and 3."""

CUDA_LINES: Final = StepLines(
    BLADEBIT_CUDA,
    StepLine(rf"^Finished F1 in {SECONDS}", "F1"),
    StepLine(rf"^Table (\d) completed in {SECONDS}", "Table {0}"),
    StepLine(rf"^Finalized Table 7 in {SECONDS}", "Finalize table 7"),
    StepLine(rf"^Marked Table (\d) in {SECONDS}", "Mark table {0}"),
    StepLine(r"^Compressing [Tt]ables? (\d) and (\d)\b", "Compress tables {0} and {1}", is_done=False),
    StepLine(rf"^Completed table \d in {SECONDS}"),
    StepLine(rf"^Completed serializing P7 entries in {SECONDS}", "P7 entries"),
)
