"""What a copier does beside its copies, which go on whatever happens to it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine

__all__ = ["beside", "say_fault"]

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def beside(work: Coroutine[object, object, None], name: str) -> AsyncIterator[None]:
    """Runs something for as long as the block lasts."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(say_fault)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def say_fault(task: "asyncio.Task[None]") -> None:
    """Says that a task ended by a fault of ours."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a defect in chia-tea: %s ended; copies go on", task.get_name(), exc_info=error)
