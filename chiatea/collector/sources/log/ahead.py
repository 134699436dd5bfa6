"""The next piece of work, done by a thread while the last one is used."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """Does one thing again and again, each time when told to, in a thread of its own until it is ended.

    The thread is a daemon, so that a file system that never answers does not hold up the end of the process.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        """Begins the first time at once."""
        self.is_begun = True
        """There is an answer to be taken, now or later."""
        self._work = work
        self._orders: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()
        self._orders.put(work)
        threading.Thread(target=self._run, name="ahead", daemon=True).start()

    def begin(self) -> None:
        """Has it done once more; the last answer was taken."""
        self.is_begun = True
        self._orders.put(self._work)

    def answer(self) -> T:
        """What was begun last; waits for it.

        Raises:
            Exception: whatever the work raised.
        """
        result, error = self._answers.get()
        self.is_begun = False
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def end(self) -> None:
        """Lets the thread end."""
        self._orders.put(None)

    def _run(self) -> None:
        while (work := self._orders.get()) is not None:
            try:
                self._answers.put((work(), None))
            except Exception as error:  # noqa: BLE001 - handed to the one who takes the answer
                self._answers.put((None, error))
