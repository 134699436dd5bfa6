"""For any history of looks, throttles, losses of the connection, replays and restarts: nothing lost, nothing twice."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.protobuf.computer_info_pb2 import ComputerInfo, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, EventBatch, SubscribeRequest, SubscriberMessage
from chiatea.server.database.database import Database
from chiatea.server.database.opening import open_read_only
from chiatea.server.hub import Hub
from chiatea.server.ingest import Ingest
from chiatea.state.diff import diff
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import MachineState, event_of
from chiatea.state.throttle import Throttle

MACHINES = ("m1", "m2")
INTERVALS = {"cpu": 3.0, "disk": 2.0}

looks = st.fixed_dictionaries(
    {
        "machine": st.sampled_from(MACHINES),
        "cpu": st.none() | st.integers(0, 3),
        "disks": st.dictionaries(st.sampled_from(["/a", "/b", "007"]), st.integers(0, 3)),
        "processes": st.dictionaries(st.integers(1, 3), st.integers(0, 2)),
    }
)
actions = st.lists(
    st.tuples(st.just("look"), looks)
    | st.tuples(st.just("replay"), st.integers(0, 5))
    | st.tuples(st.sampled_from(["restart", "reconnect", "subscribe", "commit"]), st.none()),
    max_size=25,
)


def state_of(look: dict[str, Any]) -> MachineState:
    info = ComputerInfo()
    if look["cpu"] is not None:
        info.cpu.usage_percent = look["cpu"]
    for mount, free in look["disks"].items():
        info.disks.add(id=mount, free_bytes=free)
    for process_id, cpu in look["processes"].items():
        info.processes.add(id=process_id, cpu_percent=cpu)
    return MachineState.from_computer_info(info)


class Server:
    """Everything behind the wire, in this process."""

    def __init__(self, filepath: Path) -> None:
        self.database = Database(filepath, durability="normal")
        self.farm = self.database.load()
        self.hub = Hub(self.farm)
        self.ingest = Ingest(self.database, self.farm, self.hub)

    def commit(self) -> None:
        while self.ingest._waiting or self.ingest._dirty_infos:
            assert self.ingest._commit()


class Collector:
    """One reporter as `Reporting` is, without the wire."""

    def __init__(self, machine_id: str) -> None:
        self.machine_id = machine_id
        self.known = MachineState()
        self.truth = MachineState()
        self.throttle = Throttle(INTERVALS)
        self.sequence = 0
        self.unacked: dict[int, EventBatch] = {}
        self.sent: list[EventBatch] = []
        self.n_events = 0

    def look(self, truth: MachineState, now: float, *, everything: bool = False) -> None:
        self.truth = truth
        changes = list(diff(self.known, truth))
        due = changes if everything else list(self.throttle.due(changes, now))
        if not due:
            return
        self.sequence += 1
        events = [event_of(change.topic, change.message, change.event_type, now) for change in due]
        for event in events:
            self.known.put(event)
        self.n_events += len(events)
        batch = EventBatch(sequence=self.sequence, events=events)
        self.unacked[self.sequence] = batch
        self.sent.append(batch)

    def send(self, server: Server, batch: EventBatch) -> None:
        again = EventBatch()
        again.CopyFrom(batch)
        server.ingest.put(self.machine_id, COLLECTOR, again, self.on_ack)

    def on_ack(self, sequence: int) -> None:
        self.unacked.pop(sequence, None)

    def reconnect(self, server: Server) -> None:
        info = server.farm.infos.get(self.machine_id)
        last = info.last_sequence if info is not None else 0
        self.unacked = {n: batch for n, batch in self.unacked.items() if n > last}
        for batch in self.unacked.values():
            self.send(server, batch)


class Subscriber:
    """Follows the hub as a dashboard does."""

    def __init__(self, server: Server) -> None:
        self.messages = server.hub.messages(SubscribeRequest())
        self.farm = FarmState()

    async def catch_up(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(anext(self.messages), 0.05)
            except (TimeoutError, StopAsyncIteration):
                return
            self.take(message)

    def take(self, message: SubscriberMessage) -> None:
        events: Iterator[UpdateEvent] = iter((*message.snapshot.entries, *message.delta.events))
        for event in events:
            self.farm.machine(event.machine_id).put(event)


def messages_of(state: MachineState) -> dict[tuple[str, Any], Any]:
    return {(topic.name, identity): entry.message for topic, identity, entry in state.all_entries()}


@settings(max_examples=40)
@given(actions)
def test_state_is_the_last_truth_events_are_every_change_once_and_subscribers_see_what_the_server_has(
    history: list[tuple[str, Any]],
) -> None:
    asyncio.run(_play(history))


class World:
    """Collectors, server and subscriber, and what can happen to them."""

    def __init__(self, filepath: Path) -> None:
        self.filepath = filepath
        self.now = 1000.0
        self.server = Server(filepath)
        self.collectors = {name: Collector(name) for name in MACHINES}
        self.subscriber = Subscriber(self.server)

    def look(self, detail: dict[str, Any]) -> None:
        collector = self.collectors[detail["machine"]]
        collector.look(state_of(detail), self.now)
        for batch in list(collector.unacked.values())[-1:]:
            collector.send(self.server, batch)

    def replay(self, count: int) -> None:
        """Any batch that was acked may come again, as after an ack that was lost."""
        for collector in self.collectors.values():
            for batch in collector.sent[:count]:
                if batch.sequence not in collector.unacked:
                    collector.send(self.server, batch)

    def restart(self, _: None) -> None:
        """What was not committed is gone with the server."""
        self.server.database.close()
        self.server = Server(self.filepath)
        self.subscribe(None)
        self.reconnect(None)

    def reconnect(self, _: None) -> None:
        for collector in self.collectors.values():
            collector.reconnect(self.server)

    def subscribe(self, _: None) -> None:
        self.subscriber = Subscriber(self.server)

    def commit(self, _: None) -> None:
        self.server.commit()

    def settle(self) -> None:
        """All connections stand, and every interval has passed."""
        self.reconnect(None)
        self.server.commit()
        for collector in self.collectors.values():
            collector.look(collector.truth, self.now + 100, everything=True)
        self.reconnect(None)
        self.server.commit()


async def _play(history: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "farm.db")
        for action, detail in history:
            world.now += 1.0
            getattr(world, action)(detail)
        world.settle()
        await world.subscriber.catch_up()
        _check(world)
        world.server.database.close()


def _check(world: World) -> None:
    loaded = world.server.database.load()
    for name, collector in world.collectors.items():
        assert not collector.unacked
        assert messages_of(world.server.farm.machine(name)) == messages_of(collector.truth)
        assert world.server.farm.machine(name) == loaded.machine(name)
        assert messages_of(world.subscriber.farm.machine(name)) == messages_of(collector.truth)
        with contextlib.closing(open_read_only(world.filepath)) as connection:
            counted = sum(
                connection.execute(f"SELECT count(*) FROM {table} WHERE machine_id = ?", (name,)).fetchone()[0]
                for table in ("CpuEvents", "DiskEvents", "ProcessEvents")
            )
        assert counted == collector.n_events
