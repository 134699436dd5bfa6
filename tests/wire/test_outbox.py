"""What is not acked survives the reporter's end, in order and once; the server's truth is what counts."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.errors import ConfigurationError
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, ComputerInfo, UpdateEvent
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import EventBatch
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState
from chiatea.wire.outbox import Outbox
from chiatea.wire.spool import Spool


def disk(number: int, event_type: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(timestamp=float(number), event_type=event_type)  # type: ignore[arg-type]
    event.disk.id = "/a"
    event.disk.free_bytes = number
    return event


def spool_in(folder: Path, max_bytes: int = 10**6) -> Spool:
    return Spool(folder / "spool.db", max_bytes=max_bytes)


async def given_by(outbox: Outbox) -> list[int]:
    """The numbers of all events in the order in which they would be sent."""
    numbers, sequence = [], 0
    while batches := await outbox.next_batches(sequence):
        for batch in batches:
            assert batch.sequence > sequence
            sequence = batch.sequence
            numbers += [event.disk.free_bytes for event in batch.events]
    return numbers


async def test_what_is_stored_is_there_after_a_restart_in_its_order_and_before_what_is_new(tmp_path: Path) -> None:
    first = Outbox(spool_in(tmp_path))
    await first.learn(MachineState(), 0)
    first.put([disk(1, ADD), disk(2)])
    await first.store(with_batches=True)
    first.put([disk(3)])
    assert await given_by(first) == [1, 2, 3]
    await first.store(with_batches=True)
    first.close()
    second = Outbox(spool_in(tmp_path))
    assert await second.recall()
    assert second.known.of("disk")["/a"].message.free_bytes == 3  # type: ignore[attr-defined]
    second.put([disk(4)])
    assert await given_by(second) == [1, 2, 3, 4]
    assert second.n_events == 4
    second.close()


async def test_acks_empty_the_spool_and_then_the_memory(tmp_path: Path) -> None:
    outbox = Outbox(spool_in(tmp_path))
    await outbox.learn(MachineState(), 0)
    outbox.put([disk(1)])
    await outbox.store(with_batches=True)
    outbox.put([disk(2)])
    spooled, fresh = [batch.sequence for batch in [*await outbox.next_batches(0), *await outbox.next_batches(1)]]
    await outbox.acked(spooled)
    assert await given_by(outbox) == [2]
    assert outbox.n_spooled_events == 0
    await outbox.acked(fresh)
    assert outbox.n_events == 0
    outbox.close()


async def test_what_was_put_before_the_server_was_ever_reached_is_not_taken_for_acked(tmp_path: Path) -> None:
    outbox = Outbox(spool_in(tmp_path))
    await outbox.recall()
    outbox.put([disk(1)])
    await outbox.store(with_batches=True)
    outbox.put([disk(2)])
    await outbox.learn(MachineState(), 500)
    assert await given_by(outbox) == [1, 2]
    assert [batch.sequence for batch in await outbox.next_batches(0)] == [501]
    assert [batch.sequence for batch in await outbox.next_batches(501)] == [502]
    outbox.put([disk(3)])
    assert await given_by(outbox) == [1, 2, 3]
    outbox.close()


async def test_what_was_sent_and_is_acked_after_all_is_not_sent_again(tmp_path: Path) -> None:
    outbox = Outbox(spool_in(tmp_path))
    await outbox.learn(MachineState(), 7)
    outbox.put([disk(1)])
    await outbox.next_batches(0)
    outbox.put([disk(2)])
    await outbox.store(with_batches=True)
    await outbox.learn(MachineState(), 8)
    assert await given_by(outbox) == [2]
    outbox.close()


async def test_a_full_spool_takes_news_longer_than_readings_and_goes_on_when_it_was_emptied(tmp_path: Path) -> None:
    outbox = Outbox(spool_in(tmp_path, max_bytes=400))
    await outbox.learn(MachineState(), 0)
    number = 0
    while outbox.has_room(is_news=False):
        number += 1
        outbox.put([disk(number)])
        await outbox.store(with_batches=True)
    assert outbox.has_room(is_news=True)
    while outbox.has_room(is_news=True):
        number += 1
        outbox.put([disk(number)])
        await outbox.store(with_batches=True)
    assert await given_by(outbox) == list(range(1, number + 1))
    await outbox.acked(number)
    assert outbox.has_room(is_news=False)
    outbox.close()


async def test_a_disk_without_room_keeps_everything_in_memory_until_there_is_some(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    outbox = Outbox(spool)
    await outbox.learn(MachineState(), 0)
    pages = spool._connection.execute("PRAGMA page_count").fetchone()[0]
    spool._connection.execute(f"PRAGMA max_page_count = {pages}")
    outbox.put(disk(number) for number in range(1, 2001))
    await outbox.store(with_batches=True)
    assert outbox.n_spooled_events == 0
    assert not outbox.has_room()
    spool._connection.execute("PRAGMA max_page_count = 1000000")
    await outbox.store(with_batches=True)
    assert outbox.n_spooled_events == 2000
    assert outbox.has_room()
    assert await given_by(outbox) == list(range(1, 2001))
    outbox.close()


async def test_a_damaged_spool_is_put_aside_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool.db").write_bytes(b"no database at all" * 500)
    spool = spool_in(tmp_path)
    assert spool.n_events == 0
    assert (tmp_path / "spool.db.damaged").exists()
    assert "is damaged" in caplog.text
    spool.close()


async def test_a_batch_of_which_bytes_changed_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spool_in(tmp_path)
    spool.add([EventBatch(sequence=n, events=[disk(n)]) for n in (1, 2)], is_provisional=False)
    spool._connection.execute("UPDATE batch SET data = x'ffff' WHERE sequence = 1")
    assert [len(batch.events) for batch in spool.after(0)] == [0, 1]
    assert "batch 1 cannot be read" in caplog.text
    spool.close()


def test_a_spool_that_cannot_be_made_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"spool\.db"):
        spool_in(tmp_path / "state")


async def test_an_entry_that_vanished_is_not_remembered(tmp_path: Path) -> None:
    outbox = Outbox(spool_in(tmp_path))
    await outbox.learn(MachineState(), 0)
    outbox.put([disk(1, ADD)])
    await outbox.store(with_batches=False)
    outbox.put([disk(2, DELETE)])
    await outbox.store(with_batches=False)
    outbox.close()
    again = Outbox(spool_in(tmp_path))
    await again.recall()
    assert again.known == MachineState()
    again.close()


class TinyServer:
    """What a server does with batches, without the wire."""

    def __init__(self) -> None:
        self.state = MachineState()
        self.last_sequence = 0
        self.events: list[tuple[int, int]] = []

    def take(self, batch: EventBatch) -> None:
        if batch.sequence <= self.last_sequence:
            return
        self.last_sequence = batch.sequence
        for event in batch.events:
            copied = UpdateEvent()
            copied.CopyFrom(event)
            self.state.put(copied)
            self.events.append((int(event.timestamp), event.disk.free_bytes))


actions = st.lists(
    st.sampled_from(["look", "look", "look", "send", "send-no-ack", "lose", "connect", "store", "end", "kill"]),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(actions)
def test_for_any_history_the_server_ends_with_the_truth_and_has_each_event_at_most_once(history: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(World(Path(folder)).play(history))


class World:
    """One reporter with a spool and its server; the connection comes and goes, the process ends or is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = TinyServer()
        self.numbers: Iterator[int] = iter(range(1, 10_000))
        self.truth = MachineState()
        self.put: list[tuple[int, int]] = []
        self.kept: list[tuple[int, int]] = []
        """What was put and survives a kill."""

    async def play(self, history: list[str]) -> None:
        await self.begin()
        for action in history:
            await getattr(self, action.replace("-", "_"))()
        await self.connect()
        await self.look()
        await self.send()
        self.outbox.close()
        messages = {(t.name, i): e.message for t, i, e in self.server.state.all_entries()}
        assert messages == {(t.name, i): e.message for t, i, e in self.truth.all_entries()}
        assert len(self.server.events) == len(set(self.server.events))
        assert [event for event in self.server.events if event in set(self.put)] == self.server.events
        missing = set(self.kept) - set(self.server.events)
        assert not missing

    async def begin(self) -> None:
        self.outbox = Outbox(spool_in(self.folder))
        self.is_connected = False
        await self.outbox.recall()

    async def look(self) -> None:
        number = next(self.numbers)
        self.truth = MachineState.from_computer_info(
            ComputerInfo(timestamp=number, disks=[Disk(id="/a", free_bytes=number)])
        )
        changes = list(diff(self.outbox.known, self.truth))
        self.outbox.put_changes(changes, float(number), self.truth)
        self.put += [(number, number)] * len(changes)

    async def send(self, *, with_acks: bool = True) -> None:
        if not self.is_connected:
            return
        sequence = 0
        while batches := await self.outbox.next_batches(sequence):
            for batch in batches:
                sequence = batch.sequence
                self.server.take(batch)
        if with_acks:
            await self.outbox.acked(self.server.last_sequence)

    async def send_no_ack(self) -> None:
        await self.send(with_acks=False)

    async def lose(self) -> None:
        self.is_connected = False

    async def connect(self) -> None:
        await self.outbox.learn(self.server.state.copy(), self.server.last_sequence)
        self.is_connected = True

    async def store(self) -> None:
        await self.outbox.store(with_batches=True)
        self.kept = list(self.put)

    async def end(self) -> None:
        await self.store()
        self.outbox.close()
        await self.begin()

    async def kill(self) -> None:
        """What was not stored is gone with the memory."""
        self.put = [event for event in self.put if event in set(self.kept) or event in set(self.server.events)]
        self.outbox.close()
        await self.begin()
