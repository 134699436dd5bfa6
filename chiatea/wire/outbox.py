"""What a reporter has to send: in memory while the server is there, in its spool while it is not."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, TypeVar

from chiatea.protobuf.computer_info_pb2 import DELETE, NONE, UpdateEvent
from chiatea.protobuf.descriptors import EntryId, Topic, entry_of, topic_of
from chiatea.protobuf.monitoring_service_pb2 import EventBatch
from chiatea.state.diff import Change
from chiatea.state.machine_state import Entry, MachineState
from chiatea.wire.spool import Remembered, Spool, SpoolFailedError

__all__ = ["Outbox"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BATCH_EVENTS: Final = 500
MAX_BATCH_BYTES: Final = 512 * 1024
MAX_EVENTS_IN_MEMORY: Final = 50_000
"""Where there is no spool nothing more is taken beyond it, and on the server's return the last truth is sent."""
READINGS_UP_TO: Final = 0.5
"""How full a spool may be before it takes news only."""


class Outbox:
    """Numbered batches in their order until they are acked, and the state that the server has once it acked them.

    Attributes:
        known: that state.
    """

    def __init__(self, spool: Spool | None = None, *, packed_topics: Container[str] = ()) -> None:
        """Empty, or with what a spool still holds. `packed_topics` are those that `known` keeps in little memory."""
        self.known = MachineState(packed_topics=packed_topics)
        self._packed_topics = packed_topics
        self._spool = spool
        self._memory: deque[EventBatch] = deque()
        self._n_in_memory = 0
        self._next_sequence = spool.last_sequence + 1 if spool is not None else 1
        self._last_sent = 0
        self._newest_bytes = 0
        self._is_numbered = False
        """Whether the server said where the numbers stand; until then they are provisional."""
        self._changed: dict[str, set[EntryId]] = {}
        """Ids by topic."""
        self._has_all_changed = False
        # One at a time moves batches or talks to the spool.
        self._moving = asyncio.Lock()

    @property
    def n_events(self) -> int:
        """Events that were put and are not acked."""
        return self._n_in_memory + self.n_spooled_events

    @property
    def n_in_memory(self) -> int:
        """Those of them that are not on the disk."""
        return self._n_in_memory

    @property
    def n_spooled_events(self) -> int:
        """Those of them that are on the disk."""
        return self._spool.n_events if self._spool is not None else 0

    @property
    def spooled_bytes(self) -> int:
        """The room that they take there."""
        return self._spool.n_bytes if self._spool is not None else 0

    def has_room(self, *, is_news: bool = True) -> bool:
        """Whether more may be put; there is none for readings before there is none for news."""
        if self._spool is not None and self._spool.fullness >= (1.0 if is_news else READINGS_UP_TO):
            return False
        return self._n_in_memory < MAX_EVENTS_IN_MEMORY

    def put(self, events: Iterable[UpdateEvent]) -> None:
        """Takes events to be sent in their order, and counts them as known."""
        for event in events:
            topic = topic_of(event)
            batch = self._batch_with_room_for(event.ByteSize())
            batch.events.append(event)
            if topic is not None and event.event_type != NONE:
                message = entry_of(event, topic)
                entry = None if event.event_type == DELETE else Entry(message, event.timestamp)
                self.known.hold(topic, topic.id_of(message), entry)
                self._note(topic, topic.id_of(message))

    def put_changes(self, changes: Iterable[Change], timestamp: float, state: MachineState) -> None:
        """Takes changes to a state as events of one time, and counts them as known: `known` shares them with it."""
        for change in changes:
            message = change.message
            batch = self._batch_with_room_for(message.ByteSize() + 16)
            event = batch.events.add(timestamp=timestamp, event_type=change.event_type)
            getattr(event, change.topic.name).CopyFrom(message)
            self.known.take(change.topic, change.entry_id, state)
            self._note(change.topic, change.entry_id)

    def _note(self, topic: Topic, entry_id: EntryId) -> None:
        if self._spool is not None:
            self._changed.setdefault(topic.name, set()).add(entry_id)

    def _batch_with_room_for(self, n_bytes: int) -> EventBatch:
        """The newest batch, unless it is full or may have reached the server: then the next."""
        self._n_in_memory += 1
        newest = self._memory[-1] if self._memory else None
        if newest is not None and newest.sequence > self._last_sent and len(newest.events) < MAX_BATCH_EVENTS:
            self._newest_bytes += n_bytes + 8
            if self._newest_bytes <= MAX_BATCH_BYTES:
                return newest
        self._newest_bytes = n_bytes + 8
        batch = EventBatch(sequence=self._next_sequence)
        self._next_sequence += 1
        self._memory.append(batch)
        return batch

    async def next_batches(self, after: int) -> list[EventBatch]:
        """Some of the batches that follow a number; empty when all were given. What is given counts as sent."""
        batches: list[EventBatch] = []
        if self._spool is not None and self._spool.last_sequence > after:
            async with self._moving:
                batches = await self._asked(_after(after), [])
        if not batches:
            batches = [batch for batch in self._memory if batch.sequence > after]
        if batches:
            self._last_sent = max(self._last_sent, batches[-1].sequence)
        return batches

    async def acked(self, sequence: int) -> None:
        """Forgets what is committed."""
        async with self._moving:
            self._forget(sequence)
            if self._spool is not None and self._spool.n_events:
                await self._asked(lambda spool: spool.drop(sequence), None)

    def _forget(self, sequence: int) -> None:
        while self._memory and self._memory[0].sequence <= sequence:
            self._n_in_memory -= len(self._memory.popleft().events)

    async def learn(self, state: MachineState, last_sequence: int) -> None:
        """Takes over what the server has: all that is committed need not be sent, all else must."""
        async with self._moving:
            await self._asked(lambda spool: spool.drop(last_sequence), None)
            await self._asked(lambda spool: spool.renumber(last_sequence), None)
            if self._is_numbered:
                self._forget(last_sequence)
            else:
                spooled = self._spool.last_sequence if self._spool is not None else 0
                self._number_from(max(last_sequence, spooled) + 1)
            self._next_sequence = max(self._next_sequence, last_sequence + 1)
            await self._put_spooled(state)
            for batch in self._memory:
                for event in batch.events:
                    state.put(event)
            self.known = state
            self._has_all_changed = self._spool is not None

    def _number_from(self, sequence: int) -> None:
        for batch in self._memory:
            batch.sequence = sequence
            sequence += 1
        self._next_sequence = sequence
        self._last_sent = sequence - 1
        self._is_numbered = True

    async def _put_spooled(self, state: MachineState) -> None:
        sequence = 0
        while True:
            batches: list[EventBatch] = await self._asked(_after(sequence), [])
            if not batches:
                return
            for batch in batches:
                for event in batch.events:
                    state.put(event)
            sequence = batches[-1].sequence

    async def recall(self) -> bool:
        """Goes on without a server, from what the spool remembers; False where there is none."""
        if self._spool is None:
            return False
        async with self._moving:
            empty = MachineState(packed_topics=self._packed_topics)
            self.known = await self._asked(lambda spool: spool.remembered(empty), empty)
        return True

    async def store(self, *, with_batches: bool) -> None:
        """Writes to the spool what changed in `known` and, where asked, moves there what is in memory."""
        if self._spool is None:
            return
        async with self._moving:
            is_all, self._has_all_changed = self._has_all_changed, False
            changed, self._changed = self._changed, {}
            if is_all:
                everything = _rows_of(self.known.copy())
                await self._written(lambda spool: spool.remember(everything, is_all=True))
            elif changed:
                state = self.known.copy(changed)
                rows = (
                    Remembered(name, entry_id, state.of(name).get(entry_id))
                    for name, ids in changed.items()
                    for entry_id in ids
                )
                await self._written(lambda spool: spool.remember(rows))
            if with_batches and self._memory:
                await self._move()

    async def _move(self) -> None:
        batches, is_provisional = list(self._memory), not self._is_numbered
        # Nothing is added to them while they are written.
        self._last_sent = max(self._last_sent, batches[-1].sequence)
        if await self._written(lambda spool: spool.add(batches, is_provisional=is_provisional)):
            for batch in batches:
                self._memory.popleft()
                self._n_in_memory -= len(batch.events)

    async def _written(self, write: "Callable[[Spool], bool | None]") -> bool:
        """A full disk is no reason to give the spool up."""
        assert self._spool is not None
        try:
            return bool(await asyncio.to_thread(write, self._spool))
        except SpoolFailedError as error:
            _log.warning("spool=%s cannot be written: %s", self._spool.filepath, error.strerror)
            return False

    async def _asked(self, ask: Callable[[Spool], T], default: T) -> T:
        """One that cannot be read is not used any more: what is in it waits for the next start."""
        if self._spool is None:
            return default
        try:
            return await asyncio.to_thread(ask, self._spool)
        except SpoolFailedError as error:
            _log.warning("spool=%s is not used any more: %s", self._spool.filepath, error.strerror)
            self._spool.close()
            self._spool = None
            return default

    def close(self) -> None:
        """Lets go of the spool."""
        if self._spool is not None:
            self._spool.close()


def _after(sequence: int) -> Callable[[Spool], list[EventBatch]]:
    return lambda spool: spool.after(sequence)


def _rows_of(state: MachineState) -> Iterator[Remembered]:
    for topic, entry_id, entry in state.all_entries():
        yield Remembered(topic.name, entry_id, entry)
