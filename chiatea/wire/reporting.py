"""What a collector or a copier sends: numbered batches that survive every loss of the connection."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import grpc

from chiatea import __version__
from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import (
    EventBatch,
    MachineStateRequest,
    Reporter,
    ReporterHello,
    ReporterMessage,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.state.machine_state import MachineState
from chiatea.wire.backoff import Backoff
from chiatea.wire.channel import Server, as_connection_error, open_channel

__all__ = ["Reporting"]

_log = logging.getLogger(__name__)

MAX_BATCH_EVENTS: Final = 500
MAX_BATCH_BYTES: Final = 512 * 1024
MAX_UNACKED_EVENTS: Final = 50_000
"""What is kept while the server is away. Beyond it nothing more is taken, and on return the last truth is sent."""


class Reporting:
    """One reporter's side of `SendMonitoringUpdate`.

    Attributes:
        known: the state that the server has, or will have once it acked everything that was put.
        is_ready: set once the server was reached for the first time and `known` is true.
    """

    def __init__(
        self,
        server: Server,
        machine_id: str,
        machine_name: str,
        reporter: "Reporter.ValueType",
        *,
        gather_seconds: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Reports for one machine.

        What is put within `gather_seconds` of the last message leaves together, as one message; what comes after a
        longer silence leaves at once.
        """
        self._gather_seconds = gather_seconds
        self._server = server
        self._machine_id = machine_id
        self._machine_name = machine_name
        self._reporter = reporter
        self._clock = clock
        self._unacked: deque[EventBatch] = deque()
        self._n_unacked_events = 0
        self._next_sequence = 1
        self._last_sent = 0
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self.known = MachineState()
        self.is_ready = asyncio.Event()
        self.is_connected = False
        self.clock_ahead_seconds: float | None = None

    @property
    def has_room(self) -> bool:
        """Whether more may be put: not while too much waits for its ack."""
        return self._n_unacked_events < MAX_UNACKED_EVENTS

    @property
    def n_unacked(self) -> int:
        """Events that were put and are not acked."""
        return self._n_unacked_events

    def put(self, events: Iterable[UpdateEvent]) -> None:
        """Takes events to be sent in their order, and counts them as known."""
        pending = list(events)
        if not pending:
            return
        batch = self._unsent()
        n_events, n_bytes = len(batch.events), batch.ByteSize()
        for event in pending:
            self.known.put(event)
            size = event.ByteSize() + 8
            if n_events and (n_events >= MAX_BATCH_EVENTS or n_bytes + size > MAX_BATCH_BYTES):
                batch, n_events, n_bytes = self._appended(), 0, 0
            batch.events.append(event)
            n_events += 1
            n_bytes += size
            self._n_unacked_events += 1
        self._news.set()

    def _unsent(self) -> EventBatch:
        """The newest batch, unless it may have reached the server: then the next."""
        if self._unacked and self._unacked[-1].sequence > self._last_sent:
            return self._unacked[-1]
        return self._appended()

    def _appended(self) -> EventBatch:
        batch = EventBatch(sequence=self._next_sequence)
        self._next_sequence += 1
        self._unacked.append(batch)
        return batch

    async def run(self) -> None:
        """Sends for ever, through every loss of the connection."""
        backoff = Backoff()
        last_failure = ""
        while not self._closing.is_set():
            failure = await self._session(backoff)
            self.is_connected = False
            if self._closing.is_set():
                return
            if str(failure) != last_failure or backoff.attempt == 0:
                last_failure = str(failure)
                _log.warning("%s; trying again", failure)
            await asyncio.sleep(backoff.next_seconds())

    def close(self) -> None:
        """Lets `run` end once all that was put is sent and acked, or when the connection is lost."""
        self._closing.set()
        self._news.set()

    async def _session(self, backoff: Backoff) -> ConnectionFailedError:
        """One connection, from its beginning to its end; returns why it ended."""
        try:
            async with open_channel(self._server) as channel:
                stub = MonitoringStub(channel)
                await self._learn(stub)
                backoff.succeeded()
                self.is_connected = True
                _log.info("connected to the server at %s", self._server.address)
                async for ack in stub.SendMonitoringUpdate(self._messages()):
                    self.clock_ahead_seconds = self._clock() - ack.server_time
                    self._drop_acked(ack.sequence)
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
        """Asks what the server holds: all that is committed need not be sent, all else must."""
        request = MachineStateRequest(machine_id=self._machine_id, reporter=self._reporter)
        known, last_sequence = MachineState(), 0
        async for chunk in stub.GetMachineState(request):
            known.merge(chunk.part)
            last_sequence = chunk.last_sequence
        self._drop_acked(last_sequence)
        self._next_sequence = max(self._next_sequence, last_sequence + 1)
        for batch in self._unacked:
            for event in batch.events:
                known.put(event)
        self.known = known
        self.is_ready.set()

    def _drop_acked(self, sequence: int) -> None:
        while self._unacked and self._unacked[0].sequence <= sequence:
            self._n_unacked_events -= len(self._unacked.popleft().events)

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
            for batch in [batch for batch in self._unacked if batch.sequence > sent]:
                sent = batch.sequence
                self._last_sent = max(self._last_sent, sent)
                yield ReporterMessage(batch=batch)
            if self._closing.is_set():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._gather_seconds)
            await self._news.wait()
