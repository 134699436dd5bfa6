"""Workers as the service starts and ends them."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from chiatea.copier.job_events import Cancelled, Done, Failed, JobEvent, Progress
from chiatea.copier.worker_process import WorkerProcess
from tests.copier.plots import Move, make_move


async def start() -> WorkerProcess:
    return await WorkerProcess.start((sys.executable, "-P", str(Path(__file__).with_name("small_worker.py"))))


async def last(worker: WorkerProcess) -> JobEvent:
    async for event in worker.events():
        if not isinstance(event, Progress):
            return event
    raise AssertionError("the worker ended without a word")


async def copying(worker: WorkerProcess, move: Move) -> None:
    """A slow job that has begun."""
    await worker.copy(replace(move.spec, max_bytes_per_second=40_960))
    await state(worker, "COPYING")


async def state(worker: WorkerProcess, name: str) -> None:
    async for event in worker.events():
        assert isinstance(event, Progress)
        if event.state == name:
            return


async def test_a_plot_is_moved_and_the_worker_ends_when_it_is_let_go(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    worker = await WorkerProcess.start()
    await worker.copy(move.spec)
    assert isinstance(await last(worker), Done)
    assert await worker.close()
    assert not worker.is_running
    move.assert_moved()


async def test_a_running_job_is_paused_and_cancelled(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    worker = await start()
    await copying(worker, move)
    await worker.pause("job-1")
    await state(worker, "PAUSED")
    await worker.limit(0)
    await worker.cancel("job-1", move.journal_folder)
    assert await last(worker) == Cancelled("job-1")
    await worker.cancel("job-1", move.journal_folder)  # nothing comes of it
    move.assert_not_moved()
    await worker.close()


async def test_a_worker_that_dies_fails_its_job_which_another_goes_on_with(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    worker = await start()
    await copying(worker, move)
    os.kill(worker.pid, signal.SIGKILL)
    event = await last(worker)
    assert isinstance(event, Failed)
    assert (event.kind, event.is_kept) == ("internal", True)
    assert "SIGKILL" in event.error
    await worker.pause("job-1")  # to no avail, and without an error
    other = await WorkerProcess.start()
    await other.recover("job-1", move.journal_folder, move.spec.target_device, 0)
    assert isinstance(await last(other), Done)
    await other.close()
    move.assert_moved()


async def test_killing_a_worker_ends_its_job_at_once_and_another_worker_removes_it(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    worker = await start()
    await copying(worker, move)
    assert await worker.kill()
    assert [event async for event in worker.events() if not isinstance(event, Progress)] == []
    assert move.temporary.exists()
    other = await WorkerProcess.start()
    await other.cancel("job-1", move.journal_folder)
    assert await last(other) == Cancelled("job-1")
    await other.close()
    move.assert_not_moved()


async def test_a_worker_that_does_not_end_when_it_is_let_go_is_killed() -> None:
    stuck = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(60)"
    )
    worker = await WorkerProcess.start((sys.executable, "-c", stuck))
    async with asyncio.timeout(20):
        assert await worker.close(limit_seconds=0.1)  # by SIGKILL
    assert not worker.is_running
