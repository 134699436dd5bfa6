"""Pages of what is there now, sorted and filtered by SQLite: for lists too long to be held by who shows them.

The order of a question's answer is worked out once and kept as a list of keys in a temporary table, from which any page
of it is read in a few milliseconds: without it each page of 1,000,000 sorted plots took a scan of them all, and one far
from both ends nine seconds (benchmarks/plots.py). In the order that the table has, and near both ends of any, there is
no need of a list; how many entries there are in all the server knows without counting.
"""

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from chiatea.errors import ProtocolError
from chiatea.protobuf.computer_info_pb2 import ADD
from chiatea.protobuf.descriptors import TOPICS, filled_from_row
from chiatea.protobuf.monitoring_service_pb2 import EntryPage, ListEntriesRequest
from chiatea.server.database.conditions import text_condition
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.schema import MACHINE_INFO_TABLE, TABLES, TopicTables, loaded_row, quoted
from chiatea.server.database.sqlite_errors import as_database_error
from chiatea.state.machine_state import event_of

__all__ = ["Listing"]

PAGE_ENTRIES: Final = 200
MAX_PAGE_ENTRIES: Final = 1000
"""A plot is some 400 bytes: a page stays below 1 MB."""
MAX_OFFSET: Final = 2**62
"""SQLite's integers have 63 bits, and a page's end must be one too."""
NEAR_ENTRIES: Final = 1000
"""So many rows at either end are read without a list: SQLite keeps no more than that while it sorts."""
MAX_LISTS: Final = 4
"""A list of 1,000,000 plots takes 130 MB of the system's temporary files."""
MOST_OF_THE_TIME: Final = 0.05
"""The share of the time that may go into what is kept: what took a second to find out is asked anew after 20 s."""
STEPS_BETWEEN_LOOKS: Final = 200_000
"""Of SQLite's machine, some 5 ms, before it is looked whether the answer is still wanted."""


_SqlRow = tuple[Any, ...]


class _Question(NamedTuple):
    """What is asked, apart from which page of it."""

    topic: str
    machine_ids: tuple[str, ...]
    text: str
    sort_by: str = ""
    descending: bool = False

    @property
    def tables(self) -> TopicTables:
        return TABLES[self.topic]

    def order(self, *, is_reversed: bool = False) -> str:
        """What is equal by the chosen column still has one order, so that pages fit together."""
        names = [*([self.sort_by] if self.sort_by else []), *self.tables.state.primary_key]
        direction = " DESC" if self.descending != is_reversed else ""
        return ", ".join(quoted(name) + direction for name in names)


class _List(NamedTuple):
    """The keys of all entries in their order, in a table of their own."""

    table: str
    n_entries: int
    until: float


class Listing:
    """Answers from one connection of its own, beside the writer. One call at a time, from any thread."""

    def __init__(self, filepath: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the server's database; it is opened with the first question."""
        self._filepath = filepath
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._lists: OrderedDict[_Question, _List] = OrderedDict()
        self._n_made = 0

    def close(self) -> None:
        """Forgets all lists."""
        connection, self._connection = self._connection, None
        self._lists.clear()
        if connection is not None:
            connection.close()

    def page(
        self,
        request: ListEntriesRequest,
        counts: Mapping[str, int],
        *,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> EntryPage:
        """One page of a topic's entries; an empty one as soon as it is not wanted any more.

        Args:
            request: what is asked.
            counts: how many entries of the topic each machine has, by machine id.
            is_wanted: looked at now and then.

        Raises:
            ProtocolError: when the request asks for what there is not.
            DatabaseError: when the database cannot be read.
        """
        question = _checked(request)
        n_entries = min(request.limit, MAX_PAGE_ENTRIES) if request.limit > 0 else PAGE_ENTRIES
        first = max(0, min(request.offset, MAX_OFFSET))
        wanted = range(first, first + n_entries)
        if question.machine_ids:
            counts = {machine_id: counts.get(machine_id, 0) for machine_id in question.machine_ids}
        try:
            connection = self._opened()
            connection.set_progress_handler(lambda: not is_wanted(), STEPS_BETWEEN_LOOKS)
            return self._page(connection, question, wanted, counts)
        except sqlite3.Error as error:
            if not is_wanted():
                return EntryPage()
            self.close()
            raise as_database_error(self._filepath, error) from None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_read_only(self._filepath, keeps_lists=True)
        return self._connection

    def _page(
        self, connection: sqlite3.Connection, question: _Question, wanted: range, counts: Mapping[str, int]
    ) -> EntryPage:
        if question.text:
            return _page_of_list(connection, question, self._list(connection, question), wanted)
        n_entries = sum(counts.values())
        wanted = wanted[: max(0, n_entries - wanted.start)]
        from_end = range(n_entries - wanted.stop, n_entries - wanted.start)
        if not question.sort_by:
            rows = _rows_in_natural_order(connection, question, from_end if question.descending else wanted, counts)
            return _filled(question, n_entries, reversed(rows) if question.descending else rows)
        if wanted.stop <= NEAR_ENTRIES:
            return _filled(question, n_entries, _rows(connection, question, wanted))
        if from_end.stop <= NEAR_ENTRIES:
            return _filled(question, n_entries, reversed(_rows(connection, question, from_end, is_reversed=True)))
        return _page_of_list(connection, question, self._list(connection, question), wanted)

    def _list(self, connection: sqlite3.Connection, question: _Question) -> _List:
        """The list of a question, made anew where there is none or it is old."""
        held, begun = self._lists.get(question), self._clock()
        if held is not None and begun < held.until:
            self._lists.move_to_end(question)
            return held
        for old in [question] if held is not None else list(self._lists)[: 1 - MAX_LISTS]:
            connection.execute(f"DROP TABLE {self._lists.pop(old).table}")
        self._n_made += 1
        table = f"temp.List{self._n_made}"
        where, values = _conditions(connection, question)
        keys = ", ".join(map(quoted, question.tables.state.primary_key))
        order = f" ORDER BY {question.order()}" if question.sort_by or question.descending else ""
        sql = f"SELECT {keys} FROM {quoted(question.tables.state.name)} WHERE {where}{order}"  # noqa: S608
        connection.execute(f"CREATE TABLE {table} AS {sql}", values)
        n_entries = connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0]  # noqa: S608
        now = self._clock()
        self._lists[question] = _List(table, n_entries, now + (now - begun) / MOST_OF_THE_TIME)
        return self._lists[question]


def _checked(request: ListEntriesRequest) -> _Question:
    tables = TABLES.get(request.topic)
    if tables is None:
        raise ProtocolError(f"there is no topic {request.topic}", f"topics are {', '.join(TOPICS)}")
    columns = [name for name, _ in tables.state.columns]
    if request.sort_by and request.sort_by not in columns:
        raise ProtocolError(f"{request.topic} has no column {request.sort_by}", f"columns are {', '.join(columns)}")
    machine_ids = tuple(sorted(set(request.machine_ids)))
    text = " ".join(request.text.split())
    return _Question(request.topic, machine_ids, text, request.sort_by, request.descending)


def _conditions(connection: sqlite3.Connection, question: _Question) -> tuple[str, list[Any]]:
    conditions, values = ["1"], list[Any]()
    if question.machine_ids:
        conditions.append(_among_machines(question.machine_ids))
        values += question.machine_ids
    for word in question.text.split():
        condition, more = text_condition(question.tables.topic, word)
        named = _machines_named(connection, word)
        conditions.append(f"({_among_machines(named)} OR {condition})" if named else condition)
        values += [*named, *more]
    return " AND ".join(conditions), values


def _among_machines(machine_ids: Sequence[str]) -> str:
    return f"machine_id IN ({', '.join('?' * len(machine_ids))})"


def _machines_named(connection: sqlite3.Connection, word: str) -> list[str]:
    rows = connection.execute(f"SELECT machine_id, name FROM {quoted(MACHINE_INFO_TABLE.name)}")  # noqa: S608
    return [machine_id for machine_id, name in rows if word.lower() in (name or "").lower()]


def _rows_in_natural_order(
    connection: sqlite3.Connection, question: _Question, wanted: range, counts: Mapping[str, int]
) -> list[_SqlRow]:
    """Rows in the table's own order: of which machine the first one is, is known from the counts."""
    offset, machine_ids = wanted.start, sorted(counts)
    while machine_ids and offset >= counts[machine_ids[0]]:
        offset -= counts[machine_ids.pop(0)]
    rows: list[_SqlRow] = []
    # A machine after the other: SQLite goes to each by its key.
    for machine_id in machine_ids:
        if len(rows) == len(wanted):
            break
        rows += _rows(
            connection,
            question._replace(machine_ids=(machine_id,), descending=False),
            range(offset, offset + len(wanted) - len(rows)),
        )
        offset = 0
    return rows


def _rows(
    connection: sqlite3.Connection, question: _Question, wanted: range, *, is_reversed: bool = False
) -> list[_SqlRow]:
    where, values = _conditions(connection, question)
    order = question.order(is_reversed=is_reversed)
    sql = f"{question.tables.state.select} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return connection.execute(sql, [*values, len(wanted), wanted.start]).fetchall()


def _page_of_list(connection: sqlite3.Connection, question: _Question, held: _List, wanted: range) -> EntryPage:
    """Rows by their keys, as they are now; those that went since are left out."""
    state = question.tables.state
    names = ", ".join(f"s.{quoted(name)}" for name, _ in state.columns)
    keys = ", ".join(map(quoted, state.primary_key))
    # CROSS JOIN: the list's order is the answer's.
    sql = (
        f"SELECT {names} FROM {held.table} l CROSS JOIN {quoted(state.name)} s USING ({keys}) "  # noqa: S608
        "WHERE l.rowid > ? AND l.rowid <= ? ORDER BY l.rowid"
    )
    rows = connection.execute(sql, [wanted.start, wanted.stop]).fetchall()
    return _filled(question, held.n_entries, rows)


def _filled(question: _Question, n_entries: int, rows: Iterable[_SqlRow]) -> EntryPage:
    topic, page = question.tables.topic, EntryPage(n_entries=n_entries)
    for machine_id, timestamp, *data in rows:
        message = topic.message_class()
        filled_from_row(message, topic.columns, loaded_row(tuple(data), topic.columns))
        page.entries.append(event_of(topic, message, ADD, timestamp, machine_id))
    return page
