"""A worker as the service sees it: a process that is sent jobs, and tells what becomes of them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from chiatea.copier.job_events import Cancelled, Done, Failed, JobEvent, Progress, Replaced, event_from_json
from chiatea.copier.job_spec import JobSpec, JsonValue

__all__ = ["WORKER_COMMAND", "WorkerProcess"]

WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "chiatea.copier.worker")

_LONGEST_LINE_BYTES: Final = 1 << 20
_KILL_SECONDS: Final = 5.0


class WorkerProcess:
    """One worker. `events` must be read for as long as it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `start`."""
        self._process = process
        self._unfinished: set[str] = set()
        self._ended: set[str] = set()
        self._is_ended_by_us = False

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND) -> "WorkerProcess":
        """Starts a worker, in a session of its own: what is typed at the service's terminal does not reach it.

        Raises:
            OSError: there is no room for another process.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE_BYTES,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def copy(self, spec: JobSpec) -> None:
        """Moves a plot, from where the journal says that it is."""
        self._ended.discard(spec.job_id)
        self._unfinished.add(spec.job_id)
        await self._send({"do": "copy", **spec.to_json()})

    async def recover(
        self,
        job_id: str,
        journal_folder: Path,
        target_device: int | None = None,
        max_bytes_per_second: int | None = None,
    ) -> None:
        """Settles what an earlier worker left: goes on with it, or removes it where it is void (`Cancelled`).

        Args:
            job_id: as the journal has it.
            journal_folder: the journal's folder.
            target_device: the target's `st_dev` as it is now; None: as the journal says.
            max_bytes_per_second: likewise; 0 is no limit.
        """
        self._unfinished.add(job_id)
        fields = _settling(job_id, journal_folder, target_device)
        if max_bytes_per_second is not None:
            fields["max_bytes_per_second"] = max_bytes_per_second
        await self._send({"do": "recover", **fields})

    async def cancel(self, job_id: str, journal_folder: Path, target_device: int | None = None) -> None:
        """The temporary file goes, the source stays: `Cancelled`, unless the plot is complete already. The job may be
        this worker's or the journal's alone. Nothing comes of one that has ended.
        """
        if job_id in self._ended:
            return
        self._unfinished.add(job_id)
        await self._send({"do": "cancel", **_settling(job_id, journal_folder, target_device)})

    async def pause(self, job_id: str) -> None:
        """It waits within one step of 1 MiB."""
        await self._send({"do": "pause", "job_id": job_id})

    async def resume(self, job_id: str) -> None:
        """It goes on from there."""
        await self._send({"do": "resume", "job_id": job_id})

    async def limit(self, max_bytes_per_second: int) -> None:
        """Another rate for all jobs that this worker has; 0 is none."""
        await self._send({"do": "limit", "max_bytes_per_second": max_bytes_per_second})

    async def events(self) -> AsyncIterator[JobEvent]:
        """What the worker tells, until it ends. Jobs that it had then failed, unless it was ended by us."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            event = event_from_json(json.loads(line))
            if not isinstance(event, Progress | Replaced):
                self._unfinished.discard(event.job_id)
            if isinstance(event, Done | Cancelled):
                self._ended.add(event.job_id)
            yield event
        return_code = await self._process.wait()
        if not self._is_ended_by_us:
            for job_id in sorted(self._unfinished):
                yield Failed(job_id, "internal", f"its worker {_ending(return_code)}", is_kept=True)
        self._unfinished.clear()

    async def close(self, limit_seconds: float = 60.0) -> bool:
        """Lets the worker make durable what it has, and end. As `kill` where it does not within the limit."""
        self._is_ended_by_us = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(limit_seconds):
                await self._process.wait()
        except TimeoutError:
            return await self.kill()
        return True

    async def kill(self, limit_seconds: float = _KILL_SECONDS) -> bool:
        """Ends the worker at once; the journal has its job. False: it hangs in a system call on a lost disk, where no
        signal reaches it. Then it is left behind, and ends by itself when the disk comes back or is given up.
        """
        self._is_ended_by_us = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        try:
            async with asyncio.timeout(limit_seconds):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, command: Mapping[str, JsonValue]) -> None:
        assert self._process.stdin is not None
        # A worker that has just ended tells so at the end of its events.
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(command).encode("ascii") + b"\n")
            await self._process.stdin.drain()


def _settling(job_id: str, journal_folder: Path, target_device: int | None) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {"job_id": job_id, "journal_folder": str(journal_folder)}
    return fields if target_device is None else {**fields, "target_device": target_device}


def _ending(return_code: int) -> str:
    if return_code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-return_code).name}"
    return f"ended with exit code {return_code}"
