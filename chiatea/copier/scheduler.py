"""What to start now: jobs, targets and limits in, starts out. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from chiatea.copier.jobs import Job, JobState, begun
from chiatea.copier.making_room import facts_of, make_room, rules_of
from chiatea.copier.placement import Limits, Load, Target, TargetState, load_of, most_room, place, room_bytes
from chiatea.copier.replacing import Replacement

__all__ = ["Start", "order_of", "what_to_start", "why_it_waits"]


@dataclass(frozen=True, slots=True)
class Start:
    """A job that begins now, where, and why there; and what the target gives up for it."""

    job: Job
    target: Target
    why: str
    replacement: Replacement | None = None

    def begun(self, now: float) -> Job:
        """The job, under way."""
        job, target = self.job, self.target
        return begun(
            replace(job, is_replacing=job.is_replacing or self.replacement is not None),
            target_folder=target.folder,
            target_device=target.device,
            target_disk=target.disk,
            now=now,
        )


def what_to_start(jobs: Iterable[Job], targets: Sequence[Target], limits: Limits, now: float) -> list[Start]:
    """The jobs to start, in order: first those that a journal knows, then by priority, from the source disk that is
    read least, and by age.

    No more is started than the limits allow, counted with what is under way; a file system is never promised more
    than it has left above the reserve. Where no target has room for a plot, a full one may give up old plots for it, as
    rules allow. The same in gives the same out.
    """
    return _Round(jobs, targets, limits, now).starts


class _Round:
    """One decision: what is under way grows with each start."""

    def __init__(self, jobs: Iterable[Job], targets: Sequence[Target], limits: Limits, now: float) -> None:
        self.starts: list[Start] = []
        self._targets = targets
        self._limits = limits
        under_way: list[Job] = []
        going_on: list[Job] = []
        new: list[Job] = []
        for job in jobs:
            if job.is_under_way:
                under_way.append(job)
            elif job.must_recover and job.state is JobState.QUEUED:
                going_on.append(job)
            elif job.is_due(now):
                new.append(job)
        load = load_of([*under_way, *going_on], targets)
        self._promised, self._n_active = dict(load.promised_bytes), dict(load.n_active)
        self._load = Load(self._promised, self._n_active)
        self._n_under_way = len(under_way)
        self._n_reading: dict[str, int] = {}
        self._names: dict[str, set[Path]] = {}
        for job in [*under_way, *going_on]:
            if job.target_folder is not None:
                self._names.setdefault(job.name, set()).add(job.target_folder)
        for job in under_way:
            self._n_reading[job.source_disk] = self._n_reading.get(job.source_disk, 0) + 1
        self._giving_up = {job.target_device for job in [*under_way, *going_on] if job.is_replacing}
        self._start_going_on([job for job in going_on if job.is_due(now)])
        self._start_new(new)
        self._start_replacing(new, now)

    @property
    def _is_enough(self) -> bool:
        return self._n_under_way >= self._limits.max_active

    def _reads(self, source_disk: str) -> int:
        return self._n_reading.get(source_disk, 0)

    def _start_going_on(self, jobs: list[Job]) -> None:
        by_folder = {target.folder: target for target in self._targets}
        for job in sorted(jobs, key=order_of):
            target = by_folder.get(job.target_folder) if job.target_folder is not None else None
            # Its space is taken already: a full or drained target is no hindrance.
            may_take = target is not None and target.state in {
                TargetState.READY,
                TargetState.FULL,
                TargetState.DRAINED,
            }
            if (
                target is not None
                and may_take
                and not self._is_enough
                and self._n_active.get(target.disk, 0) < self._limits.max_per_target
                and self._reads(job.source_disk) < self._limits.max_per_source
            ):
                self._start(job, target, "a journal knows how far it came there")

    def _start_new(self, jobs: list[Job]) -> None:
        queues: dict[str, deque[Job]] = {}
        for job in sorted(jobs, key=order_of):
            queues.setdefault(job.source_disk, deque()).append(job)
        # While the round lasts there is less and less room: what a group did not take, it takes no larger one either.
        too_large: dict[int, int] = {}
        most = most_room(self._targets, self._load, self._limits)
        while not self._is_enough:
            open_queues = [
                queue for disk, queue in queues.items() if queue and self._reads(disk) < self._limits.max_per_source
            ]
            if not open_queues:
                return
            queue = min(open_queues, key=lambda q: (-q[0].priority, self._reads(q[0].source_disk), order_of(q[0])))
            job = queue.popleft()
            rank = next((rank for rank, n_bytes in most if job.total_bytes <= n_bytes), None)
            if job.wanted_folder is None and (rank is None or job.total_bytes >= too_large.get(rank, inf)):
                continue
            targets = [target for target in self._targets if job.wanted_folder in {None, target.folder}]
            but = self._names.get(job.name, ())
            placement = place(job.total_bytes, targets, self._load, self._limits, but=but)
            if placement.target is not None:
                device = placement.target.device
                self._promised[device] = self._promised.get(device, 0) + job.total_bytes
                self._start(job, placement.target, placement.why)
                most = most_room(self._targets, self._load, self._limits)
            elif job.wanted_folder is None and not but and rank is not None:
                too_large[rank] = job.total_bytes

    def _start_replacing(self, jobs: list[Job], now: float) -> None:
        """Starts those that no target has room for. One that only waits for a busy disk goes there in its time,
        and before a folder has told what room it has, no old plot goes.
        """
        rules = rules_of(self._targets)
        if not rules:
            return
        started = {start.job.id for start in self.starts}
        too_large: dict[frozenset[str], int] = {}
        for job in sorted((job for job in jobs if job.id not in started), key=order_of):
            if self._is_enough or not any(self._may_give_up(target) for target in self._targets):
                return
            new = facts_of(job)
            names = frozenset(rule.name for rule in rules if rule.is_for(new, now))
            if (
                not names
                or job.total_bytes >= too_large.get(names, float("inf"))
                or self._reads(job.source_disk) >= self._limits.max_per_source
            ):
                continue
            targets = [target for target in self._targets if job.wanted_folder in {None, target.folder}]
            if any(self._may_get(target, job.total_bytes) for target in targets):
                continue
            targets = [target for target in targets if target.folder not in self._names.get(job.name, ())]
            exchange = make_room(job, targets, self._load, self._limits, now, giving_up=self._giving_up)
            if exchange.target is not None:
                device = exchange.target.device
                self._promised[device] = self._promised.get(device, 0) + job.total_bytes
                self._giving_up.add(device)
                self._start(job, exchange.target, exchange.why, exchange.replacement)
            elif len(targets) == len(self._targets):
                too_large[names] = job.total_bytes

    def _may_give_up(self, target: Target) -> bool:
        is_idle = self._n_active.get(target.disk, 0) < self._limits.max_per_target
        return bool(target.old_plots) and is_idle and target.device not in self._giving_up

    def _may_get(self, target: Target, n_bytes: int) -> bool:
        return target.may_get(n_bytes, room_bytes(target, self._load, self._limits))

    def _start(self, job: Job, target: Target, why: str, replacement: Replacement | None = None) -> None:
        self.starts.append(Start(job, target, why, replacement))
        self._n_under_way += 1
        self._n_active[target.disk] = self._n_active.get(target.disk, 0) + 1
        self._n_reading[job.source_disk] = self._reads(job.source_disk) + 1
        self._names.setdefault(job.name, set()).add(target.folder)


def why_it_waits(
    job: Job,
    targets: Sequence[Target],
    limits: Limits,
    now: float,
    load: Load | None = None,
    *,
    is_paused: bool = False,
) -> str:
    """Why a job that waits is not begun, where nothing that is under way holds it up; `is_paused`: all is."""
    if is_paused or job.is_held:
        return "it is paused, as was ordered: `chia-tea jobs resume` lets it go on"
    if job.must_recover:
        why = next((f"{target.folder} {target.reason}" for target in targets if target.folder == job.target_folder), "")
        why = why or f"{job.target_folder} is no target folder any more"
        return f"it is half copied, and waits for its target: {why}"
    some = [target for target in targets if job.wanted_folder in {None, target.folder}]
    load = load or Load({}, {})
    why = place(job.total_bytes, some, load, limits).why
    exchange = make_room(job, some, load, limits, now)
    why += f"; {exchange.why}" if exchange.why and exchange.target is None else ""
    return f"no target takes it: {why}"


def order_of(job: Job) -> tuple[int, float, int, str]:
    """Jobs that come first in the queue have the smaller one."""
    return (-job.priority, job.created_time, job.modified_ns, job.id)
