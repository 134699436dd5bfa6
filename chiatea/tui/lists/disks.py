"""Disks of all machines."""

from collections.abc import Iterable, Sequence
from typing import Any

from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.hardware import disk_row, disks_summary
from chiatea.tui.shares import disk_used_percent
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["DISKS"]


def _told(name: str) -> Any:
    return lambda _, disk: getattr(disk, name) if disk.HasField(name) else None


_COLUMNS = (
    ListColumn("MACHINE", least=8, sort=lambda machine, _: machine.name),
    ListColumn("DISK", least=12, sort=lambda _, disk: disk.id),
    ListColumn("USED", sort=lambda _, disk: disk_used_percent(disk)),
    ListColumn("FREE", ">", sort=_told("free_bytes")),
    ListColumn("FULL IN", ">", 3),
    ListColumn("GROWTH", ">", 7),
    ListColumn("SIZE", ">", 6, sort=_told("total_bytes")),
    ListColumn("READ/s", ">", 4, sort=_told("read_bytes_per_second")),
    ListColumn("WRITE/s", ">", 4, sort=_told("write_bytes_per_second")),
    ListColumn("BUSY", ">", 2, sort=_told("busy_percent")),
    ListColumn("TEMP", ">", 5, sort=_told("temperature_celsius")),
    ListColumn("STATE", "<", 1, sort=lambda _, disk: disk.state, flashes=True),
)


def _items(view: FarmView) -> Iterable[Item]:
    return items_of(view, "disk")


def _row(view: FarmView, machine: Machine, disk: Any) -> Sequence[Cell]:
    rate, full_in = view.growth.rate(machine.id, disk), view.growth.full_in(machine.id, disk)
    grown = f"{'+' if rate > 0 else ''}{format_bytes(rate * 86_400)}/d" if rate is not None and rate else UNKNOWN
    mount, used, free, *more = disk_row(view, disk)
    return [
        Cell(machine.name, "muted"),
        mount,
        used,
        free,
        Cell(short_duration(full_in) if full_in is not None else UNKNOWN, "normal" if full_in is not None else "muted"),
        Cell(grown, "muted"),
        *more,
    ]


def _text(machine: Machine, disk: Any) -> str:
    return text_of(machine.name, disk.id, disk.device, disk.filesystem_type, disk.model, disk.serial_number)


DISKS = ListContent(
    "disks",
    "Disks",
    _COLUMNS,
    _items,
    _row,
    _text,
    disks_summary,
    lambda _: ["No machine has told of a disk yet.", "Run `chia-tea collect` on each machine of the farm."],
    "The disks of all machines. USED and FREE are df's: what an ordinary process may use ({disk_used_percent}). FULL "
    "IN is when a disk will be full if it goes on as in the last day or, where it did not grow then, in the last 7 "
    "days (GROWTH); - where it does not grow, or nobody can tell. BUSY is the share of time in which the device had a "
    "request under way: {disk_busy_percent}. TEMP is the disk's own: {disk_celsius}. A disk that does not answer "
    "within 2 s is hanging, one that answers with an error is failing; unhealthy and bad sectors (that wait to be "
    "read again) are S.M.A.R.T.'s. Enter opens a disk and says why, p lists the plots on it.",
)
