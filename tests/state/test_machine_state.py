import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, NONE, UPDATE, ComputerInfo, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, Topic
from chiatea.protobuf.hardware_pb2 import Cpu, CpuCore, Disk
from chiatea.state.machine_state import Entry, MachineState, event_of
from tests.strategies import computer_infos, entries, machine_states

topics = st.sampled_from(sorted(TOPICS)).map(TOPICS.__getitem__)


@st.composite
def told_states(draw: st.DrawFn) -> MachineState:
    """Any state that was told at several times."""
    state = MachineState()
    for timestamp in draw(st.lists(st.floats(0, 1e10), max_size=3)):
        state.merge(draw(computer_infos(timestamp)))
    return state


@st.composite
def events(draw: st.DrawFn, max_time: float = 100.0) -> UpdateEvent:
    topic = draw(topics)
    entry = draw(entries(topic, n_ids=2))
    return event_of(topic, entry, draw(st.sampled_from([ADD, UPDATE, DELETE])), draw(st.floats(0, max_time)))


def _merged(parts: list[ComputerInfo]) -> MachineState:
    state = MachineState()
    for part in parts:
        state.merge(ComputerInfo.FromString(part.SerializeToString()))
    return state


def _disk(event_type: int, timestamp: float, device: str = "") -> UpdateEvent:
    return event_of(TOPICS["disk"], Disk(id="/a", device=device), event_type, timestamp)  # type: ignore[arg-type]


@given(state=told_states(), max_bytes=st.integers(1, 2000), seed=st.integers())
def test_the_parts_of_a_state_merge_to_the_whole_in_any_order(state: MachineState, max_bytes: int, seed: int) -> None:
    parts = list(state.parts(max_bytes=max_bytes))
    random.Random(seed).shuffle(parts)
    assert _merged(parts) == state


@given(state=told_states(), max_bytes=st.integers(1, 2000))
def test_a_part_stays_under_its_limit_unless_it_is_one_entry(state: MachineState, max_bytes: int) -> None:
    for part in state.parts(max_bytes=max_bytes):
        n_entries = sum(1 for _ in MachineState.from_computer_info(part).all_entries())
        assert part.ByteSize() <= max_bytes or n_entries == 1
        assert n_entries


def test_many_entries_make_few_parts() -> None:
    info = ComputerInfo(timestamp=5, cpu_cores=[CpuCore(id=index, usage_percent=50) for index in range(10_000)])
    whole = info.ByteSize()
    parts = list(MachineState.from_computer_info(info).parts(max_bytes=10_000))
    assert max(part.ByteSize() for part in parts) <= 10_000
    assert len(parts) <= 2 * whole / 10_000


def test_a_state_that_knows_nothing_has_no_parts() -> None:
    assert list(MachineState().parts(max_bytes=100)) == []


@given(info=computer_infos(3.0))
def test_a_state_told_as_a_whole_makes_the_same_state_again(info: ComputerInfo) -> None:
    state = MachineState.from_computer_info(info)
    assert MachineState.from_computer_info(state.as_computer_info()) == state


@given(state=told_states(), left_out=st.sampled_from(sorted(TOPICS)))
def test_topics_can_be_left_out_of_the_whole(state: MachineState, left_out: str) -> None:
    info = state.as_computer_info(except_topics=frozenset({left_out}))
    again = MachineState.from_computer_info(info)
    assert set(again.entries) == set(state.entries) - {left_out}
    assert info.timestamp == max((e.timestamp for _, _, e in state.all_entries()), default=0.0)


@given(state=machine_states(50.0), event=events(max_time=49.9))
def test_an_event_older_than_its_entry_leaves_the_state_alone(state: MachineState, event: UpdateEvent) -> None:
    topic = TOPICS[event.WhichOneof("event_data") or ""]
    identity = topic.id_of(getattr(event, topic.name))
    before = state.copy()
    touched = state.apply(event)
    assert state.of(topic.name).get(identity) == before.of(topic.name).get(identity) or not before.of(topic.name).get(
        identity
    )
    assert touched == (state != before)
    if identity in before.of(topic.name):
        assert not touched


@given(state=machine_states(1.0), sequence=st.lists(events(), max_size=8))
def test_replaying_events_in_order_changes_nothing_more(state: MachineState, sequence: list[UpdateEvent]) -> None:
    ordered = sorted(sequence, key=lambda event: event.timestamp)
    # Two events of one entry at one time are told apart by their order alone, which a replay keeps.
    for event in ordered:
        state.apply(event)
    once = state.copy()
    last = {}
    for event in ordered:
        topic = TOPICS[event.WhichOneof("event_data") or ""]
        last[topic.name, topic.id_of(getattr(event, topic.name))] = event
    for event in last.values():
        state.apply(event)
    assert state == once


def test_an_event_as_old_as_its_entry_is_taken() -> None:
    state = MachineState()
    assert state.apply(_disk(ADD, 5, "sda"))
    assert state.apply(_disk(UPDATE, 5, "sdb"))
    assert state.of("disk")["/a"] == Entry(Disk(id="/a", device="sdb"), 5)


def test_an_update_of_what_is_not_known_makes_it_known() -> None:
    state = MachineState()
    assert state.apply(_disk(UPDATE, 5))
    assert "/a" in state.of("disk")


def test_a_delete_takes_the_entry_and_an_empty_topic_with_it() -> None:
    state = MachineState()
    assert not state.apply(_disk(DELETE, 5))
    state.apply(_disk(ADD, 5))
    assert not state.apply(_disk(DELETE, 4))
    assert state.apply(_disk(DELETE, 6))
    assert state == MachineState()
    assert state.entries == {}


@pytest.mark.parametrize("event", [UpdateEvent(), UpdateEvent(event_type=ADD), _disk(NONE, 5)])
def test_an_event_that_carries_nothing_changes_nothing(event: UpdateEvent) -> None:
    state = MachineState()
    assert not state.apply(event)
    assert state.entries == {}


def test_a_copy_does_not_follow_the_original() -> None:
    state = MachineState()
    state.apply(_disk(ADD, 5))
    copy = state.copy()
    state.apply(_disk(DELETE, 6))
    assert list(copy.of("disk")) == ["/a"]
    assert copy != state
    assert copy != "state"


def test_a_part_leaves_alone_what_it_does_not_tell() -> None:
    state = MachineState.from_computer_info(ComputerInfo(timestamp=1, cpu=Cpu(name="x"), disks=[Disk(id="/a")]))
    state.merge(ComputerInfo(timestamp=2, disks=[Disk(id="/b")]))
    assert state.of("cpu")[""] == Entry(Cpu(name="x"), 1)
    assert {identity: entry.timestamp for identity, entry in state.of("disk").items()} == {"/a": 1, "/b": 2}


def test_of_two_entries_of_one_id_the_last_is_kept() -> None:
    state = MachineState.from_computer_info(ComputerInfo(disks=[Disk(id="/a", device="x"), Disk(id="/a")]))
    assert state.of("disk") == {"/a": Entry(Disk(id="/a"), 0)}


@given(topic=topics, data=st.data())
def test_an_event_is_of_its_topic_and_a_copy_of_its_entry(topic: Topic, data: st.DataObject) -> None:
    entry = data.draw(entries(topic))
    event = event_of(topic, entry, ADD, 7.0, "machine")
    assert event.WhichOneof("event_data") == topic.name
    assert (event.machine_id, event.timestamp, event.event_type) == ("machine", 7.0, ADD)
    assert getattr(event, topic.name) == entry
    assert getattr(event, topic.name) is not entry
