"""The one database of a server: opened once, written by one writer, read by many."""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from chiatea.errors import ChiaTeaError, ConfigurationError
from chiatea.protobuf.computer_info_pb2 import DELETE, UpdateEvent
from chiatea.protobuf.descriptors import filled_from_row
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.lock import FileLock
from chiatea.server.database.opening import bring_up_to_date, check_kind
from chiatea.server.database.retention import Retention
from chiatea.server.database.schema import (
    MACHINE_INFO_COLUMNS,
    MACHINE_INFO_TABLE,
    TABLES,
    loaded_row,
    stored_row,
)
from chiatea.server.database.sqlite_errors import as_database_error
from chiatea.server.storage import Batch, KeepRule, Newest
from chiatea.state.event_key import EventKey
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import Entry

__all__ = ["Database"]

_AS_IT_IS: Final[dict[None, None]] = {}
# Without these, sqlite3 looks in vain for an adapter of each None and each bool that it is given: 330 ns for each
# (Python 3.11), which was half of the time that rows of many untold columns take.
sqlite3.register_adapter(type(None), _AS_IT_IS.get)
sqlite3.register_adapter(bool, int)

CACHE_KIBIBYTES: Final = 64 * 1024
CHECKPOINT_PAGES: Final = 16_000


class Database:
    """The server's own connection. All calls come from one thread."""

    def __init__(self, filepath: Path, *, durability: Literal["full", "normal"] = "full") -> None:
        """Opens the database, or makes it; an older one is brought up to this protocol first.

        Raises:
            ConfigurationError: when the file cannot be opened or written, or is no database of this chia-tea.
            DatabaseError: when it was made by a newer one, is damaged, or another server has it open.
        """
        self.filepath = filepath
        self._durability = durability
        self.migrated: list[str] = []
        """What opening it had to change, in a person's words."""
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
        self._retention = Retention(self._connection)

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self.filepath, isolation_level=None)
            check_kind(connection, self.filepath)
            # Takes effect while there is no table yet: pages that are freed can be given back in small steps.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: every commit is on the disk before it is acked.
            connection.execute(f"PRAGMA synchronous = {self._durability.upper()}")
            # Events are clustered by machine, so each commit touches a page for every machine and topic: with SQLite's
            # own 2 MB cache and 4 MB log those were read and written again and again (70,000 instead of 110,000 rows
            # a second after 10^6 events of 100 machines).
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA trusted_schema = OFF")
            self.migrated = bring_up_to_date(connection, self.filepath)
        except (sqlite3.Error, ChiaTeaError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, ChiaTeaError):
                raise
            raise as_database_error(self.filepath, error) from None
        return connection

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
            raise as_database_error(self.filepath, error) from None
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
            raise as_database_error(self.filepath, error) from None
        return farm

    def tidy(self, rule: KeepRule, now: float) -> int:
        """Does one small step of what a rule asks for.

        Returns:
            How many rows it looked at or pages it gave back; 0 when all is done for now.

        Raises:
            DatabaseError: nothing was changed; it may be tried again.
        """
        try:
            return self._retention.step(rule, now)
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise as_database_error(self.filepath, error) from None

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
