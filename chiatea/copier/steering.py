"""What people order of a running copier: looked at, written down, done once, and answered."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from chiatea.copier.bandwidth import rate_text
from chiatea.copier.copying import Copying
from chiatea.copier.entries import path_text
from chiatea.copier.job_orders import JobOrder, job_orders
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.orders import Answer, Bandwidth, Drain, read_orders, write_orders
from chiatea.copier.targets import TargetFolder
from chiatea.errors import ChiaTeaError
from chiatea.protobuf.copy_pb2 import CopyCommand

__all__ = ["Steering"]

_log = logging.getLogger(__name__)

CONFIRM_SECONDS: Final = 0.8
"""How long an answer waits for its copies to do as they were told: a person waits a second at most."""
_RESENT: Final = 20
"""So many of the last answers are told again to a server that comes back: it may have missed them."""
_REFUSED: Final = "REFUSED"
_Confirm = Callable[[], Awaitable[tuple[str, str]]]
"""Waits for copies to do as they were told; gives the command's state and result."""
_BEGUN: Final = "the copier ended while it was at it: its jobs show how far that went, and nothing is done twice"


class Steering:
    """Obeys commands, of which each has an id: one that comes again gets the same answer."""

    def __init__(self, copying: Copying, filepath: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Reads what was ordered before, and applies it to a copier that has not begun.

        Raises:
            ConfigurationError: what was ordered before cannot be read.
        """
        self._copying = copying
        self._filepath = filepath
        self._clock = clock
        self._orders = read_orders(filepath)
        self._targets: dict[str, TargetFolder] = {path_text(target.folder): target for target in copying.targets}
        self._configured_drains = {name: target.is_drained for name, target in self._targets.items()}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[CopyCommand]] = {}
        self._saving: set[asyncio.Task[None]] = set()
        copying.listeners.append(self._on_change)

    async def begin(self) -> None:
        """Applies what was ordered before, to a copier that looks at nothing yet."""
        orders, copying = self._orders, self._copying
        folders = {name: target.folder for name, target in self._targets.items()}
        copying.list.as_ordered = lambda job: orders.applied(job, folders)
        copying.is_paused = orders.is_paused
        if orders.is_paused:
            _log.warning("all is paused, as was ordered: `chia-tea jobs resume --all` goes on")
        ordered, rate = orders.bandwidth, copying.rate
        if ordered is not None and (ordered.configured, ordered.periods) == (rate.always, rate.periods_text):
            rate.order(ordered.ordered, ordered.until)
            await copying.running.limit(rate.now())
        for name, target in self._targets.items():
            drain = orders.drains.get(name)
            if drain is not None and drain.configured == target.is_drained:
                target.is_drained = drain.ordered

    def answers(self) -> list[CopyCommand]:
        """What the last commands came to, for a server that may not have heard it."""
        return [self._told(command_id, answer) for command_id, answer in list(self._orders.answers.items())[-_RESENT:]]

    async def obey(self, command: CopyCommand) -> CopyCommand:
        """Does what a command says, unless it was done, and tells what became of it."""
        task = self._under_way.get(command.id)
        if task is None:
            task = self._under_way[command.id] = asyncio.create_task(self._obey(command), name=f"obey {command.id}")
            task.add_done_callback(lambda _: self._under_way.pop(command.id, None))
        # Who asked may go: what was begun is ended.
        return await asyncio.shield(task)

    async def _obey(self, command: CopyCommand) -> CopyCommand:
        async with self._turn:
            known = self._orders.answers.get(command.id)
            if known is not None:
                return self._told(command.id, known)
            # At the start it may not be found yet.
            await self._wait_until(lambda: all(job_id in self._copying.list.jobs for job_id in command.job_ids))
            try:
                confirm = await self._begun(command)
            except ChiaTeaError as error:
                return await self._ended(command.id, _REFUSED, str(error))
        # Others need not wait while copies do as they were told.
        state, result = await confirm()
        async with self._turn:
            return await self._ended(command.id, state, result)

    async def _begun(self, command: CopyCommand) -> _Confirm:
        action = command.action
        order = job_orders(self._copying, self._targets).get(action)
        is_of_all = action == CopyCommand.SET_BANDWIDTH and not command.job_ids
        if order is not None and not is_of_all:
            jobs = self._jobs(command.job_ids)
            for job in jobs:
                order.check(job, command)
            await self._note_begun(command.id)
            return await self._order_jobs(order, jobs, command)
        if action in {CopyCommand.PAUSE_ALL, CopyCommand.RESUME_ALL}:
            await self._note_begun(command.id)
            return await self._pause_all(is_paused=action == CopyCommand.PAUSE_ALL)
        if action in {CopyCommand.DRAIN_TARGET, CopyCommand.RELEASE_TARGET}:
            target = self._target(command.target_id)
            await self._note_begun(command.id)
            is_drained = action == CopyCommand.DRAIN_TARGET
            return _at_once(await self._drain(target, command.target_id, is_drained=is_drained))
        if is_of_all:
            await self._note_begun(command.id)
            return _at_once(await self._limit(command.max_bytes_per_second))
        raise ChiaTeaError("this copier does not know how to do that", "it may be older than the server")

    def _jobs(self, job_ids: Sequence[str]) -> list[Job]:
        jobs = [self._copying.list.jobs.get(job_id) for job_id in job_ids]
        unknown = [job_id for job_id, job in zip(job_ids, jobs, strict=True) if job is None or job.is_set_aside]
        if unknown:
            raise ChiaTeaError(f"there is no job {', '.join(unknown)}", "it is over and forgotten, or its plot is gone")
        return [job for job in jobs if job is not None]

    def _target(self, target_id: str) -> TargetFolder:
        target = self._targets.get(target_id)
        if target is None:
            raise ChiaTeaError(f"{target_id} is no target folder", f"those are {', '.join(sorted(self._targets))}")
        return target

    async def _order_jobs(self, order: JobOrder, jobs: Sequence[Job], command: CopyCommand) -> _Confirm:
        held = self._copying.list.jobs
        for job_id in [job.id for job in jobs]:
            # It was written down meanwhile, in which time things happen.
            if job_id in held:
                await order.do(held[job_id], command)
                self._keep(job_id)
        self._copying.wake()

        async def confirm() -> tuple[str, str]:
            await self._wait_until(lambda: all(order.is_done(held.get(job.id), command) for job in jobs))
            told = [order.tell(held.get(job.id), command) for job in jobs]
            state = _REFUSED if any(is_refused for is_refused, _ in told) else "DONE"
            if len(told) == 1:
                return state, told[0][1]
            return state, "; ".join(f"{job.id}: {text}" for job, (_, text) in zip(jobs, told, strict=True))

        return confirm

    async def _pause_all(self, *, is_paused: bool) -> _Confirm:
        copying = self._copying
        copying.is_paused = self._orders.is_paused = is_paused
        under_way = [job.id for job in copying.list.jobs.values() if job.is_under_way]
        for job_id in under_way:
            await (copying.running.pause if is_paused else copying.running.resume)(job_id)
        if not is_paused:
            for job in [job for job in copying.list.jobs.values() if job.is_held]:
                copying.list.change(replace(job, is_held=False))
            self._orders.held_jobs.clear()
        copying.wake()
        what = "nothing is begun, and what is under way waits" if is_paused else "all goes on"
        return _at_once(f"{what}: {len(under_way)} under way")

    async def _drain(self, target: TargetFolder, target_id: str, *, is_drained: bool) -> str:
        accepted = "" if is_drained else await target.accept_disk()
        target.is_drained = is_drained
        drain = Drain(configured=self._configured_drains[target_id], ordered=is_drained)
        self._orders.drains.pop(target_id, None)
        if drain.ordered != drain.configured:
            self._orders.drains[target_id] = drain
        # A target that is drained by the configuration was not locked yet: that comes with the look.
        self._copying.look_again(target)
        if is_drained:
            return "gets nothing new; what is under way to it is ended"
        return f"gets plots again, from now on {accepted}" if accepted else "gets plots again"

    async def _limit(self, max_bytes_per_second: int) -> str:
        rate = self._copying.rate
        until = rate.next_change()
        rate.order(max_bytes_per_second, until)
        await self._copying.running.limit(rate.now())
        self._orders.bandwidth = Bandwidth(
            configured=rate.always, periods=rate.periods_text, ordered=max_bytes_per_second, until=until
        )
        limit = f"{rate_text(max_bytes_per_second)} for all together" if max_bytes_per_second else "no limit"
        return (
            limit if until is None else f"{limit}, until copy.bandwidth_by_time says another at {rate.time_text(until)}"
        )

    def _keep(self, job_id: str) -> None:
        job = self._copying.list.jobs.get(job_id)
        if job is not None:
            self._orders.keep(job, path_text(job.wanted_folder) if job.wanted_folder is not None else "")

    def _on_change(self, job: Job) -> None:
        if job.is_over:
            was_known = job.id in self._orders.cancelled_jobs
            self._keep(job.id)
            if job.state is JobState.CANCELLED and not was_known and not self._under_way:
                # It took longer than an answer waits.
                task = asyncio.create_task(self._save_late())
                self._saving.add(task)
                task.add_done_callback(self._saving.discard)
        self._changed.set()

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """For a moment only."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_SECONDS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()

    async def _note_begun(self, command_id: str) -> None:
        """Nothing is done before it is known that it was begun: after a crash it is not done again.

        Raises:
            ChiaTeaError: that cannot be written down, so nothing is done.
        """
        self._orders.answer(command_id, Answer(state="BEGUN"))
        try:
            await self._save()
        except ChiaTeaError:
            del self._orders.answers[command_id]
            raise

    async def _ended(self, command_id: str, state: str, result: str) -> CopyCommand:
        answer = Answer(state="DONE" if state == "DONE" else "REFUSED", result=result, finished_time=self._clock())
        self._orders.answer(command_id, answer)
        try:
            await self._save()
        except ChiaTeaError as error:
            _log.error("what was ordered is done, and forgotten at the next start: %s", error)
        return self._told(command_id, answer)

    async def _save_late(self) -> None:
        async with self._turn:
            with contextlib.suppress(ChiaTeaError):
                await self._save()

    async def _save(self) -> None:
        await asyncio.to_thread(write_orders, self._filepath, self._orders.model_dump_json())

    @staticmethod
    def _told(command_id: str, answer: Answer) -> CopyCommand:
        if answer.state == "BEGUN":
            return CopyCommand(id=command_id, state=CopyCommand.REFUSED, result=_BEGUN)
        state = CopyCommand.DONE if answer.state == "DONE" else CopyCommand.REFUSED
        return CopyCommand(id=command_id, state=state, result=answer.result, finished_time=answer.finished_time)


def _at_once(result: str) -> _Confirm:
    async def confirm() -> tuple[str, str]:
        return "DONE", result

    return confirm
