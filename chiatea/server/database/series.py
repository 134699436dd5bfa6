"""How numbers went over time, summed up by SQLite in as many steps as a chart has columns."""

import contextlib
import math
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from chiatea.errors import ProtocolError
from chiatea.protobuf.computer_info_pb2 import DELETE
from chiatea.protobuf.descriptors import TOPICS, ColumnKind
from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, Series
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.schema import TABLES, TopicTables, quoted

__all__ = ["history_reply"]

MAX_STEPS: Final = 2000
MAX_STEPS_IN_ALL: Final = 20_000
"""A step is some 45 bytes, so a reply stays below 1 MB."""
MAX_LOOK_BACK_SECONDS: Final = 86_400.0
"""How far before its beginning a chart looks for the value that holds until the first event."""
_NUMBERS: Final = frozenset({ColumnKind.INTEGER, ColumnKind.REAL, ColumnKind.BOOLEAN, ColumnKind.ENUM})


class _Question(NamedTuple):
    tables: TopicTables
    fields: Sequence[str]
    since: float
    until: float
    step_seconds: float

    @property
    def identity(self) -> str:
        return quoted("id") if self.tables.topic.is_repeated else "''"


def history_reply(filepath: Path, request: HistoryRequest) -> HistoryReply:
    """The steps that a request asks for, read beside the writer.

    Raises:
        ProtocolError: when the request asks for what there is not, or for too much at once.
        DatabaseError: when the database cannot be read.
    """
    question = _checked(request)
    where, values = _conditions(question, request)
    with contextlib.closing(open_read_only(filepath)) as connection:
        connection.execute("BEGIN")
        series = {(s.entry_id, s.field): s for s in _values_before(connection, question, where, values)}
        _add_steps(connection, question, where, values, series)
    if len(series) * request.n_steps > MAX_STEPS_IN_ALL:
        raise ProtocolError(
            f"{len(series)} series of {request.n_steps} steps are more than {MAX_STEPS_IN_ALL} in all",
            "ask for fewer entries, fields or steps",
        )
    return HistoryReply(series=[series[key] for key in sorted(series)])


def _checked(request: HistoryRequest) -> _Question:
    tables = TABLES.get(request.topic)
    if tables is None:
        raise ProtocolError(f"there is no topic {request.topic}", f"topics are {', '.join(TOPICS)}")
    numbers = [column.name for column in tables.topic.columns if column.kind in _NUMBERS]
    unknown = [field for field in request.fields if field not in numbers]
    if unknown or not request.fields:
        what = f"has no number {', '.join(unknown)}" if unknown else "has many numbers, and none was asked for"
        raise ProtocolError(f"{request.topic} {what}", f"numbers are {', '.join(numbers)}")
    span = request.until - request.since
    if not (math.isfinite(span) and span > 0):
        raise ProtocolError("the history has no length", "until must be later than since, both in UTC seconds")
    if not 1 <= request.n_steps <= MAX_STEPS:
        raise ProtocolError(f"{request.n_steps} steps are not 1 to {MAX_STEPS}", "ask for as many as are drawn")
    return _Question(tables, tuple(request.fields), request.since, request.until, span / request.n_steps)


def _conditions(question: _Question, request: HistoryRequest) -> tuple[str, list[Any]]:
    conditions, values = ["machine_id = ?", f"event_type != {DELETE}"], [request.machine_id]
    if request.entry_ids and question.tables.topic.is_repeated:
        conditions.append(f"CAST(id AS TEXT) IN ({', '.join('?' * len(request.entry_ids))})")
        values += request.entry_ids
    return " AND ".join(conditions), values


def _values_before(
    connection: sqlite3.Connection, question: _Question, where: str, values: list[Any]
) -> Iterator[Series]:
    names = ", ".join(quoted(field) for field in question.fields)
    look_back = min(MAX_LOOK_BACK_SECONDS, question.until - question.since)
    # With max() alone, SQLite takes the other columns from the row that has it.
    rows = connection.execute(
        f"SELECT {question.identity}, max(timestamp), {names} FROM {quoted(question.tables.events.name)} "  # noqa: S608
        f"WHERE {where} AND timestamp >= ? AND timestamp < ? GROUP BY 1",
        [*values, question.since - look_back, question.since],
    )
    for identity, timestamp, *found in rows:
        if timestamp is None:
            continue
        for field, value in zip(question.fields, found, strict=True):
            if value is not None:
                yield Series(entry_id=str(identity), field=field, before=value)


def _add_steps(
    connection: sqlite3.Connection,
    question: _Question,
    where: str,
    values: list[Any],
    series: dict[tuple[str, str], Series],
) -> None:
    step = "CAST((timestamp - ?) / ? AS INTEGER)"
    source = (
        f"FROM {quoted(question.tables.events.name)} WHERE {where} AND timestamp >= ? AND timestamp < ? "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    arguments = [question.since, question.step_seconds, *values, question.since, question.until]
    sums = ", ".join(f"count({f}), min({f}), avg({f}), max({f})" for f in map(quoted, question.fields))
    names = ", ".join(quoted(field) for field in question.fields)
    summed = connection.execute(f"SELECT {question.identity}, {step}, {sums} {source}", arguments)
    newest = connection.execute(f"SELECT {question.identity}, {step}, max(timestamp), {names} {source}", arguments)
    for (identity, index, *numbers), (_, _, _, *last) in zip(summed, newest, strict=True):
        for place, field in enumerate(question.fields):
            n_events, least, mean, greatest = numbers[4 * place : 4 * place + 4]
            if not n_events:
                continue
            key = str(identity), field
            made = series.get(key)
            if made is None:
                made = series[key] = Series(entry_id=key[0], field=field)
            newest_value = last[place] if last[place] is not None else mean
            made.steps.add(index=index, least=least, mean=mean, greatest=greatest, last=newest_value, n_events=n_events)
