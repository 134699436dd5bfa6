"""What a copier would do with what is there now, in order: the scheduler asked again and again. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chiatea.copier.jobs import Job, begun
from chiatea.copier.making_room import why_it_stays
from chiatea.copier.placement import Limits, Load, Target
from chiatea.copier.replacing import Replacement
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
            (job, why_it_stays(job, room, Load({}, {}), limits, now))
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
            is_replacing = start.replacement is not None
            jobs[start.job.id] = begun(
                replace(start.job, is_replacing=is_replacing),
                target_folder=target.folder,
                target_device=target.device,
                target_disk=target.disk,
                now=now,
            )
            under_way.append(jobs[start.job.id])
        starts += new
        if not under_way:
            return starts, targets
        ended = under_way.pop(0)
        del jobs[ended.id]
        given_up = next(start.replacement for start in starts if start.job.id == ended.id)
        targets = [_filled(target, ended, given_up) for target in targets]


def _filled(target: Target, job: Job, given_up: Replacement | None) -> Target:
    if target.device != job.target_device:
        return target
    taken = target.temporary_bytes.get(f"{job.name}.copying", 0) if job.must_recover else 0
    free_bytes = target.free_bytes - max(0, job.total_bytes - taken)
    if given_up is None:
        return replace(target, free_bytes=free_bytes)
    gone = {chosen.plot for chosen in given_up.chosen} if target.folder == job.target_folder else set()
    old_plots = tuple(old for old in target.old_plots if old.plot not in gone)
    return replace(target, free_bytes=free_bytes + given_up.n_bytes, old_plots=old_plots)
