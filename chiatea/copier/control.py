"""What may be asked of a job while it runs: pause, go on, go slower, cancel, leave off."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["CancelledError", "Control", "LeftOffError"]

_BURST_SECONDS: Final = 0.25
"""As much of a limited rate as may be made good at once after a hold-up."""


class CancelledError(Exception):
    """The job is to end, and its temporary file to go."""


class LeftOffError(Exception):
    """The worker is to end; the job goes on another time."""


class Control:
    """Asked before each step of a job; told from another thread."""

    def __init__(self, max_bytes_per_second: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """0 bytes per second is no limit."""
        self._condition = threading.Condition()
        self._clock = clock
        self._is_paused = False
        self._is_cancelled = False
        self._is_left_off = False
        self._rate = max_bytes_per_second
        self._next_step_at = clock()

    def pause(self) -> None:
        """The job waits before its next step."""
        with self._told():
            self._is_paused = True

    def resume(self) -> None:
        """It goes on."""
        with self._told():
            self._is_paused = False

    def limit(self, max_bytes_per_second: int) -> None:
        """Another rate from now on; 0 is none."""
        with self._told():
            self._rate = max_bytes_per_second

    def cancel(self) -> None:
        """The next step raises CancelledError."""
        with self._told():
            self._is_cancelled = True

    def leave_off(self) -> None:
        """The next step raises LeftOffError."""
        with self._told():
            self._is_left_off = True

    def step(self, n_bytes: int, on_pause: Callable[[], None], on_resume: Callable[[], None]) -> None:
        """Returns when the next bytes may be moved.

        Args:
            n_bytes: how many they are.
            on_pause: called when the job begins to wait for `resume`; not for a mere limit.
            on_resume: called when it goes on.

        Raises:
            CancelledError: the job was cancelled.
            LeftOffError: the worker is to end.
        """
        was_paused = False
        while self._must_wait():
            if not was_paused and self._is_paused:
                was_paused = True
                on_pause()
            self._wait()
        if was_paused:
            on_resume()
        self._spend(n_bytes)

    def _must_wait(self) -> bool:
        with self._condition:
            if self._is_left_off:
                raise LeftOffError
            if self._is_cancelled:
                raise CancelledError
            return self._is_paused or self._seconds_left() > 0

    def _wait(self) -> None:
        with self._condition:
            if self._is_left_off or self._is_cancelled:
                return
            if self._is_paused:
                self._condition.wait()
            elif (seconds := self._seconds_left()) > 0:
                self._condition.wait(seconds)

    def _seconds_left(self) -> float:
        return self._next_step_at - self._clock() if self._rate else 0.0

    def _spend(self, n_bytes: int) -> None:
        with self._condition:
            now = self._clock()
            if self._rate:
                begin = max(self._next_step_at, now - _BURST_SECONDS)
                self._next_step_at = begin + n_bytes / self._rate
            else:
                self._next_step_at = now

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with self._condition:
            yield
            # What was owed at another rate, or before a pause, is forgotten.
            self._next_step_at = self._clock()
            self._condition.notify_all()
