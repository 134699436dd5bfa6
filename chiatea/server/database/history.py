"""Pages of past events, read beside the writer."""

import asyncio
import contextlib
import heapq
import itertools
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from chiatea.errors import ProtocolError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, filled_from_row
from chiatea.protobuf.monitoring_service_pb2 import (
    EntryPage,
    EventPage,
    HistoryReply,
    HistoryRequest,
    ListEntriesRequest,
    QueryEventsRequest,
)
from chiatea.server.database.conditions import text_condition
from chiatea.server.database.listing import Listing
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.schema import MACHINE_INFO_TABLE, TABLES, TopicTables, loaded_row, quoted
from chiatea.server.database.series import history_reply

__all__ = ["History"]

PAGE_EVENTS: Final = 500
"""An event is a few hundred bytes, so a page stays far below gRPC's limit."""
MAX_PAGE_BYTES: Final = 512 * 1024


class _Place(NamedTuple):
    """Where an event stands in history: no two have the same place."""

    timestamp: float
    machine_id: str
    sequence: int
    position: int


class _Found(NamedTuple):
    place: _Place
    event: UpdateEvent


class History:
    """Answers questions about past events from connections of its own."""

    def __init__(self, filepath: Path) -> None:
        """Reads the server's database."""
        self._filepath = filepath
        self._listing = Listing(filepath)
        self._listing_turn = asyncio.Lock()

    async def close(self) -> None:
        """Closes what it keeps open, once it is answered."""
        async with self._listing_turn:
            self._listing.close()

    async def entries(self, request: ListEntriesRequest, counts: Mapping[str, int]) -> EntryPage:
        """One page of the entries of a topic as they are now; `counts` is how many of it each machine has.

        Raises:
            ProtocolError: when the request asks for what there is not.
            DatabaseError: when the database cannot be read.
        """
        async with self._listing_turn:
            is_wanted = True
            page = asyncio.ensure_future(
                asyncio.to_thread(self._listing.page, request, counts, is_wanted=lambda: is_wanted)
            )
            try:
                return await asyncio.shield(page)
            except asyncio.CancelledError:
                # Who types on asks the next question: the one before shall not keep it waiting.
                is_wanted = False
                await asyncio.wait([page])
                raise

    async def series(self, request: HistoryRequest) -> HistoryReply:
        """How numbers of one topic went over time, in steps.

        Raises:
            ProtocolError: when the request asks for what there is not, or for too much at once.
            DatabaseError: when the database cannot be read.
        """
        return await asyncio.to_thread(history_reply, self._filepath, request)

    async def pages(
        self, request: QueryEventsRequest, wait_for_news: Callable[[], Any] | None = None
    ) -> AsyncIterator[EventPage]:
        """The events that a request asks for, in pages; with `follow` and a way to wait for news, without end.

        Raises:
            ProtocolError: when the request asks for what there is not.
        """
        unknown = set(request.topics) - TOPICS.keys()
        if unknown:
            raise ProtocolError(f"there is no topic {', '.join(sorted(unknown))}", f"topics are {', '.join(TOPICS)}")
        after = _place_of(request.page_token)
        left = request.limit if request.limit > 0 else None
        while left is None or left > 0:
            found = await asyncio.to_thread(self._page, request, after, min(left or PAGE_EVENTS, PAGE_EVENTS))
            if found:
                after = found[-1].place
                left = None if left is None else left - len(found)
                yield EventPage(events=[item.event for item in found], next_page_token=json.dumps(after))
            elif request.follow and wait_for_news is not None and not request.newest_first:
                await wait_for_news()
            else:
                return

    def _page(self, request: QueryEventsRequest, after: _Place | None, n_events: int) -> list[_Found]:
        with contextlib.closing(open_read_only(self._filepath)) as connection:
            connection.execute("BEGIN")
            machine_ids = list(request.machine_ids) or [
                row[0]
                for row in connection.execute(f"SELECT machine_id FROM {quoted(MACHINE_INFO_TABLE.name)}")  # noqa: S608
            ]
            streams = [
                _events_of(connection, tables, machine_id, request, after=after, n_events=n_events)
                for name, tables in TABLES.items()
                if not request.topics or name in request.topics
                for machine_id in machine_ids
            ]
            merged = heapq.merge(*streams, key=lambda found: found.place, reverse=request.newest_first)
            page: list[_Found] = []
            filled = 0
            for found in itertools.islice(merged, n_events):
                page.append(found)
                filled += found.event.ByteSize()
                if filled > MAX_PAGE_BYTES:
                    break
            return page


def _events_of(
    connection: sqlite3.Connection,
    tables: TopicTables,
    machine_id: str,
    request: QueryEventsRequest,
    *,
    after: _Place | None,
    n_events: int,
) -> Iterator[_Found]:
    """The events of one machine and topic, in the order of the question."""
    topic, events = tables.topic, tables.events
    conditions = ["machine_id = ?"]
    arguments: list[Any] = [machine_id]
    since = request.since if request.HasField("since") else None
    if after is not None and not request.newest_first:
        # SQLite goes to one bound of the key only: the nearer one, or each page would read all pages before it.
        since = after.timestamp
    if since is not None:
        conditions.append("timestamp >= ?")
        arguments.append(since)
    if after is not None and request.newest_first:
        conditions.append("timestamp <= ?")
        arguments.append(after.timestamp)
    elif request.HasField("until"):
        conditions.append("timestamp < ?")
        arguments.append(request.until)
    if after is not None:
        sign = "<" if request.newest_first else ">"
        conditions.append(f"(timestamp, machine_id, sequence, position) {sign} (?, ?, ?, ?)")
        arguments.extend(after)
    if request.text:
        condition, values = text_condition(topic, request.text)
        conditions.append(condition)
        arguments.extend(values)
    order = " DESC" if request.newest_first else ""
    rows = connection.execute(
        f"{events.select} WHERE {' AND '.join(conditions)} "
        f"ORDER BY timestamp{order}, sequence{order}, position{order} LIMIT ?",
        [*arguments, n_events],
    )
    for machine, timestamp, sequence, position, event_type, *data in rows:
        event = UpdateEvent(machine_id=machine, timestamp=timestamp, event_type=event_type)
        message = getattr(event, topic.name)
        message.SetInParent()
        filled_from_row(message, topic.columns, loaded_row(tuple(data), topic.columns))
        yield _Found(_Place(timestamp, machine, sequence, position), event)


def _place_of(token: str) -> _Place | None:
    if not token:
        return None
    try:
        timestamp, machine_id, sequence, position = json.loads(token)
        return _Place(float(timestamp), str(machine_id), int(sequence), int(position))
    except (ValueError, TypeError):
        raise ProtocolError("this page token is none of ours", "begin without one") from None
