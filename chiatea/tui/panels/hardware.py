"""Processor, memory, disks and Chia's processes of every machine."""

from collections.abc import Iterable, Iterator
from typing import Any

from chiatea.protobuf.chia_pb2 import Process
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell, Column, Line, Span, note, table
from chiatea.tui.panels.panel import PanelContent, bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.shares import cpu_percent, disk_used_percent, ram_percent, swap_percent
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes

__all__ = ["ODD_STATUSES", "PANEL", "disk_row", "disks_summary", "n_not_fine", "process_row", "rate_cell"]

_DISKS = (
    Column("DISK", least=12),
    Column("USED"),
    Column("FREE", ">"),
    Column("SIZE", ">", 5),
    Column("READ/s", ">", 3),
    Column("WRITE/s", ">", 3),
    Column("BUSY", ">", 2),
    Column("TEMP", ">", 4),
    Column("STATE", "<", 1),
)
_TEMPERATURE_COLUMN = 7
_PROCESSES = (
    Column("PROCESS", least=12),
    Column("KIND", rank=2),
    Column("CPU", ">"),
    Column("MEMORY", ">"),
    Column("STATE", "<", 1),
)
ODD_STATUSES = frozenset({"disk-sleep", "stopped", "zombie"})
"""Of a process: it waits for a disk, somebody stopped it, it ended and nobody took notice."""


def lines(view: FarmView, width: int) -> list[Line]:
    """For each machine one line of processor and memory, its disks, its processes; columns fit all machines."""
    machines = list(view.machines())
    if not machines:
        return [note("No machine has reported yet.")]
    disks = [(m, disk) for m in machines for disk in m.all("disk")]
    processes = [(m, process) for m in machines for process in m.all("process")]
    disk_lines = _disk_lines(view, disks, width)
    process_lines = table(_PROCESSES, ((f"{m.id}#{p.id}", process_row(p), m.is_stale) for m, p in processes), width)
    shown: list[Line] = []
    for machine in machines:
        if shown:
            shown.append(note(""))
        shown.append(_machine_line(view, machine, width))
        for heading, rows, owners in (
            (disk_lines[0], disk_lines[1:], disks),
            (process_lines[0], process_lines[1:], processes),
        ):
            own = [row for row, (owner, _) in zip(rows, owners, strict=True) if owner is machine]
            shown += [heading, *own] if own else []
    return shown


def _disk_lines(view: FarmView, disks: list[tuple[Machine, Any]], width: int) -> list[Line]:
    """A heading and a line for each disk; temperatures only where some disk tells one."""
    columns, rows = list(_DISKS), [disk_row(view, disk) for _, disk in disks]
    if not any(disk.HasField("temperature_celsius") for _, disk in disks):
        del columns[_TEMPERATURE_COLUMN]
        for row in rows:
            del row[_TEMPERATURE_COLUMN]
    named = ((f"{m.id}/{d.id}", row, m.is_stale) for (m, d), row in zip(disks, rows, strict=True))
    return table(columns, named, width)


def _machine_line(view: FarmView, machine: Machine, width: int) -> Line:
    spans = [Span(f"{machine.name} ", "strong")]
    for span in _machine_spans(view, machine):
        if sum(len(s.text) for s in spans) + len(span.text) + 2 > width:
            break
        spans += [Span("  "), span]
    return Line(tuple(spans), machine.id, machine.is_stale)


def _machine_spans(view: FarmView, machine: Machine) -> Iterator[Span]:
    cpu, ram, limits = machine.one("cpu"), machine.one("ram"), view.thresholds
    for label, share, own in (
        ("CPU", cpu_percent(cpu), limits.cpu_percent),
        ("RAM", ram_percent(ram), limits.ram_percent),
    ):
        if share is not None:
            cell = bar_cell(share, own)
            yield Span(f"{label} {cell.text}", cell.style)
    if (swap := swap_percent(ram)) is not None:
        yield Span(f"swap {swap:.0f} %", limits.swap_percent.quiet_level(swap))
    if cpu is not None:
        yield Span(f"{cpu.n_logical_cores} cores", "muted")
        if cpu.HasField("temperature_celsius"):
            hot = cpu.temperature_celsius
            yield Span(f"{hot:.0f} °C", limits.cpu_celsius.quiet_level(hot))
        if cpu.HasField("load_1_minute"):
            yield Span(f"load {cpu.load_1_minute:.2f}", "muted")
    if ram is not None:
        yield Span(f"{format_bytes(ram.total_bytes)} RAM", "muted")


def disk_row(view: FarmView, disk: Any) -> list[Cell]:
    """Mount point, used, free, size, read and write rate, busy, temperature, state."""
    limits = view.thresholds
    is_there = disk.HasField("total_bytes")
    busy = disk.busy_percent if disk.HasField("busy_percent") else None
    celsius = disk.temperature_celsius if disk.HasField("temperature_celsius") else None
    return [
        Cell(plain(disk.id), "normal"),
        bar_cell(disk_used_percent(disk), limits.disk_used_percent),
        Cell(format_bytes(disk.free_bytes) if is_there else UNKNOWN),
        Cell(format_bytes(disk.total_bytes) if is_there else UNKNOWN, "muted"),
        rate_cell(disk, "read_bytes_per_second"),
        rate_cell(disk, "write_bytes_per_second"),
        Cell(f"{busy:.0f} %" if busy is not None else UNKNOWN, limits.disk_busy_percent.level(busy)),
        Cell(f"{celsius:.0f} °C" if celsius is not None else UNKNOWN, limits.disk_celsius.level(celsius)),
        _disk_state(view, disk),
    ]


def _disk_state(view: FarmView, disk: Any) -> Cell:
    """The worst that is known of it."""
    known = {
        Disk.HANGING: ("hanging", "bad"),
        Disk.MOUNT_LOST: ("lost", "bad"),
        Disk.FAILING: ("failing", "bad"),
    }
    if disk.state in known:
        return state_cell(*known[disk.state])
    if _is_unhealthy(disk):
        return state_cell("unhealthy", "bad")
    sectors = view.thresholds.disk_pending_sectors.level(disk.n_pending_sectors)
    if sectors in ("warn", "bad"):
        return state_cell("bad sectors", sectors)
    if disk.is_read_only:
        return state_cell("read-only", "warn")
    return state_cell("fine", "good") if disk.state == Disk.OK else state_cell("unknown", "muted")


def _is_unhealthy(disk: Any) -> bool:
    return disk.HasField("is_healthy") and not disk.is_healthy


def n_not_fine(disks: Iterable[Any]) -> int:
    """Disks that hang, fail, are lost or unhealthy."""
    bad = (Disk.HANGING, Disk.MOUNT_LOST, Disk.FAILING)
    return sum(disk.state in bad or _is_unhealthy(disk) for disk in disks)


def rate_cell(entry: Any, name: str) -> Cell:
    """Bytes in a second, under the name of their field."""
    if not entry.HasField(name):
        return Cell(UNKNOWN, "muted")
    rate = getattr(entry, name)
    return Cell(format_bytes(rate), "normal" if rate >= 1024 else "muted")


def process_row(process: Any) -> list[Cell]:
    """Name, kind, processor, memory, state."""
    name = plain(process.name)
    kind = (
        Process.Kind.Name(process.kind).replace("_", " ").lower() if process.kind in Process.Kind.values() else UNKNOWN
    )
    is_odd = process.status in ODD_STATUSES
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
        odd = n_not_fine(machine.all("disk"))
        spans += [Span(f"{machine.name} ", "strong"), *list(_machine_spans(view, machine))[:1], Span("  ")]
        if odd:
            spans += [Span(f"✗ {odd} disk{'s' if odd > 1 else ''} not fine", "bad"), Span("  ")]
    return Line(tuple(spans))


def disks_summary(view: FarmView) -> str:
    """Disks, and how many of them are not fine."""
    disks = [disk for machine in view.machines() for disk in machine.all("disk")]
    odd = n_not_fine(disks)
    return f"{len(disks)} disk{'' if len(disks) == 1 else 's'}" + (f", {odd} not fine" if odd else "")


PANEL = PanelContent(
    "hardware",
    "Hardware",
    lines,
    digest,
    disks_summary,
    "Each machine's processor and memory, its disks and Chia's processes. USED and FREE are df's: what an ordinary "
    "process may use. BUSY is the share of time in which the device had a request under way: "
    "{disk_busy_percent}. TEMP is the disk's own: {disk_celsius}. A disk that does not answer within 2 s is "
    "hanging, one that answers with an error is failing; unhealthy and bad sectors (that wait to be read again) are "
    "S.M.A.R.T.'s.",
)
