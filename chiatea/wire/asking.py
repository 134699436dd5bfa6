"""One connection for everything that a dashboard asks a server beside the feed, and for the orders that it gives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, Self, TypeVar

import grpc

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import (
    EntryPage,
    EventPage,
    HistoryReply,
    HistoryRequest,
    ListEntriesRequest,
    QueryEventsRequest,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.wire.channel import Server, as_connection_error, open_channel
from chiatea.wire.copy_control import send_command

__all__ = ["Asking"]

LIMIT_SECONDS: Final = 20.0
_T = TypeVar("_T")


class Asking:
    """Connects with the first question, and stays connected.

    All calls raise ConnectionFailedError: when the server cannot be reached, refuses us, or finds the question wrong.
    """

    def __init__(self, server: Server) -> None:
        """Asks one server."""
        self._server = server
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        """Nothing yet: it connects with the first question."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leaves the server."""
        await self.close()

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = open_channel(self._server)
        return self._channel

    async def close(self) -> None:
        """Leaves the server; another question connects anew."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def _ask(self, call: Callable[[MonitoringStub], Awaitable[_T]]) -> _T:
        with self._told_as_ours():
            return await call(MonitoringStub(self._open()))

    @contextlib.contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise as_connection_error(error, self._server.address) from None
        except asyncio.CancelledError:
            # A reset by the peer arrives as a cancelled call, which is not our own task's cancellation.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionFailedError(f"the server at {self._server.address} cut the connection") from None

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """How numbers of one topic went over time."""
        return await self._ask(lambda stub: stub.QueryHistory(request, timeout=LIMIT_SECONDS))

    async def entries(self, request: ListEntriesRequest) -> EntryPage:
        """One page of a topic's entries as they are now, sorted and filtered by the server."""
        return await self._ask(lambda stub: stub.ListEntries(request, timeout=LIMIT_SECONDS))

    async def event_page(self, request: QueryEventsRequest) -> EventPage:
        """The first page of past events, at most 500, and where the next one begins."""

        async def first(stub: MonitoringStub) -> EventPage:
            call = stub.QueryEvents(request, timeout=LIMIT_SECONDS)
            async for page in call:
                call.cancel()
                return page
            return EventPage()

        return await self._ask(first)

    async def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        """Past events, page after page; with `follow` what comes too, without end."""
        with self._told_as_ours():
            async for page in MonitoringStub(self._open()).QueryEvents(request):
                for event in page.events:
                    yield event

    async def send(self, machine_id: str, command: CopyCommand) -> CopyCommand:
        """Gives a command to the copier of a machine, and tells what became of it."""
        return await send_command(self._open(), self._server, machine_id, command)
