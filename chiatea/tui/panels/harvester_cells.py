"""Cells of harvesters, the same in panels and lists: states, lookup times, shares of missed challenges. Pure."""

from typing import Any, Final

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.tui.drawing import UNKNOWN, seconds
from chiatea.tui.lines import Cell
from chiatea.tui.panels.panel import state_cell
from chiatea.tui.thresholds import Thresholds

__all__ = ["lookup_cell", "missed_cell", "own_state_cell", "seen_state_cell"]

_SEEN_STATES: Final = {
    HarvesterViewedFromFarmer.ANSWERING: ("answering", "good"),
    HarvesterViewedFromFarmer.TIMED_OUT: ("timed out", "bad"),
    HarvesterViewedFromFarmer.DISCONNECTED: ("disconnected", "bad"),
}


def own_state_cell(harvester: Any) -> Cell:
    """A harvester's own word of itself."""
    if not harvester.is_running:
        return state_cell("stopped", "bad")
    if not harvester.is_connected_to_farmer:
        return state_cell("no farmer", "warn")
    return state_cell("farming", "good")


def seen_state_cell(seen: Any) -> Cell:
    """A farmer's word of a harvester."""
    if seen.is_syncing:
        return state_cell("syncing", "warn")
    return state_cell(*_SEEN_STATES.get(seen.state, ("unknown", "muted")))


def lookup_cell(harvester: Any, name: str, thresholds: Thresholds) -> Cell:
    """A lookup time under its field's name."""
    value = getattr(harvester, name) if harvester.HasField(name) else None
    return Cell(seconds(value), thresholds.lookup_seconds.level(value))


def missed_cell(n_missed: float | None, n_owed: float | None, thresholds: Thresholds) -> Cell:
    """The share of missed challenges."""
    if not n_owed or n_missed is None:
        return Cell(UNKNOWN, "muted")
    share = 100.0 * max(0.0, n_missed) / n_owed
    if n_missed <= 0:
        return Cell("✓ none", "good")
    style = thresholds.missed_level(share)
    glyph = "▲" if style in ("warn", "bad") else "·"
    return Cell(f"{glyph} {share:.1f} %" if share >= 0.1 else f"{glyph} < 0.1 %", style)
