"""All jobs of a copier, kept in step with what the source folders hold."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from chiatea.copier.jobs import Job, JobState, going_on_later, refused
from chiatea.copier.journal import JournalEntry
from chiatea.copier.sources import FoundPlot, SourceLook

__all__ = ["JobList"]

_KEPT: Final = 1000
"""So many finished moves are remembered one by one."""


class JobList:
    """The jobs by id, and sums over those that are over and forgotten."""

    def __init__(self, tell: Callable[[Job], None]) -> None:
        """`tell` gets each job that is new or has changed."""
        self.jobs: dict[str, Job] = {}
        self.next_attempts: dict[str, float] = {}
        """When those that wait for another attempt may begin; UTC seconds since the epoch."""
        self.n_done = 0
        self.bytes_done = 0
        self.as_ordered: Callable[[Job], Job] = lambda job: job
        """Makes of a job that is found what people ordered of it before."""
        self._tell = tell
        self._found: dict[Path, dict[str, FoundPlot]] = {}
        self._done: list[str] = []

    def change(self, job: Job) -> None:
        """Puts a job in place of its former self."""
        former = self.jobs.get(job.id)
        self.jobs[job.id] = job
        if job.state is JobState.QUEUED and job.next_attempt_time is not None:
            self.next_attempts[job.id] = job.next_attempt_time
        else:
            self.next_attempts.pop(job.id, None)
        if job.state is JobState.DONE and (former is None or former.state is not JobState.DONE):
            self.n_done += 1
            self.bytes_done += job.total_bytes
            self._is_settled(job)
        elif former is not None and former.is_waiting_to_farm:
            self._is_settled(job)
        self._tell(job)

    def restore(self, jobs: Iterable[Job]) -> None:
        """Takes over moves of earlier runs of which something is still to be told. What is at a source now is new."""
        for job in jobs:
            self.jobs.setdefault(job.id, job)

    def remove(self, job_id: str) -> None:
        """Forgets a job."""
        self.jobs.pop(job_id, None)
        self.next_attempts.pop(job_id, None)

    def at_target(self, folder: Path) -> list[Job]:
        """Jobs that are under way to a target folder, or go on there."""
        return [
            job for job in self.jobs.values() if job.target_folder == folder and (job.is_under_way or job.must_recover)
        ]

    def take_in_journal(self, entries: Iterable[JournalEntry], now: float) -> None:
        """What the journal knows of goes on before all else, each where it was."""
        for entry in entries:
            spec = entry.spec
            known = self.jobs.get(spec.job_id)
            job = known or Job(
                id=spec.job_id,
                folder=spec.source.parent,
                name=spec.source.name,
                total_bytes=entry.source.file_bytes,
                source_disk="",
                created_time=now,
                modified_ns=entry.source.mtime_ns,
            )
            if not job.is_over and not job.is_under_way and not job.must_recover:
                job = replace(job, target_folder=spec.target_folder, target_device=spec.target_device)
                if entry.giving_up is not None:
                    gone = (*job.replaced, *entry.giving_up.paths_of(spec.target_folder))
                    job = replace(job, is_replacing=True, replaced=tuple(dict.fromkeys(gone)))
                self.change(self.as_ordered(going_on_later(job)))

    def take_in(self, folder: Path, look: SourceLook, now: float) -> None:
        """New plots become jobs; those that nobody has begun and that are gone are forgotten."""
        found = self._found.setdefault(folder, {})
        for plot in look.plots:
            if found.get(plot.name) is not plot:
                found[plot.name] = plot
                self._found_plot(folder, plot, look.disk, now)
        if len(found) > len(look.plots):
            self._forget_gone(found, {plot.name for plot in look.plots})

    def _forget_gone(self, found: dict[str, FoundPlot], names: set[str]) -> None:
        for name in [name for name in found if name not in names]:
            job = self.jobs.get(found.pop(name).job_id)
            if job is not None and not job.must_recover and job.state in {JobState.QUEUED, JobState.FAILED}:
                self.remove(job.id)

    def _found_plot(self, folder: Path, plot: FoundPlot, disk: str, now: float) -> None:
        known = self.jobs.get(plot.job_id)
        if known is not None and known.must_recover:
            self.jobs[known.id] = replace(known, source_disk=disk, version=plot.version)
        is_old_news = known is not None and known.state is JobState.DONE and known.modified_ns == plot.modified_ns
        if is_old_news or (known is not None and (known.is_under_way or known.must_recover)):
            return
        job = Job(
            id=plot.job_id,
            folder=folder,
            name=plot.name,
            total_bytes=plot.n_bytes,
            source_disk=disk,
            created_time=now,
            modified_ns=plot.modified_ns,
            version=plot.version,
        )
        self.change(self.as_ordered(refused(job, plot.fault, now=now) if plot.fault else job))

    def _is_settled(self, job: Job) -> None:
        """Nothing more is to be told of a move: it may be forgotten when newer ones have come."""
        if job.state is not JobState.DONE or job.is_waiting_to_farm:
            return
        self._done.append(job.id)
        while len(self._done) > _KEPT:
            oldest = self.jobs.get(self._done.pop(0))
            if oldest is not None and oldest.state is JobState.DONE:
                self.remove(oldest.id)
