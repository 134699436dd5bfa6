import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, ComputerInfo
from chiatea.protobuf.descriptors import TOPICS
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState, event_of
from chiatea.state.packed import PackedEntries, PackedMessages, packed_messages
from tests.strategies import computer_infos, machine_states

TEXT_TOPICS = frozenset(
    name
    for name, topic in TOPICS.items()
    if topic.is_repeated and topic.id_is_text and topic.columns[0].field_numbers == (1,)
)
PLOTS = TOPICS["harvester_plot"]


def packed(info: ComputerInfo) -> MachineState:
    state = MachineState(packed_topics=TEXT_TOPICS)
    state.merge(info)
    return state


def as_bytes(state: MachineState) -> dict[object, bytes]:
    return {
        (topic.name, identity): entry.message.SerializeToString(deterministic=True)
        for topic, identity, entry in state.all_entries()
    }


def plot_state(*plots: HarvesterPlot) -> MachineState:
    return packed(ComputerInfo(timestamp=1, harvester_plots=plots))


def messages_of(state: MachineState) -> PackedMessages[HarvesterPlot]:
    held = state.of("harvester_plot")
    assert isinstance(held, PackedEntries)
    return held.messages


@given(computer_infos(1.0))
def test_packed_entries_come_out_as_they_went_in(info: ComputerInfo) -> None:
    assert as_bytes(packed(info)) == as_bytes(MachineState.from_computer_info(info))
    assert as_bytes(MachineState.from_computer_info(packed(info).as_computer_info())) == as_bytes(packed(info))


@given(old=computer_infos(1.0), new=computer_infos(2.0))
def test_a_packed_state_changes_as_any_other_does(old: ComputerInfo, new: ComputerInfo) -> None:
    before, after = packed(old), packed(new)
    changes = list(diff(before, after))
    kinds = {(change.topic.name, change.entry_id): change.event_type for change in changes}
    plain = diff(MachineState.from_computer_info(old), MachineState.from_computer_info(new))
    # A value that is not a number is not equal to itself, but to its bytes it is.
    assert kinds.items() <= {(change.topic.name, change.entry_id): change.event_type for change in plain}.items()
    told = before.copy()
    for change in changes:
        assert told.apply(event_of(change.topic, change.message, change.event_type, 2.0))
    assert as_bytes(told) == as_bytes(after)


@given(old=computer_infos(1.0), new=machine_states(2.0), is_packed=st.booleans())
def test_what_is_taken_from_another_state_is_as_it_is_there(
    old: ComputerInfo, new: MachineState, is_packed: bool
) -> None:
    state = packed(old) if is_packed else MachineState.from_computer_info(old)
    for change in list(diff(state, new)):
        state.take(change.topic, change.entry_id, new)
    assert as_bytes(state) == as_bytes(new)


def test_a_copy_costs_nothing_and_follows_no_change_of_the_other() -> None:
    state = plot_state(HarvesterPlot(id="/a"), HarvesterPlot(id="/b"))
    copy = state.copy()
    assert messages_of(copy).is_same(messages_of(state))
    state.put(event_of(PLOTS, HarvesterPlot(id="/a"), DELETE, 2))
    copy.put(event_of(PLOTS, HarvesterPlot(id="/c"), ADD, 2))
    assert (set(state.of("harvester_plot")), set(copy.of("harvester_plot"))) == ({"/b"}, {"/a", "/b", "/c"})
    assert messages_of(copy).packed["/b"] is messages_of(state).packed["/b"]


def test_equal_topics_are_shared_and_then_compared_in_no_time() -> None:
    ours, theirs = plot_state(HarvesterPlot(id="/a", k=32)), plot_state(HarvesterPlot(id="/a", k=32))
    assert not messages_of(ours).is_same(messages_of(theirs))
    ours.share(theirs)
    assert messages_of(ours).is_same(messages_of(theirs))
    ours.put(event_of(PLOTS, HarvesterPlot(id="/a", k=33), UPDATE, 2))
    ours.share(theirs)
    assert [change.event_type for change in diff(ours, theirs)] == [UPDATE]


@pytest.mark.parametrize("length", [1, 127, 128, 20_000])
def test_ids_of_any_length_are_kept_beside_the_message(length: int) -> None:
    path = "/" + "é" * length
    messages = packed_messages(MachineState.from_computer_info(ComputerInfo()).of("x"), PLOTS)
    messages[path] = HarvesterPlot(id=path, k=32)
    assert messages[path] == HarvesterPlot(id=path, k=32)
    assert len(messages.packed[path]) < 10


@pytest.mark.parametrize("name", ["process", "cpu"])
def test_what_has_no_text_for_an_id_is_not_packed(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be packed"):
        PackedMessages(TOPICS[name])


def test_an_unknown_id_is_a_key_error() -> None:
    entries = PackedEntries(PackedMessages(PLOTS))
    with pytest.raises(KeyError):
        del entries["/a"]
    assert entries.get("/a") is None
