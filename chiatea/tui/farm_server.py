"""What the dashboard asks of a server beside the feed."""

from collections.abc import AsyncIterator
from typing import Protocol

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

__all__ = ["FarmServer"]


class FarmServer(Protocol):
    """A server that answers questions and takes orders: `chiatea.wire.asking.Asking`, or one that a test moves.

    All calls raise ConnectionFailedError: when it cannot be reached, refuses us, or finds the question wrong.
    """

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """How numbers of one topic went over time."""

    async def entries(self, request: ListEntriesRequest) -> EntryPage:
        """One page of a topic's entries as they are now, sorted and filtered by the server."""

    async def event_page(self, request: QueryEventsRequest) -> EventPage:
        """The first page of past events, at most 500, and where the next one begins."""

    def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        """Past events; with `follow` what comes too, without end."""

    async def send(self, machine_id: str, command: CopyCommand) -> CopyCommand:
        """Gives a command to the copier of a machine, and tells what became of it."""

    async def close(self) -> None:
        """Leaves the server."""
