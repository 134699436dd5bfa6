"""A job's work in steps of 1 MiB: before each, what was told meanwhile is obeyed; after it, progress is told."""

import itertools
import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chiatea.copier.block_hashes import BLOCK_BYTES
from chiatea.copier.control import Control
from chiatea.copier.job_events import Progress, ProgressState

__all__ = ["Geometry", "Steps"]

_REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Geometry:
    """The sizes of a copy, each a multiple of the one before, all of whole pages.

    Attributes:
        step_bytes: One read and one write.
        window_bytes: As much is brought to the device at once, while the next is read and written: 72 MiB of page cache
            in all. Windows of 32 MiB took 119 MiB and were not faster (measured: benchmarks/copy.py).
        block_bytes: As much has one hash.
        checkpoint_bytes: After as much the journal is written: what a crash may cost.
    """

    step_bytes: int = 1 << 20
    window_bytes: int = 16 << 20
    block_bytes: int = BLOCK_BYTES
    checkpoint_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        """The sizes must fit each other."""
        sizes = (mmap.PAGESIZE, self.step_bytes, self.window_bytes, self.block_bytes, self.checkpoint_bytes)
        if any(larger % smaller for smaller, larger in itertools.pairwise(sizes)):
            raise ValueError(f"each of {sizes} must be a multiple of the one before")

    def n_blocks(self, file_bytes: int) -> int:
        """How many blocks a file has, the last one perhaps smaller."""
        return -(-file_bytes // self.block_bytes)

    def block_size(self, index: int, file_bytes: int) -> int:
        """The bytes of one block of a file."""
        return min(self.block_bytes, file_bytes - index * self.block_bytes)


class Steps:
    """How far one job is."""

    def __init__(
        self,
        job_id: str,
        total_bytes: int,
        control: Control,
        report: Callable[[Progress], None],
        *,
        geometry: Geometry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is done yet."""
        self.geometry = geometry
        self.buffer = memoryview(mmap.mmap(-1, geometry.step_bytes))
        """Whole pages, for one step's bytes."""
        self._job_id = job_id
        self.total_bytes = total_bytes
        self._control = control
        self._report = report
        self._clock = clock
        self._state: ProgressState = "COPYING"
        self._copied_bytes = 0
        self._verified_bytes = 0
        self._to_verify_bytes = 0
        self._reported_at = -_REPORT_SECONDS

    def begin_copying(self, copied_bytes: int) -> None:
        """From here on bytes are copied, behind those that are there."""
        self._state, self._copied_bytes = "COPYING", copied_bytes
        self._verified_bytes = self._to_verify_bytes = 0
        self._tell(self._state)

    def begin_verifying(self, to_verify_bytes: int) -> None:
        """From here on bytes are read back."""
        self._state = "VERIFYING"
        self._verified_bytes, self._to_verify_bytes = 0, to_verify_bytes
        self._tell(self._state)

    def before(self, n_bytes: int) -> None:
        """Returns when the next step may be done.

        Raises:
            CancelledError: the job was cancelled.
            LeftOffError: the worker is to end.
        """
        self._control.step(n_bytes, lambda: self._tell("PAUSED"), lambda: self._tell(self._state))

    def after(self, n_bytes: int) -> None:
        """The step is done."""
        if self._state == "COPYING":
            self._copied_bytes += n_bytes
        else:
            self._verified_bytes += n_bytes
        if self._clock() - self._reported_at >= _REPORT_SECONDS:
            self._tell(self._state)

    def _tell(self, state: ProgressState) -> None:
        self._reported_at = self._clock()
        self._report(
            Progress(
                job_id=self._job_id,
                state=state,
                copied_bytes=self._copied_bytes,
                verified_bytes=self._verified_bytes,
                total_bytes=self.total_bytes,
                to_verify_bytes=self._to_verify_bytes,
            )
        )
