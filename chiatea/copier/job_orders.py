"""What may be ordered of one job: whether it can be done now, how, and whether it is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

from chiatea.copier.bandwidth import rate_text
from chiatea.copier.copying import Copying
from chiatea.copier.entries import path_text
from chiatea.copier.jobs import Job, JobState, cancelled, waiting_again
from chiatea.copier.placement import Target, TargetState, room_bytes
from chiatea.copier.targets import TargetFolder
from chiatea.errors import ChiaTeaError
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.units import format_bytes

__all__ = ["JobOrder", "Told", "job_orders"]

Told = tuple[bool, str]
"""Whether it could not be done after all, and what happened."""

_IS_THERE: Final = frozenset({TargetState.READY, TargetState.FULL, TargetState.DRAINED})


class JobOrder(Protocol):
    """One action on one job."""

    def check(self, job: Job, command: CopyCommand) -> None:
        """Raises ChiaTeaError where it cannot be done now; changes nothing."""

    async def do(self, job: Job, command: CopyCommand) -> None:
        """Does it to the job as it is now, or sets it going."""

    def is_done(self, job: Job | None, command: CopyCommand) -> bool:
        """Whether it has come about; a job that is forgotten is None."""

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        """What happened, once it is done or was waited for."""


def job_orders(copying: Copying, targets: Mapping[str, TargetFolder]) -> "dict[CopyCommand.Action.ValueType, JobOrder]":
    """By action. `targets` are by the protocol's ids."""
    return {
        CopyCommand.PAUSE: _Pause(copying),
        CopyCommand.RESUME: _Resume(copying),
        CopyCommand.CANCEL: _Cancel(copying),
        CopyCommand.RETRY: _Retry(copying),
        CopyCommand.SET_PRIORITY: _SetPriority(copying),
        CopyCommand.MOVE: _Move(copying, targets),
        CopyCommand.SET_BANDWIDTH: _SetBandwidth(copying),
    }


class _Pause:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        _check_not_over(job)

    async def do(self, job: Job, _: CopyCommand) -> None:
        if not job.is_over:
            self._copying.list.change(replace(job, is_held=True))
            await self._copying.running.pause(job.id)

    def is_done(self, job: Job | None, _: CopyCommand) -> bool:
        return job is None or not job.is_under_way or job.state is JobState.PAUSED

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        if job is None or job.is_over:
            return _was_over(job)
        if not self.is_done(job, command):
            return False, "waits after this step: its disk is slow to answer"
        at = f" at {format_bytes(job.copied_bytes)} of {format_bytes(job.total_bytes)}" if job.is_under_way else ""
        return False, f"paused{at}"


class _Resume:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        _check_not_over(job)
        if self._copying.is_paused:
            raise ChiaTeaError("all is paused", "resume all")
        if not job.is_held and job.state is not JobState.PAUSED:
            raise ChiaTeaError(f"{job.id} is not paused")

    async def do(self, job: Job, _: CopyCommand) -> None:
        if not job.is_over:
            self._copying.list.change(replace(job, is_held=False))
            await self._copying.running.resume(job.id)

    def is_done(self, job: Job | None, _: CopyCommand) -> bool:
        return job is None or job.state is not JobState.PAUSED

    def tell(self, job: Job | None, _: CopyCommand) -> Told:
        if job is None or job.is_over:
            return _was_over(job)
        if job.is_under_way:
            return False, f"goes on from {format_bytes(job.copied_bytes)} of {format_bytes(job.total_bytes)}"
        return False, "is in the queue again"


class _Cancel:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        _check_not_over(job)
        _check_left_is_reachable(self._copying, job)

    async def do(self, job: Job, _: CopyCommand) -> None:
        # One that was to be moved is to be cancelled now.
        await _give_up(self._copying, replace(job, wanted_folder=None))

    def is_done(self, job: Job | None, _: CopyCommand) -> bool:
        return job is None or not job.is_under_way

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        if job is not None and job.state is JobState.CANCELLED:
            return False, "cancelled: its temporary copy is gone, the source stays"
        if job is None or job.is_over:
            return _was_over(job)
        if not self.is_done(job, command):
            return False, "is being cancelled: its disk is slow to answer"
        return True, f"could not be cancelled: {job.last_error or 'it is in the queue again'}"


class _Retry:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        if job.state is JobState.DONE or job.is_under_way:
            raise ChiaTeaError(f"{job.id} is {job.state.value.lower()}: there is nothing to try again")

    async def do(self, job: Job, _: CopyCommand) -> None:
        if job.state is JobState.DONE or job.is_under_way:
            return
        again = job if job.must_recover else waiting_again(job)
        self._copying.list.change(
            replace(
                again,
                state=JobState.QUEUED,
                is_held=False,
                n_attempts=0,
                last_error="",
                finished_time=None,
                next_attempt_time=None,
            )
        )

    def is_done(self, _: Job | None, __: CopyCommand) -> bool:
        return True

    def tell(self, job: Job | None, _: CopyCommand) -> Told:
        if job is None or job.is_over:
            return _was_over(job)
        return False, "is in the queue again"


class _SetPriority:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        _check_not_over(job)

    async def do(self, job: Job, command: CopyCommand) -> None:
        self._copying.list.change(replace(job, priority=command.priority))

    def is_done(self, _: Job | None, __: CopyCommand) -> bool:
        return True

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        if job is None or job.is_over:
            return _was_over(job)
        return False, f"has priority {command.priority}"


class _SetBandwidth:
    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    def check(self, job: Job, _: CopyCommand) -> None:
        _check_not_over(job)

    async def do(self, job: Job, command: CopyCommand) -> None:
        self._copying.list.change(replace(job, max_bytes_per_second=command.max_bytes_per_second))
        await self._copying.running.share_out()

    def is_done(self, _: Job | None, __: CopyCommand) -> bool:
        return True

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        if job is None or job.is_over:
            return _was_over(job)
        rate = command.max_bytes_per_second
        return False, f"at most {rate_text(rate)}" if rate else "has no limit of its own"


class _Move:
    def __init__(self, copying: Copying, targets: Mapping[str, TargetFolder]) -> None:
        self._copying = copying
        self._targets = targets

    def check(self, job: Job, command: CopyCommand) -> None:
        _check_not_over(job)
        wanted = self._targets.get(command.target_id)
        if wanted is None:
            known = ", ".join(sorted(self._targets))
            raise ChiaTeaError(f"{command.target_id} is no target folder", f"those are {known}")
        target = wanted.now()
        if job.target_folder == target.folder:
            raise ChiaTeaError(f"{job.id} goes to {command.target_id} already")
        if target.state is not TargetState.READY:
            raise ChiaTeaError(f"{command.target_id} takes nothing now: {target.reason or target.state.value}")
        room = room_bytes(target, self._copying.load(), self._copying.settings.limits)
        if room < job.total_bytes:
            needed = f"{format_bytes(job.total_bytes)} are needed"
            raise ChiaTeaError(f"{command.target_id} has room for {format_bytes(max(0, room))}, {needed}")
        _check_left_is_reachable(self._copying, job)

    async def do(self, job: Job, command: CopyCommand) -> None:
        wanted = replace(job, wanted_folder=self._targets[command.target_id].folder)
        if job.is_under_way or job.must_recover:
            await _give_up(self._copying, wanted)
        elif not job.is_over:
            self._copying.list.change(wanted)

    def is_done(self, job: Job | None, command: CopyCommand) -> bool:
        return job is None or not job.is_under_way or path_text(job.target_folder) == command.target_id

    def tell(self, job: Job | None, command: CopyCommand) -> Told:
        if job is None or (job.is_over and path_text(job.target_folder) != command.target_id):
            return _was_over(job)
        if not self.is_done(job, command):
            return False, f"is taken from {job.target_folder}, whose disk is slow to answer, to {command.target_id}"
        if job.must_recover:
            return True, f"could not be taken from {path_text(job.target_folder)}: {job.last_error}"
        return False, f"goes to {command.target_id}"


async def _give_up(copying: Copying, job: Job) -> None:
    """What there is of it at its target is removed, by the worker that has it or by another one."""
    if job.is_over:
        return
    if not job.is_under_way and not job.must_recover:
        copying.list.change(cancelled(job, now=copying.now()))
        return
    copying.list.change(job)
    if job.is_under_way:
        await copying.running.cancel(job.id, copying.settings.journal_folder, job.target_device)
        return
    target = _target_of(copying, job)
    if target is not None and target.state in _IS_THERE:
        copying.remove_left(job, target)


def _target_of(copying: Copying, job: Job) -> Target | None:
    return next((target.now() for target in copying.targets if target.folder == job.target_folder), None)


def _check_not_over(job: Job) -> None:
    if job.is_over:
        raise ChiaTeaError(f"{job.id} is {job.state.value.lower()} already")


def _check_left_is_reachable(copying: Copying, job: Job) -> None:
    """What is half copied can be removed only where it is."""
    if job.is_under_way or not job.must_recover:
        return
    if job.id in copying.running:
        raise ChiaTeaError(f"{job.id}: its last attempt is just ending", "try again in a moment")
    target = _target_of(copying, job)
    if target is None or target.state not in _IS_THERE:
        why = target.reason if target is not None else "is no target folder any more"
        raise ChiaTeaError(f"{job.id} is half copied to {path_text(job.target_folder)}, which cannot be used: {why}")


def _was_over(job: Job | None) -> Told:
    if job is None:
        return True, "it was over by then"
    return True, f"it was {job.state.value.lower()} by then{f': {job.last_error}' if job.last_error else ''}"
