"""Copiers of all machines: how many copies, how fast, and what holds them up."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chiatea.protobuf.copy_pb2 import ScrubFinding
from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.order_words import rate_text
from chiatea.tui.orders import Orders
from chiatea.tui.panels.copy_cells import speed_cell
from chiatea.tui.panels.panel import state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine

__all__ = ["copiers_content", "scrub_words"]

_COLUMNS: Final = (
    ListColumn("MACHINE", least=8, sort=lambda machine, _: machine.name),
    ListColumn("STATE", flashes=True),
    ListColumn("ACTIVE", ">", 1, sort=lambda _, copier: copier.n_active, flashes=True),
    ListColumn("QUEUED", ">", 2, sort=lambda _, copier: copier.n_queued, flashes=True),
    ListColumn("DONE", ">", 4, sort=lambda _, copier: copier.n_done, flashes=True),
    ListColumn("FAILED", ">", 1, sort=lambda _, copier: copier.n_failed, flashes=True),
    ListColumn("SPEED", ">", sort=lambda _, copier: copier.bytes_per_second),
    ListColumn("LIMIT", ">", 5, sort=lambda _, copier: copier.max_bytes_per_second, flashes=True),
    ListColumn("NOT FARMING", ">", 6, sort=lambda _, copier: copier.n_not_farming, flashes=True),
    ListColumn("SCRUBS", "<", 7),
    ListColumn("NOTE", "<", 3, least=10),
)
_FINDINGS: Final = {
    ScrubFinding.ROTTEN: "rotten",
    ScrubFinding.UNREADABLE: "unreadable",
    ScrubFinding.MISSING: "missing",
    ScrubFinding.CHANGED: "changed",
}


def scrub_words(machine: Machine) -> Cell:
    """What scrubs found wrong with moved plots."""
    copier = machine.one("copier")
    found = Counter(_FINDINGS.get(finding.state, "wrong") for finding in machine.all("scrub_finding"))
    if found:
        return Cell("✗ " + ", ".join(f"{n} {word}" for word, n in found.items()), "bad")
    if copier is None or not copier.n_scrubbed:
        return Cell(UNKNOWN, "muted")
    return Cell(f"✓ {count(copier.n_scrubbed)} of {count(copier.n_known_hashes)}", "muted")


def _state(machine: Machine, copier: Any) -> Cell:
    if not machine.is_copier_online:
        return state_cell("not connected", "bad")
    if not copier.is_running:
        return state_cell("stopped", "bad")
    return state_cell("all paused", "warn") if copier.is_paused else state_cell("running", "good")


def _counted(n: int, style: str, glyph: str) -> Cell:
    return Cell(f"{glyph} {count(n)}", style) if n else Cell("0", "muted")


def copiers_content(orders: Orders) -> ListContent:
    """One row for each copier; `orders` tells what was ordered of it."""

    def row(view: FarmView, machine: Machine, copier: Any) -> Sequence[Cell]:
        slowed = Cell(f"▲ slowed: {plain(copier.slowed_by)}", "warn") if copier.slowed_by else Cell("")
        state, note = orders.cells(Item(machine.id, "copier"), view.now, _state(machine, copier), slowed)
        limit = copier.max_bytes_per_second
        return [
            Cell(machine.name, "strong"),
            state,
            Cell(count(copier.n_active)),
            Cell(count(copier.n_queued)),
            Cell(count(copier.n_done), "muted"),
            _counted(copier.n_failed, "bad", "✗"),
            speed_cell(copier.bytes_per_second),
            Cell(rate_text(limit), "normal" if limit > 0 else "muted"),
            _counted(copier.n_not_farming, "warn", "▲"),
            scrub_words(machine),
            note,
        ]

    return ListContent(
        "copiers",
        "Copiers",
        _COLUMNS,
        _items,
        row,
        lambda machine, copier: text_of(machine.name, copier.slowed_by, _state(machine, copier).text),
        lambda view: f"{len(list(_items(view)))} copiers",
        lambda _: ["No copier reports from these machines: run `chia-tea copy` where plots are to be moved."],
        "The copiers of all machines. P pauses all copies of one, or lets all go on; b limits what they move together. "
        "NOT FARMING: plots that were moved and that the harvester has not loaded yet. SCRUBS: what `chia-tea copy "
        "scrub` found wrong with moved plots, else how many of those it knows it has read again. A copier is slowed to "
        "make way, as while lookups are slow.",
        is_stale=lambda machine, _: machine.is_copier_stale,
    )


def _items(view: FarmView) -> Iterable[Item]:
    return items_of(view, "copier")
