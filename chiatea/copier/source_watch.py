"""One source folder followed: looked at when something changed in it, and now and then."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chiatea.copier.folder_watch import FolderWatch
from chiatea.copier.sources import SourceLook
from chiatea.errors import ConfigurationError
from chiatea.question import Question, UnansweredError

__all__ = ["NOT_LOOKED_AT", "SourceWatch"]

NOT_LOOKED_AT: Final = "was not looked at yet"

_LOOK_SECONDS: Final = 30.0
"""How long a look may take: of each new plot the header is read, from a disk that may be busy."""
_LEAST_PAUSE_SECONDS: Final = 1.0
_SHARE_OF_LOOKING: Final = 20.0
"""After a look that took long comes a pause of so many times its length."""


class SourceWatch:
    """Asks one folder, which may hang, and hands on what it sees."""

    def __init__(
        self,
        folder: Path,
        look: Callable[[], SourceLook],
        suffixes: tuple[str, ...],
        *,
        rescan_every: float,
        on_look: Callable[["SourceWatch", SourceLook], None],
        limit_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """A folder that was not looked at yet; `look` may hang or raise OSError."""
        self._limit_seconds = limit_seconds
        self.folder = folder
        self.problem = NOT_LOOKED_AT
        """Why it cannot be looked at; "" where it can."""
        self._question = Question(look)
        self._suffixes = suffixes
        self._rescan_every = rescan_every
        self._on_look = on_look
        self._changed = asyncio.Event()
        self._watch: FolderWatch | None = None
        self._watched: tuple[int, int] | None = None

    async def look(self) -> SourceLook | None:
        """One look; None where there was no answer, and `problem` says why."""
        try:
            seen = await self._question.answer(self._limit_seconds)
        except UnansweredError:
            self.problem = "does not answer"
        except FileNotFoundError:
            self.problem = "is not there"
        except OSError as error:
            self.problem = f"cannot be read: {error.strerror}"
        except ConfigurationError as error:  # another copier has it
            self.problem = f"cannot be used: {error.message}"
        else:
            self.problem = ""
            self._on_look(self, seen)
            return seen
        return None

    async def run(self, changed_problem: Callable[["SourceWatch"], None]) -> None:
        """Follows it for good; `changed_problem` is called when `problem` is another one."""
        loop = asyncio.get_running_loop()
        told = self.problem
        try:
            while True:
                began = loop.time()
                seen = await self.look()
                took = loop.time() - began
                if self.problem != told:
                    told = self.problem
                    changed_problem(self)
                if seen is not None:
                    await self._see_to_watch(seen.identity)
                await asyncio.sleep(max(_LEAST_PAUSE_SECONDS, took * _SHARE_OF_LOOKING))
                await self._wait(seen)
        finally:
            if self._watch is not None:
                await self._watch.stop()

    async def _see_to_watch(self, identity: tuple[int, int]) -> None:
        if self._watch is not None and self._watch.is_running and identity == self._watched:
            return
        if self._watch is not None:
            await self._watch.stop()
        self._watch, self._watched = FolderWatch(self.folder, self._suffixes, self._changed.set), identity

    async def _wait(self, seen: SourceLook | None) -> None:
        wait = self._rescan_every
        if seen is not None and seen.is_partial:
            return
        if seen is not None and seen.wait_seconds is not None:
            wait = min(wait, seen.wait_seconds)
        try:
            async with asyncio.timeout(wait):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()
