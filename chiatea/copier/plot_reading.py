"""A whole plot read from its disk, block by block, so that it can be left off anywhere and gone on with."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chiatea.copier.control import Control, LeftOffError
from chiatea.copier.failures import MoveFailedError
from chiatea.copier.job_events import Progress
from chiatea.copier.known_plot import FindingState
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.plot_file import FaultError, PlotFile
from chiatea.copier.steps import Geometry, Steps
from chiatea.copier.system_calls import System
from chiatea.copier.verification import ReadBack

__all__ = ["MOST_UNREADABLE", "PlotReading"]

MOST_UNREADABLE: Final = 8
"""After so many blocks that cannot be read, the rest of a plot is not tried: each may take a disk a minute."""
_KEEP_SECONDS: Final = 10.0
"""How far a plot is read is kept so often: what `kill -9` may cost."""
_LONGEST_SECONDS: Final = 7 * 86400.0
"""One that began so long ago begins anew: it would say little of what it read first."""


class PlotReading:
    """Reads plots, one after the other, as slowly as `control` says."""

    def __init__(
        self,
        known: KnownPlots,
        control: Control,
        report: Callable[[Path, int, int], None],
        *,
        system: System,
        geometry: Geometry,
        wall_clock: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` gets a path, how many of its bytes are read, and how many it has; twice a second at most."""
        self._known = known
        self._control = control
        self._report = report
        self._system = system
        self._geometry = geometry
        self._wall_clock = wall_clock
        self._clock = clock
        self.is_from_device = True
        """False when the last plot could not be dropped from memory: what was read may be what is there."""

    def blocks(self, file: PlotFile) -> list[bytes | str]:
        """Of each block its hash, or why it cannot be read; of a plot with many of those, only the first blocks.

        Raises:
            LeftOffError: it is to be gone on with another time.
            FaultError: UNREADABLE; nothing of it can be.
        """
        path, file_bytes = file.path, file.status.st_size
        blocks = self._known.begun_reading(
            path, file_bytes, file.status.st_mtime_ns, now=self._wall_clock(), longest_seconds=_LONGEST_SECONDS
        )
        n_blocks, n_kept, kept_at = self._geometry.n_blocks(file_bytes), len(blocks), self._clock()
        read_back = self._read_back(file, begin_byte=min(file_bytes, n_kept * self._geometry.block_bytes))
        # What somebody just wrote cannot be dropped from memory. Where this fails, the reading tells what there is.
        with contextlib.suppress(OSError):
            self._system.sync(file.descriptor)
        try:
            read_back.begin(range(n_kept, n_blocks))
            while len(blocks) < n_blocks and sum(isinstance(block, str) for block in blocks) < MOST_UNREADABLE:
                blocks.append(_block(read_back, len(blocks)))
                if self._clock() - kept_at >= _KEEP_SECONDS:
                    self._known.keep_reading(path, n_kept, blocks[n_kept:])
                    n_kept, kept_at = len(blocks), self._clock()
        except LeftOffError:
            self._known.keep_reading(path, n_kept, blocks[n_kept:])
            raise
        except MoveFailedError as error:
            raise FaultError(FindingState.UNREADABLE, error.message) from None
        finally:
            # What was read ahead lies between the windows that were dropped.
            with contextlib.suppress(OSError):
                self._system.drop_pages(file.descriptor, 0, 0)
        self.is_from_device = read_back.is_from_device
        return blocks

    def _read_back(self, file: PlotFile, begin_byte: int) -> ReadBack:
        file_bytes = file.status.st_size

        def report(progress: Progress) -> None:
            self._report(file.path, begin_byte + progress.verified_bytes, file_bytes)

        steps = Steps("", file_bytes, self._control, report, geometry=self._geometry, clock=self._clock)
        return ReadBack(file.descriptor, "the plot", file_bytes, self._system, steps)


def _block(read_back: ReadBack, number: int) -> bytes | str:
    try:
        return read_back.block_hash(number) or "it ends too early"
    except MoveFailedError as error:
        return error.message
