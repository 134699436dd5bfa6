"""Target folders of all copiers, in the order in which they are filled."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, text_of
from chiatea.tui.orders import Orders
from chiatea.tui.panels.copy_cells import speed_cell, target_state_cell, target_word
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["copy_targets_content", "target_reason"]

_COLUMNS: Final = (
    ListColumn("MACHINE", rank=2, least=8, sort=lambda machine, _: machine.name),
    ListColumn("TARGET", least=12, sort=lambda _, target: target.id),
    ListColumn("STATE", sort=lambda _, target: target_word(target), flashes=True),
    ListColumn("GROUP", rank=5, least=9, sort=lambda _, target: target.group_rank),
    ListColumn("FREE", ">", sort=lambda _, target: target.free_bytes),
    ListColumn("PROMISED", ">", 4, sort=lambda _, target: target.promised_bytes),
    ListColumn("COPIES", ">", 3, sort=lambda _, target: target.n_active, flashes=True),
    ListColumn("SPEED", ">", 3, sort=lambda _, target: target.bytes_per_second),
    ListColumn("WHY", "<", 1, least=10),
)


def target_reason(target: Any, now: float) -> str:
    """Why it takes nothing, and when it is tried again; "" where it takes plots."""
    told = plain(target.reason)
    if target.HasField("retry_time") and target.retry_time > now:
        told = f"{told or target_word(target)}, tried again in {short_duration(target.retry_time - now)}"
    return told


def _items(view: FarmView) -> Iterable[Item]:
    for machine in view.machines():
        targets = machine.all("copy_target")
        for target in sorted(targets, key=lambda target: (target.group_rank, target.id)):
            yield Item(machine.id, "copy_target", target.id)


def copy_targets_content(orders: Orders) -> ListContent:
    """One row for each target folder; `orders` tells what was ordered of it."""

    def row(view: FarmView, machine: Machine, target: Any) -> Sequence[Cell]:
        item, why = Item(machine.id, "copy_target", target.id), Cell(target_reason(target, view.now), "muted")
        state, note = orders.cells(item, view.now, target_state_cell(target), why)
        return [
            Cell(machine.name, "muted"),
            Cell(plain(target.id), "strong"),
            state,
            Cell(plain(target.group) or UNKNOWN, "muted"),
            Cell(format_bytes(target.free_bytes)),
            Cell(format_bytes(target.promised_bytes), "muted"),
            Cell(count(target.n_active), "normal" if target.n_active else "muted"),
            speed_cell(target.bytes_per_second),
            note,
        ]

    return ListContent(
        "copy-targets",
        "Target folders",
        _COLUMNS,
        _items,
        row,
        lambda machine, target: text_of(machine.name, target.id, target.group, target_word(target), target.reason),
        lambda view: f"{len(list(_items(view)))} targets",
        lambda _: ["No copier has told of a target folder yet: they are copy.target_folders of its configuration."],
        "Folders that plots are moved to, in the order in which their groups are filled. FREE is what the disk has, "
        "PROMISED what copies under way will still take of it. Full: no room above copy.reserve. Quarantined: its disk "
        "failed, and is tried again after a while. Not mounted: the disk that belongs there is not there. d drains a "
        "target, which then gets nothing new while what is under way to it is ended, or releases it.",
        is_stale=lambda machine, _: machine.is_copier_stale,
    )
