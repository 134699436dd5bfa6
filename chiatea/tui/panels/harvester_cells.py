"""Cells of harvesters, the same in panels and lists: states, lookup times, shares of missed challenges. Pure."""

from typing import Any, Final

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.tui.drawing import UNKNOWN, level_of, seconds
from chiatea.tui.lines import Cell
from chiatea.tui.panels.panel import state_cell

__all__ = ["lookup_cell", "missed_cell", "own_state_cell", "quiet_style", "seen_state_cell"]

SLOW_SECONDS: Final = 5.0
TOO_SLOW_SECONDS: Final = 15.0
"""Chia warns from 8 s (5 s before 2.x); an answer after about 28 s wins nothing any more."""
QUIET_SECONDS: Final = 60.0
MANY_MISSED_PERCENT: Final = 5.0

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


def lookup_cell(harvester: Any, name: str) -> Cell:
    """A lookup time under its field's name."""
    value = getattr(harvester, name) if harvester.HasField(name) else None
    return Cell(seconds(value), level_of(value, SLOW_SECONDS, TOO_SLOW_SECONDS))


def quiet_style(since_seconds: float | None) -> str:
    """The style of how long ago a harvester that runs last answered."""
    return "warn" if since_seconds is not None and since_seconds > QUIET_SECONDS else "muted"


def missed_cell(n_missed: float | None, n_owed: float | None) -> Cell:
    """The share of missed challenges."""
    if not n_owed or n_missed is None:
        return Cell(UNKNOWN, "muted")
    share = 100.0 * max(0.0, n_missed) / n_owed
    if n_missed <= 0:
        return Cell("✓ none", "good")
    style = "bad" if share >= MANY_MISSED_PERCENT else "warn"
    return Cell(f"▲ {share:.1f} %" if share >= 0.1 else "▲ < 0.1 %", style)
