"""Harvesters: as they see themselves and as their farmers see them, side by side where they disagree."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.tui.drawing import UNKNOWN, count, sparkline
from chiatea.tui.harvester_pairs import HarvesterPair, pair_of, pairs_of
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, text_of
from chiatea.tui.panels.harvester_cells import lookup_cell, missed_cell, own_state_cell, seen_state_cell
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["HARVESTERS", "MODES", "disagreements", "has_both_words", "own_word", "their_word", "two_sides"]

_RECENT_WIDTH: Final = 12
_COMPARED: Final = (
    ("plots", "n_plots"),
    ("size", "total_plot_bytes"),
    ("failed", "n_failed_to_open"),
    ("no key", "n_no_key"),
    ("duplicates", "n_duplicates"),
)
MODES: Final = {1: "CPU", 2: "GPU"}
"""Chia's harvesting_mode (chia/protocols/harvester_protocol.py)."""


def has_both_words(pair: HarvesterPair) -> bool:
    """Whether both sides are told, and lately: an old word disagrees with a new one for no reason."""
    if pair.machine is None or pair.seen is None or pair.own is None:
        return False
    return not pair.machine.is_stale and not pair.seen.farmer.is_stale


def disagreements(pair: HarvesterPair) -> list[str]:
    """What the harvester and its farmer tell differently."""
    if not has_both_words(pair) or pair.seen is None:
        return []
    own, theirs = pair.own, pair.theirs
    found = []
    is_farming = own.is_running and own.is_connected_to_farmer
    is_gone = theirs.state == HarvesterViewedFromFarmer.DISCONNECTED
    if (is_farming and is_gone) or (not is_farming and theirs.state == HarvesterViewedFromFarmer.ANSWERING):
        found.append("state")
    is_described = theirs.n_plots or theirs.HasField("last_sync_time")
    if is_described and not theirs.is_syncing and not is_gone:
        found += [name for name, field in _COMPARED if getattr(own, field) != getattr(theirs, field)]
    return found


def two_sides(pair: HarvesterPair, field: str, *, style: str = "normal") -> Cell:
    """A count that both sides tell: once where they agree, both where they do not, the harvester's own first."""
    own, theirs = (getattr(side, field) if side is not None else None for side in (pair.own, pair.theirs))
    if has_both_words(pair) and own != theirs and not pair.theirs.is_syncing:
        return Cell(f"{count(own)} ≠ {count(theirs)}", "warn")
    value = own if own is not None else theirs
    return Cell(count(value), style if value or style == "normal" else "muted")


def _teller(pair: HarvesterPair) -> Any:
    """Who tells of lookups: the harvester itself, unless its word is old and the farmer's is not."""
    if pair.own is None or (pair.seen is not None and pair.machine is not None and pair.machine.is_stale):
        return pair.theirs
    return pair.own


def _agreement(pair: HarvesterPair) -> Cell:
    if not has_both_words(pair):
        return Cell("", "muted")
    found = disagreements(pair)
    if not found:
        return Cell("= agree", "muted")
    return Cell(f"≠ {found[0]}" + (f" +{len(found) - 1}" if len(found) > 1 else ""), "warn")


def own_word(pair: HarvesterPair) -> Cell:
    """What a harvester says of itself, or why that is not known."""
    if pair.machine is None or pair.own is None:
        return Cell("○ not watched", "muted")
    if pair.machine.is_stale:
        age = pair.machine.age_seconds
        return Cell("○ silent" + (f" {short_duration(age)}" if age is not None else ""), "muted")
    return own_state_cell(pair.own)


def their_word(pair: HarvesterPair) -> Cell:
    """What its farmer says of a harvester, or why that is not known."""
    if pair.seen is None:
        return Cell("○ not seen", "muted")
    return Cell("○ farmer silent", "muted") if pair.seen.farmer.is_stale else seen_state_cell(pair.theirs)


def _answer_time(pair: HarvesterPair) -> float | None:
    times = [pair.own.last_challenge_time] if pair.own is not None else []
    times += [pair.theirs.last_answer_time] if pair.theirs is not None else []
    return max(times, default=0.0) or None


def _row(view: FarmView, machine: Machine, pair: HarvesterPair) -> Sequence[Cell]:  # noqa: ARG001
    own, theirs, teller = pair.own, pair.theirs, _teller(pair)
    answered = _answer_time(pair)
    since = view.now - answered if answered is not None else None
    limits = view.thresholds
    recent = view.recent.lookups(pair.machine.id) if pair.machine is not None else []
    return [
        Cell(pair.name, "strong"),
        own_word(pair),
        their_word(pair),
        _agreement(pair),
        two_sides(pair, "n_plots"),
        Cell(count(own.n_plots_added) if own is not None else UNKNOWN, "muted"),
        Cell(count(own.n_plots_lost), "warn" if own.n_plots_lost else "muted")
        if own is not None
        else Cell(UNKNOWN, "muted"),
        two_sides(pair, "n_failed_to_open", style="bad"),
        two_sides(pair, "n_duplicates", style="warn"),
        two_sides(pair, "n_no_key", style="bad"),
        Cell(count(own.last_eligible_plots) if own is not None and own.HasField("last_eligible_plots") else UNKNOWN),
        Cell(count(teller.n_proofs), "good" if teller.n_proofs else "muted"),
        lookup_cell(teller, "last_lookup_seconds", limits),
        lookup_cell(teller, "median_lookup_seconds", limits),
        lookup_cell(teller, "p99_lookup_seconds", limits),
        lookup_cell(teller, "worst_lookup_seconds", limits),
        Cell(sparkline(recent, _RECENT_WIDTH), "accent"),
        Cell(f"{short_duration(since)} ago" if since is not None else "never", limits.quiet_seconds.quiet_level(since)),
        missed_cell(theirs.missed_challenges, theirs.n_challenges_owed, limits)
        if theirs is not None
        else missed_cell(None, 0, limits),
        Cell(MODES.get(theirs.harvesting_mode, UNKNOWN) if theirs is not None else UNKNOWN, "muted"),
    ]


def _either(field: str) -> Callable[[Machine, HarvesterPair], Any]:
    return lambda _, pair: getattr(pair.own if pair.own is not None else pair.theirs, field)


def _own(field: str) -> Callable[[Machine, HarvesterPair], Any]:
    return lambda _, pair: getattr(pair.own, field) if pair.own is not None else None


def _lookup(field: str) -> Callable[[Machine, HarvesterPair], Any]:
    return lambda _, pair: getattr(_teller(pair), field) if _teller(pair).HasField(field) else None


def _missed_share(_: Machine, pair: HarvesterPair) -> float | None:
    theirs = pair.theirs
    return theirs.missed_challenges / theirs.n_challenges_owed if theirs and theirs.n_challenges_owed else None


_COLUMNS: Final = (
    ListColumn("HARVESTER", least=10, sort=lambda _, pair: pair.name),
    ListColumn("ITSELF", sort=lambda _, pair: own_word(pair).text[2:], flashes=True),
    ListColumn("FARMER", sort=lambda _, pair: their_word(pair).text[2:], flashes=True),
    ListColumn("AGREE", "<", 4, sort=lambda _, pair: len(disagreements(pair)), flashes=True),
    ListColumn("PLOTS", ">", sort=_either("n_plots"), flashes=True),
    ListColumn("NEW", ">", 11, sort=_own("n_plots_added"), flashes=True),
    ListColumn("LOST", ">", 5, sort=_own("n_plots_lost"), flashes=True),
    ListColumn("FAILED", ">", 3, sort=_either("n_failed_to_open"), flashes=True),
    ListColumn("TWICE", ">", 10, sort=_either("n_duplicates"), flashes=True),
    ListColumn("NO KEY", ">", 9, sort=_either("n_no_key"), flashes=True),
    ListColumn("ELIGIBLE", ">", 12, sort=_own("last_eligible_plots")),
    ListColumn("PROOFS", ">", 8, sort=_either("n_proofs"), flashes=True),
    ListColumn("LOOKUP", ">", 2, sort=_lookup("last_lookup_seconds")),
    ListColumn("MEDIAN", ">", 7, sort=_lookup("median_lookup_seconds")),
    ListColumn("P99", ">", 6, sort=_lookup("p99_lookup_seconds")),
    ListColumn("WORST", ">", 6, sort=_lookup("worst_lookup_seconds")),
    ListColumn("RECENT", "<", 7),
    ListColumn("ANSWERED", ">", 6, sort=lambda _, pair: _answer_time(pair)),
    ListColumn("MISSED", ">", 1, sort=_missed_share, flashes=True),
    ListColumn("MODE", "<", 13),
)


def _items(view: FarmView) -> Iterable[Item]:
    return [pair.item for pair in view.once(pairs_of)]


def _text(_: Machine, pair: HarvesterPair) -> str:
    host, node_id = (pair.theirs.host, pair.theirs.id) if pair.theirs is not None else ("", "")
    return text_of(pair.name, host, node_id, own_word(pair).text, their_word(pair).text, *disagreements(pair))


def _is_stale(_: Machine, pair: HarvesterPair) -> bool:
    sides = [pair.machine, pair.seen.farmer if pair.seen is not None else None]
    return all(side.is_stale for side in sides if side is not None)


def _summary(view: FarmView) -> str:
    pairs = view.once(pairs_of)
    differing = sum(bool(disagreements(pair)) for pair in pairs)
    return f"{differing} of {len(pairs)} disagree with their farmer" if differing else f"{len(pairs)} harvesters"


HARVESTERS: Final = ListContent(
    "harvesters",
    "Harvesters",
    _COLUMNS,
    _items,
    _row,
    _text,
    _summary,
    lambda _: [
        "No harvester is seen on these machines.",
        "A collector looks for Chia in $CHIA_ROOT, else ~/.chia/mainnet; set chia.root to look elsewhere.",
    ],
    "ITSELF is what a harvester says, FARMER what its farmer says of it; where both tell and differ, AGREE names it, "
    "and a number is shown as the harvester's ≠ the farmer's. Not watched: no collector on its machine tells of it. "
    "Not seen: no watched farmer tells of it. They are matched by the address that the harvester and its collector "
    "connect from, else by host name. NEW and LOST: plots that came and went since chia-tea watches. LOOKUP is the "
    "newest lookup time, MEDIAN, P99 and WORST are over the newest 400: {lookup_seconds}. MISSED: "
    "challenges owed and not answered within 25 s, {missed_percent}. Enter opens a harvester, p its plots.",
    pair_of,
    _is_stale,
)
