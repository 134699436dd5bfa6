"""What a database holds, in numbers."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from chiatea.server.database.opening import open_read_only, pending_steps, written_by
from chiatea.server.database.schema import MACHINE_INFO_TABLE, TABLES, quoted

__all__ = ["overview"]


def overview(filepath: Path) -> dict[str, Any]:
    """File, size in bytes, version, pending changes, and rows by topic; a topic without tables yet has none.

    Raises:
        DatabaseError: when it cannot be read.
    """
    pending = pending_steps(filepath)
    log = filepath.with_name(filepath.name + "-wal")
    with contextlib.closing(open_read_only(filepath)) as connection:
        return {
            "filepath": str(filepath),
            "bytes": filepath.stat().st_size + (log.stat().st_size if log.exists() else 0),
            "written_by": written_by(connection),
            "pending": pending,
            "n_machines": _count(connection, MACHINE_INFO_TABLE.name),
            "topics": [
                {
                    "name": tables.state.name,
                    "n_entries": _count(connection, tables.state.name),
                    "n_events": _count(connection, tables.events.name),
                    "oldest_event": _oldest(connection, tables.events.name),
                }
                for tables in TABLES.values()
            ],
        }


def _count(connection: sqlite3.Connection, table: str) -> int:
    try:
        return int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])  # noqa: S608
    except sqlite3.OperationalError:
        return 0


def _oldest(connection: sqlite3.Connection, table: str) -> float | None:
    """By machine, as the key begins with it: one step of the tree for each instead of a walk through all rows."""
    try:
        row = connection.execute(
            f"SELECT min((SELECT min(timestamp) FROM {quoted(table)} e WHERE e.machine_id = m.machine_id)) "  # noqa: S608
            f"FROM {quoted(MACHINE_INFO_TABLE.name)} m"
        ).fetchone()
    except sqlite3.OperationalError:
        return None
    return float(row[0]) if row[0] is not None else None
