"""Another program run with a limit of time and of output. It may hang in the kernel, and is then left behind."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

__all__ = ["CommandHungError", "output_of"]

_READ_BYTES: Final = 65536
_END_SECONDS: Final = 1.0
_LOWEST_PRIORITY: Final = 19
_STOP_SECONDS: Final = 0.2
"""How soon it is seen that nobody waits any more."""


class CommandHungError(TimeoutError):
    """It did not end in time, and was killed."""


def output_of(
    command: Sequence[str], *, limit_seconds: float, most_bytes: int, stopped: threading.Event | None = None
) -> bytes:
    """What a program writes on stdout, whatever its exit status; it runs at the lowest priority. POSIX only.

    Its stdin is empty, its stderr is thrown away, its messages are English. To be called in a thread; who sets
    `stopped` in another one ends it early.

    Raises:
        CommandHungError: it took too long or wrote too much. It was killed with all that it had started.
        OSError: it could not be started.
    """
    process = subprocess.Popen(  # noqa: S603 - the words are the configuration's and the kernel's
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert process.stdout is not None
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _LOWEST_PRIORITY)
    end = time.monotonic() + limit_seconds
    with process.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        chunks: list[bytes] = []
        n_bytes = 0
        while n_bytes <= most_bytes and (left := end - time.monotonic()) > 0:
            if stopped is not None and stopped.is_set():
                _kill(process)
                raise CommandHungError("it was stopped")
            if not selector.select(min(left, _STOP_SECONDS)):
                continue
            chunk = os.read(pipe.fileno(), _READ_BYTES)
            if not chunk:
                break
            chunks.append(chunk)
            n_bytes += len(chunk)
        else:
            _kill(process)
            raise CommandHungError("it wrote too much" if n_bytes > most_bytes else "it gave no answer in time")
    try:
        process.wait(max(_END_SECONDS, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process)
        raise CommandHungError("it did not end in time") from None
    return b"".join(chunks)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills it with all that it started. What the kernel holds, or another user owns, ends when it may."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
