"""The one database of a server: opened once, written by one writer, read by many."""

import contextlib
import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from google.protobuf.message import Message

from chiatea.errors import ChiaTeaError, ConfigurationError, DatabaseError
from chiatea.protobuf.computer_info_pb2 import DELETE, NONE, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, Topic, filled_from_row
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.lock import FileLock
from chiatea.server.database.schema import (
    MACHINE_INFO_COLUMNS,
    MACHINE_INFO_TABLE,
    TABLES,
    create_statements,
    loaded_row,
    stored_row,
)
from chiatea.state.event_key import EventKey
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import Entry

__all__ = ["APPLICATION_ID", "LAYOUT_VERSION", "Batch", "Database", "batch_of", "open_read_only"]

APPLICATION_ID: Final = 0x63746561  # "ctea": what `file` and SQLite call the kind of a database
CACHE_KIBIBYTES: Final = 64 * 1024
CHECKPOINT_PAGES: Final = 16_000
LAYOUT_VERSION: Final = 1
"""Raised when the tables' keys or their meaning change, not when the protocol gets a field."""


Told = tuple[Topic, Message, UpdateEvent]
"""An event with its topic and the entry that it carries, looked up once."""
Newest = dict[EventKey, UpdateEvent]
"""Of each entry the event that decides its state."""


class Batch(NamedTuple):
    """Events of one machine that its reporter numbered together."""

    machine_id: str
    sequence: int
    told: Sequence[Told]


def batch_of(machine_id: str, sequence: int, events: Iterable[UpdateEvent], topics: Container[str] = TOPICS) -> Batch:
    """A batch of those events that say something of some topics."""
    told: list[Told] = []
    for event in events:
        name = event.WhichOneof("event_data")
        if name is not None and name in topics and event.event_type != NONE:
            told.append((TOPICS[name], getattr(event, name), event))
    return Batch(machine_id, sequence, told)


class Database:
    """The server's own connection. All calls come from one thread."""

    def __init__(self, filepath: Path) -> None:
        """Opens the database, or makes it.

        Raises:
            ConfigurationError: when the file cannot be opened or written, or is no database of this chia-tea.
            DatabaseError: when it was made by a newer one, is damaged, or another server has it open.
        """
        self.filepath = filepath
        try:
            filepath.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{filepath}: its folder cannot be made: {error.strerror}", "set monitoring.server.db_filepath"
            ) from None
        self._lock = FileLock(filepath.with_name(filepath.name + ".lock"))
        try:
            self._connection = self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self.filepath, isolation_level=None)
            self._check_kind(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            # Every commit is on the disk before it is acked.
            connection.execute("PRAGMA synchronous = FULL")
            # Events are clustered by machine, so each commit touches a page for every machine and topic: with SQLite's
            # own 2 MB cache and 4 MB log those were read and written again and again (70,000 instead of 110,000 rows
            # a second after 10^6 events of 100 machines).
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN IMMEDIATE")
            for statement in create_statements():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
            connection.execute("COMMIT")
        except (sqlite3.Error, ChiaTeaError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, ChiaTeaError):
                raise
            raise _as_database_error(self.filepath, error) from None
        return connection

    def _check_kind(self, connection: sqlite3.Connection) -> None:
        kind = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and kind != APPLICATION_ID:
            raise ConfigurationError(
                f"{self.filepath}: is a database, but not of this chia-tea",
                "set monitoring.server.db_filepath to a new path",
            )
        if version > LAYOUT_VERSION:
            raise DatabaseError(
                f"{self.filepath}: was made by a newer chia-tea (layout {version}, this one knows {LAYOUT_VERSION})",
                "install that version or a newer one",
            )

    def write(self, batches: Iterable[Batch], infos: Iterable[MachineInfo]) -> Newest:
        """Stores batches and what the server knows of machines, all or nothing, and durably.

        Returns:
            The events that decide the state of their entries.

        Raises:
            DatabaseError: nothing of it was stored; it may be tried again.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                newest = self._write_events(batches)
                self._connection.executemany(
                    MACHINE_INFO_TABLE.upsert, [stored_row(info, MACHINE_INFO_COLUMNS) for info in infos]
                )
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _as_database_error(self.filepath, error) from None
        return newest

    def _write_events(self, batches: Iterable[Batch]) -> Newest:
        rows: dict[str, list[tuple[Any, ...]]] = {}
        newest: dict[EventKey, tuple[UpdateEvent, list[Any]]] = {}
        for machine_id, sequence, told in batches:
            for position, (topic, message, event) in enumerate(told):
                name, timestamp = topic.name, event.timestamp
                data = TABLES[name].read(message)
                held_rows = rows.get(name)
                if held_rows is None:
                    held_rows = rows[name] = []
                held_rows.append((machine_id, timestamp, sequence, position, event.event_type, *data))
                key = (machine_id, name, topic.id_of(message))
                held = newest.get(key)
                if held is None or timestamp >= held[0].timestamp:
                    newest[key] = (event, data)
        for name, topic_rows in rows.items():
            self._connection.executemany(TABLES[name].events.insert, topic_rows)
        self._write_state(newest)
        return {key: event for key, (event, _) in newest.items()}

    def _write_state(self, newest: Mapping[EventKey, tuple[UpdateEvent, list[Any]]]) -> None:
        upserts: dict[str, list[tuple[Any, ...]]] = {}
        deletes: dict[str, list[tuple[Any, ...]]] = {}
        for (machine_id, name, identity), (event, data) in newest.items():
            if event.event_type == DELETE:
                key = (machine_id, identity) if TABLES[name].topic.is_repeated else (machine_id,)
                deletes.setdefault(name, []).append((*key, event.timestamp))
            else:
                upserts.setdefault(name, []).append((machine_id, event.timestamp, *data))
        for name, rows in upserts.items():
            self._connection.executemany(TABLES[name].upsert_state, rows)
        for name, rows in deletes.items():
            self._connection.executemany(TABLES[name].delete_state, rows)

    def load(self) -> FarmState:
        """The state of every machine as it was last committed.

        Raises:
            DatabaseError: when the database cannot be read.
        """
        farm = FarmState()
        try:
            for row in self._connection.execute(MACHINE_INFO_TABLE.select):
                info = MachineInfo()
                filled_from_row(info, MACHINE_INFO_COLUMNS, loaded_row(row, MACHINE_INFO_COLUMNS))
                farm.apply_info(info)
            for tables in TABLES.values():
                topic = tables.topic
                for machine_id, timestamp, *data in self._connection.execute(tables.state.select):
                    message = topic.message_class()
                    filled_from_row(message, topic.columns, loaded_row(tuple(data), topic.columns))
                    entries = farm.machine(machine_id).entries.setdefault(topic.name, {})
                    entries[topic.id_of(message)] = Entry(message, timestamp)
        except sqlite3.Error as error:
            raise _as_database_error(self.filepath, error) from None
        return farm

    def close(self) -> None:
        """Closes the file and lets others have it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA optimize")
        self._connection.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()


def open_read_only(filepath: Path) -> sqlite3.Connection:
    """A connection that can only read, also while the server writes.

    Raises:
        DatabaseError: when there is no such database.
    """
    if not filepath.is_file():
        raise DatabaseError(f"{filepath}: there is no such database", "`chia-tea serve` makes it")
    try:
        connection = sqlite3.connect(f"{filepath.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise _as_database_error(filepath, error) from None
    return connection


_HINTS: Final = {
    "SQLITE_CANTOPEN": "see whether its folder is there and may be written, or set monitoring.server.db_filepath",
    "SQLITE_READONLY": "make the file and its folder writable, or set monitoring.server.db_filepath",
    "SQLITE_PERM": "make the file and its folder writable, or set monitoring.server.db_filepath",
    "SQLITE_NOTADB": "it is no database: set monitoring.server.db_filepath to another path",
    "SQLITE_CORRUPT": "the file is damaged: put a backup in its place, or save what is left with "
    "`sqlite3 OLD .recover | sqlite3 NEW`",
    "SQLITE_FULL": "make space on its disk; it goes on by itself",
    "SQLITE_IOERR": "see what the system's log says of its disk",
    "SQLITE_BUSY": "another program has it locked",
}


_OF_THE_PATH: Final = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_NOTADB")


def _as_database_error(filepath: Path, error: sqlite3.Error) -> ConfigurationError | DatabaseError:
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((hint for start, hint in _HINTS.items() if name.startswith(start)), "")
    kind = ConfigurationError if name.startswith(_OF_THE_PATH) else DatabaseError
    return kind(f"{filepath}: {error}", hint)
