"""The hashes of plots, on the disk: of each that was moved, or adopted, so that a scrub can say what became of it.

One SQLite file beside the journal. A plot's row holds what is needed to tell whether the file is still that plot; the
hashes of its blocks, 26 KB for 100 GiB, stand in a table of their own, so that many plots are counted and put in order
without them. Workers write to it, scrubs read and write, a copier that reports looks: each call is one transaction.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from chiatea.copier.block_hashes import HASH_BYTES
from chiatea.copier.known_plot import Finding, FindingState, KnownPlot
from chiatea.copier.shown import shown
from chiatea.errors import DatabaseError

__all__ = ["DamagedError", "KnownPlots", "Sums", "keep_plot"]

_log = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE plot (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, file_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    is_on_root INTEGER NOT NULL, hash TEXT NOT NULL, kept_time REAL NOT NULL, read_time REAL NOT NULL,
    scrubbed_time REAL, finding TEXT, found_time REAL, found_hash TEXT, finding_text TEXT
) STRICT;
CREATE INDEX plot_by_read_time ON plot (read_time);
CREATE INDEX plot_by_scrubbed_time ON plot (scrubbed_time);
CREATE INDEX plot_with_finding ON plot (found_time) WHERE finding IS NOT NULL;
CREATE TABLE blocks (
    plot INTEGER PRIMARY KEY REFERENCES plot ON DELETE CASCADE, hashes BLOB NOT NULL
) STRICT;
CREATE TABLE reading (
    path BLOB PRIMARY KEY, file_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, began_time REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE reading_block (
    path BLOB NOT NULL REFERENCES reading ON DELETE CASCADE, number INTEGER NOT NULL, hash BLOB, fault TEXT,
    PRIMARY KEY (path, number)
) STRICT, WITHOUT ROWID;
"""
_SELECT: Final = (
    "SELECT path, file_bytes, mtime_ns, is_on_root, hash, kept_time, read_time, scrubbed_time, "
    "finding, found_time, found_hash, finding_text FROM plot WHERE "
)
_BUSY_SECONDS: Final = 30.0
"""Others hold the file for some milliseconds."""
_PATHS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Sums:
    """What all known plots come to."""

    n_known: int = 0
    n_scrubbed: int = 0
    last_scrub_time: float | None = None
    n_findings: int = 0


class DamagedError(DatabaseError):
    """The file is no database any more."""


def keep_plot(filepath: Path, plot: KnownPlot, blocks: Sequence[bytes], *, instead_of: Path) -> None:
    """Keeps a plot that was moved; when this returns, that is durable. A damaged file is put aside, and one begun anew:
    plots must move on.

    Raises:
        DatabaseError: it cannot be written.
    """
    inode = _inode(filepath)
    try:
        with KnownPlots(filepath) as known:
            known.keep(plot, blocks, instead_of=instead_of)
    except DamagedError as error:
        if _inode(filepath) == inode:  # else another worker did so a moment ago
            aside = filepath.with_name(f"{filepath.name}.damaged")
            _log.warning("%s: the hashes that it holds are put aside as %s", error, aside.name)
            filepath.replace(aside)
            filepath.with_name(f"{filepath.name}-journal").unlink(missing_ok=True)
        with KnownPlots(filepath) as known:
            known.keep(plot, blocks, instead_of=instead_of)


def _inode(filepath: Path) -> int | None:
    try:
        return filepath.stat().st_ino
    except OSError:
        return None


class KnownPlots:
    """The file, open. One call at a time, from any thread; any number of processes."""

    def __init__(self, filepath: Path, *, must_exist: bool = False) -> None:
        """Opens it, or makes it.

        Raises:
            DatabaseError: that cannot be done.
        """
        self.filepath = filepath
        mode = "rw" if must_exist else "rwc"
        with self._told():
            if not must_exist:
                filepath.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                f"{filepath.absolute().as_uri()}?mode={mode}",
                uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS,
            )  # fmt: skip
            try:
                # What is kept is durable when the journal's file is gone, and that is durable too: without EXTRA a
                # power cut could bring that file back, and with it undo a record whose plot has left its source.
                self._connection.execute("PRAGMA synchronous = EXTRA")
                self._connection.execute("PRAGMA foreign_keys = ON")
                if not must_exist and self._is_empty():
                    with self._transaction() as connection:
                        if self._is_empty():  # still: another worker may have made its tables
                            for statement in _SCHEMA.split(";\n"):
                                connection.execute(statement)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> "KnownPlots":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def _is_empty(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) = 0 FROM sqlite_schema").fetchone()[0])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            text = f"{shown(self.filepath)}: {error}"
            if type(error) is sqlite3.DatabaseError:
                raise DamagedError(text, "move it away; `chia-tea copy scrub --adopt` takes hashes anew") from None
            raise DatabaseError(text, "is there space where chia-tea keeps its state?") from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return self._connection.execute(statement, values).fetchall()

    def keep(self, plot: KnownPlot, blocks: Sequence[bytes], *, instead_of: Path | None = None) -> None:
        """Keeps a plot and the hashes of its blocks, durably, in place of what was kept of its path, and of another
        path that it was moved from.
        """
        with self._transaction() as connection:
            for path in {plot.path, instead_of or plot.path}:
                connection.execute("DELETE FROM plot WHERE path = ?", (os.fsencode(path),))
                connection.execute("DELETE FROM reading WHERE path = ?", (os.fsencode(path),))
            row = connection.execute(
                "INSERT INTO plot VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(plot)
            ).lastrowid
            connection.execute("INSERT INTO blocks VALUES (?, ?)", (row, b"".join(blocks)))

    def keep_scrubbed(self, before: KnownPlot, after: KnownPlot) -> bool:
        """Keeps what a scrub found of a plot, unless it was kept anew or forgotten meanwhile: then False."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM reading WHERE path = ?", (os.fsencode(after.path),))
            changed = connection.execute(
                "UPDATE plot SET mtime_ns = ?, read_time = ?, scrubbed_time = ?, finding = ?, found_time = ?, "
                "found_hash = ?, finding_text = ? WHERE path = ? AND kept_time = ? AND hash = ?",
                (after.mtime_ns, *_row(after)[6:], os.fsencode(after.path), before.kept_time, before.hash),
            )
            return changed.rowcount > 0

    def plot(self, path: Path) -> KnownPlot | None:
        """What is known of a path."""
        rows = self._rows(f"{_SELECT} path = ?", (os.fsencode(path),))
        return _plot(rows[0]) if rows else None

    def blocks(self, path: Path) -> tuple[bytes, ...]:
        """The hashes of a known plot's blocks; none of one that is not known."""
        rows = self._rows("SELECT hashes FROM plot JOIN blocks ON plot = id WHERE path = ?", (os.fsencode(path),))
        hashes: bytes = rows[0][0] if rows else b""
        return tuple(hashes[place : place + HASH_BYTES] for place in range(0, len(hashes), HASH_BYTES))

    def plots(self, below: Sequence[Path] = (), *, read_before: float | None = None) -> list[KnownPlot]:
        """Those that a path names or that lie below it, or all where none is named: what was read longest ago, or only
        in part by a scrub that was ended, comes first.
        """
        places, values = _places(below)
        if read_before is not None:
            places, values = f"{places} AND read_time < ?", [*values, read_before]
        order = "path IN (SELECT path FROM reading) DESC, read_time, path"
        rows = self._rows(f"{_SELECT} {places} ORDER BY {order}", values)
        return [_plot(row) for row in rows]

    def folders(self) -> list[Path]:
        """The folders that known plots lie in."""
        return sorted({Path(os.fsdecode(path)).parent for (path,) in self._rows("SELECT path FROM plot")})

    def with_findings(self, limit: int = -1) -> list[KnownPlot]:
        """Those with which something is wrong, the newest finding first."""
        rows = self._rows(f"{_SELECT} finding IS NOT NULL ORDER BY found_time DESC, path LIMIT ?", (limit,))
        return [_plot(row) for row in rows]

    def forget(self, paths: Sequence[Path]) -> None:
        """Forgets plots, durably."""
        with self._transaction() as connection:
            for place in range(0, len(paths), _PATHS_AT_ONCE):
                some = [(os.fsencode(path),) for path in paths[place : place + _PATHS_AT_ONCE]]
                connection.executemany("DELETE FROM plot WHERE path = ?", some)
                connection.executemany("DELETE FROM reading WHERE path = ?", some)

    def sums(self) -> Sums:
        """How many there are."""
        n_known, n_scrubbed, last, n_findings = self._rows(
            "SELECT (SELECT count(*) FROM plot), (SELECT count(*) FROM plot WHERE scrubbed_time IS NOT NULL), "
            "(SELECT max(scrubbed_time) FROM plot), (SELECT count(*) FROM plot WHERE finding IS NOT NULL)"
        )[0]
        return Sums(n_known, n_scrubbed, last, n_findings)

    def begun_reading(
        self, path: Path, file_bytes: int, mtime_ns: int, *, now: float, longest_seconds: float
    ) -> list[bytes | str]:
        """What a reading of this very file that was left off has read: of each block its hash, or why it cannot be
        read. One that began too long ago, or of what the file was before, begins anew.
        """
        key = os.fsencode(path)
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM reading WHERE path = ? AND (file_bytes <> ? OR mtime_ns <> ? OR began_time < ?)",
                (key, file_bytes, mtime_ns, now - longest_seconds),
            )
            connection.execute("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", (key, file_bytes, mtime_ns, now))
            rows = connection.execute(
                "SELECT hash, fault FROM reading_block WHERE path = ? ORDER BY number", (key,)
            ).fetchall()
        return [block_hash if block_hash is not None else fault for block_hash, fault in rows]

    def keep_reading(self, path: Path, first: int, blocks: Sequence[bytes | str]) -> None:
        """Adds blocks to a reading that may be left off."""
        key = os.fsencode(path)
        rows = [
            (key, number, block if isinstance(block, bytes) else None, block if isinstance(block, str) else None)
            for number, block in enumerate(blocks, start=first)
        ]
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM reading WHERE path = ?", (key,)).fetchone():
                connection.executemany("INSERT OR REPLACE INTO reading_block VALUES (?, ?, ?, ?)", rows)

    def end_reading(self, path: Path) -> None:
        """Forgets how far a reading came."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM reading WHERE path = ?", (os.fsencode(path),))


def _places(below: Sequence[Path]) -> tuple[str, list[Any]]:
    """What stands below a folder begins with its path and "/": in the order of bytes, up to "0", the next letter."""
    if not below:
        return "1", []
    values: list[Any] = []
    for path in below:
        name = os.fsencode(path)
        values += [name, name.rstrip(b"/") + b"/", name.rstrip(b"/") + b"0"]
    return f"({' OR '.join(['path = ? OR path > ? AND path < ?'] * len(below))})", values


def _row(plot: KnownPlot) -> tuple[Any, ...]:
    finding = plot.finding
    return (
        os.fsencode(plot.path), plot.file_bytes, plot.mtime_ns, plot.is_on_root, plot.hash, plot.kept_time,
        plot.read_time, plot.scrubbed_time,
        finding and finding.state.value, finding and finding.found_time, finding and finding.found_hash,
        finding and finding.text,
    )  # fmt: skip


def _plot(row: Sequence[Any]) -> KnownPlot:
    path, file_bytes, mtime_ns, is_on_root, plot_hash, kept_time, read_time, scrubbed_time, *found = row
    plot = KnownPlot(
        Path(os.fsdecode(path)), file_bytes, mtime_ns, bool(is_on_root), plot_hash, kept_time, read_time, scrubbed_time
    )
    state, found_time, found_hash, text = found
    return plot if state is None else replace(plot, finding=Finding(FindingState(state), text, found_time, found_hash))
