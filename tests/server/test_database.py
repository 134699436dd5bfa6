"""The database keeps what it is given, once, whole and in order."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chiatea.errors import ChiaTeaError, ConfigurationError, DatabaseError
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.descriptors import TOPICS, ColumnKind, row_of
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.database import Database
from chiatea.server.database.opening import open_read_only
from chiatea.server.database.query import query
from chiatea.server.database.schema import TABLES
from chiatea.server.storage import batch_of


def disk_event(mount: str, timestamp: float, event_type: int = UPDATE, free_bytes: int = 1) -> UpdateEvent:
    event = UpdateEvent(machine_id="m", timestamp=timestamp, event_type=event_type)  # type: ignore[arg-type]
    event.disk.id = mount
    event.disk.free_bytes = free_bytes
    event.disk.state = Disk.OK
    return event


@pytest.fixture
def filepath(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "farm.db"


def rows(filepath: Path, statement: str) -> list[tuple[object, ...]]:
    return list(query(filepath, statement)[1])


def test_every_topic_has_a_state_table_an_event_table_and_named_views(filepath: Path) -> None:
    Database(filepath).close()
    names = {name for (name,) in rows(filepath, "SELECT name FROM sqlite_schema")}
    for topic in TOPICS.values():
        wanted = {topic.message_name, f"{topic.message_name}Events", f"{topic.message_name}Named"}
        assert wanted <= names
    assert rows(filepath, "SELECT name FROM DiskState WHERE number = 2") == [("HANGING",)]


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_an_entry_of_every_topic_comes_back_as_it_was(filepath: Path, name: str) -> None:
    topic = TOPICS[name]
    event = UpdateEvent(machine_id="m", timestamp=5.5, event_type=ADD)
    message = getattr(event, name)
    message.SetInParent()
    values = {
        ColumnKind.INTEGER: 2**31 - 1,
        ColumnKind.UNSIGNED: 2**64 - 1,
        ColumnKind.REAL: 0.1,
        ColumnKind.BOOLEAN: True,
        ColumnKind.ENUM: 1,
        ColumnKind.TEXT: "007 \x00 ü '; DROP TABLE Disk",
    }
    for column in topic.columns:
        if column.kind in values:
            setattr(message, column.name, values[column.kind])
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [event])], [])
    with Database(filepath) as database:
        held = database.load().machine("m").of(name)
    (entry,) = held.values()
    assert entry.message == message
    assert entry.timestamp == 5.5


def test_an_untold_value_is_null_and_a_zero_is_zero(filepath: Path) -> None:
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk_event("/a", 1.0, free_bytes=0)])], [])
    assert rows(filepath, "SELECT free_bytes, total_bytes FROM Disk") == [(0, None)]


def test_a_list_in_an_entry_is_kept(filepath: Path) -> None:
    event = UpdateEvent(machine_id="m", timestamp=1.0, event_type=ADD)
    event.copy_command.CopyFrom(CopyCommand(id="c", job_ids=["a", "b"]))
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [event])], [])
        entry = database.load().machine("m").of("copy_command")["c"]
    assert list(entry.message.job_ids) == ["a", "b"]  # type: ignore[attr-defined]
    assert rows(filepath, "SELECT json_extract(job_ids, '$[1]') FROM CopyCommand") == [("b",)]


def test_a_replayed_batch_changes_nothing(filepath: Path) -> None:
    batch = batch_of("m", 7, [disk_event("/a", 1.0, ADD), disk_event("/a", 2.0), disk_event("/a", 2.0)])
    with Database(filepath) as database:
        database.write([batch], [])
        once = rows(filepath, "SELECT * FROM DiskEvents")
        database.write([batch, batch], [])
    assert rows(filepath, "SELECT * FROM DiskEvents") == once
    assert len(once) == 3


def test_events_of_one_moment_do_not_collide(filepath: Path) -> None:
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk_event("/a", 1.0), disk_event("/b", 1.0)])], [])
        database.write([batch_of("m", 2, [disk_event("/a", 1.0)]), batch_of("n", 1, [disk_event("/a", 1.0)])], [])
    assert rows(filepath, "SELECT count(*) FROM DiskEvents") == [(4,)]


def test_a_late_event_is_history_and_leaves_newer_state_alone(filepath: Path) -> None:
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk_event("/a", 10.0, ADD, free_bytes=10)])], [])
        database.write([batch_of("m", 2, [disk_event("/a", 5.0, free_bytes=5)])], [])
        database.write([batch_of("m", 3, [disk_event("/a", 5.0, DELETE)])], [])
    assert rows(filepath, "SELECT free_bytes FROM Disk") == [(10,)]
    assert rows(filepath, "SELECT count(*) FROM DiskEvents") == [(3,)]


def test_a_deleted_entry_leaves_the_state_and_stays_in_history(filepath: Path) -> None:
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk_event("/a", 1.0, ADD), disk_event("/a", 2.0, DELETE)])], [])
    assert rows(filepath, "SELECT count(*) FROM Disk") == [(0,)]
    assert rows(filepath, "SELECT event_type FROM DiskEventsNamed ORDER BY timestamp") == [("ADD",), ("DELETE",)]


def test_what_the_server_knows_of_machines_is_kept_with_the_batch(filepath: Path) -> None:
    info = MachineInfo(machine_id="m", name="barn", last_sequence=4, online=True)
    with Database(filepath) as database:
        database.write([batch_of("m", 4, [disk_event("/a", 1.0)])], [info])
        assert database.load().infos["m"] == info
    assert rows(filepath, "SELECT machine_name, state FROM DiskNamed") == [("barn", "OK")]


def test_a_failed_write_stores_nothing(filepath: Path) -> None:
    bad = disk_event("/b", float("nan"))
    with Database(filepath) as database:
        with pytest.raises(DatabaseError):
            database.write([batch_of("m", 1, [disk_event("/a", 1.0), bad])], [MachineInfo(machine_id="m")])
        database.write([batch_of("m", 2, [disk_event("/c", 1.0)])], [])
    assert rows(filepath, "SELECT id FROM DiskEvents") == [("/c",)]
    assert rows(filepath, "SELECT count(*) FROM MachineInfo") == [(0,)]


def test_a_second_server_on_one_file_is_refused_until_the_first_is_gone(filepath: Path) -> None:
    first = Database(filepath)
    with pytest.raises(DatabaseError, match="another chia-tea server has it open"):
        Database(filepath)
    first.close()
    Database(filepath).close()


def test_the_lock_dies_with_its_process(filepath: Path) -> None:
    code = "import os, sys, pathlib; from chiatea.server.database.database import Database; "
    code += "d = Database(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    process = subprocess.run([sys.executable, "-c", code, str(filepath)], check=False)
    assert process.returncode == -9
    Database(filepath).close()


@pytest.mark.parametrize("content", [b"this is no database, but a text that is long enough\n" * 40, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        Database(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title)")
    connection.close()
    with pytest.raises(ConfigurationError, match="not of this chia-tea"):
        Database(path)


def test_a_database_of_a_newer_chia_tea_is_refused(filepath: Path) -> None:
    Database(filepath).close()
    connection = sqlite3.connect(filepath)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(DatabaseError, match="newer chia-tea"):
        Database(filepath)


def test_a_path_below_a_file_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        Database(tmp_path / "file" / "farm.db")
    assert caught.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError):
        Database(tmp_path / "farm.db")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM Disk",
        "INSERT INTO Disk (machine_id, timestamp, id) VALUES ('x', 1, 'y')",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = OFF",
        "SELECT load_extension('x')",
        "DROP TABLE Disk",
        "SELECT 1; DELETE FROM Disk",
        "VACUUM INTO 'copy.db'",
        "-- nothing",
        "SELECT nothing FROM nowhere",
    ],
)
def test_sql_can_only_read(filepath: Path, statement: str) -> None:
    with Database(filepath) as database:
        database.write([batch_of("m", 1, [disk_event("/a", 1.0)])], [])
    with pytest.raises(ChiaTeaError) as caught:
        rows(filepath, statement)
    assert caught.value.exit_code == 2
    assert rows(filepath, "SELECT count(*) FROM Disk") == [(1,)]


def test_reading_goes_on_beside_the_writer(filepath: Path) -> None:
    with Database(filepath) as database:
        reader = open_read_only(filepath)
        database.write([batch_of("m", 1, [disk_event("/a", 1.0)])], [])
        assert reader.execute("SELECT count(*) FROM Disk").fetchone() == (1,)
        reader.close()


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no such database"):
        open_read_only(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_table_columns_follow_the_protocol() -> None:
    for tables in TABLES.values():
        names = [name for name, _ in tables.state.columns]
        assert names == ["machine_id", "timestamp", *(column.name for column in tables.topic.columns)]
        assert len(row_of(tables.topic.message_class(), tables.topic.columns)) == len(tables.topic.columns)
