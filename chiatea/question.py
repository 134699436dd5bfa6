"""Questions to the system that may never be answered: asked in a thread, one at a time, with a time limit."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Question", "UnansweredError"]

T = TypeVar("T")


class UnansweredError(TimeoutError):
    """The system did not answer in time, now or when it was last asked."""


class Question(Generic[T]):
    """One question, asked again and again.

    A stat on a dead network mount blocks its thread in the kernel for good. No second thread is put on top of it:
    while the last question is unanswered, asking fails at once. Threads are daemons, so that they do not hold up the
    end of the process.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        """A question that `ask` puts; it runs in a thread of its own."""
        self._ask = ask
        self._future: asyncio.Future[T] | None = None

    @property
    def is_unanswered(self) -> bool:
        """Whether the last question is still under way."""
        return self._future is not None and not self._future.done()

    async def is_answered_within(self, limit_seconds: float) -> bool:
        """Waits for the question that is under way; whether it was answered, or none was asked."""
        if self._future is None:
            return True
        await asyncio.wait((self._future,), timeout=limit_seconds)
        if not self._future.done():
            return False
        # Where it is an error that nobody asks for any more, that is no news.
        self._future.exception()
        return True

    async def answer(self, limit_seconds: float) -> T:
        """Asks and waits; an answer that came after its time limit is given when next asked, and none is lost.

        Raises:
            UnansweredError: there was no answer in time, or the last question is still under way.
            Exception: whatever `ask` raised.
        """
        if self.is_unanswered:
            raise UnansweredError
        future = self._future or self._begin()
        await asyncio.wait((future,), timeout=limit_seconds)
        if not future.done():
            raise UnansweredError
        self._future = None
        return future.result()

    def _begin(self) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                result = self._ask()
            except Exception as raised:  # noqa: BLE001 - handed to the one who asked
                error = raised
            # Where the loop ended meanwhile, nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._future = future
        threading.Thread(target=run, name="question", daemon=True).start()
        return future
