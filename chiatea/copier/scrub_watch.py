"""What scrubs keep, as a copier that reports sees it."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chiatea.copier.entries import scrub_finding
from chiatea.copier.known_plots import KnownPlots, Sums
from chiatea.errors import DatabaseError
from chiatea.protobuf.copy_pb2 import ScrubFinding

__all__ = ["ScrubWatch"]

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_MOST_FINDINGS: Final = 1000
"""On a disk that dies every plot is one: of very many the newest are reported one by one."""


class ScrubWatch:
    """Looks now and then at the file that scrubs write."""

    def __init__(self, filepath: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """It need not be there yet: it comes with the first plot that is moved."""
        self.sums = Sums()
        self.findings: list[ScrubFinding] = []
        self._filepath = filepath
        self._clock = clock
        self._looked_at = float("-inf")
        self._seen: tuple[int, ...] = ()
        self._said = ""

    async def look(self, *, at_once: bool = False) -> bool:
        """Looks where it is time; whether there may be news. What cannot be read is told once, and stays as it was."""
        if not at_once and self._clock() - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = self._clock()
        try:
            return await asyncio.to_thread(self._read)
        except DatabaseError as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.warning("what scrubs found cannot be told: %s", error)
            return False

    def _read(self) -> bool:
        try:
            status = self._filepath.stat()
        except OSError:
            has_any = self.sums.n_known > 0
            self.sums, self.findings, self._seen = Sums(), [], ()
            return has_any
        # Of a hundred thousand plots the sums take a moment; most of the time nobody has written to the file.
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return False
        with KnownPlots(self._filepath, must_exist=True) as known:
            plots = known.with_findings(_MOST_FINDINGS)
            self.findings = [scrub_finding(plot, plot.finding) for plot in plots if plot.finding is not None]
            self.sums = known.sums()
        self._seen = seen
        return True
