"""Child processes of `chia-tea up`: started in order, restarted when they die, ended together."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from chiatea.errors import ChiaTeaError

__all__ = ["Child", "ChildFailedError"]

_log = logging.getLogger(__name__)

ERROR_PREFIX: Final = "chia-tea: "
"""How every command begins the line that says why it failed."""
END_SECONDS: Final = 8.0
"""How long a child may take to end after SIGTERM before it is killed."""
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 30.0
"""A child that lived this long is restarted without waiting longer than the first time."""


class ChildFailedError(ChiaTeaError):
    """A child ended before it was ready; `exit_code` is the child's own."""


class Child:
    """One command of chia-tea as a child process.

    It ends by itself when this process does, however that ends: it reads a pipe that only this process holds open.
    """

    def __init__(self, arguments: Sequence[str], *, tell: Callable[[str], None]) -> None:
        """Takes the command's arguments; `tell` gets every line that it writes on stderr."""
        self.name = arguments[0]
        self._arguments = (*arguments, "--until-stdin-closes")
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._last_line = ""
        self._is_ending = False

    async def start(self, *, ready_when: str = "") -> str:
        """Starts it, and waits for the line that begins with `ready_when` where one is named.

        Returns:
            That line; "" where none is waited for.

        Raises:
            ChildFailedError: when it ended before that, with the last line that it wrote.
        """
        ready = await self._launch(ready_when)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")
        return ready

    async def _launch(self, ready_when: str) -> str:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chiatea",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # A Ctrl-C at the terminal is for this process, which then ends its children in order.
            start_new_session=True,
        )
        if not ready_when:
            return ""
        async for line in self._lines(process):
            if line.startswith(ready_when):
                self._tell(line)
                return line
            # Its error is raised below: it is not told twice.
            if not line.startswith(ERROR_PREFIX):
                self._tell(line)
        code = await process.wait()
        failure = ChildFailedError(self._last_line.removeprefix(ERROR_PREFIX) or f"{self.name} ended at once")
        failure.exit_code = code if code > 0 else 1
        raise failure

    async def _lines(self, process: asyncio.subprocess.Process) -> AsyncIterator[str]:
        stream = process.stderr
        while stream is not None:
            try:
                raw = await stream.readline()
            except ValueError:  # a line longer than the stream's limit: its rest comes as the next one
                continue
            if not raw:
                return
            self._last_line = raw.decode("utf-8", "replace").rstrip()
            yield self._last_line

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while self._process is not None:
            began = loop.time()
            async for line in self._lines(self._process):
                self._tell(line)
            code = await self._process.wait()
            if self._is_ending:
                return
            if loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._tell(f"chia-tea: {self.name} ended with {code}; it is started again in {pause:g} s")
            _log.warning("%s ended with %d: %s", self.name, code, self._last_line)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
            await self._launch("")

    async def end(self) -> None:
        """Ends it and waits for that; kills it when it takes too long."""
        self._is_ending = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_SECONDS)
            except TimeoutError:
                _log.warning("%s did not end in %g s and is killed", self.name, END_SECONDS)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
