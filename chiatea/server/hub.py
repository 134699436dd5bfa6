"""Fan-out: what changed goes to every subscriber that wants it, at the pace of each."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import Delta, SnapshotChunk, SubscribeRequest, SubscriberMessage
from chiatea.state.event_key import EventKey
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import event_of

__all__ = ["Hub", "Subscription"]

CHUNK_BYTES: Final = 512 * 1024
"""About what one message holds: gRPC's default limit is 4 MiB."""


class Subscription:
    """One subscriber: what it wants, and what it has not been sent yet.

    Of each entry only the latest event waits, so a subscriber that reads slowly costs memory in proportion to the
    state, never to what it missed.
    """

    def __init__(self, request: SubscribeRequest) -> None:
        """Takes the machines and topics that the subscriber asks for."""
        self._machine_ids = frozenset(request.machine_ids)
        self._topics = frozenset(request.topics)
        self._except_topics = frozenset(request.except_topics)
        self.events: dict[EventKey, UpdateEvent] = {}
        self.infos: dict[str, MachineInfo] = {}
        self.wake = asyncio.Event()

    def wants_machine(self, machine_id: str) -> bool:
        """Whether it asked for that machine."""
        return not self._machine_ids or machine_id in self._machine_ids

    def wants_topic(self, topic: str) -> bool:
        """Whether it asked for that topic."""
        return (not self._topics or topic in self._topics) and topic not in self._except_topics

    def offer(self, events: Mapping[EventKey, UpdateEvent], infos: Mapping[str, MachineInfo]) -> None:
        """Keeps what it wants for the next message."""
        for key, event in events.items():
            if self.wants_machine(key[0]) and self.wants_topic(key[1]):
                # Moved to the end, so that messages keep the order in which things happened.
                self.events.pop(key, None)
                self.events[key] = event
        self.infos.update((m, info) for m, info in infos.items() if self.wants_machine(m))
        if self.events or self.infos:
            self.wake.set()

    def take(self) -> Iterator[Delta]:
        """All that waits, in messages of about CHUNK_BYTES."""
        events, self.events = self.events, {}
        infos, self.infos = self.infos, {}
        self.wake.clear()
        delta, filled = Delta(machines=infos.values()), 0
        for event in events.values():
            size = event.ByteSize() + 8
            if filled + size > CHUNK_BYTES:
                yield delta
                delta, filled = Delta(), 0
            delta.events.append(event)
            filled += size
        if delta.events or delta.machines:
            yield delta


class Hub:
    """All subscribers of one server."""

    def __init__(self, farm: FarmState) -> None:
        """Serves snapshots of the farm."""
        self._farm = farm
        self._subscriptions: set[Subscription] = set()
        self._committed = asyncio.Event()
        self.revision = 0
        """Counts the commits since this server started."""
        self.server_id = secrets.token_hex(8)

    @property
    def subscriptions(self) -> frozenset[Subscription]:
        """Everyone who is connected."""
        return frozenset(self._subscriptions)

    def publish(self, events: Mapping[EventKey, UpdateEvent], infos: Mapping[str, MachineInfo]) -> None:
        """Tells everyone what was committed. Waits for nobody."""
        self.revision += 1
        for subscription in self._subscriptions:
            subscription.offer(events, infos)
        committed, self._committed = self._committed, asyncio.Event()
        committed.set()

    async def next_commit(self) -> None:
        """Waits until something more is committed."""
        await self._committed.wait()

    async def messages(self, request: SubscribeRequest) -> AsyncIterator[SubscriberMessage]:
        """What one subscriber is sent: a snapshot, then deltas, until it goes."""
        subscription = Subscription(request)
        # From here on every change waits in the subscription, so the snapshot may take its time.
        self._subscriptions.add(subscription)
        try:
            for chunk in self._snapshot(subscription):
                yield SubscriberMessage(revision=self.revision, server_id=self.server_id, snapshot=chunk)
            while True:
                await subscription.wake.wait()
                for delta in subscription.take():
                    yield SubscriberMessage(revision=self.revision, server_id=self.server_id, delta=delta)
        finally:
            self._subscriptions.discard(subscription)

    def _snapshot(self, subscription: Subscription) -> Iterator[SnapshotChunk]:
        chunk, filled = SnapshotChunk(), 0
        for machine_id in list(self._farm.machines):
            if not subscription.wants_machine(machine_id):
                continue
            info = self._farm.infos.get(machine_id)
            chunk.machines.append(info if info is not None else MachineInfo(machine_id=machine_id))
            for topic, _, entry in list(self._farm.machine(machine_id).all_entries()):
                if not subscription.wants_topic(topic.name):
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
