"""A copier at work: what the folders tell, what is decided from it, and what the workers tell, put together."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from chiatea.copier.bandwidth import TotalRate
from chiatea.copier.job_events import Cancelled, Done, Failed, JobEvent, Progress, Replaced
from chiatea.copier.job_list import JobList
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.jobs import (
    RETRIED_ELSEWHERE,
    Farming,
    Job,
    JobState,
    cancelled,
    failed,
    finished,
    going_on_later,
    progressed,
    waiting_again,
)
from chiatea.copier.journal_reading import JournalReading
from chiatea.copier.lookup_protection import Protection
from chiatea.copier.notices import Notices
from chiatea.copier.placement import Load, Target, TargetState, load_of
from chiatea.copier.running import Order, Running, Worker
from chiatea.copier.scheduler import Start, what_to_start
from chiatea.copier.settings import Settings
from chiatea.copier.source_watch import NOT_LOOKED_AT, SourceWatch
from chiatea.copier.sources import SourceLook
from chiatea.copier.targets import TargetFolder

__all__ = ["Copying"]

_log = logging.getLogger(__name__)


class Copying:
    """Jobs, sources, targets and workers of one copier."""

    def __init__(
        self,
        settings: Settings,
        targets: Sequence[TargetFolder],
        start_worker: Callable[[], Awaitable[Worker]],
        *,
        clock: Callable[[], float],
        tell: Callable[[Job], None],
    ) -> None:
        """Nothing is known yet.

        Args:
            settings: what the configuration says.
            targets: the target folders.
            start_worker: makes the process that moves a plot.
            clock: UTC seconds since the epoch, which never jump.
            tell: gets each job that is new or has changed.
        """
        self.settings = settings
        self.targets = targets
        self.listeners = [tell]
        """Get each job that is new or has changed."""
        self.is_paused = False
        """Nothing is begun."""
        self.is_farming_watched = False
        """Somebody asks the harvester of this machine whether it has loaded what was moved."""
        self.protection = Protection()
        """How far copies are held back for the harvester's lookups."""
        self.list = JobList(self._tell)
        self.notices = Notices()
        self.sources: list[SourceWatch] = []
        self._clock = clock
        self._journal = JournalReading(settings.journal_folder, self.notices)
        self.rate = TotalRate(settings.max_bytes_per_second, settings.bandwidth_periods)
        self.running = Running(start_worker, self._on_event, self._on_end, self.rate.now(), self.own_limit)
        self._news = asyncio.Event()
        self._wanted = {target.folder: asyncio.Event() for target in targets}

    @property
    def n_active(self) -> int:
        """Copies under way."""
        return len(self.running)

    @property
    def has_looked(self) -> bool:
        """Whether every source folder was looked at, or could not be."""
        return all(source.problem != NOT_LOOKED_AT for source in self.sources)

    def own_limit(self, job_id: str) -> int:
        """What a job may move in a second, beside the limit of all; 0 is no limit."""
        job = self.list.jobs.get(job_id)
        ordered = job.max_bytes_per_second if job is not None else None
        limits = [self.settings.max_bytes_per_second_per_job if ordered is None else ordered]
        if job is not None:
            limits.append(self.protection.max_bytes_per_second({job.source_disk, job.target_disk}))
        return min((limit for limit in limits if limit), default=0)

    def _tell(self, job: Job) -> None:
        for listener in self.listeners:
            listener(job)

    def now(self) -> float:
        """UTC seconds since the epoch, of the clock that never jumps."""
        return self._clock()

    def wake(self) -> None:
        """Something was changed from outside: what may begin now?"""
        self._news.set()

    def look_again(self, target: TargetFolder) -> None:
        """What is known of a target is true no more."""
        target.outdate()
        self._wanted[target.folder].set()

    def remove_left(self, job: Job, target: Target) -> None:
        """Lets a worker remove what an earlier one left of a job at its target: it is cancelled."""
        self._begin(Start(job, target, "what is there of it is removed"), "cancel")

    def load(self) -> Load:
        """What is promised of each file system, and how busy each disk is."""
        return load_of(self.list.jobs.values(), [target.now() for target in self.targets])

    async def look_at_all(self) -> None:
        """A first look at every folder. What hangs or is not there is told, and looked at again later."""
        await self._take_in_journal()
        await asyncio.gather(
            *(self._look_into_all(source) for source in self.sources), *(target.look() for target in self.targets)
        )
        for source in self.sources:
            self.notices.source(source)
        for target in self.targets:
            await self._looked_at(target)

    @staticmethod
    async def _look_into_all(source: SourceWatch) -> None:
        while (seen := await source.look()) is not None and seen.is_partial:
            continue

    async def run(self, stop: asyncio.Event, *, once: bool) -> None:
        """Moves plots until `stop` is set or, `once`, until nothing more can be moved now."""
        stopping = asyncio.create_task(stop.wait())
        tasks: list[asyncio.Task[None]] = []
        try:
            if once:
                tasks.append(asyncio.create_task(self.look_at_all()))
                await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set():
                    tasks.pop().result()
            else:
                await self._take_in_journal()
                tasks += [asyncio.create_task(source.run(self.notices.source)) for source in self.sources]
            if self.rate.periods:
                tasks.append(asyncio.create_task(self.rate.follow(self.running.limit)))
            for target in self.targets:
                if not once:
                    self._wanted[target.folder].set()
                tasks.append(asyncio.create_task(self._follow_target(target)))
            while not stop.is_set():
                self._news.clear()
                now = self._clock()
                self._start_what_may(now)
                later = self._times_to_come(now)
                if once and self._is_at_end(now):
                    break
                await self._wait(stopping, tasks, min(later, default=None))
        finally:
            await self.running.end()
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.wait((*tasks, stopping))

    def take_in(self, source: SourceWatch, look: SourceLook) -> None:
        """What a source folder holds now."""
        self.list.take_in(source.folder, look, self._clock())
        self.notices.files(source.folder, look)
        self._news.set()

    async def _wait(
        self, stopping: "asyncio.Task[bool]", tasks: Sequence["asyncio.Task[None]"], until: float | None
    ) -> None:
        news = asyncio.create_task(self._news.wait())
        seconds = max(0.0, until - self._clock()) if until is not None else None
        done, _ = await asyncio.wait({stopping, news, *tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        for task in tasks:
            if task in done:
                # They end with a fault of ours only, which may not go unseen.
                task.result()

    def _is_at_end(self, now: float) -> bool:
        """Nothing is under way, or comes back soon. A target that failed is not waited for."""
        return not (
            self.n_active
            or any(time > now for time in self.list.next_attempts.values())
            or any(target.is_being_looked_at for target in self.targets)
        )

    def _times_to_come(self, now: float) -> list[float]:
        """When something that waits may go on. What is due already waits for something else."""
        attempts = [time for time in self.list.next_attempts.values() if time > now]
        retries = [time for target in self.targets if (time := target.now().retry_time) is not None and time > now]
        return attempts + retries

    def _start_what_may(self, now: float) -> None:
        if self.is_paused or self.n_active >= self.settings.limits.max_active:
            return
        targets = [target.now() for target in self.targets]
        # One that is to be tried again may have a worker still, which is ending.
        jobs = [job for job in self.list.jobs.values() if job.is_under_way or job.id not in self.running]
        for start in what_to_start(jobs, targets, self.settings.limits, now):
            self._begin(start, "recover" if start.job.is_set_aside else "copy")

    def _begin(self, start: Start, order: Order) -> None:
        job, target, settings = start.job, start.target, self.settings
        self.list.change(start.begun(self._clock()))
        self.notices.begun(start)

        def spec_of(max_bytes_per_second: int) -> JobSpec:
            return JobSpec(
                job_id=job.id,
                source=job.source,
                target_folder=target.folder,
                target_device=target.device,
                verification=settings.verification,
                max_bytes_per_second=max_bytes_per_second,
                journal_folder=settings.journal_folder,
                settle_seconds=settings.settle_seconds,
                replacement=start.replacement,
                replace_rules=settings.replace_rules,
            )

        self.running.begin(spec_of, job.id, order)

    def _on_event(self, job_id: str, event: JobEvent) -> None:
        job, now = self.list.jobs[job_id], self._clock()
        if not isinstance(event, Progress | Replaced):
            self._outdate(job)
        match event:
            case Progress():
                copied, verified = event.copied_bytes, event.verified_bytes
                state = JobState(event.state)
                self.list.change(progressed(job, state, copied_bytes=copied, verified_bytes=verified, now=now))
            case Replaced() if Path(event.path) not in job.replaced:
                self.list.change(replace(job, replaced=(*job.replaced, Path(event.path))))
                self.notices.replaced(job, event)
            case Replaced():
                pass
            case Done():
                verified = job.total_bytes if event.verification == "full" else job.verified_bytes
                farming = Farming.WAITING if self.is_farming_watched else Farming.NOT_WATCHED
                self.list.change(finished(job, plot_hash=event.hash, verified_bytes=verified, now=now, farming=farming))
                self.notices.done(job, event)
            case Cancelled() if job.is_set_aside:
                self.list.remove(job_id)
                self.notices.left_nothing(job)
            case Cancelled() if job.wanted_folder not in {None, job.target_folder}:
                self.list.change(waiting_again(job))
            case Cancelled():
                self.list.change(cancelled(job, now=now))
            case Failed():
                self._failed(job, event)

    def _failed(self, job: Job, event: Failed) -> None:
        now = self._clock()
        for target in self.targets:
            if target.folder == job.target_folder and event.kind in RETRIED_ELSEWHERE:
                state = TargetState.FULL if event.kind == "no_space" else TargetState.QUARANTINED
                target.hold_back(state, event.error, now + self.settings.retry_targets_after)
        after = failed(job, event.kind, event.error, now=now, policy=self.settings.retry, is_kept=event.is_kept)
        self.list.change(after)
        self.notices.failed(after, now)

    def _on_end(self, job_id: str, has_told: bool) -> None:  # noqa: FBT001 - a callback
        job = self.list.jobs.get(job_id)
        if job is not None and not has_told:
            is_kept = self._journal.entry(job_id) is not None
            if self.running.is_ending:
                self.list.change(going_on_later(job) if is_kept else waiting_again(job))
            else:
                self._failed(job, Failed(job_id, "internal", "its worker ended without a word", is_kept))
            self._outdate(job)
        self._news.set()

    def _outdate(self, job: Job) -> None:
        """What is known of the room at its target is true no more, nor of other folders on that file system."""
        for target in self.targets:
            if target.folder == job.target_folder or target.now().device == job.target_device:
                target.outdate()
                self._wanted[target.folder].set()

    async def _follow_target(self, target: TargetFolder) -> None:
        wanted = self._wanted[target.folder]
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.rescan_every):
                    await wanted.wait()
            wanted.clear()
            await target.look()
            await self._take_in_journal()
            await self._looked_at(target)
            if target.is_drained and not self.list.at_target(target.folder):
                target.let_go()
            self._news.set()

    async def _looked_at(self, target: TargetFolder) -> None:
        if target.is_being_looked_at:
            return
        now = target.now()
        self.notices.target(now)
        names = {f"{job.name}.copying" for job in self.list.at_target(target.folder)}
        unknown = {target.folder / name for name in now.temporary_bytes.keys() - names}
        if unknown:
            unknown -= await asyncio.to_thread(self._journal.temporary_filepaths)
        self.notices.temporary_files(target.folder, unknown)

    async def _take_in_journal(self) -> None:
        entries = await asyncio.to_thread(self._journal.entries, but=self.list.jobs)
        self.list.take_in_journal(entries, self._clock())
