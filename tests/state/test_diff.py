from hypothesis import given

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, ComputerInfo
from chiatea.protobuf.descriptors import EntryId
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram
from chiatea.state.diff import Change, diff
from chiatea.state.machine_state import MachineState, event_of
from tests.strategies import computer_infos, machine_states


def _messages(state: MachineState) -> dict[tuple[str, EntryId], bytes]:
    return {
        (topic.name, identity): entry.message.SerializeToString(deterministic=True)
        for topic, identity, entry in state.all_entries()
    }


def _state(**topics: object) -> MachineState:
    return MachineState.from_computer_info(ComputerInfo(timestamp=1, **topics))  # type: ignore[arg-type]


@given(old=machine_states(1.0), new=machine_states(2.0))
def test_the_changes_between_two_states_applied_to_the_one_make_the_other(old: MachineState, new: MachineState) -> None:
    state = old.copy()
    for change in diff(old, new):
        assert state.apply(event_of(change.topic, change.message, change.event_type, 2.0))
    assert _messages(state) == _messages(new)
    assert list(diff(state, new)) == []


@given(old=machine_states(1.0), new=machine_states(2.0))
def test_the_changes_travel_as_bytes(old: MachineState, new: MachineState) -> None:
    state = old.copy()
    for change in diff(old, new):
        event = event_of(change.topic, change.message, change.event_type, 2.0)
        state.apply(type(event).FromString(event.SerializeToString()))
    assert _messages(state) == _messages(new)


@given(old=machine_states(1.0), new=machine_states(2.0))
def test_looking_for_changes_changes_nothing(old: MachineState, new: MachineState) -> None:
    before, after = old.copy(), new.copy()
    list(diff(old, new))
    assert old == before
    assert new == after


@given(info=computer_infos(1.0))
def test_two_looks_at_the_same_thing_differ_in_nothing(info: ComputerInfo) -> None:
    again = ComputerInfo.FromString(info.SerializeToString())
    again.timestamp = 2.0
    assert list(diff(MachineState.from_computer_info(info), MachineState.from_computer_info(again))) == []


@given(new=machine_states())
def test_everything_is_new_to_a_state_that_knows_nothing_and_gone_the_other_way(new: MachineState) -> None:
    added, gone = list(diff(MachineState(), new)), list(diff(new, MachineState()))
    assert {change.event_type for change in added} <= {ADD}
    assert {change.event_type for change in gone} <= {DELETE}
    assert len(added) == len(gone) == len(_messages(new))


def test_a_change_says_what_it_is() -> None:
    old = _state(cpu=Cpu(usage_percent=1), disks=[Disk(id="/a"), Disk(id="/b", device="sdb")])
    new = _state(cpu=Cpu(usage_percent=2), disks=[Disk(id="/a"), Disk(id="/c")], ram=Ram())
    found = {(c.topic.name, c.entry_id, c.event_type) for c in diff(old, new)}
    assert found == {("cpu", "", UPDATE), ("disk", "/c", ADD), ("disk", "/b", DELETE), ("ram", "", ADD)}


def test_what_is_gone_is_told_as_it_last_was() -> None:
    (change,) = diff(_state(disks=[Disk(id="/b", device="sdb")]), _state())
    assert isinstance(change, Change)
    assert change.message == Disk(id="/b", device="sdb")


def test_untold_and_zero_differ() -> None:
    assert len(list(diff(_state(cpu=Cpu()), _state(cpu=Cpu(usage_percent=0))))) == 1


def test_not_a_number_does_not_differ_from_itself() -> None:
    nan = float("nan")
    assert list(diff(_state(cpu=Cpu(usage_percent=nan)), _state(cpu=Cpu(usage_percent=nan)))) == []
