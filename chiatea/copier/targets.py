"""Target folders as they are now: there, mounted, with how much room."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from chiatea.copier.disks import disk_of, is_on_root, unmounted_point
from chiatea.copier.placement import Target, TargetState
from chiatea.question import Question, UnansweredError

__all__ = ["LOOK_SECONDS", "TargetFolder", "look_at_target"]

LOOK_SECONDS: Final = 5.0
"""How long a folder may take to tell of itself. A disk that was asleep is up by then, mostly."""


def look_at_target(folder: Path, *, on_root: bool, now: float) -> Target:
    """A target folder now. It asks the disk and may hang with it.

    Args:
        folder: the folder.
        on_root: whether it may lie on the system's own disk.
        now: UTC seconds since the epoch.
    """
    try:
        status = folder.stat()
        missing = _not_mounted(folder, status, on_root=on_root)
        if missing:
            return Target(folder, TargetState.NOT_MOUNTED, looked_time=now, reason=missing)
        # What copies took, before what is left: one that takes its space in between is counted twice, never not at
        # all.
        temporary_bytes = _temporary_files(folder)
        room = os.statvfs(folder)
        may_write = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        state, reason = TargetState.QUARANTINED, f"cannot be read: {error.strerror}"
        if isinstance(error, FileNotFoundError):
            state, reason = TargetState.NOT_MOUNTED, "is not there"
        return Target(folder, state, looked_time=now, reason=reason)
    reason = "may not be written to by this user" if not may_write else ""
    if room.f_flag & os.ST_RDONLY:
        reason = "is mounted read-only"
    return Target(
        folder,
        TargetState.QUARANTINED if reason else TargetState.READY,
        device=status.st_dev,
        disk=disk_of(status.st_dev),
        total_bytes=room.f_blocks * room.f_frsize,
        free_bytes=room.f_bavail * room.f_frsize,
        temporary_bytes=temporary_bytes,
        looked_time=now,
        reason=reason,
    )


def _not_mounted(folder: Path, status: os.stat_result, *, on_root: bool) -> str:
    if not stat.S_ISDIR(status.st_mode):
        return "is not a folder"
    missing = unmounted_point(folder)
    if missing is not None:
        return f"is not mounted: nothing is at {missing}, which fstab names"
    if not on_root and is_on_root(status.st_dev):
        return "is not mounted, or lies on the system's own disk, which copy.targets_on_root would allow"
    return ""


def _temporary_files(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".copying"):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                # Source: stat(2): st_blocks counts 512 bytes, whatever the file system's blocks are.
                found[entry.name] = status.st_blocks * 512
    return found


class TargetFolder:
    """One target folder: what was seen of it last, and what is held against it."""

    def __init__(
        self,
        folder: Path,
        look: Callable[[Path], Target],
        clock: Callable[[], float],
        *,
        is_drained: bool = False,
        group: str = "",
        group_rank: int = 0,
        limit_seconds: float = LOOK_SECONDS,
        let_go: Callable[[Path], None] = lambda _: None,
        accept: Callable[[Path], str] = lambda _: "",
    ) -> None:
        """A folder of which nothing is known.

        Args:
            folder: as configured.
            look: tells of it now, and may hang.
            clock: UTC seconds since the epoch.
            is_drained: it gets nothing new.
            group: the name of its group.
            group_rank: of its group: the lowest is filled first.
            limit_seconds: how long a look may take.
            let_go: nothing is to be kept open there, so that a person can unmount it and look after it.
            accept: takes another disk that is there for the right one, and names it; "" where it is the right one. It
                may hang.
        """
        self.folder = folder
        self.is_drained = is_drained
        self._group = group
        self._group_rank = group_rank
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._let_go = let_go
        self._question = Question(lambda: look(folder))
        self._acceptance = Question(lambda: accept(folder))
        self._seen = Target(folder, TargetState.UNKNOWN, reason="was not looked at yet")
        self._outdated_time = -1.0
        self._held_back: Target | None = None
        self.is_being_looked_at = True
        """Nothing that is true is known of it, and the next look is not over."""

    async def look(self) -> None:
        """Asks it, for a limited time, until the answer is newer than all that was done to it. One that failed is left
        alone until its time is over.
        """
        held = self._held()
        if held is not None and held.state is TargetState.QUARANTINED:
            self.is_being_looked_at = False
            self._seen = Target(self.folder, TargetState.UNKNOWN, reason="is to be looked at again")
            self._let_go(self.folder)
            return
        while True:
            try:
                seen = await self._question.answer(self._limit_seconds)
            except UnansweredError:
                self.is_being_looked_at = False
                self._seen = Target(self.folder, TargetState.UNKNOWN, reason="does not answer")
                return
            if seen.looked_time >= self._outdated_time:
                self.is_being_looked_at = False
                self._seen = seen
                return

    def outdate(self) -> None:
        """A copy to it ended: what is known of its room is true no more."""
        self._outdated_time = self._clock()
        self.is_being_looked_at = True
        if self._seen.state is not TargetState.UNKNOWN:
            self._seen = replace(self._seen, state=TargetState.UNKNOWN, reason="is being looked at")

    def let_go(self) -> None:
        """Its disk may be unmounted."""
        self._let_go(self.folder)

    async def accept_disk(self) -> str:
        """Takes another disk that is there for the right one, and names it; "" where there was nothing to accept.

        Raises:
            ChiaTeaError: it cannot be written down.
        """
        try:
            return await self._acceptance.answer(self._limit_seconds)
        except OSError:
            # The next look tells what is wrong with it.
            return ""

    def hold_back(self, state: TargetState, reason: str, until: float) -> None:
        """It failed: it takes nothing new until then."""
        self._held_back = Target(self.folder, state, reason=reason, retry_time=until)

    def now(self) -> Target:
        """As it is to be dealt with now."""
        return replace(
            self._as_held(), group=self._group, group_rank=self._group_rank, is_awaited=self.is_being_looked_at
        )

    def _as_held(self) -> Target:
        seen, held = self._seen, self._held()
        if held is not None and (seen.state is TargetState.READY or held.state is TargetState.QUARANTINED):
            return replace(seen, state=held.state, reason=held.reason, retry_time=held.retry_time)
        if self.is_drained and seen.state is TargetState.READY:
            return replace(seen, state=TargetState.DRAINED, reason="is drained")
        return seen

    def _held(self) -> Target | None:
        if self._held_back is not None and (self._held_back.retry_time or 0.0) <= self._clock():
            self._held_back = None
        return self._held_back
