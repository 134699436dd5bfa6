"""One plot's move as data, and what each thing that happens makes of it. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from chiatea.copier.job_events import FailureKind

__all__ = [
    "RETRIED_ELSEWHERE",
    "Farming",
    "Job",
    "JobState",
    "RetryPolicy",
    "begun",
    "cancelled",
    "failed",
    "finished",
    "going_on_later",
    "progressed",
    "refused",
    "waiting_again",
]

RETRIED_ELSEWHERE: Final = frozenset({"target_lost", "no_space"})
"""The target's fault: the plot goes to another one at once."""
_HOPELESS: Final = frozenset({"name_taken", "header"})
"""Trying again changes nothing before somebody changes the files."""
_LONGEST_BACK_OFF_SECONDS: Final = 3600.0
_SPEED_MEMORY_SECONDS: Final = 5.0
"""The speed shown is the mean over about so long."""


class JobState(StrEnum):
    """Names as in CopyJob.State of copy.proto."""

    QUEUED = "QUEUED"
    COPYING = "COPYING"
    VERIFYING = "VERIFYING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Farming(StrEnum):
    """Names as in CopyJob.Farming of copy.proto."""

    NOT_WATCHED = "NOT_WATCHED"
    WAITING = "WAITING"
    FARMING = "FARMING"


_UNDER_WAY: Final = frozenset({JobState.COPYING, JobState.VERIFYING, JobState.PAUSED})
_OVER: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Job:
    """One plot to move. Times are UTC seconds since the epoch, of one clock that never jumps.

    `must_recover`: a journal knows how far it came in `target_folder`, and it goes on there and nowhere else.
    `target_folder` and `target_disk` are set while it is under way, while it must go on there, and once it is over.
    """

    id: str
    folder: Path
    name: str
    total_bytes: int
    source_disk: str
    created_time: float
    modified_ns: int = 0
    state: JobState = JobState.QUEUED
    must_recover: bool = False
    target_folder: Path | None = None
    target_device: int = 0
    target_disk: str = ""
    copied_bytes: int = 0
    verified_bytes: int = 0
    bytes_per_second: float = 0.0
    sampled_time: float = 0.0
    priority: int = 0
    n_attempts: int = 0
    last_error: str = ""
    started_time: float | None = None
    finished_time: float | None = None
    next_attempt_time: float | None = None
    hash: str = ""
    is_held: bool = False
    """Somebody paused it: until somebody resumes it no worker gets it, or the one that has it waits."""
    wanted_folder: Path | None = None
    """The only target folder that it may go to, as somebody wants; None: any."""
    version: int = 0
    """The plot's, as its header tells: 1 or 2; 0: nobody looked."""
    is_replacing: bool = False
    """Its target gives up old plots for it."""
    replaced: tuple[Path, ...] = ()
    """Old plots that were deleted for it."""
    max_bytes_per_second: int | None = None
    """Its own limit, as somebody ordered; 0: none; None: what the configuration says."""
    farming: Farming = Farming.NOT_WATCHED
    """Whether the harvester has loaded the plot, once it is moved."""

    @property
    def source(self) -> Path:
        """The plot's path."""
        return self.folder / self.name

    @property
    def is_set_aside(self) -> bool:
        """What an earlier attempt left at a target that was lost, to be settled there: its plot goes elsewhere."""
        return "~" in self.id

    @property
    def is_under_way(self) -> bool:
        """A worker has it."""
        return self.state in _UNDER_WAY

    @property
    def is_over(self) -> bool:
        """Nothing more happens to it."""
        return self.state in _OVER

    @property
    def is_waiting_to_farm(self) -> bool:
        """It is moved, and a harvester on this machine has not loaded it."""
        return self.state is JobState.DONE and self.farming is Farming.WAITING

    def is_due(self, now: float) -> bool:
        """It may be started now."""
        is_time = self.next_attempt_time is None or self.next_attempt_time <= now
        return self.state is JobState.QUEUED and is_time and not self.is_held


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a plot is tried again, and when: after `after_seconds`, then twice as long each time, up to an hour."""

    retries: int
    after_seconds: float

    def pause_seconds(self, n_attempts: int) -> float:
        """How long to wait after so many attempts."""
        return min(_LONGEST_BACK_OFF_SECONDS, self.after_seconds * 2.0 ** min(max(0, n_attempts - 1), 32))


def begun(job: Job, *, target_folder: Path, target_device: int, target_disk: str, now: float) -> Job:
    """A worker has got it."""
    return replace(
        job,
        state=JobState.COPYING,
        target_folder=target_folder,
        target_device=target_device,
        target_disk=target_disk,
        copied_bytes=job.copied_bytes if job.must_recover else 0,
        verified_bytes=0,
        bytes_per_second=0.0,
        sampled_time=now,
        n_attempts=job.n_attempts + 1,
        started_time=now,
        next_attempt_time=None,
    )


def progressed(job: Job, state: JobState, *, copied_bytes: int, verified_bytes: int, now: float) -> Job:
    """Its worker told how far it is. Of a job that no worker has this changes nothing."""
    if not job.is_under_way or state not in _UNDER_WAY:
        return job
    seconds = now - job.sampled_time
    speed = job.bytes_per_second
    if state is not job.state:
        # Another kind of work: the speed of the last one says nothing of it.
        speed, seconds = 0.0, max(seconds, 0.0)
    n_bytes = (copied_bytes - job.copied_bytes) + (verified_bytes - job.verified_bytes)
    if seconds > 0:
        newest = max(0.0, n_bytes / seconds)
        weight = 1.0 if speed == 0 else min(1.0, seconds / _SPEED_MEMORY_SECONDS)
        speed += (newest - speed) * weight
    return replace(
        job,
        state=state,
        copied_bytes=copied_bytes,
        verified_bytes=verified_bytes,
        bytes_per_second=speed,
        sampled_time=max(now, job.sampled_time),
    )


def finished(
    job: Job, *, plot_hash: str, verified_bytes: int, now: float, farming: Farming = Farming.NOT_WATCHED
) -> Job:
    """The plot is where it belongs, and its source is gone; the harvester has not loaded it yet."""
    return replace(
        job,
        state=JobState.DONE,
        must_recover=False,
        copied_bytes=job.total_bytes,
        verified_bytes=verified_bytes,
        bytes_per_second=0.0,
        last_error="",
        finished_time=now,
        hash=plot_hash,
        farming=farming,
    )


def cancelled(job: Job, *, now: float) -> Job:
    """Somebody cancelled it; the source stays."""
    return replace(job, state=JobState.CANCELLED, must_recover=False, bytes_per_second=0.0, finished_time=now)


def refused(job: Job, error: str, *, now: float) -> Job:
    """It is over without having been moved, and is not tried again."""
    return replace(
        job,
        state=JobState.FAILED,
        must_recover=False,
        bytes_per_second=0.0,
        last_error=error,
        finished_time=now,
        next_attempt_time=None,
    )


def failed(job: Job, kind: FailureKind, error: str, *, now: float, policy: RetryPolicy, is_kept: bool = False) -> Job:
    """Its worker could not do it: another target at once, another time, or never.

    `is_kept`: a journal knows how far it came; another time it goes on there.
    """
    if kind in RETRIED_ELSEWHERE and job.is_set_aside:
        return replace(going_on_later(job), n_attempts=max(0, job.n_attempts - 1), last_error=error)
    if kind in RETRIED_ELSEWHERE:
        # It was not the plot's fault: it does not count as one of its attempts.
        return replace(waiting_again(job), n_attempts=max(0, job.n_attempts - 1), last_error=error)
    if kind in _HOPELESS or job.n_attempts > policy.retries:
        return refused(job, error, now=now)
    later = now + policy.pause_seconds(job.n_attempts)
    again = going_on_later(job) if is_kept else waiting_again(job)
    return replace(again, last_error=error, next_attempt_time=later)


def going_on_later(job: Job) -> Job:
    """Back in the queue, for the target where a journal knows how far it came."""
    return replace(job, state=JobState.QUEUED, must_recover=True, bytes_per_second=0.0, started_time=None)


def waiting_again(job: Job) -> Job:
    """Back in the queue, for any target."""
    return replace(
        job,
        state=JobState.QUEUED,
        must_recover=False,
        is_replacing=False,
        target_folder=None,
        target_device=0,
        target_disk="",
        copied_bytes=0,
        verified_bytes=0,
        bytes_per_second=0.0,
        started_time=None,
    )
