"""Which of a copier's jobs are reported: those that move or wait next, and the last of those that are over."""

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from chiatea.copier.jobs import Job, JobState
from chiatea.copier.scheduler import order_of

__all__ = ["ReportedJobs"]

MOST_WAITING: Final = 1000
"""A source may hold a hundred thousand plots: of those that wait the next are reported one by one."""
MOST_FAILED: Final = 1000
MOST_OVER: Final = 100
"""Moved and cancelled ones, those first that are not farmed yet: what was before is history."""


class ReportedJobs:
    """Keeps the choice in step with the jobs as they change, without looking at all of them each time."""

    def __init__(self) -> None:
        """None yet."""
        self._changed: dict[str, Job] = {}
        self._reported: dict[str, Job] = {}

    def change(self, job: Job) -> None:
        """A job is new or has changed."""
        self._changed[job.id] = job

    @property
    def has_changed(self) -> bool:
        """Whether `take` will find anything new."""
        return bool(self._changed)

    def take(self, jobs: Mapping[str, Job]) -> tuple[list[Job], list[str]]:
        """The reported jobs that are new or have changed since the last call, and the ids of those that are reported
        no more. `jobs` are all that there are.
        """
        changed, self._changed = self._changed, {}
        before = set(self._reported)
        reported = self._reported
        for job_id in [job_id for job_id in reported if job_id not in jobs]:
            del reported[job_id]
        for job_id, job in changed.items():
            if job_id in jobs:
                reported[job_id] = job
        waiting = [job for job in reported.values() if _waits(job)]
        if len(waiting) < MOST_WAITING // 2 and len(jobs) > len(reported):
            waiting = [job for job in jobs.values() if _waits(job)]
        self._only(waiting, heapq.nsmallest(MOST_WAITING, waiting, key=order_of))
        failed = [job for job in reported.values() if job.state is JobState.FAILED]
        self._only(failed, heapq.nlargest(MOST_FAILED, failed, key=_end_of))
        over = [job for job in reported.values() if job.state in {JobState.DONE, JobState.CANCELLED}]
        self._only(over, heapq.nlargest(MOST_OVER, over, key=_end_of))
        news = [job for job_id, job in reported.items() if job_id in changed or job_id not in before]
        return news, [job_id for job_id in before if job_id not in reported]

    def _only(self, some: Iterable[Job], chosen: Iterable[Job]) -> None:
        for job in some:
            self._reported.pop(job.id, None)
        for job in chosen:
            self._reported[job.id] = job


def _waits(job: Job) -> bool:
    return job.state is JobState.QUEUED and not job.is_set_aside


def _end_of(job: Job) -> tuple[bool, float]:
    return job.is_waiting_to_farm, job.finished_time or 0.0
