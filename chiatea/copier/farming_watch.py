"""Moved plots, watched until the harvester of this machine has loaded them."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from chiatea.config import Config
from chiatea.copier.beside import beside
from chiatea.copier.copying import Copying
from chiatea.copier.farming import HarvesterTold, judged
from chiatea.copier.harvester import Harvester, NoAnswerError
from chiatea.copier.jobs import Farming, Job
from chiatea.copier.placement import TargetState
from chiatea.copier.waiting_plots import read_waiting_plots, write_waiting_plots
from chiatea.errors import ChiaTeaError
from chiatea.question import Question, UnansweredError

__all__ = ["FarmingWatch", "farming_watched"]

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_AWAY: Final = frozenset({TargetState.NOT_MOUNTED, TargetState.QUARANTINED})
"""What is in a target folder cannot be told."""
_IDLE_SECONDS: Final = 60.0
"""How often it is seen whether this machine has a harvester, while nothing waits."""


@contextlib.asynccontextmanager
async def farming_watched(copying: Copying, config: Config) -> AsyncIterator[None]:
    """For as long as the block lasts, moved plots are watched until they are farmed, where that is configured."""
    warn_after_seconds = config.copy_.farming_within
    if not warn_after_seconds:
        yield
        return
    kept_filepath = config.machine.state_folder / "copy" / "not_farming.json"
    harvester = Harvester(config.chia_root)
    watch = FarmingWatch(copying, harvester, kept_filepath, warn_after_seconds=warn_after_seconds)
    await watch.begin()
    try:
        async with beside(watch.run(), "the watch for plots that are not farmed"):
            yield
    finally:
        await watch.save()


class FarmingWatch:
    """Asks the harvester while anything waits, and never else."""

    def __init__(
        self, copying: Copying, harvester: Harvester, kept_filepath: Path, *, warn_after_seconds: float
    ) -> None:
        """Watches the moves of a copier.

        Args:
            copying: the copier.
            harvester: asked for what it has loaded.
            kept_filepath: where what waits outlives the copier.
            warn_after_seconds: a plot that waits for longer is told of.
        """
        self._copying = copying
        self._harvester = harvester
        self._kept_filepath = kept_filepath
        self._warn_after_seconds = warn_after_seconds
        self._waiting: dict[str, Job] = {}
        self._news = asyncio.Event()
        self._is_unsaved = False
        self._looks: dict[Path, _TargetLook] = {}
        self._said: set[tuple[Path | None, str]] = set()
        copying.listeners.append(self._on_change)

    async def begin(self) -> None:
        """Takes over what waited when the last copier ended, and sees whether there is a harvester."""
        kept = await asyncio.to_thread(read_waiting_plots, self._kept_filepath)
        self._copying.list.restore(kept)
        self._waiting |= {job.id: job for job in kept}
        self._copying.is_farming_watched = await asyncio.to_thread(lambda: self._harvester.is_there)

    async def run(self) -> None:
        """Watches for ever."""
        try:
            while True:
                self._news.clear()
                await self.look()
                seconds = self._harvester.ask_every_seconds if self._waiting else _IDLE_SECONDS
                await self._wait(seconds)
        finally:
            await self._harvester.close()

    async def _wait(self, seconds: float) -> None:
        """Until the next round is due: what is moved while nothing waits is asked for at once, if only to hear that the
        harvester does not look there; what is moved while something waits, with that.
        """
        was_waiting = bool(self._waiting)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()
            self._news.clear()
            await self.save()
            if not was_waiting and self._waiting:
                return

    async def save(self) -> None:
        """Keeps what waits, if that has changed. A copier that is killed in the instant before forgets it: then nobody
        watches that plot, and nothing else is lost.
        """
        if not self._is_unsaved:
            return
        self._is_unsaved = False
        try:
            await asyncio.to_thread(write_waiting_plots, self._kept_filepath, list(self._waiting.values()))
        except ChiaTeaError as error:
            _log.warning("which plots are not farmed yet is forgotten when the copier ends: %s", error)

    def _on_change(self, job: Job) -> None:
        if job.is_waiting_to_farm:
            self._waiting[job.id] = job
        elif self._waiting.pop(job.id, None) is None:
            return
        self._is_unsaved = True
        self._news.set()

    async def look(self) -> None:
        """Asks what is due, and tells what has changed."""
        is_there = self._copying.is_farming_watched = await asyncio.to_thread(lambda: self._harvester.is_there)
        jobs = list(self._waiting.values())
        if jobs and not is_there:
            _log.info("there is no harvester on this machine any more: nobody sees whether moved plots are farmed")
            for job in jobs:
                self._copying.list.change(replace(job, farming=Farming.NOT_WATCHED, last_error=""))
        elif jobs:
            await self._ask(jobs)
        await self.save()

    async def _ask(self, jobs: list[Job]) -> None:
        by_folder: dict[Path, list[Job]] = {}
        for job in jobs:
            by_folder.setdefault(job.target_folder or Path(), []).append(job)
        filepaths: dict[str, str] = {}
        reasons: dict[str, str] = {}
        for folder, there in by_folder.items():
            paths = await self._look_into(folder, [job.name for job in there])
            if isinstance(paths, str):
                reasons |= {job.id: f"its target folder {paths}" for job in there}
                continue
            for job in filter(self._is_waiting, there):
                path = paths.get(job.name, "")
                if path:
                    filepaths[job.id] = path
                elif path is None:
                    _log.info("%s is not at %s any more: nobody sees whether it is farmed", job.name, folder)
                    self._copying.list.change(replace(job, farming=Farming.NOT_WATCHED, last_error=""))
        try:
            told = await self._harvester.tell(filepaths.values())
        except NoAnswerError as error:
            reasons |= dict.fromkeys(filepaths, f"the harvester does not answer: {error}")
            told = None
        self._take(list(filter(self._is_waiting, jobs)), filepaths, told, reasons)

    def _is_waiting(self, job: Job) -> bool:
        """Whether it is still that move: while somebody was asked, the plot may have become another one."""
        return self._waiting.get(job.id) is job

    async def _look_into(self, folder: Path, names: list[str]) -> dict[str, str | None] | str:
        """As `_TargetLook.paths`, or why nobody can tell."""
        for target in self._copying.targets:
            now = target.now()
            if target.folder == folder and now.state in _AWAY:
                return now.reason
        try:
            return await self._looks.setdefault(folder, _TargetLook(folder)).paths(names)
        except (UnansweredError, OSError):
            return "does not answer"

    def _take(
        self,
        jobs: list[Job],
        filepaths: Mapping[str, str],
        told: HarvesterTold | None,
        reasons: Mapping[str, str],
    ) -> None:
        now = self._copying.now()
        farmed: list[Job] = []
        not_farming: dict[tuple[Path | None, str], list[Job]] = {}
        for job in jobs:
            reason = reasons.get(job.id, "")
            is_urgent = False
            if told is not None and job.id in filepaths:
                verdict = judged(filepaths[job.id], job.target_folder or Path(), told)
                if verdict.is_farming:
                    farmed.append(job)
                    continue
                reason, is_urgent = verdict.reason, bool(verdict.reason)
            elif not reason:
                continue  # its folder answered too late to tell
            is_late = now - (job.finished_time or now) >= self._warn_after_seconds
            if is_late and not reason:
                reason = "the harvester has not loaded it yet"
            if is_late or is_urgent:
                not_farming.setdefault((job.target_folder, reason), []).append(job)
            if reason != job.last_error:
                self._copying.list.change(replace(job, last_error=reason))
        for job in farmed:
            self._copying.list.change(replace(job, farming=Farming.FARMING, last_error=""))
        if farmed:
            self._copying.notices.farmed(farmed)
        self._warn(not_farming)

    def _warn(self, not_farming: Mapping[tuple[Path | None, str], list[Job]]) -> None:
        """Says each reason of each folder once, for as long as it holds."""
        self._said &= not_farming.keys()
        for key, jobs in not_farming.items():
            if key not in self._said:
                self._said.add(key)
                waited = max(self._copying.now() - (job.finished_time or 0.0) for job in jobs)
                self._copying.notices.not_farming(jobs, key[1], waited)


class _TargetLook:
    """What is in one target folder, which may hang."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._question = Question(self._paths)

    def _paths(self) -> dict[str, str | None]:
        # The harvester resolves its folders, and no files.
        folder = os.path.realpath(self._folder)
        paths = {name: os.path.join(folder, name) for name in self._names}  # noqa: PTH118 - as Chia writes them
        return {name: path if os.path.lexists(path) else None for name, path in paths.items()}

    async def paths(self, names: list[str]) -> dict[str, str | None]:
        """The plots' resolved paths by name, None of one that is not there. After an answer that came too late there
        may be some that were not asked for then.

        Raises:
            UnansweredError: it does not answer.
            OSError: it cannot be looked into.
        """
        if not self._question.is_unanswered:
            self._names = names
        return await self._question.answer(_LOOK_SECONDS)
