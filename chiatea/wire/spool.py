"""What a reporter keeps on its own disk: batches that the server did not ack, and the state that the server has.

A SQLite file in the machine's state folder, bounded in size, holds what must survive an end of the reporter while the
server is away.
"""

import contextlib
import itertools
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from chiatea.errors import ConfigurationError
from chiatea.protobuf.descriptors import TOPICS, EntryId
from chiatea.protobuf.monitoring_service_pb2 import EventBatch
from chiatea.state.machine_state import Entry, MachineState

__all__ = ["Remembered", "Spool", "SpoolFailedError"]

_log = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS batch (
    sequence INTEGER PRIMARY KEY, is_provisional INTEGER NOT NULL, n_events INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entry (
    topic TEXT NOT NULL, id TEXT NOT NULL, timestamp REAL NOT NULL, data BLOB NOT NULL, PRIMARY KEY (topic, id)
) STRICT, WITHOUT ROWID;
"""
_ROWS_AT_ONCE: Final = 2000
_PAGES_GIVEN_BACK: Final = 2000


class SpoolFailedError(OSError):
    """The spool cannot be read or written now."""


class Remembered(NamedTuple):
    """One entry that the server has; None where it has it no more."""

    topic: str
    entry_id: EntryId
    entry: Entry | None


class Spool:
    """Batches by number, and the state that the server has. One call at a time, from any thread."""

    def __init__(self, filepath: Path, *, max_bytes: int) -> None:
        """Opens the file, or makes it. A damaged one is put aside, and a new one begun.

        Raises:
            ConfigurationError: it can be neither opened nor made.
        """
        self.filepath = filepath
        self.n_events = 0
        """Of all kept batches."""
        self.n_bytes = 0
        """That the kept batches take."""
        self.last_sequence = 0
        """The number of the newest kept batch; 0 where there is none."""
        self._max_bytes = max_bytes
        self._is_full = False
        try:
            filepath.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._opened()
        except (OSError, sqlite3.OperationalError) as error:
            raise ConfigurationError(f"{filepath}: {error}", "set machine.state_folder") from None

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            aside = self.filepath.with_name(f"{self.filepath.name}.damaged")
            _log.warning("spool=%s is damaged (%s): put aside as %s", self.filepath, error, aside.name)
            self.filepath.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.filepath.with_name(self.filepath.name + suffix).unlink(missing_ok=True)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.filepath, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may take the last moments: most of them Chia tells again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
            self._count(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _count(self, connection: sqlite3.Connection) -> None:
        self.n_events, self.n_bytes, self.last_sequence = connection.execute(
            "SELECT coalesce(sum(n_events), 0), coalesce(sum(length(data)), 0), coalesce(max(sequence), 0) FROM batch"
        ).fetchone()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise SpoolFailedError(0, str(error), str(self.filepath)) from None

    @property
    def fullness(self) -> float:
        """0 to 1: at 1 nothing more is kept."""
        return 1.0 if self._is_full else min(1.0, self.n_bytes / self._max_bytes)

    def add(self, batches: Sequence[EventBatch], *, is_provisional: bool) -> bool:
        """Keeps batches, all or none; False where the disk has no room for them.

        The numbers of provisional ones are not the server's yet: see `renumber`.
        """
        rows = [(batch.sequence, is_provisional, len(batch.events), batch.SerializeToString()) for batch in batches]
        try:
            with self._transaction() as connection:
                connection.executemany("INSERT INTO batch VALUES (?, ?, ?, ?)", rows)
                self._count(connection)
        except SpoolFailedError as error:
            if not self._is_full:
                _log.warning("spool=%s takes nothing more: %s", self.filepath, error.strerror)
            self._is_full = True
            return False
        self._is_full = False
        return True

    def after(self, sequence: int, *, limit: int = 16) -> list[EventBatch]:
        """The next batches after a number, in order."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT sequence, data FROM batch WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, limit)
            ).fetchall()
        batches = []
        for number, data in rows:
            batch = EventBatch()
            try:
                batch.ParseFromString(data)
            except DecodeError:
                _log.warning("spool=%s batch %d cannot be read and is left out", self.filepath, number)
                batch.Clear()
            batch.sequence = number
            batches.append(batch)
        return batches

    def drop(self, through: int) -> None:
        """Forgets the batches up to a number, and gives their space back.

        Provisional ones stay whatever their number: the server never had them.
        """
        with self._transaction() as connection:
            connection.execute("DELETE FROM batch WHERE sequence <= ? AND NOT is_provisional", (through,))
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_GIVEN_BACK})").fetchall()
            self._count(connection)
        self._is_full = False

    def renumber(self, last_sequence: int) -> None:
        """Gives provisional batches the numbers that follow `last_sequence` and those of all other kept ones."""
        with self._transaction() as connection:
            (newest,) = connection.execute(
                "SELECT coalesce(max(sequence), 0) FROM batch WHERE NOT is_provisional"
            ).fetchone()
            provisional = connection.execute(
                "SELECT sequence FROM batch WHERE is_provisional ORDER BY sequence"
            ).fetchall()
            # Out of the way first: the new numbers may be old ones of the same rows.
            connection.execute("UPDATE batch SET sequence = -sequence WHERE is_provisional")
            connection.executemany(
                "UPDATE batch SET sequence = ?, is_provisional = 0 WHERE sequence = ?",
                [(n, -row[0]) for n, row in enumerate(provisional, start=max(last_sequence, newest) + 1)],
            )
            self._count(connection)

    def remember(self, entries: Iterable[Remembered], *, is_all: bool = False) -> None:
        """Keeps what entries the server has; `is_all`: it has no others."""
        with self._transaction() as connection:
            if is_all:
                connection.execute("DELETE FROM entry")
            rest = iter(entries)
            while rows := list(itertools.islice(rest, _ROWS_AT_ONCE)):
                gone = [(row.topic, str(row.entry_id)) for row in rows if row.entry is None]
                kept = [
                    (row.topic, str(row.entry_id), row.entry.timestamp, row.entry.message.SerializeToString())
                    for row in rows
                    if row.entry is not None
                ]
                connection.executemany("DELETE FROM entry WHERE topic = ? AND id = ?", gone)
                connection.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)", kept)

    def remembered(self, state: MachineState) -> MachineState:
        """The state that the server had when it was last heard of, and what is kept for it on top, put in `state`."""
        with self._transaction() as connection:
            for name, timestamp, data in connection.execute("SELECT topic, timestamp, data FROM entry"):
                topic = TOPICS.get(name)
                if topic is None:
                    continue
                message = topic.message_class()
                with contextlib.suppress(DecodeError):
                    message.ParseFromString(data)
                    state.hold(topic, topic.id_of(message), Entry(message, timestamp))
        sequence = 0
        while batches := self.after(sequence):
            for batch in batches:
                for event in batch.events:
                    state.put(event)
            sequence = batches[-1].sequence
        return state

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()
