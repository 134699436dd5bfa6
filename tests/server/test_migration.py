"""Another protocol changes the tables and keeps every row, and every value that both can hold."""

import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field
from hypothesis import given
from hypothesis import strategies as st

from chiatea.errors import DatabaseError
from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.descriptors import REPEATED
from chiatea.server.database import opening
from chiatea.server.database.conversion import converted, keeps_every_value, sql_type
from chiatea.server.database.database import Database
from chiatea.server.database.migration import apply, plan
from chiatea.server.database.query import query
from chiatea.server.database.stored_schema import StoredColumn, StoredSchema, StoredTopic, from_json, to_json
from chiatea.server.storage import batch_of

VALUES: dict[int, st.SearchStrategy[Any]] = {
    Field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    Field.TYPE_UINT32: st.integers(0, 2**32 - 1),
    Field.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    Field.TYPE_UINT64: st.integers(0, 2**64 - 1).map(lambda n: n if n < 2**63 else str(n)),
    Field.TYPE_DOUBLE: st.floats(allow_nan=False),
    Field.TYPE_BOOL: st.integers(0, 1),
    Field.TYPE_ENUM: st.integers(0, 5),
    Field.TYPE_STRING: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.integers().map(str),
    Field.TYPE_BYTES: st.binary(),
    Field.TYPE_STRING + REPEATED: st.lists(st.text("ab")).map(json.dumps),
}
TYPES = sorted(VALUES)
NAMES = ["alpha", "beta", "Gamma", "from", "{x}", 'quo"te', "delta", "id2"]


@st.composite
def topics(draw: st.DrawFn, number: int, name: str) -> StoredTopic:
    is_repeated = draw(st.booleans())
    numbers = draw(st.lists(st.integers(2, 9), unique=True, max_size=6))
    names = draw(st.permutations(NAMES))
    columns = [StoredColumn(n, draw(st.sampled_from(TYPES)), (k,)) for k, n in zip(numbers, names, strict=False)]
    if is_repeated:
        columns.insert(0, StoredColumn("id", Field.TYPE_STRING, (1,)))
    return StoredTopic(number, name, is_repeated, is_repeated, tuple(columns))


@st.composite
def schemas(draw: st.DrawFn) -> StoredSchema:
    numbers = draw(st.lists(st.integers(1, 4), unique=True, min_size=1, max_size=3))
    names = draw(st.permutations(["Disk", "Cpu", "Ram", "Wallet"]))
    return StoredSchema(tuple(draw(topics(k, n)) for k, n in zip(numbers, names, strict=False)), ())


def made(schema: StoredSchema) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for topic in schema.topics:
        columns = "".join(f', "{c.name.replace(chr(34), chr(34) * 2)}" {sql_type(c.type)}' for c in topic.columns)
        key = "machine_id, id" if topic.is_repeated else "machine_id"
        for table, keys in ((topic.name, key), (f"{topic.name}Events", "machine_id, timestamp")):
            connection.execute(
                f"CREATE TABLE {table} (machine_id TEXT NOT NULL, timestamp REAL NOT NULL{columns}, "
                f"PRIMARY KEY ({keys})) STRICT, WITHOUT ROWID"
            )
    return connection


def read(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY machine_id, timestamp")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@given(old=schemas(), new=schemas(), data=st.data())
def test_for_any_two_protocols_every_row_and_every_value_that_both_can_hold_is_kept(
    old: StoredSchema, new: StoredSchema, data: st.DataObject
) -> None:
    connection = made(old)
    rows: dict[int, list[dict[str, Any]]] = {}
    for topic in old.topics:
        rows[topic.number] = []
        for n in range(data.draw(st.integers(0, 3))):
            row: dict[str, Any] = {"machine_id": f"m{n}", "timestamp": float(n)}
            row |= {c.name: data.draw(st.none() | VALUES[c.type]) for c in topic.columns if c.name != "id"}
            if topic.is_repeated:
                row["id"] = f"e{n}"
            rows[topic.number].append(row)
            for table in (topic.name, f"{topic.name}Events"):
                marks = ", ".join("?" * len(row))
                names = ", ".join('"' + name.replace('"', '""') + '"' for name in row)
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
    connection.execute("BEGIN")
    apply(connection, plan(old, new))
    connection.execute("COMMIT")
    after = {topic.number: topic for topic in new.topics}
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for topic in old.topics:
        goal = after.get(topic.number)
        if goal is None or goal.is_repeated != topic.is_repeated:
            assert [*read(connection, f"Retired{topic.name}")] == rows[topic.number]
            continue
        by_number = {c.numbers: c for c in goal.columns}
        for table in (goal.name, f"{goal.name}Events"):
            assert table in tables
            kept = read(connection, table)
            assert len(kept) == len(rows[topic.number])
            for before, now in zip(rows[topic.number], kept, strict=True):
                assert now.keys() == {"machine_id", "timestamp", *(c.name for c in goal.columns)}
                for column in topic.columns:
                    successor = by_number.get(column.numbers)
                    if successor is None:
                        continue
                    value = before[column.name]
                    if column.type == successor.type:
                        assert now[successor.name] == value
                    else:
                        assert now[successor.name] == converted(value, column.type, successor.type)
    assert plan(new, new) == []


@pytest.mark.parametrize(
    ("value", "old", "new", "expected"),
    [
        (7, Field.TYPE_INT32, Field.TYPE_STRING, "7"),
        ("7", Field.TYPE_STRING, Field.TYPE_INT32, 7),
        ("007", Field.TYPE_STRING, Field.TYPE_INT32, None),
        ("seven", Field.TYPE_STRING, Field.TYPE_INT32, None),
        (2**40, Field.TYPE_INT64, Field.TYPE_INT32, None),
        (-1, Field.TYPE_INT32, Field.TYPE_UINT64, None),
        (5, Field.TYPE_INT32, Field.TYPE_BOOL, None),
        (1, Field.TYPE_INT32, Field.TYPE_BOOL, 1),
        (str(2**64 - 1), Field.TYPE_UINT64, Field.TYPE_INT64, None),
        (str(2**64 - 1), Field.TYPE_UINT64, Field.TYPE_STRING, str(2**64 - 1)),
        (2.0, Field.TYPE_DOUBLE, Field.TYPE_INT32, 2),
        (2.5, Field.TYPE_DOUBLE, Field.TYPE_INT32, None),
        (math.inf, Field.TYPE_DOUBLE, Field.TYPE_INT64, None),
        (2**53 + 1, Field.TYPE_INT64, Field.TYPE_DOUBLE, None),
        (3, Field.TYPE_INT64, Field.TYPE_DOUBLE, 3.0),
        ("0.5", Field.TYPE_STRING, Field.TYPE_DOUBLE, 0.5),
        ("ü", Field.TYPE_STRING, Field.TYPE_BYTES, "ü".encode()),
        (b"\xff", Field.TYPE_BYTES, Field.TYPE_STRING, None),
        (None, Field.TYPE_STRING, Field.TYPE_INT32, None),
    ],
)
def test_a_value_is_kept_exactly_or_not_told(value: Any, old: int, new: int, expected: Any) -> None:
    assert converted(value, old, new) == expected


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.data())
def test_a_column_that_may_stay_as_it_is_needs_no_conversion(old: int, new: int, data: st.DataObject) -> None:
    value = data.draw(VALUES[old])
    if keeps_every_value(old, new):
        assert converted(value, old, new) == value


@given(schemas())
def test_a_schema_is_read_back_as_it_was_kept(schema: StoredSchema) -> None:
    assert from_json(to_json(schema)) == schema


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"topics": [{"number": "x"}], "enums": []}'])
def test_a_damaged_schema_is_refused(text: str) -> None:
    with pytest.raises(DatabaseError):
        from_json(text)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A database as an older protocol made it: a column by another name, one missing, one of another type."""
    filepath = tmp_path / "farm.db"
    event = UpdateEvent(machine_id="m", timestamp=1.0, event_type=ADD)
    event.disk.id, event.disk.free_bytes, event.disk.device = "/a", 77, "/dev/sda"
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [event])], [])
    connection = sqlite3.connect(filepath, isolation_level=None)
    schema = from_json(connection.execute("SELECT value FROM ChiaTea WHERE key = 'schema'").fetchone()[0])
    topics = []
    for topic in schema.topics:
        columns = topic.columns
        if topic.name == "Disk":
            for (view,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
                connection.execute(f"DROP VIEW {view}")
            for table in ("Disk", "DiskEvents"):
                connection.execute(f"ALTER TABLE {table} RENAME COLUMN free_bytes TO space_left")
                connection.execute(f"ALTER TABLE {table} DROP COLUMN serial_number")
                connection.execute(f"ALTER TABLE {table} ADD COLUMN colour TEXT")
            columns = tuple(
                column._replace(name="space_left") if column.name == "free_bytes" else column
                for column in columns
                if column.name != "serial_number"
            )
            columns = (*columns, StoredColumn("colour", Field.TYPE_STRING, (999,)))
        topics.append(topic._replace(columns=columns))
    text = to_json(StoredSchema(tuple(topics), schema.enums))
    connection.execute("UPDATE ChiaTea SET value = ? WHERE key = 'schema'", (text,))
    connection.close()
    return filepath


def rows(filepath: Path, statement: str) -> list[tuple[Any, ...]]:
    return list(query(filepath, statement)[1])


def test_an_older_database_is_brought_up_after_a_backup(older: Path) -> None:
    announced = opening.pending_steps(older)
    with Database(older) as database:
        assert database.migrated == announced
        assert database.load().machine("m").of("disk")["/a"].message.free_bytes == 77  # type: ignore[attr-defined]
    assert announced == [
        "Disk.colour: dropped, as the protocol has it no more",
        "Disk.space_left: renamed to free_bytes",
        "Disk.serial_number: new",
    ]
    assert rows(older, "SELECT free_bytes, serial_number FROM DiskEventsNamed") == [(77, None)]
    (backup,) = older.parent.glob("farm.db.before-*")
    assert rows(backup, "SELECT space_left FROM Disk") == [(77,)]
    with Database(older) as database:
        assert database.migrated == []
    assert len(list(older.parent.glob("farm.db.before-*"))) == 1


def test_a_migration_that_fails_leaves_the_database_as_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(older, "SELECT * FROM Disk")

    def fail() -> list[str]:
        raise sqlite3.OperationalError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(opening, "create_statements", fail)
        with pytest.raises(DatabaseError, match="the power went"):
            Database(older)
    assert rows(older, "SELECT * FROM Disk") == before
    with Database(older) as database:
        assert len(database.migrated) == 3


def test_a_database_that_a_newer_version_changed_is_refused(older: Path) -> None:
    connection = sqlite3.connect(older)
    connection.execute("UPDATE ChiaTea SET value = '99.0.0' WHERE key = 'written_by'")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseError, match=r"newer chia-tea \(99\.0\.0\)"):
        Database(older)


def test_without_room_for_the_backup_nothing_is_changed(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DatabaseError, match="make space"):
        Database(older)
    assert rows(older, "SELECT space_left FROM Disk") == [(77,)]
