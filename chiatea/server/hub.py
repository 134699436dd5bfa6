"""Fan-out: what changed goes to every subscriber that wants it, at the pace of each.

Subscribers that want the same share frames: what was committed within one tick, of each entry the latest, put together
once. The newest frames are kept; a subscriber that falls further behind, or was away for longer, is sent the state
anew. So a slow one costs memory in proportion to the state, never to what it missed, and nothing to the others.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Final, NamedTuple

from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import Delta, SnapshotChunk, SubscribeRequest, SubscriberMessage
from chiatea.state.event_key import EventKey
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import event_of

__all__ = ["Hub"]

CHUNK_BYTES: Final = 512 * 1024
"""About what one message holds: gRPC's default limit is 4 MiB."""
TICK_SECONDS: Final = 0.03
"""How long a frame waits for company."""
MAX_FRAMES: Final = 256
MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""What is kept for subscribers that are behind, of each filter."""
KEEP_GROUP_SECONDS: Final = 60.0
"""How long frames are kept when nobody is left who wants them: a dashboard that reconnects goes on from there."""


class _Filter(NamedTuple):
    """What a subscriber wants; nothing named is all."""

    machine_ids: frozenset[str]
    topics: frozenset[str]
    except_topics: frozenset[str]

    @classmethod
    def of(cls, request: SubscribeRequest) -> "_Filter":
        return cls(frozenset(request.machine_ids), frozenset(request.topics), frozenset(request.except_topics))

    def wants_machine(self, machine_id: str) -> bool:
        return not self.machine_ids or machine_id in self.machine_ids

    def wants_topic(self, topic: str) -> bool:
        return (not self.topics or topic in self.topics) and topic not in self.except_topics


class _Frame(NamedTuple):
    message: SubscriberMessage
    n_bytes: int


class _Group:
    """All subscribers of one filter, and the frames that they share."""

    def __init__(self, wanted: _Filter, make: Callable[[int, Delta], SubscriberMessage], first_number: int) -> None:
        self.wanted = wanted
        self._make = make
        self._frames: deque[_Frame] = deque()
        self._n_bytes = 0
        self._first_number = first_number
        self._events: dict[EventKey, UpdateEvent] = {}
        self._infos: dict[str, MachineInfo] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self.n_subscribers = 0

    @property
    def next_number(self) -> int:
        """Of the frame that comes next: the revision of a subscriber that has all before it."""
        return self._first_number + len(self._frames)

    @property
    def n_waiting(self) -> int:
        """Entries that the next frame holds so far."""
        return len(self._events)

    def offer(self, events: Mapping[EventKey, UpdateEvent], infos: Mapping[str, MachineInfo]) -> None:
        """Keeps what is wanted for the next frame."""
        wanted = self.wanted
        if wanted == _EVERYTHING:
            self._events.update(events)
            self._infos.update(infos)
        else:
            for key, event in events.items():
                if wanted.wants_machine(key[0]) and wanted.wants_topic(key[1]):
                    self._events[key] = event
            self._infos.update((m, info) for m, info in infos.items() if wanted.wants_machine(m))
        if self._timer is None and (self._events or self._infos):
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self.seal)

    def seal(self) -> None:
        """Makes frames of what waits, and lets everybody know."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events = self._events, {}
        infos, self._infos = self._infos, {}
        if not events and not infos:
            return
        delta, filled = Delta(machines=infos.values()), 0
        for event in events.values():
            size = event.ByteSize() + 8
            if filled + size > CHUNK_BYTES:
                self._append(delta, filled)
                delta, filled = Delta(), 0
            delta.events.append(event)
            filled += size
        self._append(delta, filled)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _append(self, delta: Delta, n_bytes: int) -> None:
        self._frames.append(_Frame(self._make(self.next_number + 1, delta), n_bytes))
        self._n_bytes += n_bytes
        while len(self._frames) > MAX_FRAMES or (self._n_bytes > MAX_FRAME_BYTES and len(self._frames) > 1):
            self._n_bytes -= self._frames.popleft().n_bytes
            self._first_number += 1

    def frame(self, number: int) -> SubscriberMessage | None:
        """A frame by its number; None where it does not exist yet, or no more."""
        index = number - self._first_number
        return self._frames[index].message if 0 <= index < len(self._frames) else None

    def has_all_after(self, revision: int) -> bool:
        """Whether every frame that a subscriber of that revision missed is still there."""
        return self._first_number <= revision <= self.next_number

    async def more(self) -> None:
        """Waits for the next frame."""
        await self._news.wait()


_EVERYTHING: Final = _Filter(frozenset(), frozenset(), frozenset())


class Hub:
    """All subscribers of one server."""

    def __init__(self, farm: FarmState, *, clock: Callable[[], float] = time.time) -> None:
        """Serves snapshots of the farm."""
        self._farm = farm
        self._clock = clock
        self._groups: dict[_Filter, _Group] = {}
        self._committed = asyncio.Event()
        self.server_id = secrets.token_hex(8)
        """Another one each time a server starts: revisions of different servers do not compare."""

    @property
    def n_subscribers(self) -> int:
        """How many are connected."""
        return sum(group.n_subscribers for group in self._groups.values())

    @property
    def n_waiting(self) -> int:
        """Entries that wait for a frame, over all filters."""
        return sum(group.n_waiting for group in self._groups.values())

    def publish(self, events: Mapping[EventKey, UpdateEvent], infos: Mapping[str, MachineInfo]) -> None:
        """Tells everyone what was committed. Waits for nobody."""
        for group in self._groups.values():
            group.offer(events, infos)
        committed, self._committed = self._committed, asyncio.Event()
        committed.set()

    async def next_commit(self) -> None:
        """Waits until something more is committed."""
        await self._committed.wait()

    def _message(
        self, revision: int, delta: Delta | None = None, snapshot: SnapshotChunk | None = None
    ) -> SubscriberMessage:
        return SubscriberMessage(
            revision=revision, server_id=self.server_id, server_time=self._clock(), delta=delta, snapshot=snapshot
        )

    async def messages(self, request: SubscribeRequest) -> AsyncGenerator[SubscriberMessage, None]:
        """What one subscriber is sent: a snapshot, or what it missed since its revision; then deltas, until it goes."""
        wanted = _Filter.of(request)
        group = self._groups.get(wanted)
        if group is None:
            # Random, so that a revision of a group that was forgotten is not taken for one of its successor's.
            group = self._groups[wanted] = _Group(wanted, self._message, secrets.randbelow(1 << 40))
        group.n_subscribers += 1
        try:
            group.seal()
            number = request.revision
            is_known = request.HasField("revision") and request.server_id == self.server_id
            if is_known and group.has_all_after(number):
                # Says at once that it goes on from there.
                yield self._message(number, Delta())
            else:
                number = -1
            while True:
                if number < group.next_number and (frame := group.frame(number)) is None:
                    # What changes from here on is in a frame, so the snapshot may take its time.
                    group.seal()
                    number = group.next_number
                    for chunk in self._snapshot(wanted):
                        yield self._message(number, snapshot=chunk)
                elif number < group.next_number and frame is not None:
                    yield frame
                    number += 1
                else:
                    await group.more()
        finally:
            group.n_subscribers -= 1
            if group.n_subscribers == 0:
                asyncio.get_running_loop().call_later(KEEP_GROUP_SECONDS, self._forget, group)

    def _forget(self, group: _Group) -> None:
        if group.n_subscribers == 0 and self._groups.get(group.wanted) is group:
            del self._groups[group.wanted]

    def _snapshot(self, wanted: _Filter) -> Iterator[SnapshotChunk]:
        chunk, filled = SnapshotChunk(), 0
        for machine_id in list(self._farm.machines):
            if not wanted.wants_machine(machine_id):
                continue
            info = self._farm.infos.get(machine_id)
            chunk.machines.append(info if info is not None else MachineInfo(machine_id=machine_id))
            for topic, _, entry in list(self._farm.machine(machine_id).all_entries()):
                if not wanted.wants_topic(topic.name):
                    continue
                event = event_of(topic, entry.message, ADD, entry.timestamp, machine_id)
                size = event.ByteSize() + 8
                if filled + size > CHUNK_BYTES:
                    yield chunk
                    chunk, filled = SnapshotChunk(), 0
                chunk.entries.append(event)
                filled += size
        chunk.is_last = True
        yield chunk
