"""Stands in for a server that is asked and ordered by the dashboard: answers what a test gave it."""

from collections.abc import AsyncIterator

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import (
    EntryPage,
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
        self.history_reply = HistoryReply()
        self.page = EntryPage()
        self.past: list[UpdateEvent] = []

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

    async def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        self._ask(request)
        for event in self.past:
            yield event

    async def send(self, machine_id: str, command: CopyCommand) -> CopyCommand:
        if self.is_gone:
            raise ConnectionFailedError("no server answers at barn:43200", "start it with `chia-tea serve`")
        self.sent.append((machine_id, command))
        done = CopyCommand()
        done.CopyFrom(command)
        done.state = CopyCommand.DONE
        return done

    async def close(self) -> None:
        self.is_gone = True
