"""SQLite's errors as errors for a person."""

import sqlite3
from pathlib import Path
from typing import Final

from chiatea.errors import ConfigurationError, DatabaseError

__all__ = ["as_database_error"]

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


def as_database_error(filepath: Path, error: sqlite3.Error) -> ConfigurationError | DatabaseError:
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((hint for start, hint in _HINTS.items() if name.startswith(start)), "")
    kind = ConfigurationError if name.startswith(_OF_THE_PATH) else DatabaseError
    return kind(f"{filepath}: {error}", hint)
