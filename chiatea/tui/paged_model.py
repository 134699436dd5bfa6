"""A list that stays with the server: pages of it are fetched round what is seen, and the server sorts and filters.

The model says what it wants to know as rows are drawn; one coroutine asks for it, what was seen last first. Another
question (filter, order) ends the one under way, so that no late answer is ever shown.
"""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.descriptors import TOPICS, entry_of
from chiatea.protobuf.monitoring_service_pb2 import EntryPage, ListEntriesRequest
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, Row
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView

__all__ = ["PagedModel"]

PAGE_ROWS: Final = 200
MOST_PAGES: Final = 50
"""10,000 plots are some 12 MB here."""
MOST_WANTED: Final = 4
"""Of what was scrolled past only the newest is still wanted."""
TYPING_SECONDS: Final = 0.1
"""So long after the last letter a filter is asked for."""
RETRY_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 30.0
"""After the farm told of a change the server is asked at once and, as it keeps long lists for a while, once more."""
_WAITING: Final = "…"

Ask = Callable[[ListEntriesRequest], Awaitable[EntryPage]]


class _Entry(NamedTuple):
    item: Item
    message: Any


class _Page(NamedTuple):
    entries: Sequence[_Entry]
    places: Mapping[str, int]


class PagedModel:
    """The entries of one topic, of some machines or all."""

    def __init__(
        self,
        content: ListContent,
        topic: str,
        *,
        machine_ids: Sequence[str] = (),
        filter_text: str = "",
        changes_with: Callable[[FarmView], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Shows nothing till it is answered. When what `changes_with` gives is another, the list is asked for anew."""
        self.content = content
        self.sort_column: int | None = None
        self.is_reversed = False
        self.filter_text = filter_text
        self.state = ""
        self._topic = TOPICS[topic]
        self._machine_ids = list(machine_ids)
        self._changes_with = changes_with
        self._clock = clock
        self._view: FarmView | None = None
        self._n_rows = self._n_all = 0
        self._is_total_known = self._is_answered = False
        self._pages: OrderedDict[int, _Page] = OrderedDict()
        self._old_pages: Mapping[int, _Page] = {}
        self._last_seen = 0
        self._wanted: OrderedDict[int, None] = OrderedDict({0: None})
        self._is_typing = False
        self._news, self._other_question = asyncio.Event(), asyncio.Event()
        self._news.set()
        self._told: object = None
        self._again_time: float | None = None

    # As a table sees it

    @property
    def columns(self) -> Sequence[ListColumn]:
        """Its content's."""
        return self.content.columns

    @property
    def n_rows(self) -> int:
        """Rows that the filter leaves, as the server last said."""
        return self._n_rows

    @property
    def n_all(self) -> int:
        """Rows that there are; what is not known yet counts as those that are seen."""
        return max(self._n_all, self._n_rows)

    def show(self, view: FarmView) -> None:
        """Machines' names and ages are the view's; what it tells of changes is a reason to ask anew."""
        self._view = view
        told, now = self._changes_with(view), self._clock()
        if told != self._told and self._is_answered:
            self._refresh()
            self._again_time = now + AGAIN_SECONDS
        elif self._again_time is not None and now >= self._again_time:
            self._refresh()
            self._again_time = None
        self._told = told

    def _refresh(self) -> None:
        """All is asked for anew when it is seen; till then it stays."""
        self._put_aside()
        self._is_total_known = False
        self._news.set()

    def _put_aside(self) -> None:
        if self._pages:
            self._old_pages, self._pages = self._pages, OrderedDict()

    def _entry(self, index: int) -> _Entry | None:
        number, place = divmod(index, PAGE_ROWS)
        page = self._pages.get(number) or self._old_pages.get(number)
        return page.entries[place] if page is not None and 0 <= place < len(page.entries) else None

    def item_at(self, index: int) -> Item | None:
        """What a row stands for; None while it is not here."""
        entry = self._entry(index)
        return entry.item if entry is not None else None

    def message_of(self, item: Item) -> Any:
        """The entry of an item that is here; None of another."""
        place = self.index_of(item.id)
        entry = self._entry(place) if place is not None else None
        return entry.message if entry is not None else None

    def row_at(self, index: int) -> Row:
        """How a row is drawn. One that is not here is wanted from now on."""
        number = index // PAGE_ROWS
        if number in self._pages:
            self._pages.move_to_end(number)
        elif self._is_answered:
            self._want(number)
        if number != self._last_seen:
            self._last_seen = number
            self._want_neighbours()
        entry, view = self._entry(index), self._view
        if entry is None or view is None:
            return Row("", [Cell(_WAITING, "muted")] * len(self.columns), is_stale=True)
        machine = view.machine(entry.item.machine_id)
        is_old = number not in self._pages and not self._is_answered
        return Row(entry.item.id, self.content.row(view, machine, entry.message), machine.is_stale or is_old)

    def index_of(self, item_id: str) -> int | None:
        """Where an item stands; None where it is not here."""
        for number, page in itertools.chain(self._pages.items(), self._old_pages.items()):
            place = page.places.get(item_id)
            if place is not None:
                return number * PAGE_ROWS + place
        return None

    def set_filter(self, text: str) -> None:
        """Asks for what every word is found in, once no more is typed for a moment."""
        self.filter_text = text
        self._is_typing = True
        self._put_question()

    def set_sort(self, column: int | None, *, is_reversed: bool) -> None:
        """Asks for another order."""
        self.sort_column, self.is_reversed = column, is_reversed
        self._put_question()

    def _put_question(self) -> None:
        """What is here is of another question from now on, and goes with the first answer."""
        self._put_aside()
        self._is_answered = False
        self._wanted = OrderedDict({0: None})
        self._other_question.set()
        self._news.set()

    def _want(self, number: int) -> None:
        self._wanted[number] = None
        self._wanted.move_to_end(number)
        while len(self._wanted) > MOST_WANTED:
            self._wanted.popitem(last=False)
        self._news.set()

    # As the server sees it

    async def keep_asking(self, ask: Ask, on_change: Callable[[], None], on_other: Callable[[], None]) -> None:
        """Asks for what is wanted, without end.

        Args:
            ask: gives one page; ConnectionFailedError is told in `state`, and it is asked again.
            on_change: called when there is something new to be drawn.
            on_other: called before that, with the first answer to another question.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self._is_typed():
                continue
            while (request := self._next_request()) is not None:
                if not self._is_answered or request.offset == self._last_seen * PAGE_ROWS:
                    self.state = "asking…"
                    on_change()
                try:
                    page = await self._answer(ask, request)
                except ConnectionFailedError as error:
                    self.state = f"✗ {plain(str(error))}"
                    on_change()
                    await self._pause(RETRY_SECONDS)
                    continue
                if page is None:
                    break
                self.state = ""
                self._take(request, page, on_other)
                on_change()

    async def _is_typed(self) -> bool:
        """Waits for the end of what is being typed; False where more came."""
        self._other_question.clear()
        if self._is_typing:
            self._is_typing = False
            await self._pause(TYPING_SECONDS)
        return not self._other_question.is_set()

    async def _pause(self, seconds: float) -> None:
        """Waits, but not longer than till another question is put."""
        try:
            await asyncio.wait_for(self._other_question.wait(), seconds)
        except TimeoutError:
            return

    def _next_request(self) -> ListEntriesRequest | None:
        while self._wanted:
            number = next(reversed(self._wanted))
            if number not in self._pages:
                return self._request(offset=number * PAGE_ROWS, limit=PAGE_ROWS, text=self.filter_text)
            del self._wanted[number]
        return self._request(limit=1) if self._is_answered and not self._is_total_known else None

    def _request(self, **more: Any) -> ListEntriesRequest:
        sort_by = self.columns[self.sort_column].sort_by if self.sort_column is not None else ""
        return ListEntriesRequest(
            topic=self._topic.name,
            machine_ids=self._machine_ids,
            sort_by=sort_by,
            descending=self.is_reversed,
            **more,
        )

    async def _answer(self, ask: Ask, request: ListEntriesRequest) -> EntryPage | None:
        """A page; None where another question was put meanwhile."""
        asked = asyncio.ensure_future(ask(request))
        other = asyncio.ensure_future(self._other_question.wait())
        try:
            await asyncio.wait({asked, other}, return_when=asyncio.FIRST_COMPLETED)
            return None if other.done() else asked.result()
        finally:
            asked.cancel()
            other.cancel()
            await asyncio.gather(asked, other, return_exceptions=True)

    def _take(self, request: ListEntriesRequest, page: EntryPage, on_other: Callable[[], None]) -> None:
        if not request.text:
            self._n_all, self._is_total_known = page.n_entries, True
        if request.text != self.filter_text:
            return
        number = request.offset // PAGE_ROWS
        self._n_rows = page.n_entries
        if request.limit < PAGE_ROWS:
            return
        entries = [self._entry_of(event) for event in page.entries]
        self._pages[number] = _Page(entries, {entry.item.id: place for place, entry in enumerate(entries)})
        self._wanted.pop(number, None)
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        if not self._is_answered:
            self._is_answered, self._old_pages = True, {}
            on_other()
        else:
            self._old_pages = {n: old for n, old in self._old_pages.items() if n != number}
        if number == self._last_seen:
            self._want_neighbours()

    def _want_neighbours(self) -> None:
        """What will be scrolled to next; what is seen goes before it."""
        last = max(0, self._n_rows - 1) // PAGE_ROWS
        for near in (self._last_seen - 1, self._last_seen + 1):
            if 0 <= near <= last and near not in self._pages and near not in self._wanted:
                self._wanted[near] = None
                self._wanted.move_to_end(near, last=False)
                self._news.set()

    def _entry_of(self, event: Any) -> _Entry:
        message: Any = entry_of(event, self._topic)
        return _Entry(Item(event.machine_id, self._topic.name, self._topic.id_of(message)), message)
