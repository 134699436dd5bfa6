"""Missed challenges: what harvesters owed and did not give in time."""

from datetime import UTC, datetime
from typing import Any

from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell, Column, Line, Span, facts, note, table
from chiatea.tui.panels.panel import PanelContent
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["PANEL"]

_HARVESTERS = (
    Column("HARVESTER", least=21),
    Column("MISSED", ">"),
    Column("OF", ">", 1),
    Column("SHARE", ">", 2),
    Column("LATE", ">", 3),
    Column("TIMED OUT", ">", 4),
    Column("LAST ANSWER", ">", 5),
)
_MISSES = (
    Column("MISSED AT"),
    Column("HARVESTER", least=12),
    Column("SIGNAGE POINT", ">", 1),
    Column("ANSWER"),
)
MAX_MISSES = 50


def lines(view: FarmView, width: int) -> list[Line]:
    """Counts for each harvester, the node's skipped points, then the newest misses."""
    farmers = [m for m in view.machines() if m.one("farmer") is not None]
    counted = [(m, seen) for m in farmers for seen in m.all("farmer_harvester") if seen.n_challenges_owed]
    if not counted:
        return _why_nothing(farmers)
    shown = table(_HARVESTERS, ((f"{m.id}/{h.id}", _row(view, h), m.is_stale) for m, h in counted), width)
    skipped = sum(m.one("farmer").n_skipped_signage_points for m in farmers)
    shown.append(facts("Node", [Span(f"{count(skipped)} signage points skipped", "warn" if skipped else "muted")]))
    hosts = {seen.id: _name_of(seen) for _, seen in counted}
    misses = sorted((x for m in farmers for x in m.all("missed_challenge")), key=lambda x: -x.sent_time)
    if misses:
        shown.append(note(""))
        shown += table(_MISSES, ((x.id, _miss(x, hosts), False) for x in misses[:MAX_MISSES]), width)
    return shown


def _why_nothing(farmers: list[Machine]) -> list[Line]:
    if not farmers:
        return [
            note("Not told: no farmer is seen on these machines."),
            note("A farmer's own collector knows what its harvesters owe."),
        ]
    return [
        note("No challenge has been sent to a harvester since chia-tea watches."),
        note("Only Chia's daemon tells of challenges and answers: its RPC and its log do not."),
    ]


def _name_of(seen: Any) -> str:
    return f"{plain(seen.host) or 'harvester'} {plain(seen.id)[:8]}"


def _row(view: FarmView, seen: Any) -> list[Cell]:
    share = 100.0 * seen.missed_challenges / seen.n_challenges_owed
    level = view.thresholds.missed_level(share)
    style = level if seen.missed_challenges else "good"
    since = view.now - seen.last_answer_time if seen.HasField("last_answer_time") else None
    return [
        Cell(_name_of(seen), "strong"),
        Cell(f"{'✓' if not seen.missed_challenges else '▲'} {count(seen.missed_challenges)}", style),
        Cell(count(seen.n_challenges_owed)),
        Cell(f"{share:.1f} %", style),
        Cell(count(seen.n_challenges_late), "warn" if seen.n_challenges_late else "muted"),
        Cell(count(seen.n_timeouts), "warn" if seen.n_timeouts else "muted"),
        Cell(f"{short_duration(since)} ago" if since is not None else UNKNOWN, "muted"),
    ]


def _miss(miss: Any, hosts: dict[str, str]) -> list[Cell]:
    try:
        when = f"{datetime.fromtimestamp(miss.sent_time, UTC).astimezone():%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        when = UNKNOWN
    if miss.HasField("late_answer_time"):
        answer = Cell(f"after {short_duration(miss.late_answer_time - miss.sent_time)}", "warn")
    else:
        answer = Cell("none", "bad")
    name = hosts.get(miss.harvester_id, plain(miss.harvester_id)[:8])
    return [Cell(when, "muted"), Cell(name), Cell(str(miss.signage_point_index)), answer]


def digest(view: FarmView) -> Line:
    """Misses, time-outs and skipped points in all."""
    told = [seen for m in view.machines() for seen in m.all("farmer_harvester") if seen.n_challenges_owed]
    if not told:
        return note("not told: no farmer's harvester was sent a challenge yet")
    n_missed, n_owed = sum(s.missed_challenges for s in told), sum(s.n_challenges_owed for s in told)
    n_timeouts = sum(seen.n_timeouts for seen in told)
    spans = [Span(f"▲ {count(n_missed)} missed" if n_missed else "✓ none missed", "warn" if n_missed else "good")]
    spans.append(Span(f" of {count(n_owed)}", "muted"))
    if n_timeouts:
        spans.append(Span(f"  ▲ {count(n_timeouts)} timed out", "warn"))
    return Line(tuple(spans))


def summary(view: FarmView) -> str:
    """How many were missed in all."""
    told = [seen for m in view.machines() for seen in m.all("farmer_harvester") if seen.n_challenges_owed]
    return f"{count(sum(seen.missed_challenges for seen in told))} missed" if told else "not told"


PANEL = PanelContent(
    "missed",
    "Missed challenges",
    lines,
    digest,
    summary,
    "Every signage point that the farmer sends to a connected harvester is owed one answer. No answer within 25 s is "
    "one missed challenge; 60 s without any answer is one time-out. SHARE is {missed_percent}. LATE answers "
    "came after 25 s and are missed too. "
    "Points that the full node itself never saw are the node's: skipped, and counted apart.",
)
