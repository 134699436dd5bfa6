"""One reporter's stream on the server: batches in, acks out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from chiatea.protobuf.monitoring_service_pb2 import Reporter, ReporterMessage
from chiatea.server.ingest import Ingest

__all__ = ["Acks", "Session"]

MAX_UNCOMMITTED_BATCHES: Final = 16
"""A collector that sends faster than the disk takes it is read no further: gRPC's own flow control then holds it."""
BUSY_SECONDS: Final = 0.25
"""A batch that comes so soon after another is acked at once: its sender may wait for room."""
QUIET_SECONDS: Final = 10.0
"""A stream that was not acked for so long is acked at once, so a lone batch never waits."""
ACK_EVERY_SECONDS: Final = 2.0
"""All other acks leave together, once in this time. On its own each would cost half of what a small batch costs."""


class Acks:
    """The sessions of a server that are owed an ack, which is not urgent."""

    def __init__(self) -> None:
        """Owes nothing."""
        self._owing: set[Session] = set()

    def owe(self, session: "Session") -> None:
        """Lets the session ack with the others."""
        self._owing.add(session)

    def forgive(self, session: "Session") -> None:
        """A session that ended is owed nothing."""
        self._owing.discard(session)

    def send(self) -> None:
        """Lets every session that is owed an ack send it."""
        owing, self._owing = self._owing, set()
        for session in owing:
            session.ack()

    async def run(self) -> None:
        """Sends, for ever."""
        while True:
            await asyncio.sleep(ACK_EVERY_SECONDS)
            self.send()


class Session:
    """One reporter's stream: batches in, numbers of committed ones out."""

    def __init__(
        self,
        ingest: Ingest,
        acks: Acks,
        machine_id: str,
        reporter: "Reporter.ValueType",
        stopped: asyncio.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads for one machine until the stream ends or `stopped` is set."""
        self._ingest = ingest
        self._acks = acks
        self._machine_id = machine_id
        self._reporter = reporter
        self._stopped = stopped
        self._clock = clock
        self._room = asyncio.Event()
        self._n_uncommitted = 0
        self._put_at = -BUSY_SECONDS
        self._is_busy = False
        self._acked_at = -QUIET_SECONDS
        self._committed_sequence = 0
        self._has_ended = False
        self._news = asyncio.Event()
        self.fault = ""

    async def read(self, messages: AsyncIterator[ReporterMessage]) -> None:
        """Hands every batch to ingest; ends with the stream."""
        try:
            async for message in messages:
                if message.WhichOneof("message") != "batch" or message.batch.sequence < 1:
                    self.fault = "after the hello come batches, numbered from 1"
                    return
                while self._n_uncommitted >= MAX_UNCOMMITTED_BATCHES:
                    self._room.clear()
                    await self._room.wait()
                self._n_uncommitted += 1
                now = self._clock()
                self._is_busy = now - self._put_at < BUSY_SECONDS
                self._put_at = now
                self._ingest.put(self._machine_id, self._reporter, message.batch, self._on_commit)
        finally:
            self._has_ended = True
            self._news.set()

    def _on_commit(self, sequence: int) -> None:
        self._n_uncommitted -= 1
        self._committed_sequence = max(self._committed_sequence, sequence)
        self._room.set()
        is_quiet = self._clock() - self._acked_at >= QUIET_SECONDS
        if is_quiet or self._is_busy or self._has_ended:
            self.ack()
        else:
            self._acks.owe(self)

    def ack(self) -> None:
        """Lets `committed` tell what is committed."""
        self._acked_at = self._clock()
        self._news.set()

    async def committed(self) -> AsyncIterator[int]:
        """The number of the newest committed batch, when an ack is due; ends when the stream has and all is acked."""
        acked = 0
        stop = asyncio.create_task(self._stopped.wait())
        stop.add_done_callback(lambda _: self._news.set())
        try:
            while not self._stopped.is_set():
                await self._news.wait()
                self._news.clear()
                if self._committed_sequence > acked:
                    acked = self._committed_sequence
                    yield acked
                if self._has_ended and self._n_uncommitted == 0 and self._committed_sequence == acked:
                    return
        finally:
            stop.cancel()
            self._acks.forgive(self)
