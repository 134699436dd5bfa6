"""`chia-tea collect`: look, find what changed, hold back what is too frequent, send."""

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from chiatea.collector.identity import machine_id_of
from chiatea.collector.watch import Watch
from chiatea.config import Config
from chiatea.protobuf.computer_info_pb2 import ComputerInfo, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.state.diff import Change, diff
from chiatea.state.machine_state import Entry, MachineState, event_of
from chiatea.state.throttle import Throttle
from chiatea.wire.channel import Server
from chiatea.wire.reporting import Reporting

__all__ = ["GATHER_SECONDS", "collect", "collect_once"]

_log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 2.0
"""What changes within this time of the last message leaves together: each message costs the server far more than an
event in it, and a change after a silence still leaves at once."""
LAST_WORDS_SECONDS: Final = 2.0
"""How long the end waits for the server's acks."""


async def collect(config: Config, server: Server, *, stop: asyncio.Event) -> None:
    """Watches this machine and reports to the server until `stop` is set.

    Raises:
        ConfigurationError: when the state folder cannot be used.
    """
    machine_id = machine_id_of(config.machine.state_folder)
    reporting = Reporting(server, machine_id, config.machine.name, COLLECTOR, gather_seconds=GATHER_SECONDS)
    sending = asyncio.create_task(reporting.run(), name="reporting")
    watch = Watch(config, machine_id)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        ready = asyncio.create_task(reporting.is_ready.wait())
        await asyncio.wait({ready, stopping, sending}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not stop.is_set():
            await watch.start(reporting.known)
            await _follow(config, watch, reporting, stopping)
    finally:
        stopping.cancel()
        await watch.close()
        reporting.close()
        if reporting.is_connected:
            await asyncio.wait({sending}, timeout=LAST_WORDS_SECONDS)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


async def _follow(config: Config, watch: Watch, reporting: Reporting, stopping: "asyncio.Task[bool]") -> None:
    client = config.monitoring.client
    throttle = Throttle(client.send_update_every.model_dump(mode="python"))
    stamps = _Stamps(time.time)
    loop = asyncio.get_running_loop()
    next_look = loop.time()
    while not stopping.done():
        state = await watch.look()
        _tell_clock(state, reporting.clock_ahead_seconds)
        if reporting.has_room:
            # What is put becomes known, so the differences are found before anything is.
            changes = list(throttle.due(diff(reporting.known, state), loop.time()))
            reporting.put(_events(changes, stamps))
        # A look that took long is not made up for by hurrying.
        next_look = max(next_look + client.collect_data_every, loop.time())
        await asyncio.wait({stopping}, timeout=next_look - loop.time())


def _events(changes: Iterable[Change], stamps: "_Stamps") -> Iterator[UpdateEvent]:
    timestamp = stamps.next()
    for change in changes:
        yield event_of(change.topic, change.message, change.event_type, timestamp)


class _Stamps:
    """Times that grow, also when the clock is set back a little."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0.0

    def next(self) -> float:
        """Now, but later than every time before."""
        self._last = max(self._clock(), self._last + 1e-6)
        return self._last


def _tell_clock(state: MachineState, ahead_seconds: float | None) -> None:
    """Adds to the machine's System how far its clock is ahead, in whole seconds: less is the network's delay."""
    entry = state.of("system").get("")
    if entry is None or ahead_seconds is None:
        return
    system = type(entry.message)()
    system.CopyFrom(entry.message)
    system.clock_ahead_seconds = float(round(ahead_seconds))  # type: ignore[attr-defined]
    state.entries["system"] = {"": Entry(system, entry.timestamp)}


async def collect_once(config: Config, *, pause_seconds: float = 0.5) -> ComputerInfo:
    """One look at this machine, sent to nobody and remembered nowhere.

    Args:
        config: the configuration.
        pause_seconds: between the two readings that rates and shares of time are made of.

    Raises:
        ConfigurationError: when the state folder cannot be used.
    """
    machine_id = machine_id_of(config.machine.state_folder)
    # What it remembers goes with the folder.
    with tempfile.TemporaryDirectory() as folder:
        machine = config.machine.model_copy(update={"state_folder": Path(folder)})
        watch = Watch(config.model_copy(update={"machine": machine}), machine_id)
        await watch.start(MachineState())
        try:
            await watch.look()
            await asyncio.sleep(pause_seconds)
            state = await watch.look()
        finally:
            await watch.close()
    info: ComputerInfo = state.as_computer_info()
    info.machine_id = machine_id
    info.machine_name = config.machine.name
    return info
