"""Which target a plot goes to, and why: a function of plain data."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from pathlib import Path

from chiatea.copier.jobs import Job
from chiatea.copier.replacing import Candidate
from chiatea.units import format_bytes

__all__ = ["Limits", "Load", "Placement", "Target", "TargetState", "load_of", "most_room", "place", "room_bytes"]


class TargetState(StrEnum):
    """Names as in CopyTarget.State of copy.proto."""

    UNKNOWN = "UNKNOWN"
    READY = "READY"
    FULL = "FULL"
    DRAINED = "DRAINED"
    QUARANTINED = "QUARANTINED"
    NOT_MOUNTED = "NOT_MOUNTED"


@dataclass(frozen=True, slots=True)
class Target:
    """One target folder as it is now.

    Attributes:
        folder: as configured.
        state: only READY gets something new.
        device: `st_dev`: folders of one file system share its free space.
        disk: the disk under it: partitions of one disk share its speed.
        total_bytes: the file system's size.
        free_bytes: what it has left for this user.
        temporary_bytes: by name, the `.copying` files in the folder and what they take of the disk already.
        looked_time: when all that was so; UTC seconds since the epoch.
        reason: why it takes nothing; "" where it does.
        retry_time: until when.
        old_plots: those in the folder that rules of `copy.replace` would give up for some new one.
        group: the name of its group; "" for those that have none.
        group_rank: of its group: the lowest is filled first.
        is_awaited: it will tell within moments what room it has: nothing goes to a later group before.
    """

    folder: Path
    state: TargetState
    device: int = 0
    disk: str = ""
    total_bytes: int = 0
    free_bytes: int = 0
    temporary_bytes: Mapping[str, int] = field(default_factory=dict)
    looked_time: float = 0.0
    reason: str = ""
    retry_time: float | None = None
    old_plots: tuple[Candidate, ...] = ()
    group: str = ""
    group_rank: int = 0
    is_awaited: bool = False

    def may_get(self, n_bytes: float, room: int) -> bool:
        """Whether it is worth waiting for, where `room` is what it can be promised."""
        return self.is_awaited or (self.state is TargetState.READY and room >= n_bytes)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows: bytes left free on each file system, copies under way at once."""

    reserve_bytes: int = 0
    max_per_target: int = 1
    max_per_source: int = 2
    max_active: int = 8


@dataclass(frozen=True, slots=True)
class Load:
    """What is under way: bytes still to be written by device, copies by disk."""

    promised_bytes: Mapping[int, int]
    n_active: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Placement:
    """The target, or None, and the reason in words.

    `waits_for_rank`: of the group that has room for it, on disks that are busy; None where no group has, or it goes.
    """

    target: Target | None
    why: str
    waits_for_rank: int | None = None


def load_of(jobs: Iterable[Job], targets: Iterable[Target]) -> Load:
    """What jobs under way, and those that go on where a journal says, will still take of each file system.

    What is free was asked at a moment at which a part of each copy's space was taken already: that is not promised
    once more. A copy that began after that moment is promised whole.
    """
    by_folder = {target.folder: target for target in targets}
    promised: dict[int, int] = {}
    n_active: dict[str, int] = {}
    for job in jobs:
        if job.is_under_way:
            n_active[job.target_disk] = n_active.get(job.target_disk, 0) + 1
        elif job.is_over or not job.must_recover:
            continue
        target = by_folder.get(job.target_folder) if job.target_folder is not None else None
        device, taken = job.target_device, 0
        if target is not None:
            device = target.device if not job.is_under_way else device
            if job.must_recover or (job.started_time is not None and target.looked_time > job.started_time):
                taken = target.temporary_bytes.get(f"{job.name}.copying", 0)
        promised[device] = promised.get(device, 0) + max(0, job.total_bytes - taken)
    return Load(promised, n_active)


def room_bytes(target: Target, load: Load, limits: Limits) -> int:
    """What a target can still be promised."""
    return target.free_bytes - load.promised_bytes.get(target.device, 0) - limits.reserve_bytes


def place(
    plot_bytes: int, targets: Iterable[Target], load: Load, limits: Limits, *, but: Collection[Path] = ()
) -> Placement:
    """The target for a plot: of the first group that has room for it, on the disk with the fewest copies under way,
    then with the most room.

    The order of groups holds: where all that has room in a group is busy, a plot waits for that group. What cannot be
    used, or is full, is not waited for.

    Args:
        plot_bytes: the plot's size.
        targets: those that it may go to, of all groups.
        load: what is under way.
        limits: what the configuration allows.
        but: folders that get a plot of the same name just now, and count as busy.
    """
    refusals: list[str] = []
    for rank, group in _by_rank(targets):
        candidates: list[tuple[int, int, str, Target]] = []
        is_waited_for = False
        group_refusals: list[str] = []
        for target in group:
            n_active, room = load.n_active.get(target.disk, 0), room_bytes(target, load, limits)
            refusal = _refusal(plot_bytes, target, n_active, room, limits)
            if not refusal and target.folder in but:
                refusal = "gets a plot of this name already"
            if not refusal:
                candidates.append((n_active, -room, str(target.folder), target))
                continue
            is_waited_for = is_waited_for or target.may_get(plot_bytes, room)
            group_refusals.append(f"{target.folder} {refusal}")
        if candidates:
            return _chosen(*min(candidates, key=lambda candidate: candidate[:3]))
        refusals += sorted(group_refusals)
        if is_waited_for:
            return Placement(None, "; ".join(refusals), rank)
    return Placement(None, "; ".join(refusals) or "there is no target folder")


def most_room(targets: Iterable[Target], load: Load, limits: Limits) -> list[tuple[int, float]]:
    """The rank of each group, the first one first, and the largest plot that could go to it or wait for it.

    As long as nothing is given back, a plot that did not go to the first group with room for it lets no larger one go
    there either.
    """
    return [
        (rank, max(inf if target.is_awaited else room_bytes(target, load, limits) for target in usable))
        for rank, group in _by_rank(targets)
        if (usable := [target for target in group if target.is_awaited or target.state is TargetState.READY])
    ]


def _by_rank(targets: Iterable[Target]) -> list[tuple[int, list[Target]]]:
    groups: dict[int, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.group_rank, []).append(target)
    return sorted(groups.items())


def _chosen(n_active: int, negative_room: int, _: str, target: Target) -> Placement:
    copies = "no copy" if n_active == 0 else "one copy" if n_active == 1 else f"{n_active} copies"
    group = f"group {target.group}: " if target.group else ""
    room = format_bytes(-negative_room)
    return Placement(target, f"{group}{copies} under way on its disk, room for {room} after all that is promised")


def _refusal(plot_bytes: int, target: Target, n_active: int, room: int, limits: Limits) -> str:
    if target.state is not TargetState.READY:
        return target.reason or f"is {target.state.value.lower().replace('_', ' ')}"
    if room < plot_bytes:
        return f"has room for {format_bytes(max(0, room))}, {format_bytes(plot_bytes)} are needed"
    if n_active >= limits.max_per_target:
        return f"has {n_active} on its disk already"
    return ""
