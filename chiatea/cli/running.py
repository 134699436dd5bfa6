"""Runs a service until a signal, or its parent's end, stops it."""

import asyncio
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from chiatea.config import Config

__all__ = ["end_when_stdin_closes", "run_service", "set_up_logs"]

GARBAGE_AFTER: Final = 20_000
"""Objects that are made and kept before garbage is looked for; Python's own number is 700."""


def run_service(service: Callable[[asyncio.Event], Awaitable[None]], *, until_stdin_closes: bool = False) -> None:
    """Runs `service(stop)`; SIGTERM, SIGINT and the end of stdin, where asked for, set `stop`.

    Raises:
        click.Abort: after SIGINT, once the service has ended.
    """
    _collect_garbage_seldom()
    if asyncio.run(_until_stopped(service, until_stdin_closes=until_stdin_closes)):
        raise click.Abort


def _collect_garbage_seldom() -> None:
    """A service keeps what it makes, and makes few cycles: looking for them was 8 % of a busy server's work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


async def _until_stopped(service: Callable[[asyncio.Event], Awaitable[None]], *, until_stdin_closes: bool) -> bool:
    stop, was_interrupted = asyncio.Event(), False
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        nonlocal was_interrupted
        was_interrupted = True
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_read_to_the_end, args=(loop, stop), daemon=True).start()
    await service(stop)
    return was_interrupted


def _read_to_the_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    try:
        loop.call_soon_threadsafe(stop.set)
    except RuntimeError:  # the loop has ended already
        return


def end_when_stdin_closes() -> None:
    """SIGTERM to this process once nobody holds the other end of stdin any more; what comes there is left to others."""
    threading.Thread(target=_end_at_hang_up, daemon=True).start()


def _end_at_hang_up() -> None:
    stdin = select.poll()
    # No event is asked for: a hang-up is always told.
    stdin.register(sys.stdin.fileno(), 0)
    stdin.poll()
    os.kill(os.getpid(), signal.SIGTERM)


def set_up_logs(config: "Config", service: str, *, console: bool = True) -> None:
    """Begins logging as a service; `--debug` raises its level."""
    from chiatea import logs  # noqa: PLC0415 - after the command line is parsed

    settings = config.logging
    if "--debug" in sys.argv:
        settings = settings.model_copy(update={"loglevel": "DEBUG"})
    logs.set_up(settings, service, console=console)
