"""The plots in a target folder that rules of `copy.replace` would give up: looked at again and again."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chiatea.copier.plot_header import PlotHeader, name_fault, parse_plot_header
from chiatea.copier.replace_rules import ReplaceRule, plot_facts
from chiatea.copier.replacing import Candidate, OldPlot
from chiatea.copier.sources import read_first_bytes

__all__ = ["OldPlots"]


@dataclass(frozen=True, slots=True)
class _Looked:
    """A file's header, and what the file was when that was read; None: it is no plot, or not the one it is named."""

    identity: tuple[int, int, int]
    header: PlotHeader | None


class OldPlots:
    """Of one target folder. It remembers the headers that it has read."""

    def __init__(
        self,
        folder: Path,
        rules: Sequence[ReplaceRule],
        *,
        limit_seconds: float,
        wall_clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A folder that was not looked at yet.

        Args:
            folder: as configured; its own folders are not looked into.
            rules: by which old plots go.
            limit_seconds: how long one look reads headers: the rest is read in later ones.
            wall_clock: UTC seconds since the epoch.
            steady_clock: seconds that never jump.
        """
        self._folder = folder
        self._rules = rules
        self._limit_seconds = limit_seconds
        self._wall_clock = wall_clock
        self._steady_clock = steady_clock
        self._looked: dict[str, _Looked] = {}

    def look(self) -> tuple[Candidate, ...]:
        """Those that are there now, by name. It asks the disk and may hang with it.

        Raises:
            OSError: the folder cannot be read.
        """
        now, until = self._wall_clock(), self._steady_clock() + self._limit_seconds
        looked, self._looked = self._looked, {}
        found: list[Candidate] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                rules = self._rules_for(entry.name, status, now)
                # Of one that has another name elsewhere nothing would be given back.
                if not rules or not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                    continue
                identity = (status.st_size, status.st_mtime_ns, status.st_ino)
                seen = looked.get(entry.name)
                if seen is None or seen.identity != identity:
                    if self._steady_clock() > until:
                        continue
                    seen = _Looked(identity, self._header_of(entry.name, status.st_size))
                self._looked[entry.name] = seen
                if seen.header is not None:
                    found += self._candidates(entry.name, status, seen.header, now)
        return tuple(sorted(found, key=lambda candidate: candidate.plot.name))

    def _rules_for(self, name: str, status: os.stat_result, now: float) -> list[ReplaceRule]:
        """By which it may go, as far as that can be told without its header."""
        return [
            rule
            for rule in self._rules
            if rule.matches(plot_facts(name, rule.version, status.st_mtime_ns, status.st_ctime_ns), now)
        ]

    def _header_of(self, name: str, file_bytes: int) -> PlotHeader | None:
        try:
            header = parse_plot_header(read_first_bytes(self._folder / name), file_bytes)
        except OSError:
            return None
        return None if isinstance(header, str) or name_fault(header, name) else header

    def _candidates(self, name: str, status: os.stat_result, header: PlotHeader, now: float) -> list[Candidate]:
        facts = plot_facts(name, header.version, status.st_mtime_ns, status.st_ctime_ns)
        matching = tuple(rule for rule in self._rules if rule.matches(facts, now))
        plot = OldPlot(
            name=name,
            file_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            inode=status.st_ino,
            # Source: stat(2): st_blocks counts 512 bytes, whatever the file system's blocks are.
            taken_bytes=status.st_blocks * 512,
            plot_id=header.plot_id,
            made_time=facts.made_time,
        )
        return [Candidate(plot, matching)] if matching else []
