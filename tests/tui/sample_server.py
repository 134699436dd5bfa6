"""Stands in for a server that is asked and ordered by the dashboard: answers what a test gave it."""

import asyncio
from collections.abc import AsyncIterator

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

__all__ = ["SampleServer"]


class SampleServer:
    """Keeps what it was asked, and answers from its attributes."""

    def __init__(self) -> None:
        self.is_gone = False
        self.asked: list[HistoryRequest | ListEntriesRequest | QueryEventsRequest] = []
        self.sent: list[tuple[str, CopyCommand]] = []
        self.answers_orders = asyncio.Event()
        """Set: what copiers would say comes at once."""
        self.answers_orders.set()
        self.order_state: CopyCommand.State.ValueType = CopyCommand.DONE
        self.order_result = ""
        self.history_reply = HistoryReply()
        self.page = EntryPage()
        self.past: list[UpdateEvent] = []
        self.older: list[UpdateEvent] = []
        self.coming: asyncio.Queue[UpdateEvent] = asyncio.Queue()

    def _ask(self, request: HistoryRequest | ListEntriesRequest | QueryEventsRequest) -> None:
        if self.is_gone:
            raise ConnectionFailedError("no server answers at barn:43200", "start it with `chia-tea serve`")
        self.asked.append(request)

    async def history(self, request: HistoryRequest) -> HistoryReply:
        self._ask(request)
        return self.history_reply

    async def entries(self, request: ListEntriesRequest) -> EntryPage:
        self._ask(request)
        return self.page

    async def event_page(self, request: QueryEventsRequest) -> EventPage:
        self._ask(request)
        events = list(self.past) if not request.page_token else list(self.older)
        token = "older" if not request.page_token and self.older else ""
        return EventPage(events=reversed(events), next_page_token=token)

    async def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        self._ask(request)
        for event in self.past if not request.follow else self.past[-1:]:
            yield event
        while request.follow:
            yield await self.coming.get()

    async def send(self, machine_id: str, command: CopyCommand) -> CopyCommand:
        if self.is_gone:
            raise ConnectionFailedError("no server answers at barn:43200", "start it with `chia-tea serve`")
        self.sent.append((machine_id, command))
        await self.answers_orders.wait()
        told = CopyCommand()
        told.CopyFrom(command)
        told.state, told.result = self.order_state, self.order_result
        return told

    async def close(self) -> None:
        self.is_gone = True
