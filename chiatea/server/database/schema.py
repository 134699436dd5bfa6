"""The tables and statements of every topic, made from the protocol's descriptors.

For a topic `Disk` there are `Disk` (the state: one row an entry), `DiskEvents` (every event ever received) and the
view `DiskNamed`, which shows the names of enums instead of their numbers. Every enum has a table of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from google.protobuf.message import Message

from chiatea.protobuf.descriptors import (
    EVENT_TYPES,
    TOPICS,
    Column,
    ColumnKind,
    EnumTable,
    Topic,
    columns_of,
    enum_tables,
    row_reader,
)
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.conversion import sql_type
from chiatea.server.database.stored_schema import StoredSchema, schema_of

__all__ = [
    "MACHINE_INFO_COLUMNS",
    "MACHINE_INFO_TABLE",
    "TABLES",
    "Table",
    "TopicTables",
    "create_statements",
    "current_schema",
    "loaded_row",
    "quoted",
    "stored_row",
]

_LARGEST_INTEGER: Final = 2**63 - 1

_STATE_KEY: Final = (("machine_id", "TEXT"), ("timestamp", "REAL"))
_EVENT_KEY: Final = (
    ("machine_id", "TEXT"),
    ("timestamp", "REAL"),
    ("sequence", "INTEGER"),
    ("position", "INTEGER"),
    ("event_type", "INTEGER"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns with their SQL types, and its primary key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]

    @property
    def create(self) -> str:
        """The statement that makes it."""
        key = set(self.primary_key)
        columns = [f"{quoted(name)} {kind}{' NOT NULL' if name in key else ''}" for name, kind in self.columns]
        columns.append(f"PRIMARY KEY ({_names(self.primary_key)})")
        body = ",\n  ".join(columns)
        return f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} (\n  {body}\n) STRICT, WITHOUT ROWID"

    @property
    def insert(self) -> str:
        """Adds a row; a row that is there stays as it is, so that a replay changes nothing."""
        marks = ", ".join("?" * len(self.columns))
        names = _names(name for name, _ in self.columns)
        key = _names(self.primary_key)
        return f"INSERT INTO {quoted(self.name)} ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO NOTHING"  # noqa: S608

    @property
    def upsert(self) -> str:
        """Adds a row or replaces it."""
        names = [name for name, _ in self.columns]
        rest = [name for name in names if name not in self.primary_key]
        sets = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in rest)
        return (
            f"INSERT INTO {quoted(self.name)} ({_names(names)}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608
            f"ON CONFLICT ({_names(self.primary_key)}) DO UPDATE SET {sets}"
        )

    @property
    def select(self) -> str:
        """All columns in their order."""
        return f"SELECT {_names(name for name, _ in self.columns)} FROM {quoted(self.name)}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class TopicTables:
    """The tables of one topic, the statements that write and read them, and what makes an entry a row."""

    topic: Topic
    state: Table
    events: Table
    upsert_state: str
    delete_state: str
    read: Callable[[Any], list[Any]]


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _names(names: "Iterator[str] | tuple[str, ...] | list[str]") -> str:
    return ", ".join(quoted(name) for name in names)


def stored_row(message: Message, columns: tuple[Column, ...]) -> list[Any]:
    """A message's values as the database keeps them."""
    return _storing_reader(columns)(message)


@cache
def _storing_reader(columns: tuple[Column, ...]) -> Callable[[Any], list[Any]]:
    read = row_reader(columns)
    unsigned = [index for index, column in enumerate(columns) if column.kind is ColumnKind.UNSIGNED]
    if not unsigned:
        return read

    def read_unsigned(message: Any) -> list[Any]:
        row = read(message)
        for index in unsigned:
            if row[index] is not None and row[index] > _LARGEST_INTEGER:
                row[index] = str(row[index])
        return row

    return read_unsigned


def _topic_tables(topic: Topic) -> TopicTables:
    data = tuple((column.name, sql_type(column.type)) for column in topic.columns)
    reserved = {name for name, _ in _EVENT_KEY}
    if taken := reserved & {name for name, _ in data}:
        raise ValueError(f"{topic.message_name} may not have fields named {sorted(taken)}: the tables' keys have them")
    key = ("machine_id", "id") if topic.is_repeated else ("machine_id",)
    state = Table(topic.message_name, (*_STATE_KEY, *data), key)
    events = Table(
        f"{topic.message_name}Events", (*_EVENT_KEY, *data), ("machine_id", "timestamp", "sequence", "position")
    )
    where = " AND ".join(f"{quoted(name)} = ?" for name in key)
    return TopicTables(
        topic,
        state,
        events,
        # An event that is older than the row it touches leaves the row alone.
        upsert_state=f'{state.upsert} WHERE excluded."timestamp" >= {quoted(state.name)}."timestamp"',
        delete_state=f'DELETE FROM {quoted(state.name)} WHERE {where} AND "timestamp" <= ?',  # noqa: S608
        read=_storing_reader(topic.columns),
    )


TABLES: Final = {name: _topic_tables(topic) for name, topic in TOPICS.items()}
"""The tables of every topic, by the topic's name."""

MACHINE_INFO_COLUMNS: Final = columns_of(MachineInfo.DESCRIPTOR)
MACHINE_INFO_TABLE: Final = Table(
    MachineInfo.DESCRIPTOR.name,
    tuple((column.name, sql_type(column.type)) for column in MACHINE_INFO_COLUMNS),
    ("machine_id",),
)


def current_schema() -> StoredSchema:
    """What this protocol's tables are made from."""
    return schema_of(tuple(TOPICS.values()), MACHINE_INFO_COLUMNS)


def _enum_statements(enum: EnumTable) -> Iterator[str]:
    columns = '"number" INTEGER PRIMARY KEY, "name" TEXT NOT NULL'
    yield f"CREATE TABLE IF NOT EXISTS {quoted(enum.name)} ({columns}) STRICT"
    yield f"DELETE FROM {quoted(enum.name)}"  # noqa: S608
    for number, name in enum.values:
        yield f"INSERT OR REPLACE INTO {quoted(enum.name)} VALUES ({number}, '{name}')"  # noqa: S608


def _named_view(table: Table, topic: Topic) -> Iterator[str]:
    enums = {column.name: column.enum.name for column in topic.columns if column.enum}
    if "event_type" in dict(table.columns):
        enums["event_type"] = EVENT_TYPES.name
    shown = [
        f"coalesce((SELECT e.name FROM {quoted(enums[name])} e WHERE e.number = t.{quoted(name)}), "  # noqa: S608
        f"t.{quoted(name)}) AS {quoted(name)}"
        if name in enums
        else f"t.{quoted(name)}"
        for name, _ in table.columns
    ]
    machine = f"(SELECT m.name FROM {quoted(MACHINE_INFO_TABLE.name)} m WHERE m.machine_id = t.machine_id)"  # noqa: S608
    view = quoted(f"{table.name}Named")
    yield f"DROP VIEW IF EXISTS {view}"
    yield f"CREATE VIEW {view} AS SELECT {machine} AS machine_name, {', '.join(shown)} FROM {quoted(table.name)} t"  # noqa: S608


def create_statements() -> Iterator[str]:
    """Every statement that makes an empty database; what is there already stays, but for views and enums' names."""
    yield MACHINE_INFO_TABLE.create
    for tables in TABLES.values():
        yield tables.state.create
        yield tables.events.create
    for enum in enum_tables(TOPICS.values()).values():
        yield from _enum_statements(enum)
    for tables in TABLES.values():
        yield from _named_view(tables.state, tables.topic)
        yield from _named_view(tables.events, tables.topic)


def loaded_row(row: tuple[Any, ...], columns: tuple[Column, ...]) -> list[Any]:
    """What `stored_row` made, as values of a message."""
    return [
        int(value) if column.kind is ColumnKind.UNSIGNED and isinstance(value, str) else value
        for column, value in zip(columns, row, strict=True)
    ]
