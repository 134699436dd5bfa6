"""Strips of what harvesters answered, and the challenges that they missed."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chiatea.tui.challenge_history import Count, strip_cell
from chiatea.tui.challenge_strips import WINDOWS, ChallengeStrips
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.field_text import moment_text
from chiatea.tui.harvester_pairs import pairs_by_node
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.harvester_cells import missed_cell
from chiatea.tui.past_misses import PastMisses
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["answer_cell", "harvester_name", "misses_content", "strips_content"]

LITTLE_KNOWN: Final = 0.5
"""Of less than this part of its time a share is marked as little known."""
_SHARE_WIDTH: Final = 9


def harvester_name(view: FarmView, farmer_id: str, node_id: str) -> str:
    """What a harvester is called: by its machine's name, where that is known."""
    pair = view.once(pairs_by_node).get((farmer_id, node_id))
    return pair.name if pair is not None else plain(node_id)[:8] or UNKNOWN


def answer_cell(miss: Any) -> Cell:
    """Whether the answer came after all."""
    if not miss.HasField("late_answer_time"):
        return Cell("✗ none", "bad")
    return Cell(f"▲ after {short_duration(miss.late_answer_time - miss.sent_time)}", "warn")


def strips_content(strips: ChallengeStrips, width: Sequence[int]) -> ListContent:
    """A strip for each harvester that a farmer tells of; `width` holds the cells that there is room for."""

    def share(view: FarmView, machine: Machine, seen: Any, seconds: float) -> Cell:
        now = Count(view.now, seen.n_challenges_owed, seen.missed_challenges)
        found = strips.share((machine.id, seen.id), seconds, now)
        cell = missed_cell(found.n_missed, found.n_owed, view.thresholds)
        is_little = found.n_owed > 0 and found.known_seconds < LITTLE_KNOWN * seconds
        return Cell(f"{cell.text} ~" if is_little else cell.text, cell.style)

    def row(view: FarmView, machine: Machine, seen: Any) -> Sequence[Cell]:
        kinds = strips.strips.get((machine.id, seen.id))
        shares = [share(view, machine, seen, seconds) for _, seconds in WINDOWS]
        strip = strip_cell(kinds[-width[0] :], width[0]) if kinds is not None else Cell("…".rjust(width[0]), "muted")
        return [Cell(harvester_name(view, machine.id, seen.id), "strong"), *shares, strip]

    return ListContent(
        "strips",
        "What harvesters answered",
        (
            ListColumn("HARVESTER", least=10, sort=lambda _, seen: seen.host),
            *(
                ListColumn(name, ">", rank, sort=_missed_in_all if rank == 1 else None)
                for rank, (name, _) in enumerate(WINDOWS, 1)
            ),
            ListColumn("ANSWERS"),
        ),
        lambda view: items_of(view, "farmer_harvester"),
        row,
        lambda machine, seen: text_of(machine.name, seen.host, seen.id),
        lambda _: "",
        _why_nothing,
        "A strip for each harvester, now at its right end; w and W choose how far back it goes. ▁ all answered, "
        "▄ answered later than 25 s, █ missed, s signage points that the full node itself never saw: its fault, "
        "not the harvester's. ○ away: not connected, · nobody watched, or nothing was sent. Of the last "
        "10 minutes each cell is one signage point. 1 h, 24 h and 7 d are the shares missed; ~ where less than half "
        "of that time is known of. Enter opens the harvester.",
    )


def _missed_in_all(_: Machine, seen: Any) -> float | None:
    return seen.missed_challenges / seen.n_challenges_owed if seen.n_challenges_owed else None


def _why_nothing(view: FarmView) -> list[str]:
    if not any(machine.one("farmer") is not None for machine in view.machines()):
        return [
            "Not told: no farmer is seen on these machines.",
            "A farmer's own collector knows what its harvesters owe.",
        ]
    return ["The farmer has told of no harvester yet."]


def misses_content(misses: PastMisses) -> ListContent:
    """The missed challenges, the newest first."""

    def items(view: FarmView) -> Iterable[Item]:
        return misses.items(view)

    def row(view: FarmView, machine: Machine, miss: Any) -> Sequence[Cell]:
        return [
            Cell(moment_text(miss.sent_time, view.now), "muted"),
            Cell(harvester_name(view, machine.id, miss.harvester_id), "strong"),
            Cell(str(miss.signage_point_index)),
            answer_cell(miss),
            Cell(plain(miss.challenge_hash)[:18], "muted"),
            Cell(machine.name, "muted"),
        ]

    return ListContent(
        "misses",
        "Missed challenges",
        (
            ListColumn("SENT AT", sort=lambda _, miss: miss.sent_time),
            ListColumn("HARVESTER", least=10, sort=lambda _, miss: miss.harvester_id),
            ListColumn("POINT", ">", 1, sort=lambda _, miss: miss.signage_point_index),
            ListColumn("ANSWER", sort=_late_seconds),
            ListColumn("CHALLENGE", "<", 3),
            ListColumn("FARMER", "<", 2, sort=lambda machine, _: machine.name),
        ),
        items,
        row,
        lambda machine, miss: text_of(machine.name, miss.harvester_id, miss.challenge_hash, miss.signage_point),
        lambda _: "",
        lambda _: ["None was missed that is known of."],
        "Every signage point that the farmer sends to a connected harvester is owed one answer. No answer within 25 s "
        "is one missed challenge, also where it comes later. At the last row older ones are asked for. Enter shows "
        "what else happened then.",
        misses.entry,
        lambda _, miss: False,  # noqa: ARG005 - what was missed stays missed
    )


def _late_seconds(_: Machine, miss: Any) -> float | None:
    return miss.late_answer_time - miss.sent_time if miss.HasField("late_answer_time") else None
