"""How fast moves were, to tell how long those to come will take: kept by target folder, from run to run."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from chiatea.copier.entries import path_text
from chiatea.copier.job_spec import Verification
from chiatea.copier.jobs import Job, JobState
from chiatea.errors import ChiaTeaError
from chiatea.security.private_files import PRIVATE, write_file

__all__ = ["Measuring", "Speed", "Speeds", "read_speeds"]

_log = logging.getLogger(__name__)

_KEPT: Final = 9
"""Of so many moves to a target the middle one counts: one beside which the harvester read the disk hard does not."""
_ASSUMED_BYTES_PER_SECOND: Final = 100e6
"""Where nothing was moved yet: a hard disk takes some 200 MB/s, and each byte is written and read back."""
_FREE_SHARE: Final = 0.8
"""A copy that took less of what its limit lets it was not held up by that."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Bytes of a plot per second of its whole move, verification and all, and where that is from."""

    bytes_per_second: float
    origin: Literal["measured", "other targets", "assumed", "limited"]

    def limited(self, max_bytes_per_second: Iterable[int], verification: Verification) -> "Speed":
        """What limits leave of it, of which 0 is none. Each byte is moved twice where all are read back."""
        rates = [rate / (2 if verification == "full" else 1) for rate in max_bytes_per_second if rate]
        lowest = min(rates, default=self.bytes_per_second)
        return self if lowest >= self.bytes_per_second else Speed(lowest, "limited")


class Speeds(BaseModel):
    """The last speeds of each target folder, as the protocol names it; the newest stand last."""

    model_config = ConfigDict(extra="ignore", strict=True)

    targets: dict[str, list[float]] = {}

    def of(self, folder: Path) -> Speed:
        """What a target is to be reckoned with."""
        own = self.targets.get(path_text(folder))
        if own:
            return Speed(median(own), "measured")
        others = [speed for speeds in self.targets.values() for speed in speeds]
        return Speed(median(others), "other targets") if others else Speed(_ASSUMED_BYTES_PER_SECOND, "assumed")

    def add(self, folder: Path, bytes_per_second: float) -> None:
        """One more move."""
        speeds = self.targets.setdefault(path_text(folder), [])
        speeds.append(bytes_per_second)
        del speeds[:-_KEPT]


def read_speeds(filepath: Path) -> Speeds:
    """What was measured so far; nothing where that cannot be read, as it is only for estimates."""
    try:
        speeds = Speeds.model_validate_json(filepath.read_bytes())
    except (OSError, ValidationError):
        return Speeds()
    usable = {name: [speed for speed in kept if 0 < speed < float("inf")] for name, kept in speeds.targets.items()}
    return Speeds(targets=usable)


class Measuring:
    """Takes the speed of every plot that was moved in one go and as fast as its disks are, and keeps it."""

    def __init__(self, filepath: Path, rate_of: Callable[[str], int]) -> None:
        """Reads what was measured before. `rate_of` tells what a job may move in a second; 0 is no limit."""
        self._filepath = filepath
        self._rate_of = rate_of
        self._lowest_rates: dict[str, float] = {}
        self._speeds = read_speeds(filepath)
        self._spoiled: set[str] = set()
        self._has_news = False
        self._saving: asyncio.Task[None] | None = None

    def on_change(self, job: Job) -> None:
        """A job has changed. One that was paused, was held to a limit, or went on from where an earlier run was, tells
        no speed.
        """
        if job.is_under_way:
            rate = self._rate_of(job.id) or inf
            self._lowest_rates[job.id] = min(rate, self._lowest_rates.get(job.id, inf))
            if job.must_recover or job.state is JobState.PAUSED:
                self._spoiled.add(job.id)
            return
        if job.id not in self._lowest_rates:
            return  # it was not under way before: of a moved plot it was heard whether it is farmed
        is_whole, rate = job.id not in self._spoiled, self._lowest_rates.pop(job.id)
        self._spoiled.discard(job.id)
        if job.state is not JobState.DONE or not is_whole or job.target_folder is None or job.started_time is None:
            return
        seconds = (job.finished_time or 0.0) - job.started_time
        # Where each byte is moved twice, a plot is moved at half of its limit at most.
        if seconds > 0 and 0 < job.total_bytes / seconds < _FREE_SHARE * rate / 2:
            self._speeds.add(job.target_folder, job.total_bytes / seconds)
            self._has_news = True
            if self._saving is None or self._saving.done():
                self._saving = asyncio.create_task(self._save())

    async def end(self) -> None:
        """What was measured is kept."""
        if self._saving is not None:
            await self._saving

    async def _save(self) -> None:
        while self._has_news:
            self._has_news = False
            try:
                await asyncio.to_thread(_write, self._filepath, self._speeds.model_dump_json().encode())
            except ChiaTeaError as error:
                _log.debug("speeds are not kept: %s", error)


def _write(filepath: Path, content: bytes) -> None:
    write_file(filepath, content, mode=PRIVATE, overwrite=True)
