"""The space of many file systems, asked so that one that hangs holds up no other."""

import asyncio
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from chiatea.question import Question, UnansweredError

__all__ = ["Answer", "Space", "Spaces", "space_of"]

_SLOW_SECONDS: Final = 0.1
"""A disk that took longer is asked in a thread of its own, till it was quick this often:"""
_QUICK_AGAIN: Final = 20
_MOST_THREADS: Final = 64


@dataclass(frozen=True, slots=True)
class Space:
    """What a file system says of itself."""

    is_folder: bool
    total_bytes: int
    used_bytes: int
    free_bytes: int
    total_inodes: int | None
    free_inodes: int | None


Answer = Space | UnansweredError | OSError


def space_of(mount_point: str) -> Space:
    """Asks a file system: as df does, free is what an ordinary process may still write. It may hang for good."""
    is_folder = stat.S_ISDIR(os.stat(mount_point).st_mode)  # noqa: PTH116 - asked as cheaply as can be
    if not hasattr(os, "statvfs"):
        usage = shutil.disk_usage(mount_point)
        return Space(is_folder, usage.total, usage.used, usage.free, None, None)
    told = os.statvfs(mount_point)
    return Space(
        is_folder=is_folder,
        total_bytes=told.f_blocks * told.f_frsize,
        used_bytes=(told.f_blocks - told.f_bfree) * told.f_frsize,
        free_bytes=told.f_bavail * told.f_frsize,
        # btrfs and others have no fixed number of inodes, and say 0.
        total_inodes=told.f_files or None,
        free_inodes=told.f_ffree if told.f_files else None,
    )


class Spaces:
    """Asks file systems one after the other in one thread; those that once were slow each in one of its own."""

    def __init__(self, ask: Callable[[str], Space], limit_seconds: float) -> None:
        """`ask` may hang for good; it is called in threads, never twice at a time for one mount point."""
        self._ask = ask
        self._limit_seconds = limit_seconds
        self._apart: dict[str, int] = {}
        """Mount points asked in a thread of their own, with how often they must still be quick."""
        self._questions: dict[str, Question[Answer]] = {}
        self._stuck: dict[str, tuple[Question[None], float]] = {}
        """Mount points at which a thread that was to ask others too is stuck, and until when it may take."""

    async def answers(self, points: Sequence[str]) -> dict[str, Answer]:
        """What each says, within twice the limit in all."""
        self._forget_all_but(points)
        together = [point for point in points if point not in self._apart and point not in self._stuck]
        apart = [point for point in points if point not in together]
        answers, others = await asyncio.gather(self._together(together), self._each_alone(apart))
        answers.update(others)
        answers.update(await self._each_alone([point for point in points if point not in answers]))
        return answers

    async def _each_alone(self, points: Sequence[str]) -> dict[str, Answer]:
        return dict(zip(points, await asyncio.gather(*map(self._alone, points)), strict=True))

    async def _together(self, points: Sequence[str]) -> dict[str, Answer]:
        if not points:
            return {}
        asking = _OneAfterTheOther(self._ask, points)
        question = Question(asking.run)
        try:
            await question.answer(self._limit_seconds)
        except UnansweredError:
            at = asking.stop()
            if at is not None:
                point, began = at
                self._stuck[point] = (question, began + self._limit_seconds)
        for point, seconds in list(asking.seconds.items()):
            self._took(point, seconds)
        return dict(asking.answers)

    async def _alone(self, point: str) -> Answer:
        stuck = self._stuck.get(point)
        if stuck is not None:
            self._apart[point] = _QUICK_AGAIN
            question_of_many, until = stuck
            if not await question_of_many.is_answered_within(max(0.0, until - time.monotonic())):
                return UnansweredError()
            del self._stuck[point]
        question = self._questions.get(point)
        if question is None:
            question = self._questions[point] = Question(lambda: _answer(self._ask, point))
        if not question.is_unanswered and self._n_threads() >= _MOST_THREADS:
            return OSError(0, "not asked: too many disks give no answer")
        began = time.monotonic()
        try:
            answer = await question.answer(self._limit_seconds)
        except UnansweredError as error:
            self._apart[point] = _QUICK_AGAIN
            return error
        self._took(point, time.monotonic() - began)
        return answer

    def _n_threads(self) -> int:
        return sum(question.is_unanswered for question in self._questions.values()) + len(self._stuck)

    def _took(self, point: str, seconds: float) -> None:
        if seconds > _SLOW_SECONDS:
            self._apart[point] = _QUICK_AGAIN
        elif point in self._apart:
            self._apart[point] -= 1
            if not self._apart[point]:
                del self._apart[point]
                self._questions.pop(point, None)

    def _forget_all_but(self, points: Collection[str]) -> None:
        """A question that is still unanswered is kept: no second thread is put on top of it."""
        kept = set(points)
        for gone in [p for p, question in self._questions.items() if p not in kept and not question.is_unanswered]:
            del self._questions[gone]
        for gone in [p for p, (question, _) in self._stuck.items() if p not in kept and not question.is_unanswered]:
            del self._stuck[gone]
        for gone in self._apart.keys() - kept:
            del self._apart[gone]


class _OneAfterTheOther:
    """Many asked in one thread, which may be told to stop after the one that it is at."""

    def __init__(self, ask: Callable[[str], Space], points: Sequence[str]) -> None:
        self._ask = ask
        self._points = points
        self._lock = threading.Lock()
        self._at: tuple[str, float] | None = None
        self._is_stopped = False
        self.answers: dict[str, Answer] = {}
        self.seconds: dict[str, float] = {}

    def run(self) -> None:
        for point in self._points:
            with self._lock:
                if self._is_stopped:
                    return
                began = time.monotonic()
                self._at = (point, began)
            answer = _answer(self._ask, point)
            with self._lock:
                self._at = None
                self.answers[point], self.seconds[point] = answer, time.monotonic() - began

    def stop(self) -> tuple[str, float] | None:
        """No other one is begun; gives the one that it is at, and since when."""
        with self._lock:
            self._is_stopped = True
            return self._at


def _answer(ask: Callable[[str], Space], point: str) -> Answer:
    try:
        return ask(point)
    except OSError as error:
        return error
