import itertools

from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk, Ram
from chiatea.state.diff import Change, diff
from chiatea.state.machine_state import MachineState, event_of
from chiatea.state.throttle import Throttle

INTERVAL_SECONDS = {"disk": 15.0, "ram": 5.0}

truths = st.dictionaries(st.sampled_from(["/a", "/b", "/c"]), st.integers(0, 5))


def _state(truth: dict[str, int], used_bytes: int = 0) -> MachineState:
    disks = [Disk(id=identity, used_bytes=value) for identity, value in truth.items()]
    return MachineState.from_computer_info(ComputerInfo(disks=disks, ram=Ram(used_bytes=used_bytes)))


class _Sender:
    """A collector without a wire: what it sends is known at once."""

    def __init__(self) -> None:
        self.throttle = Throttle(INTERVAL_SECONDS)
        self.known = MachineState()

    def look(self, true: MachineState, now: float) -> list[Change]:
        sent = list(self.throttle.due(diff(self.known, true), now))
        for change in sent:
            self.known.apply(event_of(change.topic, change.message, change.event_type, now))
        return sent


@given(looks=st.lists(st.tuples(st.floats(0.1, 20), truths, st.integers(0, 3)), min_size=1, max_size=20))
def test_whatever_happens_the_last_value_passes_once_its_interval_is_over(
    looks: list[tuple[float, dict[str, int], int]],
) -> None:
    sender, now = _Sender(), 1000.0
    true = MachineState()
    for step, truth, used_bytes in looks:
        now += step
        true = _state(truth, used_bytes)
        sender.look(true, now)
    sender.look(true, now + max(INTERVAL_SECONDS.values()))
    assert list(diff(sender.known, true)) == []


@given(looks=st.lists(st.tuples(st.floats(0.1, 20), truths), max_size=20))
def test_two_updates_of_one_entry_are_an_interval_apart_and_what_comes_or_goes_is_told_at_once(
    looks: list[tuple[float, dict[str, int]]],
) -> None:
    sender, now = _Sender(), 1000.0
    updates: dict[object, list[float]] = {}
    for step, truth in looks:
        now += step
        for change in sender.look(_state(truth), now):
            if change.event_type == UPDATE:
                updates.setdefault(change.entry_id, []).append(now)
            else:
                updates.pop(change.entry_id, None)
        assert set(sender.known.of("disk")) == set(truth)
    for times in updates.values():
        assert all(later - earlier >= INTERVAL_SECONDS["disk"] for earlier, later in itertools.pairwise(times))


def test_what_is_held_back_passes_at_its_last_value() -> None:
    sender = _Sender()
    sender.look(_state({"/a": 0}), 0)
    assert [c.event_type for c in sender.look(_state({"/a": 1}), 1)] == [UPDATE]
    assert sender.look(_state({"/a": 2}), 2) == []
    assert sender.look(_state({"/a": 3}), 15.9) == []
    (change,) = sender.look(_state({"/a": 3}), 16)
    assert change.message == Disk(id="/a", used_bytes=3)


def test_what_changed_back_in_time_is_never_told() -> None:
    sender = _Sender()
    for value, now in ((0, 0), (1, 1)):
        sender.look(_state({"/a": value}), now)
    assert sender.look(_state({"/a": 2}), 2) == []
    assert sender.look(_state({"/a": 1}), 20) == []


def test_an_entry_that_comes_back_is_told_at_once_and_may_change_at_once() -> None:
    sender = _Sender()
    kinds = []
    for now, truth in enumerate(({"/a": 0}, {"/a": 1}, {}, {"/a": 1}, {"/a": 2})):
        kinds += [change.event_type for change in sender.look(_state(truth), now) if change.topic.name == "disk"]
    assert kinds == [ADD, UPDATE, DELETE, ADD, UPDATE]


def test_entries_and_topics_do_not_wait_for_each_other() -> None:
    sender = _Sender()
    sender.look(_state({"/a": 0, "/b": 0}), 0)
    sender.look(_state({"/a": 1, "/b": 0}), 1)
    (change,) = sender.look(_state({"/a": 2, "/b": 1}), 2)
    assert change.entry_id == "/b"
    assert [c.topic.name for c in sender.look(_state({"/a": 2, "/b": 1}, used_bytes=9), 3)] == ["ram"]


def test_a_topic_without_an_interval_is_not_held() -> None:
    throttle = Throttle({})
    change = next(diff(_state({"/a": 0}), _state({"/a": 1})))
    assert [list(throttle.due([change], 0)) for _ in range(3)] == [[change]] * 3
