"""`chia-tea collect`: look, find what changed, hold back what is too frequent, send."""

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final, cast

from chiatea.collector.self_watch import SelfWatch
from chiatea.collector.watch import FACTS, PACKED_TOPICS, Watch
from chiatea.config import Config
from chiatea.identity import machine_id_of
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import System
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState
from chiatea.state.packed import Entry
from chiatea.state.throttle import Throttle
from chiatea.wire.channel import Server
from chiatea.wire.reporting import Reporting
from chiatea.wire.spool import Spool

__all__ = ["GATHER_SECONDS", "collect", "collect_once"]

_log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 5.0
"""Readings leave together once in this time: each message costs the server far more than an event in it. News leave at
once, and take along what waits."""
BURST_SECONDS: Final = 0.05
"""Chia's events come in bursts: all harvesters answer one signage point within moments."""
PATIENCE_SECONDS: Final = 5.0
"""How long the start waits for the server before it goes on without."""
PART_CHANGES: Final = 1000
"""A farm's first sync is put in parts: its changes all at once would take hundreds of MiB, and stall all else."""
LAST_WORDS_SECONDS: Final = 2.0
"""How long the end waits for the server's acks."""


async def collect(config: Config, server: Server, *, stop: asyncio.Event) -> None:
    """Watches this machine and reports to the server until `stop` is set, also while the server is away.

    Raises:
        ConfigurationError: when the state folder cannot be used.
    """
    state_folder = config.machine.state_folder
    machine_id = machine_id_of(state_folder)
    spool = Spool(state_folder / "spool.db", max_bytes=config.monitoring.client.spool_size)
    reporting = Reporting(
        server,
        machine_id,
        config.machine.name,
        COLLECTOR,
        gather_seconds=GATHER_SECONDS,
        spool=spool,
        packed_topics=PACKED_TOPICS,
    )
    sending = asyncio.create_task(reporting.run(), name="reporting")
    watch = Watch(config, machine_id)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await _be_ready(reporting, {stopping, sending})
        if not stop.is_set():
            await watch.start(reporting.known)
            await _Following(config, watch, reporting, stopping).run()
    finally:
        stopping.cancel()
        await watch.close()
        reporting.close()
        if reporting.is_connected:
            await asyncio.wait({sending}, timeout=LAST_WORDS_SECONDS)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await reporting.save()


async def _be_ready(reporting: Reporting, ends: "set[asyncio.Task[bool] | asyncio.Task[None]]") -> None:
    """Waits for the server, but not for long: what happens meanwhile is kept on this machine."""
    ready = asyncio.create_task(reporting.is_ready.wait())
    await asyncio.wait({ready, *ends}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if not any(task.done() for task in ends) and await reporting.go_on_without_server():
        _log.warning("going on without the server: what changes is kept on this machine until it is back")


class _Following:
    """Looks at everything at a steady pace, and at what Chia told as soon as it told it."""

    def __init__(self, config: Config, watch: Watch, reporting: Reporting, stopping: "asyncio.Task[bool]") -> None:
        client = config.monitoring.client
        self._every_seconds = client.collect_data_every
        self._watch = watch
        self._reporting = reporting
        self._stopping = stopping
        self._throttle = Throttle(client.send_update_every.model_dump(mode="python"))
        self._facts_throttle = Throttle(client.send_update_every.model_dump(mode="python"))
        self._self_watch = SelfWatch(time.time())
        self._stamps = _Stamps(time.time)
        self._known: MachineState | None = None

    async def run(self) -> None:
        """Until it is to stop."""
        loop = asyncio.get_running_loop()
        next_look = loop.time()
        while not self._stopping.done():
            self._watch.news.clear()
            if loop.time() >= next_look:
                # A look that took long is not made up for by hurrying.
                next_look = max(next_look + self._every_seconds, loop.time())
                await self._look()
            else:
                await self._send(self._facts_throttle, self._watch.facts(), FACTS)
            await self._wait(min(next_look, self._facts_throttle.next_seconds))

    async def _look(self) -> None:
        state = await self._watch.look()
        reporting = self._reporting
        self._put_own_entries(state)
        if reporting.known is not self._known:
            # The server told anew what it has.
            reporting.known.share(state)
            self._known = reporting.known
        await self._send(self._facts_throttle, state, FACTS)
        await self._send(self._throttle, state, _ALL_BUT_FACTS)

    async def _send(self, throttle: Throttle, state: MachineState, topics: frozenset[str]) -> None:
        known = self._reporting.known
        changes = throttle.due(diff(known, state, topics), _now())
        # What is sent becomes known, so the differences of a part are found before any of it is.
        while part := list(islice(changes, PART_CHANGES)):
            await self._reporting.send(part, self._stamps.next(), state)
            if self._reporting.known is not known:
                # The server told anew what it has: the next look finds what is still different.
                return
        known.share_packed(state)

    async def _wait(self, until: float) -> None:
        news = asyncio.create_task(self._watch.news.wait())
        seconds = max(0.0, until - _now())
        done, _ = await asyncio.wait({self._stopping, news}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        if news in done:
            await asyncio.wait({self._stopping}, timeout=BURST_SECONDS)

    def _put_own_entries(self, state: MachineState) -> None:
        """Adds the collector's own entry, and how far this clock is ahead, in whole seconds: less is the network's."""
        own = self._self_watch.entry(self._reporting, _now())
        state.entries["collector"] = {"": Entry(own, own.start_time)}
        entry, ahead_seconds = state.of("system").get(""), self._reporting.clock_ahead_seconds
        if entry is not None and ahead_seconds is not None:
            system = System()
            system.MergeFrom(cast("System", entry.message))
            system.clock_ahead_seconds = float(round(ahead_seconds))
            state.entries["system"] = {"": Entry(system, entry.timestamp)}


_ALL_BUT_FACTS: Final = frozenset(TOPICS) - FACTS


def _now() -> float:
    return asyncio.get_running_loop().time()


class _Stamps:
    """Times that grow, also when the clock is set back a little."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0.0

    def next(self) -> float:
        """Now, but later than every time before."""
        self._last = max(self._clock(), self._last + 1e-6)
        return self._last


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
