"""When a committed batch is acked: at once where its sender may wait, with the others where it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, EventBatch, Reporter, ReporterMessage
from chiatea.server.ingest import Ingest
from chiatea.server.session import QUIET_SECONDS, Acks, Session


class _Committed:
    """Takes batches as ingest does, and commits each at once."""

    def put(self, _id: str, _by: "Reporter.ValueType", batch: EventBatch, on_commit: Callable[[int], None]) -> None:
        on_commit(batch.sequence)


class _Stream:
    """A session whose batches arrive at the times given."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.acks = Acks()
        ingest = cast("Ingest", _Committed())
        self.session = Session(ingest, self.acks, "m1", COLLECTOR, asyncio.Event(), clock=lambda: self.now)
        self._arriving: asyncio.Queue[ReporterMessage | None] = asyncio.Queue()
        self._reading = asyncio.create_task(self.session.read(self._messages()))
        self.told: list[int] = []
        self._telling = asyncio.create_task(self._tell())
        self._sequence = 0

    async def _messages(self) -> AsyncIterator[ReporterMessage]:
        while (message := await self._arriving.get()) is not None:
            yield message

    async def _tell(self) -> None:
        async for sequence in self.session.committed():
            self.told.append(sequence)

    async def arrive(self, after_seconds: float) -> list[int]:
        """What is acked up to now, once a batch came so long after the one before."""
        self.now += after_seconds
        self._sequence += 1
        await self._arriving.put(ReporterMessage(batch=EventBatch(sequence=self._sequence)))
        return await self.settled()

    async def settled(self) -> list[int]:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.told

    async def end(self) -> list[int]:
        await self._arriving.put(None)
        await asyncio.wait_for(asyncio.gather(self._reading, self._telling), 5)
        return self.told


async def test_a_lone_batch_is_acked_at_once() -> None:
    stream = _Stream()
    assert await stream.arrive(0.0) == [1]
    assert await stream.arrive(QUIET_SECONDS + 1) == [1, 2]
    assert await stream.end() == [1, 2]


async def test_a_steady_stream_is_acked_with_the_others() -> None:
    stream = _Stream()
    assert await stream.arrive(0.0) == [1]
    assert await stream.arrive(1.0) == [1]
    assert await stream.arrive(1.0) == [1]
    stream.acks.send()
    assert await stream.settled() == [1, 3]
    stream.acks.send()
    assert await stream.settled() == [1, 3]
    await stream.end()


async def test_a_busy_stream_is_acked_at_once() -> None:
    stream = _Stream()
    await stream.arrive(0.0)
    assert await stream.arrive(0.01) == [1, 2]
    assert await stream.arrive(0.01) == [1, 2, 3]
    await stream.end()


async def test_the_end_of_a_stream_acks_what_is_owed() -> None:
    stream = _Stream()
    await stream.arrive(0.0)
    assert await stream.arrive(1.0) == [1]
    assert await stream.end() == [1, 2]
    stream.acks.send()
