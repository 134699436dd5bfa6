"""One harvester: each fact as the harvester tells it and as its farmer does; its plot folders; what was said of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from chiatea.protobuf.chia_pb2 import ChiaNotice
from chiatea.tui.drawing import UNKNOWN, count, seconds
from chiatea.tui.field_text import moment_text
from chiatea.tui.harvester_pairs import HarvesterPair, pair_of
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, entry_of, items_of, text_of
from chiatea.tui.lists.harvesters import MODES, disagreements, own_word, their_word
from chiatea.tui.panels.harvester_cells import lookup_cell, missed_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["facts_content", "folders_content", "notices_content"]

_NOTHING = Cell("", "muted")
_WARNINGS = frozenset(
    {
        ChiaNotice.SLOW_LOOKUP, ChiaNotice.PLOT_ERROR, ChiaNotice.PEER_LOST, ChiaNotice.HARVESTER_TIMED_OUT,
        ChiaNotice.SERVICE_ERROR, ChiaNotice.PARTIAL_FAILED,
    }
)  # fmt: skip


class _Fact(NamedTuple):
    """One line: what it is, each side's word, and under which name the two are compared."""

    name: str
    own: Cell
    theirs: Cell
    compared: str = ""


def _ago(view: FarmView, moment: float) -> Cell:
    return Cell(f"{short_duration(view.now - moment)} ago") if moment > 0 else Cell(UNKNOWN, "muted")


def _facts(view: FarmView, pair: HarvesterPair) -> Iterator[_Fact]:
    own, theirs, limits = pair.own, pair.theirs, view.thresholds

    def number(name: str, own_field: str, their_field: str = "", compared: str = "") -> _Fact:
        mine = Cell(count(getattr(own, own_field))) if own is not None and own_field else _NOTHING
        his = Cell(count(getattr(theirs, their_field))) if theirs is not None and their_field else _NOTHING
        return _Fact(name, mine, his, compared)

    def size(name: str, field: str, compared: str = "") -> _Fact:
        mine = Cell(format_bytes(getattr(own, field))) if own is not None else _NOTHING
        his = Cell(format_bytes(getattr(theirs, field))) if theirs is not None else _NOTHING
        return _Fact(name, mine, his, compared)

    def lookup(name: str, field: str) -> _Fact:
        mine = lookup_cell(own, field, limits) if own is not None else _NOTHING
        return _Fact(name, mine, lookup_cell(theirs, field, limits) if theirs is not None else _NOTHING)

    yield _Fact("State", own_word(pair), their_word(pair), "state")
    yield _Fact(
        "Told by",
        Cell(pair.machine.name) if pair.machine is not None else _NOTHING,
        Cell(pair.seen.farmer.name) if pair.seen is not None else _NOTHING,
    )
    yield number("Plots", "n_plots", "n_plots", "plots")
    yield number("  of version 1", "n_plots_v1")
    yield number("  of version 2", "n_plots_v2")
    yield size("Size", "total_plot_bytes", "size")
    yield size("Effective size", "effective_plot_bytes")
    yield number("Failed to open", "n_failed_to_open", "n_failed_to_open", "failed")
    yield number("Not found", "n_not_found")
    yield number("No key", "n_no_key", "n_no_key", "no key")
    yield number("Duplicates", "n_duplicates", "n_duplicates", "duplicates")
    yield number("Plots that came", "n_plots_added")
    yield number("Plots that were lost", "n_plots_lost")
    yield number("Challenges", "n_challenges", "n_challenges_owed")
    yield number("  answered", "", "n_challenges_answered")
    yield number("  missed", "", "missed_challenges")
    if theirs is not None:
        yield _Fact("  share missed", _NOTHING, missed_cell(theirs.missed_challenges, theirs.n_challenges_owed, limits))
    yield number("  answered late", "", "n_challenges_late")
    yield number("  timed out", "", "n_timeouts")
    yield _Fact(
        "Last answer",
        _ago(view, own.last_challenge_time) if own is not None else _NOTHING,
        _ago(view, theirs.last_answer_time) if theirs is not None else _NOTHING,
    )
    yield number("Eligible plots, in all", "n_eligible_plots", "n_eligible_plots")
    yield number("Proofs", "n_proofs", "n_proofs")
    yield lookup("Lookup, newest", "last_lookup_seconds")
    yield lookup("  median", "median_lookup_seconds")
    yield lookup("  p99", "p99_lookup_seconds")
    yield lookup("  worst", "worst_lookup_seconds")
    yield number("  slow", "n_slow_lookups")
    if own is not None and own.HasField("seconds_between_challenges"):
        yield _Fact("Between challenges", Cell(seconds(own.seconds_between_challenges)), _NOTHING)
    if theirs is not None:
        yield _Fact("Connected", _NOTHING, _ago(view, theirs.connected_since))
        yield _Fact("Host", _NOTHING, Cell(plain(theirs.host) or UNKNOWN))
        yield _Fact("Node id", _NOTHING, Cell(plain(theirs.id)))
        yield _Fact("Searches with", _NOTHING, Cell(MODES.get(theirs.harvesting_mode, UNKNOWN)))
        if theirs.is_syncing:
            synced = f"{count(theirs.n_sync_processed)} of {count(theirs.n_sync_total)}"
            yield _Fact("Plots told to it", _NOTHING, Cell(synced, "warn"))
    if own is not None:
        yield _Fact("Chia", Cell(plain(own.version) or UNKNOWN), _NOTHING)


def facts_content(item: Item) -> ListContent:
    """Both sides' facts of the harvester that an item stands for."""

    def facts(view: FarmView) -> dict[str, tuple[_Fact, bool]]:
        pair = pair_of(view, item)
        if pair is None:
            return {}
        differing = set(disagreements(pair))
        return {fact.name: (fact, fact.compared in differing) for fact in _facts(view, pair)}

    def row(view: FarmView, machine: Machine, told: tuple[_Fact, bool]) -> Sequence[Cell]:  # noqa: ARG001
        fact, differs = told
        mark = Cell("≠", "warn") if differs else Cell("")
        theirs = fact.theirs._replace(style="warn") if differs else fact.theirs
        return [Cell(fact.name, "muted"), fact.own, mark, theirs]

    def summary(view: FarmView) -> str:
        pair = pair_of(view, item)
        found = disagreements(pair) if pair is not None else []
        return f"≠ {', '.join(found)}" if found else ""

    return ListContent(
        "facts",
        "As it sees itself, as its farmer sees it",
        (
            ListColumn("FACT"),
            ListColumn("ITSELF", flashes=True),
            ListColumn(""),
            ListColumn("FARMER", least=12, flashes=True),
        ),
        lambda view: [Item(item.machine_id, "fact", name) for name in view.once(facts)],
        row,
        lambda _, told: text_of(told[0].name, told[0].own.text, told[0].theirs.text),
        summary,
        lambda _: ["This harvester is not there any more."],
        "Each fact as the harvester's own collector tells it, and as its farmer's does; ≠ stands where they differ. "
        "Not all is told by both: only the farmer knows what was owed to it. Enter opens the entry that a fact is of.",
        lambda view, of: view.once(facts).get(str(of.entry_id)),
        lambda _, told: False,  # noqa: ARG005 - each side's age is told in the list that this came from
    )


def folders_content(machine_id: str) -> ListContent:
    """The folders that the harvester of a machine loads plots from."""

    def row(view: FarmView, machine: Machine, folder: Any) -> Sequence[Cell]:  # noqa: ARG001
        return [
            Cell(plain(folder.id), "strong"),
            Cell(count(folder.n_plots)),
            Cell(format_bytes(folder.total_plot_bytes)),
            Cell(count(folder.n_failed_to_open), "bad" if folder.n_failed_to_open else "muted"),
            Cell(plain(folder.disk_id) or UNKNOWN, "muted"),
        ]

    return ListContent(
        "folders",
        "Plot folders",
        (
            ListColumn("FOLDER", least=12, sort=lambda _, folder: folder.id),
            ListColumn("PLOTS", ">", sort=lambda _, folder: folder.n_plots, flashes=True),
            ListColumn("SIZE", ">", 1, sort=lambda _, folder: folder.total_plot_bytes),
            ListColumn("FAILED", ">", 2, sort=lambda _, folder: folder.n_failed_to_open, flashes=True),
            ListColumn("DISK", "<", 3, least=10, sort=lambda _, folder: folder.disk_id),
        ),
        lambda view: items_of(view, "plot_folder", machines=[view.machine(machine_id)]),
        row,
        lambda _, folder: text_of(folder.id, folder.disk_id),
        lambda _: "",
        lambda _: ["No folder is told of."],
        "The folders that this harvester loads plots from, by what it told. Enter lists the plots in one.",
    )


def notices_content(item: Item) -> ListContent:
    """What Chia said of a harvester lately, its own log and its farmer's, the newest first."""

    def items(view: FarmView) -> Iterable[Item]:
        pair = pair_of(view, item)
        if pair is None:
            return []
        told: list[tuple[float, Item]] = []
        if pair.machine is not None:
            of_machine = pair.machine.all("chia_notice")
            own = [n for n in of_machine if n.service == "harvester" and not n.harvester_id]
            told += [(n.time, Item(pair.machine.id, "chia_notice", n.id)) for n in own]
        if pair.seen is not None:
            named = [n for n in pair.seen.farmer.all("chia_notice") if n.harvester_id == pair.seen.entry.id]
            told += [(n.time, Item(pair.seen.farmer.id, "chia_notice", n.id)) for n in named]
        return [found for _, found in sorted(told, key=lambda of: (-of[0], of[1].id))]

    def row(view: FarmView, machine: Machine, notice: Any) -> Sequence[Cell]:  # noqa: ARG001
        style = "warn" if notice.kind in _WARNINGS else "normal"
        return [Cell(moment_text(notice.time, view.now), "muted"), Cell(plain(notice.text), style)]

    return ListContent(
        "notices",
        "What was said of it",
        (
            ListColumn("TIME", sort=lambda _, notice: notice.time),
            ListColumn("WHAT", least=20, sort=lambda _, notice: notice.text),
        ),
        items,
        row,
        lambda _, notice: text_of(notice.text, notice.plot_filepath, notice.disk_id),
        lambda _: "",
        lambda _: ["Nothing worth keeping was said of it lately."],
        "The newest notices of this harvester: from its own log, and from its farmer's. Older ones are on the events "
        "screen. Enter opens one.",
        entry_of,
        lambda _, notice: False,  # noqa: ARG005 - what was said stays said
    )
