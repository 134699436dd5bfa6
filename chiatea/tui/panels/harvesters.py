"""Harvesters, as they see themselves and as their farmer sees them."""

from collections.abc import Iterator
from typing import Any

from chiatea.tui.drawing import UNKNOWN, count, sparkline
from chiatea.tui.lines import Cell, Column, Line, Span, note, table
from chiatea.tui.panels.harvester_cells import lookup_cell, own_state_cell, seen_state_cell
from chiatea.tui.panels.panel import PanelContent
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["PANEL"]

_OWN = (
    Column("HARVESTER", least=10),
    Column("STATE"),
    Column("PLOTS", ">"),
    Column("FAILED", ">", 4),
    Column("ELIGIBLE", ">", 3),
    Column("PROOFS", ">", 2),
    Column("LOOKUP", ">", 1),
    Column("MEDIAN", ">", 6),
    Column("P99", ">", 7),
    Column("WORST", ">", 5),
    Column("ANSWERED", ">", 2),
    Column("RECENT", "<", 8),
)
_SEEN = (
    Column("FARMER SEES", least=15),
    Column("STATE"),
    Column("PLOTS", ">"),
    Column("FAILED", ">", 3),
    Column("NO KEY", ">", 5),
    Column("TWICE", ">", 6),
    Column("SIZE", ">", 4),
    Column("HEARD", ">", 1),
    Column("NODE", "<", 7),
)


def lines(view: FarmView, width: int) -> list[Line]:
    """Two tables: the harvesters' own word, and their farmers'."""
    machines = list(view.machines())
    own = [(m.id, _own_row(view, m), m.is_stale) for m in machines if m.one("harvester") is not None]
    seen = [(f"{m.id}/{h.id}", _seen_row(view, h), m.is_stale) for m in machines for h in m.all("farmer_harvester")]
    if not own and not seen:
        return [
            note("No harvester is seen on these machines."),
            note("A collector looks for Chia in $CHIA_ROOT, else ~/.chia/mainnet; set chia.root to look elsewhere."),
        ]
    shown = table(_OWN, own, width) if own else []
    if seen:
        shown += [note(""), *table(_SEEN, seen, width)] if shown else table(_SEEN, seen, width)
    return shown


def _own_row(view: FarmView, machine: Machine) -> list[Cell]:
    harvester = machine.one("harvester")
    since = view.now - harvester.last_challenge_time if harvester.HasField("last_challenge_time") else None
    return [
        Cell(machine.name, "strong"),
        own_state_cell(harvester),
        Cell(count(harvester.n_plots)),
        Cell(count(harvester.n_failed_to_open), "bad" if harvester.n_failed_to_open else "muted"),
        Cell(f"{count(harvester.last_eligible_plots)} of {count(harvester.n_eligible_plots)}"),
        Cell(count(harvester.n_proofs), "good" if harvester.n_proofs else "muted"),
        *(
            lookup_cell(harvester, name, view.thresholds)
            for name in (
                "last_lookup_seconds",
                "median_lookup_seconds",
                "p99_lookup_seconds",
                "worst_lookup_seconds",
            )
        ),
        Cell(
            f"{short_duration(since)} ago" if since is not None else "never",
            view.thresholds.quiet_seconds.quiet_level(since if harvester.is_running else None),
        ),
        Cell(sparkline(view.recent.lookups(machine.id), 16), "accent"),
    ]


def _seen_row(view: FarmView, seen: Any) -> list[Cell]:
    heard = max(seen.last_answer_time, seen.last_message_time)
    return [
        Cell(plain(seen.host) or UNKNOWN, "strong"),
        seen_state_cell(seen),
        Cell(count(seen.n_plots)),
        Cell(count(seen.n_failed_to_open), "bad" if seen.n_failed_to_open else "muted"),
        Cell(count(seen.n_no_key), "bad" if seen.n_no_key else "muted"),
        Cell(count(seen.n_duplicates), "warn" if seen.n_duplicates else "muted"),
        Cell(format_bytes(seen.total_plot_bytes)),
        Cell(f"{short_duration(view.now - heard)} ago" if heard > 0 else UNKNOWN, "muted"),
        Cell(plain(seen.id)[:10], "muted"),
    ]


def _running(view: FarmView) -> Iterator[bool]:
    for machine in view.machines():
        harvester = machine.one("harvester")
        if harvester is not None:
            yield harvester.is_running and not machine.is_stale


def digest(view: FarmView) -> Line:
    """Each harvester in a few words."""
    spans: list[Span] = []
    for machine in view.machines():
        harvester = machine.one("harvester")
        if harvester is None:
            continue
        state = own_state_cell(harvester)
        lookup = lookup_cell(harvester, "last_lookup_seconds", view.thresholds)
        spans += [
            Span(f"{machine.name} ", "strong"),
            Span(state.text, state.style),
            Span(f" {lookup.text}", lookup.style),
            Span("   "),
        ]
    return Line(tuple(spans)) if spans else note("none seen")


def summary(view: FarmView) -> str:
    """How many of them farm."""
    running = list(_running(view))
    return f"{sum(running)} of {len(running)} running" if running else "none seen"


PANEL = PanelContent(
    "harvesters",
    "Harvesters",
    lines,
    digest,
    summary,
    "Above: what each harvester says of itself. ELIGIBLE is how many plots passed the filter at the newest challenge, "
    "and in all. LOOKUP is the newest lookup time, MEDIAN, P99 and WORST are over the newest 400: "
    "{lookup_seconds}. ANSWERED is when it last answered a challenge ({quiet_seconds}). Below: how the "
    "farmer sees its harvesters.",
)
