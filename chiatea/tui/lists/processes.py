"""Chia's processes on all machines, and those of plotters."""

from collections.abc import Sequence
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import Process
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.hardware import process_row, rate_cell
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["PROCESSES"]

_COLUMNS: Final = (
    ListColumn("MACHINE", least=8, sort=lambda machine, _: machine.name),
    ListColumn("PROCESS", least=12, sort=lambda _, process: process.name),
    ListColumn("KIND", rank=4, sort=lambda _, process: process.kind),
    ListColumn("CPU", ">", sort=lambda _, process: process.cpu_percent),
    ListColumn("MEMORY", ">", sort=lambda _, process: process.resident_bytes),
    ListColumn("STATE", "<", 1, sort=lambda _, process: process.status, flashes=True),
    ListColumn("READ/s", ">", 5, sort=lambda _, process: process.read_bytes_per_second),
    ListColumn("WRITE/s", ">", 5, sort=lambda _, process: process.write_bytes_per_second),
    ListColumn("RUNS FOR", ">", 3, sort=lambda _, process: -process.create_time),
    ListColumn("PID", ">", 6, sort=lambda _, process: process.id),
)


def _row(view: FarmView, machine: Machine, process: Any) -> Sequence[Cell]:
    age = view.now - process.create_time if process.create_time > 0 else None
    return [
        Cell(machine.name, "muted"),
        *process_row(process),
        rate_cell(process, "read_bytes_per_second"),
        rate_cell(process, "write_bytes_per_second"),
        Cell(short_duration(age) if age is not None else UNKNOWN, "muted"),
        Cell(str(process.id), "muted"),
    ]


def _text(machine: Machine, process: Any) -> str:
    kind = Process.Kind.Name(process.kind) if process.kind in Process.Kind.values() else ""
    return text_of(machine.name, process.name, kind, process.executable, process.status)


PROCESSES: Final = ListContent(
    "processes",
    "Chia's processes",
    _COLUMNS,
    lambda view: items_of(view, "process"),
    _row,
    _text,
    lambda view: f"{sum(len(machine.state.of('process')) for machine in view.machines())} processes",
    lambda _: ["No process of Chia or of a plotter runs."],
    "Processes of Chia and of plotters. CPU: 100 % is one core. One in disk-sleep waits for a disk, a stopped one does "
    "nothing, a zombie has ended. Enter opens a process.",
)
