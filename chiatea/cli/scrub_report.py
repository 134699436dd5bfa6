"""What a scrub says while it runs, and at its end: lines, a line on a terminal that is drawn anew, or JSON."""

import json
import logging
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import click

from chiatea.cli.copy_progress import fitted
from chiatea.copier.entries import path_text, scrub_finding
from chiatea.copier.known_plot import KnownPlot
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.scrub import Outcome, Scrubbed
from chiatea.copier.shown import shown
from chiatea.protobuf.descriptors import as_dict
from chiatea.units import format_bytes, short_duration

__all__ = ["ScrubReport"]

_log = logging.getLogger("chiatea.copier.scrub")

_CLEAR_LINE: Final = "\r\x1b[2K"
"""Source: ECMA-48, EL."""
_GOOD: Final = frozenset({Outcome.FINE, Outcome.ADOPTED})


class ScrubReport:
    """One scrub. Its methods are called by one thread at a time."""

    def __init__(
        self,
        known: KnownPlots,
        terminal: TextIO | None,
        n_chosen: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`n_chosen` plots are to be read at most; progress is drawn on `terminal`, where there is one."""
        self.n_chosen = n_chosen
        self.n_read = 0
        """All but those that could not be looked at."""
        self._known = known
        self._terminal = terminal
        self._clock = clock
        self._began_at = clock()
        self._n_bytes = 0
        self._results: list[Scrubbed] = []
        self._outcomes: Counter[Outcome] = Counter()
        self._not_read: set[tuple[Path, str]] = set()
        self._under_way: tuple[Path, float, int] | None = None

    @property
    def is_anything_wrong(self) -> bool:
        """With a plot, or with a look at one."""
        return any(outcome not in _GOOD for outcome in self._outcomes)

    def progress(self, path: Path, done_bytes: int, total_bytes: int) -> None:
        """How far one plot is read."""
        if self._terminal is None:
            return
        if self._under_way is None or self._under_way[0] != path:
            self._under_way = (path, self._clock(), done_bytes)
        _, began_at, first_byte = self._under_way
        share = 100 * done_bytes / total_bytes if total_bytes else 100
        facts = [f"{self.n_read + 1} of {self.n_chosen}", f"{share:3.0f} % of {format_bytes(total_bytes)}"]
        seconds = self._clock() - began_at
        if seconds > 1 and done_bytes > first_byte:
            speed = (done_bytes - first_byte) / seconds
            facts += [f"{format_bytes(speed)}/s", f"{short_duration((total_bytes - done_bytes) / speed)} left"]
        facts.append(shown(path.name))
        width = shutil.get_terminal_size().columns - 1
        self._terminal.write(_CLEAR_LINE + fitted("  ".join(facts), width))
        self._terminal.flush()

    def tell(self, result: Scrubbed, *, is_quiet: bool) -> None:
        """What came of a plot; `is_quiet`: to the log, and kept for the document at the end."""
        self._outcomes[result.outcome] += 1
        self._n_bytes += result.n_bytes
        if is_quiet:
            self._results.append(result)
        self.n_read += result.outcome is not Outcome.NOT_READ
        line = _line(result)
        is_good = result.outcome in _GOOD
        _log.log(logging.INFO if is_good else logging.WARNING, "%s", line)
        if result.outcome is Outcome.NOT_READ:
            # A disk that is away says so once, not for each of its plots.
            why = (result.path.parent, result.text)
            is_quiet |= why in self._not_read
            self._not_read.add(why)
        if not is_quiet and (result.outcome is not Outcome.FINE or result.was_found):
            self._clear()
            click.echo(line)

    def print_end(self, *, as_json: bool) -> None:
        """What it came to."""
        self._clear()
        sums = self._known.sums()
        if as_json:
            self._print_json({"plots": [_as_plain(result) for result in self._results]})
            return
        told = ", ".join(
            f"{self._outcomes[outcome]} {_WORDS[outcome]}" for outcome in Outcome if self._outcomes[outcome]
        )
        if self.n_read < self.n_chosen - self._outcomes[Outcome.NOT_READ]:
            told = f"{told or 'nothing was read'}, {self.n_chosen - self._outcomes.total()} left"
        took = short_duration(self._clock() - self._began_at)
        known = f"{sums.n_known} known" + (f", {sums.n_findings} of them with a finding" if sums.n_findings else "")
        click.echo(f"{told or 'nothing was read'}; {format_bytes(self._n_bytes)} in {took}; {known}")

    def print_plan(self, plots: Sequence[KnownPlot], new: Sequence[Path], rate: int, *, as_json: bool) -> None:
        """What would be read, in that order, and what was found so far."""
        chosen, fresh = plots[: self.n_chosen], new[: self.n_chosen]
        if as_json:
            plan = [{"filepath": path_text(plot.path), "read_time": plot.read_time or None} for plot in chosen]
            plan += [{"filepath": path_text(path), "read_time": None} for path in fresh]
            self._print_json({"would_read": plan})
            return
        now, found = time.time(), self._known.with_findings()
        for plot in chosen:
            last = f"read {short_duration(now - plot.read_time)} ago" if plot.read_time else "never read again"
            click.echo(f"{shown(plot.path)}: {format_bytes(plot.file_bytes)}, {last}")
        for path in fresh:
            click.echo(f"{shown(path)}: {format_bytes(_size(path))}, new")
        for plot in found:
            if plot.finding is not None:
                ago = short_duration(now - plot.finding.found_time)
                state = plot.finding.state.lower()
                click.echo(f"{shown(plot.path)}: {state}, found {ago} ago: {plot.finding.text}")
        n_bytes = sum(plot.file_bytes for plot in chosen) + sum(_size(path) for path in fresh)
        took = f", {short_duration(n_bytes / rate)} at {format_bytes(rate)}/s" if rate else ""
        click.echo(f"{len(chosen) + len(fresh)} to read, {format_bytes(n_bytes)}{took}; {len(found)} findings")

    def _print_json(self, document: dict[str, Any]) -> None:
        found, sums = self._known.with_findings(), self._known.sums()
        document["findings"] = [as_dict(scrub_finding(plot, plot.finding)) for plot in found if plot.finding]
        document["sums"] = {
            "n_known_hashes": sums.n_known,
            "n_scrubbed": sums.n_scrubbed,
            "last_scrub_time": sums.last_scrub_time,
            "n_findings": sums.n_findings,
        }
        json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")

    def _clear(self) -> None:
        if self._terminal is not None:
            self._terminal.write(_CLEAR_LINE)
            self._terminal.flush()


_WORDS: Final = {
    Outcome.FINE: "fine",
    Outcome.ADOPTED: "adopted",
    Outcome.ROTTEN: "rotten",
    Outcome.UNREADABLE: "unreadable",
    Outcome.MISSING: "missing",
    Outcome.CHANGED: "changed",
    Outcome.NOT_READ: "could not be looked at",
}


def _line(result: Scrubbed) -> str:
    name, speed = shown(result.path), f"{format_bytes(result.n_bytes)} in {short_duration(result.seconds)}"
    doubt = "" if result.is_from_device else ", from memory perhaps"
    match result.outcome:
        case Outcome.FINE:
            return f"{name}: is fine{' again' if result.was_found else ''}: {speed}{doubt}"
        case Outcome.ADOPTED:
            return f"{name}: adopted: {speed}{doubt}, hash {result.found_hash}"
        case Outcome.NOT_READ:
            return f"{name}: {result.text}"
        case outcome:
            return f"{name}: {_WORDS[outcome]}: {result.text}"


def _as_plain(result: Scrubbed) -> dict[str, Any]:
    return {
        "filepath": path_text(result.path),
        "state": result.outcome.value,
        "text": result.text or None,
        "read_bytes": result.n_bytes,
        "expected_hash": result.expected_hash or None,
        "found_hash": result.found_hash or None,
        "seconds": result.seconds,
        "read_from_device": result.is_from_device,
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
