"""Jobs that are under way: a worker for each, its words handed on, and all of them ended together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Literal, Protocol

from chiatea.copier.bandwidth import shares_of
from chiatea.copier.job_events import Failed, JobEvent, Progress, Replaced
from chiatea.copier.job_spec import JobSpec

__all__ = ["Order", "Running", "Worker"]

_log = logging.getLogger(__name__)

Order = Literal["copy", "recover", "cancel"]
"""What a worker is started for: to move a plot, to settle what an earlier one left, or to remove that."""

_END_SECONDS: Final = 8.0
"""How long a worker may take to make durable what it has."""


class Worker(Protocol):
    """One process that moves plots: `worker_process` has the real one."""

    async def copy(self, spec: JobSpec) -> None:
        """Moves a plot, from where a journal says that it is."""

    async def recover(self, job_id: str, journal_folder: Path, target_device: int | None = None) -> None:
        """Settles what an earlier worker left."""

    async def cancel(self, job_id: str, journal_folder: Path, target_device: int | None = None) -> None:
        """The temporary file goes, the source stays."""

    async def pause(self, job_id: str) -> None:
        """It waits where it is."""

    async def resume(self, job_id: str) -> None:
        """It goes on from there."""

    async def limit(self, max_bytes_per_second: int) -> None:
        """Another rate from now on; 0 is none."""

    def events(self) -> AsyncIterator[JobEvent]:
        """What it tells, until it ends."""

    async def close(self, limit_seconds: float) -> bool:
        """Lets it end; False where it hangs, and is left behind."""


class Running:
    """The workers under way, by job."""

    def __init__(
        self,
        start_worker: Callable[[], Awaitable[Worker]],
        on_event: Callable[[str, JobEvent], None],
        on_end: Callable[[str, bool], None],
        max_bytes_per_second: int,
        own_limit: Callable[[str], int],
    ) -> None:
        """None yet.

        Args:
            start_worker: makes a worker.
            on_event: gets a job's id and what its worker tells.
            on_end: gets a job's id and whether its worker told how it ended.
            max_bytes_per_second: of all together; 0 is no limit.
            own_limit: that of the job with an id; 0 is none.
        """
        self._start_worker = start_worker
        self._on_event = on_event
        self._on_end = on_end
        self._max_bytes_per_second = max_bytes_per_second
        self._own_limit = own_limit
        self._told_rates: dict[str, int] = {}
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._paused: set[str] = set()
        self._cancelled: dict[str, tuple[Path, int]] = {}
        self.is_ending = False

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._tasks

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._tasks))

    @property
    def max_bytes_per_second(self) -> int:
        """What all together may move; 0 is no limit."""
        return self._max_bytes_per_second

    async def limit(self, max_bytes_per_second: int) -> None:
        """Another rate for all together from now on; 0 is none."""
        self._max_bytes_per_second = max_bytes_per_second
        await self.share_out()

    async def share_out(self) -> None:
        """Tells each worker what its job may move now, where that is another rate. One that is paused needs none."""
        for job_id, rate in self._shares().items():
            worker = self._workers.get(job_id)
            if worker is not None and self._told_rates.get(job_id) != rate:
                self._told_rates[job_id] = rate
                await worker.limit(rate)

    def rate_of(self, job_id: str) -> int:
        """What a job may move in a second, as its worker was told; 0 is no limit."""
        return self._told_rates.get(job_id, 0)

    def _shares(self, *, but_for: str = "") -> dict[str, int]:
        moving = [job_id for job_id in self._tasks if job_id not in self._paused or job_id == but_for]
        return shares_of(self._max_bytes_per_second, {job_id: self._own_limit(job_id) for job_id in moving})

    async def pause(self, job_id: str) -> None:
        """A job waits where it is, also one whose worker is only starting."""
        if job_id in self._tasks:
            self._paused.add(job_id)
        if job_id in self._workers:
            await self._workers[job_id].pause(job_id)
        await self.share_out()

    async def resume(self, job_id: str) -> None:
        """It goes on."""
        self._paused.discard(job_id)
        await self.share_out()
        if job_id in self._workers:
            await self._workers[job_id].resume(job_id)

    async def cancel(self, job_id: str, journal_folder: Path, target_device: int) -> None:
        """Its temporary file goes, its source stays."""
        if job_id in self._tasks:
            self._cancelled[job_id] = journal_folder, target_device
        if job_id in self._workers:
            await self._workers[job_id].cancel(job_id, journal_folder, target_device)

    def begin(self, spec_of: Callable[[int], JobSpec], job_id: str, order: Order) -> None:
        """Starts a job.

        Args:
            spec_of: makes its spec from the rate that is its share.
            job_id: the same as in the spec.
            order: what for.
        """
        self._tasks[job_id] = asyncio.create_task(self._run(spec_of, job_id, order), name=f"copy {job_id}")

    async def _run(self, spec_of: Callable[[int], JobSpec], job_id: str, order: Order) -> None:
        has_told = False
        try:
            worker = self._workers[job_id] = await self._start_worker()
            spec = spec_of(self._shares(but_for=job_id)[job_id])
            if order == "recover":
                await worker.recover(job_id, spec.journal_folder, spec.target_device)
            elif order == "cancel":
                await worker.cancel(job_id, spec.journal_folder, spec.target_device)
            else:
                self._told_rates[job_id] = spec.max_bytes_per_second
                await worker.copy(spec)
            if job_id in self._cancelled:
                await worker.cancel(job_id, *self._cancelled[job_id])
            elif job_id in self._paused:
                await worker.pause(job_id)
            await self.share_out()
            async for event in worker.events():
                self._on_event(job_id, event)
                if not isinstance(event, Progress | Replaced):
                    has_told = True
                    if not await self._close(job_id, worker):
                        break
        except OSError as error:
            has_told = True
            self._on_event(job_id, Failed(job_id, "internal", f"no worker could be started: {error}", is_kept=False))
        except ValueError as error:
            _log.error("job %s: its worker told what nobody understands: %s", job_id, error)
            await self._close(job_id, self._workers[job_id])
        finally:
            self._workers.pop(job_id, None)
            self._tasks.pop(job_id, None)
            self._told_rates.pop(job_id, None)
            self._paused.discard(job_id)
            self._cancelled.pop(job_id, None)
            self._on_end(job_id, has_told)
        await self.share_out()

    @staticmethod
    async def _close(job_id: str, worker: Worker) -> bool:
        has_ended = await worker.close(_END_SECONDS)
        if not has_ended:
            _log.error("job %s: its worker hangs in the system, on a lost disk perhaps, and is left behind", job_id)
        return has_ended

    async def end(self) -> None:
        """Lets all leave off; what does not is killed, and what cannot be killed is left behind."""
        self.is_ending = True
        tasks = list(self._tasks.values())
        await asyncio.gather(*(self._close(job_id, worker) for job_id, worker in list(self._workers.items())))
        if tasks:
            # Those that a worker still starts in, or that read from one that hangs.
            _, late = await asyncio.wait(tasks, timeout=1.0)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
