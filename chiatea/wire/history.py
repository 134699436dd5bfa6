"""History as the server tells it."""

from collections.abc import AsyncIterator
from typing import Final

import grpc

from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import (
    EntryPage,
    HistoryReply,
    HistoryRequest,
    ListEntriesRequest,
    QueryEventsRequest,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.wire.channel import Server, as_connection_error, open_channel

__all__ = ["list_entries", "query_events", "query_history"]

LIMIT_SECONDS: Final = 20.0


async def query_events(server: Server, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
    """The events that a request asks for, page after page; with `follow` without end.

    Raises:
        ConnectionFailedError: when the server cannot be reached, refuses us, or finds the request wrong.
    """
    try:
        async with open_channel(server) as channel:
            async for page in MonitoringStub(channel).QueryEvents(request):
                for event in page.events:
                    yield event
    except grpc.aio.AioRpcError as error:
        raise as_connection_error(error, server.address) from None


async def query_history(server: Server, request: HistoryRequest) -> HistoryReply:
    """How numbers of one topic went over time.

    Raises:
        ConnectionFailedError: when the server cannot be reached, refuses us, or finds the request wrong.
    """
    try:
        async with open_channel(server) as channel:
            return await MonitoringStub(channel).QueryHistory(request, timeout=LIMIT_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise as_connection_error(error, server.address) from None


async def list_entries(server: Server, request: ListEntriesRequest) -> EntryPage:
    """One page of a topic's entries as they are now, sorted and filtered by the server.

    Raises:
        ConnectionFailedError: when the server cannot be reached, refuses us, or finds the request wrong.
    """
    try:
        async with open_channel(server) as channel:
            return await MonitoringStub(channel).ListEntries(request, timeout=LIMIT_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise as_connection_error(error, server.address) from None
