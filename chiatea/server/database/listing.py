"""Pages of what is there now, sorted and filtered by SQLite: for lists too long to be held by who shows them."""

import contextlib
from pathlib import Path
from typing import Any, Final

from chiatea.errors import ProtocolError
from chiatea.protobuf.computer_info_pb2 import ADD
from chiatea.protobuf.descriptors import TOPICS, filled_from_row
from chiatea.protobuf.monitoring_service_pb2 import EntryPage, ListEntriesRequest
from chiatea.server.database.conditions import text_condition
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.schema import TABLES, loaded_row, quoted
from chiatea.state.machine_state import event_of

__all__ = ["entries_page"]

PAGE_ENTRIES: Final = 200
MAX_PAGE_ENTRIES: Final = 1000
"""A plot is some 400 bytes: a page stays below 1 MB."""


def entries_page(filepath: Path, request: ListEntriesRequest) -> EntryPage:
    """One page of a topic's entries, read beside the writer.

    Raises:
        ProtocolError: when the request asks for what there is not.
        DatabaseError: when the database cannot be read.
    """
    tables = TABLES.get(request.topic)
    if tables is None:
        raise ProtocolError(f"there is no topic {request.topic}", f"topics are {', '.join(TOPICS)}")
    topic, table = tables.topic, quoted(tables.state.name)
    columns = [name for name, _ in tables.state.columns]
    if request.sort_by and request.sort_by not in columns:
        raise ProtocolError(f"{request.topic} has no column {request.sort_by}", f"columns are {', '.join(columns)}")
    conditions, values = ["1"], list[Any]()
    if request.machine_ids:
        conditions.append(f"machine_id IN ({', '.join('?' * len(request.machine_ids))})")
        values += request.machine_ids
    if request.text:
        condition, more = text_condition(topic, request.text)
        conditions.append(condition)
        values += more
    where = " AND ".join(conditions)
    # What is equal by the chosen column still has one order, so that pages fit together.
    order = [*([request.sort_by] if request.sort_by else []), *tables.state.primary_key]
    direction = " DESC" if request.descending else ""
    limit = min(request.limit, MAX_PAGE_ENTRIES) if request.limit > 0 else PAGE_ENTRIES
    page = EntryPage()
    with contextlib.closing(open_read_only(filepath)) as connection:
        connection.execute("BEGIN")
        page.n_entries = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()[0]  # noqa: S608
        rows = connection.execute(
            f"{tables.state.select} WHERE {where} ORDER BY {', '.join(quoted(name) + direction for name in order)} "
            "LIMIT ? OFFSET ?",
            [*values, limit, max(0, request.offset)],
        )
        for machine_id, timestamp, *data in rows:
            message = topic.message_class()
            filled_from_row(message, topic.columns, loaded_row(tuple(data), topic.columns))
            page.entries.append(event_of(topic, message, ADD, timestamp, machine_id))
    return page
