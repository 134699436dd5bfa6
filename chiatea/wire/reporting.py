"""What a collector or a copier sends: numbered batches that survive every loss of the connection."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from typing import Final

import grpc

from chiatea import __version__
from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import MachineStateRequest, Reporter, ReporterHello, ReporterMessage
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.state.diff import Change
from chiatea.state.machine_state import MachineState
from chiatea.state.news import is_news
from chiatea.wire.backoff import Backoff
from chiatea.wire.channel import Server, as_connection_error, open_channel
from chiatea.wire.outbox import Outbox
from chiatea.wire.spool import Spool

__all__ = ["Reporting"]

_log = logging.getLogger(__name__)

STORE_EVERY_SECONDS: Final = 1.0
"""While the server is away, what was put goes to the disk this often."""
REMEMBER_EVERY_SECONDS: Final = 10.0
"""While it is there, what it has does."""
MAX_EVENTS_AHEAD: Final = 10_000
"""More are not put before some of them are acked or on the disk: a first sync would fill the memory."""


class Reporting:
    """One reporter's side of `SendMonitoringUpdate`.

    Attributes:
        is_ready: set once `known` is true: the server was reached, or `go_on_without_server` was called.
        clock_ahead_seconds: how far this machine's clock is ahead of the server's; None while that is not known.
        away_since: when the server was lost or, at first, missed (UTC seconds); None while it is connected.
        n_dropped: changes for which there was no room.
    """

    def __init__(
        self,
        server: Server,
        machine_id: str,
        machine_name: str,
        reporter: "Reporter.ValueType",
        *,
        gather_seconds: float = 0.0,
        spool: Spool | None = None,
        packed_topics: Container[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Reports for one machine.

        What is put to leave `at_once` does. All else that is put within `gather_seconds` of the last message leaves
        together, as one message. With a `spool`, what is not acked survives the end of this process. `packed_topics`
        are those that `known` keeps in little memory.
        """
        self._packed_topics = packed_topics
        self._gather_seconds = gather_seconds
        self._server = server
        self._machine_id = machine_id
        self._machine_name = machine_name
        self._reporter = reporter
        self._clock = clock
        self._outbox = Outbox(spool, packed_topics=packed_topics)
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = asyncio.Event()
        self.is_ready = asyncio.Event()
        self.is_connected = False
        self.clock_ahead_seconds: float | None = None
        self.away_since: float | None = clock()
        self.n_dropped = 0

    @property
    def known(self) -> MachineState:
        """The state that the server has, or will have once it acked everything that was put."""
        return self._outbox.known

    @property
    def has_room(self) -> bool:
        """Whether more may be put: not while too much waits for its ack."""
        return self._outbox.has_room()

    @property
    def n_unacked(self) -> int:
        """Events that were put and are not acked."""
        return self._outbox.n_events

    @property
    def n_spooled_events(self) -> int:
        """Those of them that are on the disk."""
        return self._outbox.n_spooled_events

    @property
    def spooled_bytes(self) -> int:
        """The room that they take there."""
        return self._outbox.spooled_bytes

    def put(self, events: Iterable[UpdateEvent], *, at_once: bool = True) -> None:
        """Takes events to be sent in their order, and counts them as known."""
        self._outbox.put(events)
        self._tell(at_once=at_once)

    async def send(self, changes: Sequence[Change], timestamp: float, state: MachineState) -> None:
        """Takes changes to a state as events of one time; news leave at once. Waits while too much is on its way.

        What finds no room is counted and left out: it stays a difference to `known`.
        """
        has_room = {kind: self._outbox.has_room(is_news=kind) for kind in (True, False)}
        kinds = [is_news(change) for change in changes]
        kept = [change for change, kind in zip(changes, kinds, strict=True) if has_room[kind]]
        self.n_dropped += len(changes) - len(kept)
        if kept:
            await self._wait_for_room()
            self._outbox.put_changes(kept, timestamp, state)
            self._tell(at_once=any(kinds))

    async def _wait_for_room(self) -> None:
        while self._outbox.n_in_memory > MAX_EVENTS_AHEAD and self._outbox.has_room():
            self._room.clear()
            if not self.is_connected:
                await self._outbox.store(with_batches=True)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), STORE_EVERY_SECONDS)

    def _tell(self, *, at_once: bool) -> None:
        self._news.set()
        if at_once:
            self._urgent.set()

    async def run(self) -> None:
        """Sends for ever, through every loss of the connection."""
        backoff = Backoff()
        last_failure = ""
        storing = asyncio.create_task(self._store_now_and_then(), name="spool")
        try:
            while not self._closing.is_set():
                failure = await self._session(backoff)
                if self.is_connected:
                    self.is_connected, self.away_since = False, self._clock()
                if self._closing.is_set():
                    return
                if str(failure) != last_failure or backoff.attempt == 0:
                    last_failure = str(failure)
                    _log.warning("%s; trying again", failure)
                await asyncio.sleep(backoff.next_seconds())
        finally:
            storing.cancel()

    async def _store_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(REMEMBER_EVERY_SECONDS if self.is_connected else STORE_EVERY_SECONDS)
            if self.is_ready.is_set():
                await self._outbox.store(with_batches=not self.is_connected)

    async def go_on_without_server(self) -> bool:
        """Begins from what the spool remembers of the server; False where there is no spool, or the server came."""
        if self.is_ready.is_set():
            return False
        is_without_server = await self._outbox.recall()
        if is_without_server:
            self.is_ready.set()
        return is_without_server

    def close(self) -> None:
        """Lets `run` end once all that was put is sent and acked, or when the connection is lost."""
        self._closing.set()
        self._news.set()
        self._urgent.set()

    async def save(self) -> None:
        """After `run` has ended: what is not acked goes to the disk, for the next start."""
        if self.is_ready.is_set():
            await self._outbox.store(with_batches=True)
        self._outbox.close()

    async def _session(self, backoff: Backoff) -> ConnectionFailedError:
        """One connection, from its beginning to its end; returns why it ended."""
        try:
            async with open_channel(self._server) as channel:
                stub = MonitoringStub(channel)
                await self._learn(stub)
                backoff.succeeded()
                self.is_connected, self.away_since = True, None
                _log.info("connected to the server at %s", self._server.address)
                async for ack in stub.SendMonitoringUpdate(self._messages()):
                    self.clock_ahead_seconds = self._clock() - ack.server_time
                    await self._outbox.acked(ack.sequence)
                    self._room.set()
        except grpc.aio.AioRpcError as error:
            return as_connection_error(error, self._server.address)
        except asyncio.CancelledError:
            # A reset by the peer arrives as a cancelled call, which is not our own task's cancellation.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return ConnectionFailedError(f"the server at {self._server.address} cut the connection")
        return ConnectionFailedError(f"the server at {self._server.address} ended the connection")

    async def _learn(self, stub: MonitoringStub) -> None:
        request = MachineStateRequest(machine_id=self._machine_id, reporter=self._reporter)
        known, last_sequence = MachineState(packed_topics=self._packed_topics), 0
        async for chunk in stub.GetMachineState(request):
            known.merge(chunk.part)
            last_sequence = chunk.last_sequence
        await self._outbox.learn(known, last_sequence)
        self.is_ready.set()

    async def _messages(self) -> AsyncIterator[ReporterMessage]:
        yield ReporterMessage(
            hello=ReporterHello(
                machine_id=self._machine_id,
                machine_name=self._machine_name,
                chia_tea_version=__version__,
                sent_time=self._clock(),
                reporter=self._reporter,
            )
        )
        sent = 0
        while True:
            self._news.clear()
            self._urgent.clear()
            while batches := await self._outbox.next_batches(sent):
                for batch in batches:
                    sent = batch.sequence
                    yield ReporterMessage(batch=batch)
            if self._closing.is_set():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), self._gather_seconds)
            await self._news.wait()
