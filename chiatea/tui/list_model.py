"""Lists as plain data: what their rows are, which of them are shown, and in what order. Pure.

A list may have 100,000 rows of which 40 are seen: rows are drawn one by one when they are, and enumerated, filtered and
sorted only as often as that costs a small share of the time.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from chiatea.protobuf.descriptors import EntryId
from chiatea.tui.lines import Cell, Column
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine

__all__ = ["Item", "ListColumn", "ListContent", "ListModel", "Row", "RowModel", "entry_of", "items_of", "text_of"]

MOST_OF_THE_TIME: Final = 0.02
"""The share of the time that enumerating and sorting may take."""


class ListColumn(NamedTuple):
    """One column of a list.

    Attributes:
        title: its heading, which also names it where it is remembered.
        align: "<" or ">".
        rank: columns of a higher rank are left out first where the width does not do; rank 0 always stays.
        least: its cells may be shortened to this width; 0 where they may not.
        sort: what it is sorted by.
        sort_by: the server's column that it is sorted by, where a list comes in pages.
        flashes: whether a change of it is shown for a moment: states and counts, not what moves all the time.
    """

    title: str
    align: str = "<"
    rank: int = 0
    least: int = 0
    sort: Callable[[Machine, Any], Any] | None = None
    flashes: bool = False
    sort_by: str = ""

    @property
    def is_sortable(self) -> bool:
        """Whether the list can be sorted by it."""
        return self.sort is not None or bool(self.sort_by)

    @property
    def laid_out(self) -> Column:
        """What matters for its width."""
        return Column(self.title, self.align, self.rank, self.least)


class Item(NamedTuple):
    """One row of a list by what it stands for: an entry of a topic on a machine."""

    machine_id: str
    topic: str
    entry_id: EntryId = ""

    @property
    def id(self) -> str:
        """The same for the same entry, whatever comes and goes."""
        return f"{self.machine_id}/{self.topic}/{self.entry_id}"


def entry_of(view: FarmView, item: Item) -> Any:
    """The entry that an item names, as it is now; None where it is there no more."""
    return view.message(item.machine_id, item.topic, item.entry_id)


@dataclass(frozen=True, slots=True)
class ListContent:
    """What a list shows.

    Attributes:
        id: what is remembered of it is remembered under this.
        title: of its screen.
        columns: from left to right.
        items: every row that there is, in the order that is natural for them.
        row: one cell for each column, of an entry on a machine.
        text: what a filter is looked for in, in lower case.
        summary: a few words on all of it.
        nothing: what is said where there is no row.
        help: what its words and colours mean, for `?`; thresholds are named in braces.
        entry: what a row is made, sorted and filtered from, where that is more than the entry that its item names;
            None where it is gone.
        is_stale: whether what a row says may not be true any more.
    """

    id: str
    title: str
    columns: Sequence[ListColumn]
    items: Callable[[FarmView], Iterable[Item]]
    row: Callable[[FarmView, Machine, Any], Sequence[Cell]]
    text: Callable[[Machine, Any], str]
    summary: Callable[[FarmView], str]
    nothing: Callable[[FarmView], Sequence[str]]
    help: str
    entry: Callable[[FarmView, Item], Any] = entry_of
    is_stale: Callable[[Machine, Any], bool] = lambda machine, _: machine.is_stale


class Row(NamedTuple):
    """A row as it is drawn."""

    id: str
    cells: Sequence[Cell]
    is_stale: bool = False


class RowModel(Protocol):
    """What a table draws: all of a list's rows in the dashboard, or pages of it that come from the server."""

    sort_column: int | None
    is_reversed: bool
    filter_text: str

    @property
    def state(self) -> str:
        """What it waits for, or what is wrong; "" while all of it is here."""

    @property
    def columns(self) -> Sequence[ListColumn]:
        """From left to right."""

    def show(self, view: FarmView) -> None:
        """Takes over another moment of the farm."""

    @property
    def n_rows(self) -> int:
        """Rows that the filter leaves."""

    @property
    def n_all(self) -> int:
        """Rows that there are."""

    def item_at(self, index: int) -> Item | None:
        """What a row stands for; None where there is none, or not yet."""

    def row_at(self, index: int) -> Row:
        """How a row is drawn."""

    def index_of(self, item_id: str) -> int | None:
        """Where an item stands; None where it is not among the rows."""

    def set_filter(self, text: str) -> None:
        """Shows only what a text is found in, whatever its case; all for ""."""

    def set_sort(self, column: int | None, *, is_reversed: bool) -> None:
        """Sorts by a column; None: the natural order."""


def items_of(view: FarmView, topic: str, *, machines: Iterable[Machine] | None = None) -> Iterable[Item]:
    """Every entry of a topic, machine by machine, by id."""
    for machine in machines if machines is not None else view.machines():
        for identity in sorted(machine.state.of(topic), key=str):
            yield Item(machine.id, topic, identity)


def text_of(*texts: str) -> str:
    """Texts as a filter finds them."""
    return "\n".join(plain(text) for text in texts).lower()


@dataclass(slots=True)
class ListModel:
    """The rows of a list whose entries are all in the dashboard's farm."""

    content: ListContent
    sort_column: int | None = None
    is_reversed: bool = False
    filter_text: str = ""
    stopwatch: Callable[[], float] = time.perf_counter
    n_all: int = 0
    _view: FarmView | None = None
    _items: list[Item] = field(default_factory=list)
    _places: dict[str, int] | None = None
    _next_look: float = 0.0
    _must_look: bool = True

    @property
    def state(self) -> str:
        """All of it is here."""
        return ""

    @property
    def columns(self) -> Sequence[ListColumn]:
        """Its content's."""
        return self.content.columns

    @property
    def n_rows(self) -> int:
        """Rows that the filter leaves."""
        return len(self._items)

    def show(self, view: FarmView) -> None:
        """Takes over another moment of the farm; who is in the list is looked at as often as may be."""
        self._view = view
        if self._must_look or self.stopwatch() >= self._next_look:
            self._look()

    def look_again(self) -> None:
        """Something else than the farm decides otherwise who is in the list."""
        self._look()

    def _look(self) -> None:
        view = self._view
        if view is None:
            return
        begun = self.stopwatch()
        items = list(self.content.items(view))
        self.n_all = len(items)
        if self.filter_text:
            items = [item for item in items if self._is_wanted(view, item)]
        column = self.columns[self.sort_column] if self.sort_column is not None else None
        if column is not None and column.sort is not None:
            sort = column.sort
            items.sort(key=lambda item: self._sort_key(sort, view, item), reverse=self.is_reversed)
        elif self.is_reversed:
            items.reverse()
        self._items, self._places, self._must_look = items, None, False
        now = self.stopwatch()
        self._next_look = now + (now - begun) / MOST_OF_THE_TIME

    def _is_wanted(self, view: FarmView, item: Item) -> bool:
        entry = self.content.entry(view, item)
        text = self.content.text(view.machine(item.machine_id), entry) if entry is not None else ""
        return all(word in text for word in self.filter_text.split())

    def item_at(self, index: int) -> Item | None:
        """What a row stands for."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def row_at(self, index: int) -> Row:
        """How a row is drawn, from what its entry is now."""
        item, view = self.item_at(index), self._view
        if item is None or view is None:
            return Row("", [Cell("")] * len(self.columns))
        machine = view.machine(item.machine_id)
        entry = self.content.entry(view, item)
        if entry is None:
            # Gone since the list was looked at: it goes with the next look.
            return Row(item.id, [Cell("gone", "muted"), *[Cell("")] * (len(self.columns) - 1)], is_stale=True)
        return Row(item.id, self.content.row(view, machine, entry), self.content.is_stale(machine, entry))

    def index_of(self, item_id: str) -> int | None:
        """Where an item stands."""
        if self._places is None:
            self._places = {item.id: index for index, item in enumerate(self._items)}
        return self._places.get(item_id)

    def set_filter(self, text: str) -> None:
        """Shows only rows in which every word is found, whatever its case."""
        self.filter_text = text.lower()
        self._look()

    def set_sort(self, column: int | None, *, is_reversed: bool) -> None:
        """Sorts by a column; None: the natural order."""
        self.sort_column, self.is_reversed = column, is_reversed
        self._look()

    def _sort_key(self, sort: Callable[[Machine, Any], Any], view: FarmView, item: Item) -> tuple[bool, Any]:
        """What is not known is the least."""
        entry = self.content.entry(view, item)
        value = sort(view.machine(item.machine_id), entry) if entry is not None else None
        # NaN compares with nothing.
        return (False, 0) if value is None or value != value else (True, value)  # noqa: PLR0124
