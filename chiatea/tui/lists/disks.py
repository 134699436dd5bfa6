"""Disks of all machines."""

from collections.abc import Iterable, Sequence
from typing import Any

from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.hardware import disk_row, disks_summary
from chiatea.tui.shares import disk_used_percent
from chiatea.tui.view import FarmView, Machine

__all__ = ["DISKS"]


def _told(name: str) -> Any:
    return lambda _, disk: getattr(disk, name) if disk.HasField(name) else None


_COLUMNS = (
    ListColumn("MACHINE", least=8, sort=lambda machine, _: machine.name),
    ListColumn("DISK", least=12, sort=lambda _, disk: disk.id),
    ListColumn("USED", sort=lambda _, disk: disk_used_percent(disk)),
    ListColumn("FREE", ">", sort=_told("free_bytes")),
    ListColumn("SIZE", ">", 5, sort=_told("total_bytes")),
    ListColumn("READ/s", ">", 3, sort=_told("read_bytes_per_second")),
    ListColumn("WRITE/s", ">", 3, sort=_told("write_bytes_per_second")),
    ListColumn("BUSY", ">", 2, sort=_told("busy_percent")),
    ListColumn("TEMP", ">", 4, sort=_told("temperature_celsius")),
    ListColumn("STATE", "<", 1, sort=lambda _, disk: disk.state, flashes=True),
)


def _items(view: FarmView) -> Iterable[Item]:
    return items_of(view, "disk")


def _row(view: FarmView, machine: Machine, disk: Any) -> Sequence[Cell]:
    return [Cell(machine.name, "muted"), *disk_row(view, disk)]


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
    "The disks of all machines. USED and FREE are df's: what an ordinary process may use. BUSY is the share of time in "
    "which the device had a request under way: {disk_busy_percent}. TEMP is the disk's own: {disk_celsius}. "
    "A disk that does not answer within 2 s is hanging, one that answers with an error is "
    "failing; unhealthy and bad sectors (that wait to be read again) are S.M.A.R.T.'s. Enter opens a disk.",
)
