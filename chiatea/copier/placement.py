"""Which target a plot goes to, and why: a function of plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from chiatea.copier.jobs import Job
from chiatea.copier.replacing import Candidate
from chiatea.units import format_bytes

__all__ = ["Limits", "Load", "Placement", "Target", "TargetState", "load_of", "place", "room_bytes"]


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
    """The target, or None, and the reason in words."""

    target: Target | None
    why: str


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


def place(plot_bytes: int, targets: Iterable[Target], load: Load, limits: Limits) -> Placement:
    """The target for a plot: with room, on the disk with the fewest copies under way, then with the most room."""
    candidates: list[tuple[int, int, str, Target]] = []
    refusals: list[str] = []
    for target in targets:
        n_active, room = load.n_active.get(target.disk, 0), room_bytes(target, load, limits)
        refusal = _refusal(plot_bytes, target, n_active, room, limits)
        if refusal:
            refusals.append(f"{target.folder} {refusal}")
        else:
            candidates.append((n_active, -room, str(target.folder), target))
    if not candidates:
        return Placement(None, "; ".join(sorted(refusals)) or "there is no target folder")
    n_active, negative_room, _, target = min(candidates, key=lambda candidate: candidate[:3])
    copies = "no copy" if n_active == 0 else "one copy" if n_active == 1 else f"{n_active} copies"
    return Placement(
        target, f"{copies} under way on its disk, room for {format_bytes(-negative_room)} after all that is promised"
    )


def _refusal(plot_bytes: int, target: Target, n_active: int, room: int, limits: Limits) -> str:
    if target.state is not TargetState.READY:
        return target.reason or f"is {target.state.value.lower().replace('_', ' ')}"
    if room < plot_bytes:
        return f"has room for {format_bytes(max(0, room))}, {format_bytes(plot_bytes)} are needed"
    if n_active >= limits.max_per_target:
        return f"has {n_active} on its disk already"
    return ""
