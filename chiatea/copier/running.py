"""Jobs that are under way: a worker for each, its words handed on, and all of them ended together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from chiatea.copier.job_events import Failed, JobEvent, Progress
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.transfer import Order

__all__ = ["Running", "Worker"]

_log = logging.getLogger(__name__)

_END_SECONDS: Final = 8.0
"""How long workers may take to leave their jobs off: a disk may have to write what it was given."""


class Worker(Protocol):
    """One process that moves one plot."""

    def run(self, spec: JobSpec, order: Order) -> AsyncIterator[JobEvent]:
        """Moves it; the last word is Done, Cancelled or Failed, unless it was left off or killed."""
        ...

    def limit(self, max_bytes_per_second: int) -> None:
        """Another rate from now on; 0 is none."""
        ...

    def leave_off(self) -> None:
        """It is to end soon; the journal knows how far it came."""
        ...

    def kill(self) -> None:
        """It is to end now. One that hangs in the kernel is left behind."""
        ...


class Running:
    """The workers under way, by job."""

    def __init__(
        self,
        start_worker: Callable[[], Awaitable[Worker]],
        on_event: Callable[[str, JobEvent], None],
        on_end: Callable[[str, bool], None],
        max_bytes_per_second: int,
    ) -> None:
        """None yet.

        Args:
            start_worker: makes a worker.
            on_event: gets a job's id and what its worker tells.
            on_end: gets a job's id and whether its worker told how it ended.
            max_bytes_per_second: of all together; 0 is no limit.
        """
        self._start_worker = start_worker
        self._on_event = on_event
        self._on_end = on_end
        self._max_bytes_per_second = max_bytes_per_second
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.is_ending = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def share(self) -> int:
        """What one job may move in a second."""
        return max(1, self._max_bytes_per_second // max(1, len(self._tasks))) if self._max_bytes_per_second else 0

    def begin(self, spec_of: Callable[[int], JobSpec], job_id: str, order: Order) -> None:
        """Starts a job; `spec_of` makes its spec from the rate that is its share."""
        task = asyncio.create_task(self._run(spec_of, job_id, order), name=f"copy {job_id}")
        self._tasks[job_id] = task
        self._share_out()

    async def _run(self, spec_of: Callable[[int], JobSpec], job_id: str, order: Order) -> None:
        has_ended = False
        try:
            worker = self._workers[job_id] = await self._start_worker()
            async for event in worker.run(spec_of(self.share), order):
                has_ended = has_ended or not isinstance(event, Progress)
                self._on_event(job_id, event)
        except OSError as error:
            _log.error("no worker could be started: %s", error)
            self._on_event(job_id, Failed(job_id, "internal", f"no worker could be started: {error}", is_kept=True))
            has_ended = True
        finally:
            self._workers.pop(job_id, None)
            self._tasks.pop(job_id, None)
            self._share_out()
            self._on_end(job_id, has_ended)

    def _share_out(self) -> None:
        if self._max_bytes_per_second:
            for worker in self._workers.values():
                worker.limit(self.share)

    async def end(self) -> None:
        """Lets all leave off; what does not is killed, and what cannot be killed is left behind."""
        self.is_ending = True
        for worker in self._workers.values():
            worker.leave_off()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_END_SECONDS)
        for job_id, worker in self._workers.items():
            _log.warning("job %s: its worker did not end in %g s and is killed", job_id, _END_SECONDS)
            worker.kill()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
