"""The copies under way as lines at the bottom of a terminal, drawn anew in place."""

import contextlib
import logging
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, TextIO

from chiatea.copier.entries import remaining_seconds
from chiatea.copier.job_spec import Verification
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.shown import shown
from chiatea.units import format_bytes, short_duration

__all__ = ["CopyProgress", "cells", "fitted", "job_line"]

_DRAW_SECONDS: Final = 0.1
_BAR_CELLS: Final = 20
_CLEAR_LINE: Final = "\x1b[2K"
_UP: Final = "\x1b[{}A"
"""Source: ECMA-48, CUU and EL."""


class CopyProgress:
    """Lines of jobs that are under way, below the lines that are said once."""

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
        columns: Callable[[], int] = lambda: shutil.get_terminal_size().columns,
    ) -> None:
        """Draws on a terminal; `columns` tells how wide it is now."""
        self._stream = stream
        self._clock = clock
        self._columns = columns
        self._verification: Verification = "full"
        self._jobs: dict[str, Job] = {}
        self._n_waiting = 0
        self._waiting: set[str] = set()
        self._n_drawn = 0
        self._drawn_at = float("-inf")

    @contextlib.contextmanager
    def shown(self, verification: Verification) -> Iterator[None]:
        """While this lasts, log lines of weight appear above the jobs; at its end the jobs' lines are gone."""
        self._verification = verification
        handler = _Above(self)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
            self._draw([])

    def tell(self, job: Job) -> None:
        """A job is new or has changed."""
        former = self._jobs.pop(job.id, None)
        if job.state is JobState.QUEUED:
            self._waiting.add(job.id)
        else:
            self._waiting.discard(job.id)
        if job.is_under_way:
            self._jobs[job.id] = job
            if former is not None:
                # Their order on the screen is that in which they began.
                self._jobs = dict(sorted(self._jobs.items(), key=lambda item: item[1].started_time or 0.0))
        if former is not None and len(job.replaced) > len(former.replaced):
            self.say(f"deleted {shown(job.replaced[-1])} for {shown(job.source)}")
        if job.state is JobState.DONE and former is not None:
            self.say(f"moved {shown(job.source)} to {shown(job.target_folder or '')}")
        elif (former is not None) != job.is_under_way or self._clock() - self._drawn_at >= _DRAW_SECONDS:
            self._draw(self._lines())

    def say(self, text: str) -> None:
        """One line that stays."""
        self._draw([])
        self._stream.write(text + "\n")
        self._draw(self._lines())

    def _lines(self) -> list[str]:
        width = self._columns()
        lines = [job_line(job, self._verification, width - 1) for job in self._jobs.values()]
        if self._jobs and self._waiting:
            lines.append(fitted(f"{len(self._waiting)} more wait", width - 1))
        return lines

    def _draw(self, lines: list[str]) -> None:
        """Draws over the lines of last time."""
        text = "".join(f"{_CLEAR_LINE}{line}\n" for line in lines)
        too_many = self._n_drawn - len(lines)
        if too_many > 0:
            text += f"{_CLEAR_LINE}\n" * too_many + _UP.format(too_many)
        if self._n_drawn:
            text = _UP.format(self._n_drawn) + "\r" + text
        self._n_drawn = len(lines)
        self._drawn_at = self._clock()
        self._stream.write(text)
        self._stream.flush()


class _Above(logging.Handler):
    """Log lines of weight, as plain text."""

    def __init__(self, progress: CopyProgress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(shown(" ".join(record.getMessage().split())))


def job_line(job: Job, verification: Verification, width: int) -> str:
    """One job in at most so many cells: how far, how fast, how long yet, and as much of the name as there is room."""
    done = job.verified_bytes if job.state is JobState.VERIFYING else job.copied_bytes
    share = min(1.0, done / job.total_bytes) if job.total_bytes > 0 else 1.0
    word = job.state.value.lower()
    left = remaining_seconds(job, verification)
    facts = [f"{word:<9} {100 * share:3.0f} %"]
    if width >= 60:
        filled = round(share * _BAR_CELLS)
        facts.append(f"[{'#' * filled}{'.' * (_BAR_CELLS - filled)}]")
    if job.bytes_per_second > 0:
        facts.append(f"{format_bytes(job.bytes_per_second)}/s")
    if left is not None:
        facts.append(f"{short_duration(left)} left")
    head = "  ".join(facts)
    room = width - cells(head) - 2
    if room < 12:
        return fitted(head, width)
    target = shown(job.target_folder or "")
    name = shown(job.name)
    whole = f"{name} -> {target}"
    return f"{head}  {fitted(whole if cells(whole) <= room else name, room)}"


def cells(text: str) -> int:
    """How many cells of a terminal a text takes: wide letters take two, accents that combine take none."""
    return sum(_cells_of(letter) for letter in text)


def _cells_of(letter: str) -> int:
    if letter.isascii():
        return 1
    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def fitted(text: str, width: int) -> str:
    """The text in at most so many cells: of one that is longer the beginning and the end, which tell most."""
    if cells(text) <= width:
        return text
    if width < 5:
        return ""
    head, tail = _taken(text, (width - 1) // 2), _taken(text[::-1], width - 1 - (width - 1) // 2)[::-1]
    return f"{head}…{tail}"


def _taken(text: str, width: int) -> str:
    taken = 0
    for index, letter in enumerate(text):
        taken += _cells_of(letter)
        if taken > width:
            return text[:index]
    return text
