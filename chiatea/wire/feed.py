"""The farm as the server tells it: a snapshot, then deltas, through every loss of the connection."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.descriptors import topic_of
from chiatea.protobuf.monitoring_service_pb2 import SnapshotChunk, SubscribeRequest, SubscriberMessage
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.state.farm_state import FarmState
from chiatea.wire.backoff import Backoff
from chiatea.wire.channel import Server, as_connection_error, open_channel

__all__ = ["Connection", "FarmFeed", "fetch_farm"]


@dataclass(slots=True)
class Connection:
    """How the connection is.

    Attributes:
        is_up: whether deltas come now.
        since: since when it is up, or since when it is lost (UTC seconds); None while it never was up.
        attempt: of the current try to reconnect, from 1; 0 while it is up.
        next_try_time: when it is tried next (UTC seconds); None while it is tried or up.
        error: one line that says why it is down.
        address: HOST:PORT of the server.
    """

    is_up: bool = False
    since: float | None = None
    attempt: int = 0
    next_try_time: float | None = None
    error: str = ""
    address: str = ""


class FarmFeed:
    """Holds a farm's state and keeps it as the server's is.

    While the server is gone the last state stays. What changed since one last asked is told by `take_changed`.
    """

    def __init__(
        self, server: Server, *, except_topics: Sequence[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        """Subscribes to all machines, without some topics."""
        self._server = server
        self._revision, self._server_id = 0, ""
        self._request = SubscribeRequest(except_topics=except_topics)
        self._clock = clock
        self._changed: set[tuple[str, str]] = set()
        self._coming = FarmState()
        self.farm = FarmState()
        self.connection = Connection(address=server.address)
        self.has_snapshot = False
        self.role = ""
        self.clock_ahead_seconds = 0.0

    def take_changed(self) -> set[tuple[str, str]]:
        """Machine id and topic of all that changed since the last call.

        ("", "") stands for the connection and for what the server knows of machines.
        """
        changed, self._changed = self._changed, set()
        return changed

    async def run(self) -> None:
        """Follows the server for ever."""
        backoff = Backoff()
        while True:
            failure = await self._follow(backoff)
            if self.connection.is_up or self.connection.since is None:
                self.connection.since = self._clock()
            self.connection.is_up = False
            self.connection.error = str(failure)
            wait = backoff.next_seconds()
            self.connection.attempt = backoff.attempt
            self.connection.next_try_time = self._clock() + wait
            self._changed.add(("", ""))
            await asyncio.sleep(wait)
            self.connection.next_try_time = None
            self._changed.add(("", ""))

    async def _follow(self, backoff: Backoff) -> ConnectionFailedError:
        """One connection, from its beginning to its end; returns why it ended."""
        self._coming = FarmState()
        if self.has_snapshot:
            # Goes on from there if the server still can.
            self._request.revision, self._request.server_id = self._revision, self._server_id
        try:
            async with open_channel(self._server) as channel:
                async for message in MonitoringStub(channel).Subscribe(self._request):
                    self._take(message)
                    if self.connection.is_up:
                        backoff.succeeded()
        except grpc.aio.AioRpcError as error:
            return as_connection_error(error, self._server.address)
        except asyncio.CancelledError:
            # A reset by the peer arrives as a cancelled call, which is not our own task's cancellation.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return ConnectionFailedError(f"the server at {self._server.address} cut the connection")
        return ConnectionFailedError(f"the server at {self._server.address} ended the connection")

    def _take(self, message: SubscriberMessage) -> None:
        self.clock_ahead_seconds = self._clock() - message.server_time
        self.role = message.role or self.role
        if message.HasField("snapshot"):
            self._take_snapshot(message.snapshot)
            if not message.snapshot.is_last:
                return
        self._revision, self._server_id = message.revision, message.server_id
        if not self.connection.is_up:
            self.connection = Connection(is_up=True, since=self._clock(), address=self._server.address)
            self._changed.add(("", ""))
        for info in message.delta.machines:
            self.farm.apply_info(info)
            self._changed.add(("", ""))
        for event in message.delta.events:
            topic = topic_of(event)
            if topic is not None and self.farm.machine(event.machine_id).put(event):
                self._changed.add((event.machine_id, topic.name))

    def _take_snapshot(self, chunk: SnapshotChunk) -> None:
        for info in chunk.machines:
            self._coming.apply_info(info)
        for event in chunk.entries:
            self._coming.machine(event.machine_id).put(event)
        if not chunk.is_last:
            return
        # Whoever holds the farm's state keeps holding the one that is true.
        self.farm.infos, self.farm.machines = self._coming.infos, self._coming.machines
        self._coming = FarmState()
        self.has_snapshot = True
        self._changed.add(("", ""))
        for machine_id, state in self.farm.machines.items():
            self._changed.update((machine_id, topic) for topic in state.entries)


async def fetch_farm(server: Server, *, topics: Sequence[str] = (), limit_seconds: float = 10.0) -> FarmState:
    """The farm as it is now; of some topics only, where they are named.

    Raises:
        ConnectionFailedError: when the server cannot be reached, refuses us or takes longer than the limit.
    """
    farm = FarmState()
    try:
        async with asyncio.timeout(limit_seconds), open_channel(server) as channel:
            call = MonitoringStub(channel).Subscribe(SubscribeRequest(topics=topics))
            async for message in call:
                for info in message.snapshot.machines:
                    farm.apply_info(info)
                for event in message.snapshot.entries:
                    farm.machine(event.machine_id).put(event)
                if message.snapshot.is_last:
                    call.cancel()
                    return farm
    except grpc.aio.AioRpcError as error:
        raise as_connection_error(error, server.address) from None
    except TimeoutError:
        raise ConnectionFailedError(
            f"the server at {server.address} did not answer within {limit_seconds:g} s",
            "see whether it is overloaded",
        ) from None
    raise ConnectionFailedError(f"the server at {server.address} ended the connection before it told anything")
