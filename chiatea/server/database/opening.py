"""Which files are databases of chia-tea, and bringing one up to this protocol."""

import contextlib
import logging
import os
import re
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Final

from chiatea import __version__
from chiatea.errors import ConfigurationError, DatabaseError
from chiatea.server.database.migration import Step, apply, plan
from chiatea.server.database.schema import create_statements, current_schema, quoted
from chiatea.server.database.sqlite_errors import as_database_error
from chiatea.server.database.stored_schema import StoredSchema, from_json, to_json

__all__ = ["APPLICATION_ID", "bring_up_to_date", "check_kind", "open_read_only", "pending_steps", "written_by"]

_log = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x63746561  # "ctea": what `file` and SQLite call the kind of a database
LAYOUT_VERSION: Final = 1
"""Raised when the tables' keys or their meaning change, not when the protocol does."""


def check_kind(connection: sqlite3.Connection, filepath: Path) -> None:
    """Makes sure that a database is ours, or empty.

    Raises:
        ConfigurationError: when it is another program's.
        DatabaseError: when a newer chia-tea made it.
    """
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables and kind != APPLICATION_ID:
        raise ConfigurationError(
            f"{filepath}: is a database, but not of this chia-tea",
            "set monitoring.server.db_filepath to a new path",
        )
    if layout > LAYOUT_VERSION:
        raise _made_by_newer(filepath, f"layout {layout}")


def _made_by_newer(filepath: Path, what: str) -> DatabaseError:
    return DatabaseError(
        f"{filepath}: was made by a newer chia-tea ({what}), this one is {__version__}",
        "install that version or a newer one",
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _told(connection: sqlite3.Connection, key: str) -> str | None:
    try:
        row = connection.execute("SELECT value FROM ChiaTea WHERE key = ?", (key,)).fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row is not None else None


def written_by(connection: sqlite3.Connection) -> str | None:
    """The version of chia-tea that last changed the tables."""
    return _told(connection, "written_by")


def _stored_schema(connection: sqlite3.Connection, filepath: Path) -> StoredSchema | None:
    """What the database was made from; None for an empty one."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        return None
    text = _told(connection, "schema")
    if text is None:
        raise DatabaseError(f"{filepath}: does not say what its tables are", "put a backup in its place")
    return from_json(text)


def _steps(connection: sqlite3.Connection, filepath: Path) -> list[Step]:
    stored, current = _stored_schema(connection, filepath), current_schema()
    if stored is None or to_json(stored) == to_json(current):
        return []
    version = written_by(connection) or "0"
    if _release(version) > _release(__version__):
        raise _made_by_newer(filepath, version)
    # The enums alone may have changed: their tables are made anew each time.
    return plan(stored, current) or [Step("enums: named anew", lambda _: None)]


def bring_up_to_date(connection: sqlite3.Connection, filepath: Path) -> list[str]:
    """Makes the tables of an empty database, or changes those of an older one, all or nothing, after a backup.

    Returns:
        What was changed, in a person's words.

    Raises:
        DatabaseError: when it was made by a newer chia-tea, or there is no room for the backup.
    """
    stored = _stored_schema(connection, filepath)
    steps = _steps(connection, filepath)
    if stored is not None and not steps:
        return []
    descriptions = [step.description for step in steps if step.description]
    if steps:
        backup = _back_up(connection, filepath)
        _log.warning("%s is brought up to chia-tea %s; the old one is kept as %s", filepath, __version__, backup)
        for description in descriptions:
            _log.info("database: %s", description)
    connection.execute("BEGIN IMMEDIATE")
    try:
        apply(connection, steps)
        for name in set(stored.enums if stored is not None else ()):
            connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        for statement in create_statements():
            connection.execute(statement)
        connection.execute("CREATE TABLE IF NOT EXISTS ChiaTea (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
        for key, value in (("schema", to_json(current_schema())), ("written_by", __version__)):
            connection.execute("INSERT OR REPLACE INTO ChiaTea VALUES (?, ?)", (key, value))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return descriptions


def _back_up(connection: sqlite3.Connection, filepath: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    goal = filepath.with_name(f"{filepath.name}.before-{__version__}-{stamp}")
    log = filepath.with_name(filepath.name + "-wal")
    size = filepath.stat().st_size + (log.stat().st_size if log.exists() else 0)
    free = shutil.disk_usage(filepath.parent).free
    # The backup, and what the change itself writes before it is committed.
    if free < 2 * size:
        raise DatabaseError(
            f"{filepath}: must be brought up to this chia-tea, which takes {2 * size} bytes, and {free} are free",
            "make space on its disk",
        )
    temporary = goal.with_name(goal.name + ".part")
    temporary.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(temporary)) as copy:
        connection.backup(copy)
        # One file that can be copied anywhere.
        copy.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(goal)
    return goal


def pending_steps(filepath: Path) -> list[str]:
    """What opening a database would change, in a person's words; nothing is changed.

    Raises:
        DatabaseError: when it cannot be read, or a newer chia-tea made it.
    """
    with contextlib.closing(open_read_only(filepath)) as connection:
        check_kind(connection, filepath)
        return [step.description for step in _steps(connection, filepath) if step.description]


def open_read_only(filepath: Path, *, keeps_lists: bool = False) -> sqlite3.Connection:
    """A connection that can only read, also while the server writes.

    With `keeps_lists` it may be used by any thread, one at a time, and make temporary tables: those are in files of
    their own, which go with the connection.

    Raises:
        DatabaseError: when there is no such database.
    """
    if not filepath.is_file():
        raise DatabaseError(f"{filepath}: there is no such database", "`chia-tea serve` makes it")
    try:
        address = f"{filepath.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=not keeps_lists)
        if not keeps_lists:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise as_database_error(filepath, error) from None
    return connection
