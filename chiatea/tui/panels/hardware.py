"""Processor, memory, disks and Chia's processes of every machine."""

from collections.abc import Iterator
from typing import Any

from chiatea.protobuf.chia_pb2 import Process
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell, Column, Line, Span, note, table
from chiatea.tui.panels.panel import PanelContent, bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes

__all__ = ["PANEL"]

_DISKS = (
    Column("DISK", least=12),
    Column("USED"),
    Column("FREE", ">"),
    Column("SIZE", ">", 5),
    Column("READ/s", ">", 3),
    Column("WRITE/s", ">", 3),
    Column("BUSY", ">", 2),
    Column("STATE", "<", 1),
)
_PROCESSES = (
    Column("PROCESS", least=12),
    Column("KIND", rank=2),
    Column("CPU", ">"),
    Column("MEMORY", ">"),
    Column("STATE", "<", 1),
)
BUSY_PERCENT = (90.0, 98.0)


def lines(view: FarmView, width: int) -> list[Line]:
    """For each machine one line of processor and memory, its disks, its processes; columns fit all machines."""
    machines = list(view.machines())
    if not machines:
        return [note("No machine has reported yet.")]
    disks = [(m, disk) for m in machines for disk in m.all("disk")]
    processes = [(m, process) for m in machines for process in m.all("process")]
    disk_lines = table(_DISKS, ((f"{m.id}/{d.id}", _disk_row(d), m.is_stale) for m, d in disks), width)
    process_lines = table(_PROCESSES, ((f"{m.id}#{p.id}", _process_row(p), m.is_stale) for m, p in processes), width)
    shown: list[Line] = []
    for machine in machines:
        if shown:
            shown.append(note(""))
        shown.append(_machine_line(machine, width))
        for heading, rows, owners in (
            (disk_lines[0], disk_lines[1:], disks),
            (process_lines[0], process_lines[1:], processes),
        ):
            own = [row for row, (owner, _) in zip(rows, owners, strict=True) if owner is machine]
            shown += [heading, *own] if own else []
    return shown


def _machine_line(machine: Machine, width: int) -> Line:
    spans = [Span(f"{machine.name} ", "strong")]
    for span in _machine_spans(machine):
        if sum(len(s.text) for s in spans) + len(span.text) + 2 > width:
            break
        spans += [Span("  "), span]
    return Line(tuple(spans), machine.id, machine.is_stale)


def _machine_spans(machine: Machine) -> Iterator[Span]:
    cpu, ram = machine.one("cpu"), machine.one("ram")
    if cpu is not None and cpu.HasField("usage_percent"):
        cell = bar_cell(cpu.usage_percent, warn_from=85, bad_from=97, width=6)
        yield Span(f"CPU {cell.text}", cell.style)
    if ram is not None and ram.total_bytes > 0:
        cell = bar_cell(100 * ram.used_bytes / ram.total_bytes, warn_from=80, bad_from=93, width=6)
        yield Span(f"RAM {cell.text}", cell.style)
        if ram.swap_total_bytes > 0:
            swap = 100 * ram.swap_used_bytes / ram.swap_total_bytes
            yield Span(f"swap {swap:.0f} %", "warn" if swap > 50 else "muted")
    if cpu is not None:
        yield Span(f"{cpu.n_logical_cores} cores", "muted")
        if cpu.HasField("temperature_celsius"):
            hot = cpu.temperature_celsius
            yield Span(f"{hot:.0f} °C", "bad" if hot >= 95 else "warn" if hot >= 85 else "muted")
        if cpu.HasField("load_1_minute"):
            yield Span(f"load {cpu.load_1_minute:.2f}", "muted")
    if ram is not None:
        yield Span(f"{format_bytes(ram.total_bytes)} RAM", "muted")


def _disk_row(disk: Any) -> list[Cell]:
    usable = disk.used_bytes + disk.free_bytes
    used = 100.0 * disk.used_bytes / usable if usable > 0 else None
    if disk.state == Disk.HANGING:
        state = state_cell("hanging", "bad")
    elif disk.state == Disk.MOUNT_LOST:
        state = state_cell("lost", "bad")
    elif disk.is_read_only:
        state = state_cell("read-only", "warn")
    else:
        state = state_cell("fine", "good")
    is_there = disk.HasField("total_bytes")
    busy = disk.busy_percent if disk.HasField("busy_percent") else None
    style = (
        "muted"
        if busy is None
        else "bad"
        if busy >= BUSY_PERCENT[1]
        else "warn"
        if busy >= BUSY_PERCENT[0]
        else "normal"
    )
    return [
        Cell(plain(disk.id), "normal"),
        bar_cell(used, warn_from=95, bad_from=99),
        Cell(format_bytes(disk.free_bytes) if is_there else UNKNOWN),
        Cell(format_bytes(disk.total_bytes) if is_there else UNKNOWN, "muted"),
        _rate(disk, "read_bytes_per_second"),
        _rate(disk, "write_bytes_per_second"),
        Cell(f"{busy:.0f} %" if busy is not None else UNKNOWN, style),
        state,
    ]


def _rate(disk: Any, name: str) -> Cell:
    if not disk.HasField(name):
        return Cell(UNKNOWN, "muted")
    rate = getattr(disk, name)
    return Cell(format_bytes(rate), "normal" if rate >= 1024 else "muted")


def _process_row(process: Any) -> list[Cell]:
    name = plain(process.name)
    kind = (
        Process.Kind.Name(process.kind).replace("_", " ").lower() if process.kind in Process.Kind.values() else UNKNOWN
    )
    is_odd = process.status in ("disk-sleep", "stopped", "zombie")
    return [
        Cell(name),
        Cell(kind, "muted"),
        Cell(f"{process.cpu_percent:.0f} %" if process.HasField("cpu_percent") else UNKNOWN),
        Cell(format_bytes(process.resident_bytes)),
        state_cell(plain(process.status), "warn") if is_odd else Cell(plain(process.status), "muted"),
    ]


def digest(view: FarmView) -> Line:
    """Processor and memory of each machine, and disks that are not fine."""
    spans: list[Span] = []
    for machine in view.machines():
        odd = sum(disk.state != Disk.OK for disk in machine.all("disk"))
        spans += [Span(f"{machine.name} ", "strong"), *list(_machine_spans(machine))[:1], Span("  ")]
        if odd:
            spans += [Span(f"✗ {odd} disk{'s' if odd > 1 else ''} not fine", "bad"), Span("  ")]
    return Line(tuple(spans))


def summary(view: FarmView) -> str:
    """Disks, and how many of them are not fine."""
    disks = [disk for machine in view.machines() for disk in machine.all("disk")]
    odd = sum(disk.state != Disk.OK for disk in disks)
    return f"{len(disks)} disk{'' if len(disks) == 1 else 's'}" + (f", {odd} not fine" if odd else "")


PANEL = PanelContent(
    "hardware",
    "Hardware",
    lines,
    digest,
    summary,
    "Each machine's processor and memory, its disks and Chia's processes. USED and FREE are df's: what an ordinary "
    "process may use. BUSY is the share of time in which the device had a request under way: yellow from 90 %, red "
    "from 98 %. A disk that does not answer within 2 s is hanging.",
)
