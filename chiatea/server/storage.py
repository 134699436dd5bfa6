"""What a server asks of its storage: a few calls, behind which another database than SQLite can stand."""

from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message

from chiatea.protobuf.computer_info_pb2 import NONE, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, Topic
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import (
    EntryPage,
    EventPage,
    HistoryReply,
    HistoryRequest,
    ListEntriesRequest,
    QueryEventsRequest,
)
from chiatea.state.event_key import EventKey
from chiatea.state.farm_state import FarmState

__all__ = ["Batch", "KeepRule", "Newest", "PastEvents", "Storage", "Told", "batch_of"]

Told = tuple[Topic, Message, UpdateEvent]
"""An event with its topic and the entry that it carries, looked up once."""
Newest = dict[EventKey, UpdateEvent]
"""Of each entry the event that decides its state."""


class Batch(NamedTuple):
    """Events of one machine that its reporter numbered together."""

    machine_id: str
    sequence: int
    told: Sequence[Told]


def batch_of(machine_id: str, sequence: int, events: Iterable[UpdateEvent], topics: Container[str] = TOPICS) -> Batch:
    """A batch of those events that say something of some topics."""
    told: list[Told] = []
    for event in events:
        name = event.WhichOneof("event_data")
        if name is not None and name in topics and event.event_type != NONE:
            told.append((TOPICS[name], getattr(event, name), event))
    return Batch(machine_id, sequence, told)


class KeepRule(NamedTuple):
    """How long events are kept, in seconds."""

    keep_seconds: float
    thin_after_seconds: float
    thin_to_seconds: float


class Storage(Protocol):
    """The writer's side. All calls come from one thread, and each is whole or not at all."""

    def load(self) -> FarmState:
        """The state of every machine as it was last committed.

        Raises:
            DatabaseError: when it cannot be read.
        """

    def write(self, batches: Iterable[Batch], infos: Iterable[MachineInfo]) -> Newest:
        """Stores batches and what the server knows of machines, durably; gives what decides the state of entries.

        Raises:
            DatabaseError: nothing of it was stored; it may be tried again.
        """

    def tidy(self, rule: KeepRule, now: float) -> int:
        """Does one small step of what a rule asks for; 0 when all is done for now.

        Raises:
            DatabaseError: nothing was changed; it may be tried again.
        """


class PastEvents(Protocol):
    """The readers' side, beside the writer."""

    async def entries(self, request: ListEntriesRequest, counts: Mapping[str, int]) -> EntryPage:
        """One page of the entries of a topic as they are now; `counts` is how many of it each machine has.

        Raises:
            ProtocolError: when the request asks for what there is not.
            DatabaseError: when the database cannot be read.
        """

    async def series(self, request: HistoryRequest) -> HistoryReply:
        """How numbers of one topic went over time, in steps.

        Raises:
            ProtocolError: when the request asks for what there is not, or for too much at once.
            DatabaseError: when the database cannot be read.
        """

    def pages(
        self, request: QueryEventsRequest, wait_for_news: Callable[[], Any] | None = None
    ) -> AsyncIterator[EventPage]:
        """The events that a request asks for, in pages; with `follow` and a way to wait for news, without end.

        Raises:
            ProtocolError: when the request asks for what there is not.
            DatabaseError: when the database cannot be read.
        """
