"""Jobs and targets under the names of the protocol: what is reported, stored and printed. Pure."""

from collections.abc import Iterable
from pathlib import Path

from chiatea import __version__
from chiatea.copier.job_spec import Verification
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.known_plot import Finding, KnownPlot
from chiatea.copier.placement import Limits, Load, Target, TargetState, room_bytes
from chiatea.protobuf.copy_pb2 import Copier, CopyJob, CopyTarget, ScrubFinding

__all__ = ["copier_sums", "copy_job", "copy_target", "path_text", "remaining_seconds", "scrub_finding", "target_speeds"]


def path_text(path: object) -> str:
    """A path as the protocol takes it: bytes that are no UTF-8 become U+FFFD."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def remaining_seconds(job: Job, verification: Verification) -> float | None:
    """How long a job that is under way still takes at its speed of now; None where that cannot be told."""
    if not job.is_under_way or job.bytes_per_second <= 0:
        return None
    n_bytes = job.total_bytes - job.copied_bytes
    if verification == "full":
        n_bytes += job.total_bytes - job.verified_bytes
    return max(0, n_bytes) / job.bytes_per_second


def copy_job(job: Job, verification: Verification) -> CopyJob:
    """A job's entry."""
    entry = CopyJob(
        id=job.id,
        state=CopyJob.State.Value(_state_of(job).value),
        source_filepath=path_text(job.source),
        total_bytes=job.total_bytes,
        copied_bytes=job.copied_bytes,
        verified_bytes=job.verified_bytes,
        bytes_per_second=job.bytes_per_second,
        priority=job.priority,
        n_attempts=job.n_attempts,
        created_time=job.created_time,
        verification=CopyJob.Verification.Value(verification.upper()),
        farming=CopyJob.Farming.Value(job.farming.value),
        replaced_filepaths=[path_text(path) for path in job.replaced],
    )
    if job.target_folder is not None:
        entry.target_id = path_text(job.target_folder)
        entry.target_filepath = path_text(job.target_folder / job.name)
    if job.last_error:
        entry.last_error = path_text(job.last_error)
    if job.hash:
        entry.hash = job.hash
    for name in ("started_time", "finished_time", "next_attempt_time", "max_bytes_per_second"):
        if getattr(job, name) is not None:
            setattr(entry, name, getattr(job, name))
    remaining = remaining_seconds(job, verification)
    if remaining is not None:
        entry.remaining_seconds = remaining
    return entry


def _state_of(job: Job) -> JobState:
    """One that waits and is held is paused to whoever looks."""
    return JobState.PAUSED if job.is_held and job.state is JobState.QUEUED else job.state


def copy_target(target: Target, load: Load, limits: Limits, *, bytes_per_second: float = 0.0) -> CopyTarget:
    """A target's entry. One that has no room above the reserve and all that is promised is full."""
    state, reason = target.state, target.reason
    if state is TargetState.READY and room_bytes(target, load, limits) <= 0:
        state, reason = TargetState.FULL, "has no room above copy.reserve and what is promised"
    entry = CopyTarget(
        id=path_text(target.folder),
        state=CopyTarget.State.Value(state.value),
        total_bytes=target.total_bytes,
        free_bytes=target.free_bytes,
        promised_bytes=load.promised_bytes.get(target.device, 0) if target.disk else 0,
        reserved_bytes=limits.reserve_bytes,
        n_active=load.n_active.get(target.disk, 0) if target.disk else 0,
        bytes_per_second=bytes_per_second,
        replaceable_bytes=sum(old.plot.taken_bytes for old in target.old_plots),
        group=path_text(target.group),
        group_rank=target.group_rank,
    )
    if target.disk:
        entry.disk_id = target.disk
    if reason:
        entry.reason = path_text(reason)
    if target.retry_time is not None:
        entry.retry_time = target.retry_time
    return entry


def copier_sums(jobs: Iterable[Job], *, n_done: int, bytes_done: int) -> Copier:
    """What all jobs come to."""
    sums = Copier(version=__version__, n_done=n_done, bytes_done=bytes_done)
    for job in jobs:
        sums.n_queued += job.state is JobState.QUEUED
        sums.n_active += job.is_under_way
        sums.n_failed += job.state is JobState.FAILED
        sums.n_not_farming += job.is_waiting_to_farm
        sums.bytes_per_second += job.bytes_per_second
    return sums


def target_speeds(jobs: Iterable[Job]) -> dict[Path, float]:
    """What the copies under way to each target folder move together, in bytes a second."""
    speeds: dict[Path, float] = {}
    for job in jobs:
        if job.is_under_way and job.target_folder is not None:
            speeds[job.target_folder] = speeds.get(job.target_folder, 0.0) + job.bytes_per_second
    return speeds


def scrub_finding(plot: KnownPlot, finding: Finding) -> ScrubFinding:
    """What a scrub found of a plot."""
    entry = ScrubFinding(
        id=path_text(plot.path),
        state=ScrubFinding.State.Value(finding.state.value),
        found_time=finding.found_time,
        moved_time=plot.kept_time,
        expected_hash=plot.hash,
        text=finding.text,
    )
    if finding.found_hash:
        entry.found_hash = finding.found_hash
    return entry
