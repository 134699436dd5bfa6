"""SQL that people write themselves, read only."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chiatea.errors import ChiaTeaError, ConfigurationError
from chiatea.server.database.opening import open_read_only

__all__ = ["query"]

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "writefile", "edit"})


def query(filepath: Path, statement: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Runs one statement that reads.

    Returns:
        The columns' names, and the rows as they are read.

    Raises:
        ConfigurationError: when the statement is wrong or would do more than read.
        DatabaseError: when the database cannot be read.
    """
    connection = open_read_only(filepath)
    connection.set_authorizer(_authorize)
    try:
        cursor = connection.execute(statement)
    except (sqlite3.Error, sqlite3.Warning) as error:
        connection.close()
        if "not authorized" in str(error):
            raise ConfigurationError("this statement does more than read", "begin it with SELECT") from None
        raise ConfigurationError(f"SQL: {error}", "see the tables with `SELECT name FROM sqlite_schema`") from None
    if cursor.description is None:
        connection.close()
        raise ConfigurationError("this statement reads nothing", "begin it with SELECT")
    return [column[0] for column in cursor.description], _rows(connection, cursor)


def _rows(connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with contextlib.closing(connection):
        try:
            yield from cursor
        except sqlite3.Error as error:
            raise ChiaTeaError(f"reading the database failed: {error}") from None


def _authorize(action: int, name: str | None, detail: str | None, *_: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (detail or name or "").lower() in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
