"""What is too old goes, in steps so small that nobody waits for one."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from chiatea.protobuf.computer_info_pb2 import UPDATE
from chiatea.server.database.schema import MACHINE_INFO_TABLE, TABLES, TopicTables, quoted
from chiatea.server.storage import KeepRule

__all__ = ["Retention"]

THINNED_TOPICS: Final = ("cpu", "cpu_core", "ram", "disk", "sensor", "network_interface", "process")
"""What changes all the time, and of which a value every few minutes tells the same after a week."""
PROGRESS_TOPICS: Final = ("copier", "copy_target", "copy_job")
PROGRESS_SECONDS: Final = 3600.0
"""How far a copy was is told twice a second, and an hour later only what became of it is of interest."""
ROWS_PER_STEP: Final = 1000
PAGES_PER_STEP: Final = 500
THIN_WINDOW_INTERVALS: Final = 12
"""Intervals that one step of thinning looks at."""


class Retention:
    """Walks through all event tables, machine by machine, again and again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Works on the writer's own connection, between its commits."""
        self._connection = connection
        self._todo: Iterator[int] | None = None

    def step(self, rule: KeepRule, now: float) -> int:
        """One small transaction; 0 when a whole round is done."""
        if self._todo is None:
            self._todo = self._round(rule, now)
        done = next(self._todo, 0)
        if done == 0:
            self._todo = None
        return done

    def _round(self, rule: KeepRule, now: float) -> Iterator[int]:
        """Every step of one round over everything; each yields what it did, at least 1."""
        machines = [row[0] for row in self._connection.execute(f"SELECT machine_id FROM {MACHINE_INFO_TABLE.name}")]  # noqa: S608
        for name, tables in TABLES.items():
            for machine_id in machines:
                yield from self._prune(tables, machine_id, now - rule.keep_seconds)
                if name in THINNED_TOPICS:
                    yield from self._thin(tables, machine_id, rule, now)
                elif name in PROGRESS_TOPICS:
                    sooner = rule._replace(thin_after_seconds=min(rule.thin_after_seconds, PROGRESS_SECONDS))
                    yield from self._thin(tables, machine_id, sooner, now)
        yield from self._give_back()

    def _prune(self, tables: TopicTables, machine_id: str, before: float) -> Iterator[int]:
        table = quoted(tables.events.name)
        while True:
            # The time of the last row of this step: rows of one time go together.
            row = self._connection.execute(
                f"SELECT timestamp FROM {table} WHERE machine_id = ? AND timestamp < ? "  # noqa: S608
                f"ORDER BY timestamp LIMIT 1 OFFSET {ROWS_PER_STEP - 1}",
                (machine_id, before),
            ).fetchone()
            if row is not None:
                end, compare = row[0], "<="
            else:
                end, compare = before, "<"
            gone = self._connection.execute(
                f"DELETE FROM {table} WHERE machine_id = ? AND timestamp {compare} ?",  # noqa: S608
                (machine_id, end),
            ).rowcount
            if gone:
                yield gone
            if row is None:
                return

    def _thin(self, tables: TopicTables, machine_id: str, rule: KeepRule, now: float) -> Iterator[int]:
        table, interval = quoted(tables.events.name), rule.thin_to_seconds
        key = f"thinned {tables.topic.number} {machine_id}"
        end = (now - rule.thin_after_seconds) // interval * interval
        oldest = self._connection.execute(
            f"SELECT min(timestamp) FROM {table} WHERE machine_id = ?",  # noqa: S608
            (machine_id,),
        ).fetchone()[0]
        if oldest is None:
            return
        marker = self._connection.execute("SELECT value FROM ChiaTea WHERE key = ?", (key,)).fetchone()
        start = max(float(marker[0]) if marker is not None else 0.0, oldest // interval * interval)
        identity = ", id" if tables.topic.is_repeated else ""
        within = f"machine_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 AND event_type = {UPDATE}"
        while start < end:
            until = min(end, start + THIN_WINDOW_INTERVALS * interval)
            # Of each entry and interval the last update stays; what came and went stays in any case.
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._connection.execute(
                f"DELETE FROM {table} WHERE {within} AND (timestamp, sequence, position) IN ("  # noqa: S608
                "SELECT timestamp, sequence, position FROM (SELECT timestamp, sequence, position, row_number() OVER ("
                f"PARTITION BY CAST(timestamp / ?4 AS INTEGER){identity} "
                "ORDER BY timestamp DESC, sequence DESC, position DESC) AS place "
                f"FROM {table} WHERE {within}) WHERE place > 1)",
                (machine_id, start, until, interval),
            ).rowcount
            start = until if gone else min(end, self._next_after(table, machine_id, until, interval))
            # How far it came is kept with what it did: the next round, after a restart too, begins there.
            self._connection.execute("INSERT OR REPLACE INTO ChiaTea VALUES (?, ?)", (key, repr(start)))
            self._connection.execute("COMMIT")
            yield max(gone, 1)

    def _next_after(self, table: str, machine_id: str, moment: float, interval: float) -> float:
        """Where the next events begin: hours without any are passed over."""
        row = self._connection.execute(
            f"SELECT min(timestamp) FROM {table} WHERE machine_id = ? AND timestamp >= ?",  # noqa: S608
            (machine_id, moment),
        ).fetchone()
        return float(row[0] // interval * interval) if row[0] is not None else float("inf")

    def _give_back(self) -> Iterator[int]:
        while True:
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            # Some room stays for what comes next: giving all of it back only to take it again is work for nothing.
            if free <= PAGES_PER_STEP:
                return
            self._connection.execute(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})").fetchall()
            left = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            if left >= free:
                return
            yield free - left
