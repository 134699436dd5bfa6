"""What a copier would do with what is there now, in order and in time: the scheduler asked again and again. Pure."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from chiatea.copier.jobs import Job
from chiatea.copier.making_room import facts_of, rules_of
from chiatea.copier.placement import Limits, Load, Target, TargetState, load_of, most_room, place, room_bytes
from chiatea.copier.replacing import Replacement
from chiatea.copier.scheduler import Start, order_of, what_to_start, why_it_waits
from chiatea.copier.speeds import Speed

__all__ = ["Forecast", "Move", "Shortfall", "forecast"]

_LOOKED_AHEAD: Final = 16
"""Of each source disk so many plots, or all that may be under way, are looked at in each round: the scheduler begins
with them, and a round costs as much as there are plots in it."""
_GOING_ON: Final = "what a journal knows"
"""It goes first, wherever it is from."""

Pace = Callable[[Job, Target, int], Speed]
"""How fast a job will be at a target, with so many copies under way."""


@dataclass(frozen=True, slots=True)
class Move:
    """One move. Seconds are from now to its begin and its end."""

    start: Start
    speed: Speed
    begin_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What one group of targets lacks to take all plots that fit nowhere.

    Attributes:
        group: its name.
        rank: its place in the order of groups.
        n_bytes: how much more room it would take, if no byte that is left now were wasted.
        why: what keeps each of its targets from taking the smallest of these plots.
    """

    group: str
    rank: int
    n_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be.

    Attributes:
        moves: in the order in which they begin.
        left: plots that no target takes, and why.
        waiting: plots that stay for another reason: they are paused, or wait for the one target that they may go to.
        shortfalls: what each group lacks for those that are left, the first group first.
    """

    moves: tuple[Move, ...]
    left: tuple[tuple[Job, str], ...]
    waiting: tuple[tuple[Job, str], ...]
    shortfalls: tuple[Shortfall, ...]

    @property
    def seconds(self) -> float:
        """Until the last one ends."""
        return max((move.end_seconds for move in self.moves), default=0.0)


def forecast(
    jobs: Iterable[Job], targets: Sequence[Target], limits: Limits, now: float, pace: Pace, *, is_paused: bool = False
) -> Forecast:
    """Follows each move to its end, and room to the last byte: it is given back by old plots alone.

    Args:
        jobs: all of them; those that are over are let be.
        targets: as they are now.
        limits: what the configuration allows.
        now: UTC seconds since the epoch.
        pace: tells speeds.
        is_paused: somebody paused all.
    """
    course = _Course(targets, limits, now, pace)
    stay: list[Job] = []
    for job in sorted((job for job in jobs if not job.is_over), key=order_of):
        if is_paused or job.is_held:
            stay.append(job)
        else:
            course.add(replace(job, next_attempt_time=None))
    course.run()
    waiting = [(job, why_it_waits(job, targets, limits, now, is_paused=is_paused)) for job in stay]
    return Forecast(tuple(course.moves), tuple(course.left), (*course.waiting, *waiting), tuple(course.shortfalls()))


class _Course:
    """Copies that begin and end, one after the other."""

    def __init__(self, targets: Sequence[Target], limits: Limits, now: float, pace: Pace) -> None:
        self.moves: list[Move] = []
        self.left: list[tuple[Job, str]] = []
        self.waiting: list[tuple[Job, str]] = []
        self._targets = list(targets)
        self._limits = limits
        self._now = now
        self._pace = pace
        self._seconds = 0.0
        self._waiting: dict[str, dict[str, Job]] = {}
        self._under_way: list[tuple[float, int, Job]] = []
        self._rules = rules_of(targets)
        self._was_room_made = False

    def add(self, job: Job) -> None:
        """One that waits, behind those of its source disk that were added before."""
        self._waiting.setdefault(_queue_of(job), {})[job.id] = job

    def run(self) -> None:
        """To the end of the last one."""
        while True:
            window = list(self._window())
            has_begun = self._begin(window)
            if self._leave(self._fitting_nowhere()):
                continue
            if self._under_way:
                self._end_some()
            elif window and not has_begun:
                self._leave(window)
            elif not window and not self._take_up_what_was_left():
                return

    def shortfalls(self) -> Iterator[Shortfall]:
        """What each group lacks for the plots that no group has room for."""
        lacking = sorted(job.total_bytes for job, _ in self.left)
        if not lacking:
            return
        groups = {target.group_rank: target.group for target in self._targets}
        nothing = Load({}, {})
        for rank, group in sorted(groups.items()):
            targets = [target for target in self._targets if target.group_rank == rank]
            rooms = {
                target.device: max(0, room_bytes(target, nothing, self._limits))
                for target in targets
                if target.state is TargetState.READY
            }
            # Each plot lies on one file system, so what is left of more of them than there are plots is of no use.
            usable = sum(sorted(rooms.values(), reverse=True)[: len(lacking)])
            why = place(lacking[0], targets, nothing, self._limits).why
            yield Shortfall(group, rank, max(0, sum(lacking) - usable), why)

    def _window(self) -> Iterator[Job]:
        n_each = max(_LOOKED_AHEAD, self._limits.max_active)
        for queue, jobs in self._waiting.items():
            yield from islice(jobs.values(), None if queue == _GOING_ON else n_each)

    def _begin(self, window: Sequence[Job]) -> bool:
        under_way = [job for _, _, job in self._under_way]
        starts = what_to_start([*under_way, *window], self._targets, self._limits, self._now)
        for start in starts:
            self._forget(start.job)
            speed = self._pace(start.job, start.target, len(under_way) + len(starts))
            end = self._seconds + start.job.total_bytes / speed.bytes_per_second
            self.moves.append(Move(start, speed, self._seconds, end))
            heapq.heappush(self._under_way, (end, len(self.moves), start.begun(self._now)))
        return bool(starts)

    def _end_some(self) -> None:
        self._seconds = self._under_way[0][0]
        while self._under_way and self._under_way[0][0] <= self._seconds:
            _, number, job = heapq.heappop(self._under_way)
            given_up = self.moves[number - 1].start.replacement
            self._targets = [_filled(target, job, given_up) for target in self._targets]
            if given_up is not None:
                self._rules, self._was_room_made = rules_of(self._targets), True

    def _fitting_nowhere(self) -> list[Job]:
        """There will be no more room for them than there is now, and no old plot goes for them."""
        most = max((n_bytes for _, n_bytes in most_room(self._targets, self._load(), self._limits)), default=0)
        return [
            job
            for job in self._window()
            if job.total_bytes > most and _may_go_anywhere(job) and not self._may_replace(job)
        ]

    def _may_replace(self, job: Job) -> bool:
        return bool(self._rules) and any(rule.is_for(facts_of(job), self._now) for rule in self._rules)

    def _take_up_what_was_left(self) -> bool:
        """Old plots that went may leave room for more than the plot that they went for."""
        if not self._was_room_made:
            return False
        left, self.left, self._was_room_made = self.left, [], False
        for job, _ in left:
            self.add(job)
        return bool(left)

    def _leave(self, jobs: Sequence[Job]) -> bool:
        for job in jobs:
            self._forget(job)
            stay = self.left if _may_go_anywhere(job) else self.waiting
            stay.append((job, why_it_waits(job, self._targets, self._limits, self._now, self._load())))
        return bool(jobs)

    def _load(self) -> Load:
        going_on = self._waiting.get(_GOING_ON, {}).values()
        return load_of([*going_on, *(job for _, _, job in self._under_way)], self._targets)

    def _forget(self, job: Job) -> None:
        jobs = self._waiting[_queue_of(job)]
        del jobs[job.id]
        if not jobs:
            del self._waiting[_queue_of(job)]


def _queue_of(job: Job) -> str:
    return _GOING_ON if job.must_recover else f"from {job.source_disk}"


def _may_go_anywhere(job: Job) -> bool:
    return not job.must_recover and job.wanted_folder is None


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
