"""`chia-tea copy scrub`: moved plots are read again, and are what was moved or are told of.

It runs beside a copier, and beside other scrubs: nothing of a plot is locked but its name among scrubs, so that two of
them never read one plot. What is read is not left in the page cache. How far a plot is read outlives the process.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chiatea.copier.block_hashes import whole_file_hash
from chiatea.copier.control import Control, LeftOffError
from chiatea.copier.known_plot import Finding, KnownPlot
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.locks import name_locked
from chiatea.copier.plot_file import FaultError, NotReadError, PlotFile
from chiatea.copier.plot_header import HEADER_BYTES, name_fault, parse_plot_header
from chiatea.copier.plot_reading import PlotReading
from chiatea.copier.scrub_verdict import judged, scrubbed
from chiatea.copier.steps import Geometry
from chiatea.copier.system_calls import System

__all__ = ["Outcome", "Scrub", "Scrubbed"]


class Outcome(StrEnum):
    """What came of one plot; beside what is found, as in `FindingState`."""

    FINE = "FINE"
    ADOPTED = "ADOPTED"
    ROTTEN = "ROTTEN"
    UNREADABLE = "UNREADABLE"
    MISSING = "MISSING"
    CHANGED = "CHANGED"
    NOT_READ = "NOT_READ"


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One plot that was looked at.

    Attributes:
        path: The plot's.
        outcome: What came of it.
        text: What is wrong with it, or why it was not read; "" where it is fine.
        n_bytes: Its size, where it was read.
        expected_hash: As it was moved; "" where it was not known.
        found_hash: As it is, where it was read whole.
        seconds: How long that took this process.
        is_from_device: False where it could not be dropped from memory, so that memory may be what was read.
        was_found: There was a finding before.
    """

    path: Path
    outcome: Outcome
    text: str = ""
    n_bytes: int = 0
    expected_hash: str = ""
    found_hash: str = ""
    seconds: float = 0.0
    is_from_device: bool = True
    was_found: bool = False


class Scrub:
    """Reads plots again, or for the first time."""

    def __init__(
        self,
        known: KnownPlots,
        lock_filepath: Path,
        control: Control,
        report: Callable[[Path, int, int], None] = lambda *_: None,
        *,
        system: System | None = None,
        geometry: Geometry | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`control` limits its speed and ends it, from another thread; `report` is as in `PlotReading`."""
        self._known = known
        self._lock_filepath = lock_filepath
        self._system = system or System()
        self._geometry = geometry or Geometry()
        self._wall_clock = wall_clock
        self._clock = clock
        self._reading = PlotReading(
            known, control, report,
            system=self._system, geometry=self._geometry, wall_clock=wall_clock, clock=clock,
        )  # fmt: skip

    def again(self, plots: Iterable[KnownPlot]) -> Iterator[Scrubbed]:
        """Reads known plots; ends early when it is told to. Those that another scrub reads or has just read, or that
        were moved or forgotten meanwhile, are left out.

        Raises:
            DatabaseError: what was found cannot be kept.
        """
        with contextlib.suppress(LeftOffError):
            for plot in plots:
                with name_locked(self._lock_filepath, os.fsencode(plot.path)) as is_ours:
                    now = self._known.plot(plot.path) if is_ours else None
                    if now is not None and now.scrubbed_time == plot.scrubbed_time:
                        yield self._again(now)

    def _again(self, plot: KnownPlot) -> Scrubbed:
        began = self._clock()
        try:
            after = self._looked_at(plot)
        except NotReadError as error:
            return Scrubbed(plot.path, Outcome.NOT_READ, str(error), expected_hash=plot.hash)
        if not self._known.keep_scrubbed(plot, after):
            text = "was moved or forgotten while it was read"
            return Scrubbed(plot.path, Outcome.NOT_READ, text, expected_hash=plot.hash)
        found = after.finding
        is_read = found is None or found.found_hash
        return Scrubbed(
            path=plot.path,
            outcome=Outcome(found.state.value) if found is not None else Outcome.FINE,
            text=found.text if found is not None else "",
            n_bytes=plot.file_bytes if is_read else 0,
            expected_hash=plot.hash,
            found_hash=found.found_hash if found is not None else plot.hash,
            seconds=self._clock() - began,
            is_from_device=self._reading.is_from_device,
            was_found=plot.finding is not None,
        )

    def _looked_at(self, plot: KnownPlot) -> KnownPlot:
        expected = self._known.blocks(plot.path)
        if len(expected) != self._geometry.n_blocks(plot.file_bytes):
            raise NotReadError("was moved or forgotten just now")
        with contextlib.ExitStack() as stack:
            try:
                file = PlotFile(plot.path, self._system, stack, may_be_on_root=plot.is_on_root)
                file.check_size(plot.file_bytes)
                blocks = self._reading.blocks(file)
            except FaultError as fault:
                now = self._wall_clock()
                return scrubbed(plot, Finding(fault.state, fault.message, now), now)
            self._check_unchanged(file)
            now = self._wall_clock()
            return judged(plot, expected, blocks, mtime_ns=file.status.st_mtime_ns, geometry=self._geometry, now=now)

    def adopt(self, paths: Iterable[Path], settle_seconds: float) -> Iterator[Scrubbed]:
        """Takes the hashes of plots as they are, from now on to stay so; ends early when it is told to.

        Raises:
            DatabaseError: they cannot be kept.
        """
        with contextlib.suppress(LeftOffError):
            for path in paths:
                with name_locked(self._lock_filepath, os.fsencode(path)) as is_ours:
                    if is_ours:
                        yield self._adopt(path, settle_seconds)

    def _adopt(self, path: Path, settle_seconds: float) -> Scrubbed:
        began = self._clock()
        try:
            with contextlib.ExitStack() as stack:
                file = PlotFile(path, self._system, stack, may_be_on_root=True)
                self._check_whole(file, settle_seconds)
                blocks = self._reading.blocks(file)
                self._check_unchanged(file)
        except NotReadError as error:
            return Scrubbed(path, Outcome.NOT_READ, str(error))
        except FaultError as error:
            self._known.end_reading(path)
            return Scrubbed(path, Outcome(error.state.value), str(error))
        hashes = [block for block in blocks if isinstance(block, bytes)]
        if len(hashes) < len(blocks):
            self._known.end_reading(path)
            fault = next(block for block in blocks if isinstance(block, str))
            return Scrubbed(path, Outcome.UNREADABLE, fault)
        now, n_bytes = self._wall_clock(), file.status.st_size
        plot_hash = whole_file_hash(hashes, n_bytes)
        plot = KnownPlot(path, n_bytes, file.status.st_mtime_ns, file.is_on_root, plot_hash, now, now)
        self._known.keep(plot, hashes)
        return Scrubbed(
            path, Outcome.ADOPTED, n_bytes=n_bytes, found_hash=plot_hash, seconds=self._clock() - began,
            is_from_device=self._reading.is_from_device,
        )  # fmt: skip

    def _check_whole(self, file: PlotFile, settle_seconds: float) -> None:
        """To adopt what is no whole plot would call its faults right."""
        age_seconds = self._wall_clock() - file.status.st_mtime
        if abs(age_seconds) < settle_seconds:
            raise NotReadError(f"was written to {max(0.0, age_seconds):.0f} s ago", "it may not be finished")
        header = parse_plot_header(file.first_bytes(HEADER_BYTES), file.status.st_size)
        fault = header if isinstance(header, str) else name_fault(header, file.path.name)
        if fault is not None:
            raise NotReadError(f"is no whole plot: {fault}")

    def _check_unchanged(self, file: PlotFile) -> None:
        try:
            file.check_unchanged()
        except NotReadError:
            self._known.end_reading(file.path)
            raise
