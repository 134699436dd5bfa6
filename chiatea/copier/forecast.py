"""What a copier would do with what is there now, in order: the scheduler asked again and again. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chiatea.copier.jobs import Job, begun
from chiatea.copier.placement import Limits, Load, Target, place
from chiatea.copier.scheduler import Start, what_to_start

__all__ = ["Forecast", "forecast"]

_AT_ONCE = 100
"""So many plots are looked ahead: a round costs as much as there are plots in it."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The moves in order, and the plots that no target has room for, each with the reason."""

    starts: tuple[Start, ...]
    left: tuple[tuple[Job, str], ...]


def forecast(jobs: Iterable[Job], targets: Sequence[Target], limits: Limits, now: float) -> Forecast:
    """Follows each move to its end: copies are taken to end in the order in which they began."""
    waiting = sorted(
        (job for job in jobs if not job.is_over), key=lambda job: (-job.priority, job.created_time, job.id)
    )
    starts: list[Start] = []
    left: list[tuple[Job, str]] = []
    room = list(targets)
    for begin in range(0, len(waiting), _AT_ONCE):
        some, room = _followed(waiting[begin : begin + _AT_ONCE], room, limits, now)
        started = {start.job.id for start in some}
        starts += some
        left += [
            (job, place(job.total_bytes, room, Load({}, {}), limits).why)
            for job in waiting[begin : begin + _AT_ONCE]
            if job.id not in started
        ]
    return Forecast(tuple(starts), tuple(left))


def _followed(
    waiting: Sequence[Job], targets: list[Target], limits: Limits, now: float
) -> tuple[list[Start], list[Target]]:
    jobs = {job.id: replace(job, next_attempt_time=None) for job in waiting}
    under_way: list[Job] = []
    starts: list[Start] = []
    while True:
        new = what_to_start(jobs.values(), targets, limits, now)
        for start in new:
            target = start.target
            jobs[start.job.id] = begun(
                start.job, target_folder=target.folder, target_device=target.device, target_disk=target.disk, now=now
            )
            under_way.append(jobs[start.job.id])
        starts += new
        if not under_way:
            return starts, targets
        ended = under_way.pop(0)
        del jobs[ended.id]
        targets = [_filled(target, ended) for target in targets]


def _filled(target: Target, job: Job) -> Target:
    if target.device != job.target_device:
        return target
    taken = target.temporary_bytes.get(f"{job.name}.copying", 0) if job.must_recover else 0
    return replace(target, free_bytes=target.free_bytes - max(0, job.total_bytes - taken))
