from chiatea.collector.sources.disk_history import DiskHistory
from chiatea.protobuf.hardware_pb2 import Disk

A = "/mnt/a"


def history_of(*looks: tuple[float, float, float]) -> DiskHistory:
    """Of one disk: time, busy percent and bytes read each second up to then."""
    history = DiskHistory()
    for time, busy, read in looks:
        history.add(time, {A: Disk(id=A, busy_percent=busy, read_bytes_per_second=read)})
    return history


LOOKS = ((100.0, 1.0, 1.0), (105.0, 99.0, 1e8), (110.0, 90.0, 2e8), (115.0, 2.0, 10.0), (120.0, 3.0, 20.0))


def test_what_a_disk_did_while_a_lookup_was_slow_is_told_not_what_it_does_now() -> None:
    then = history_of(*LOOKS).at(A, 109.0, 8.0)
    assert then == Disk(id=A, busy_percent=99.0, read_bytes_per_second=1.5e8)


def test_without_a_duration_the_last_ten_seconds_count() -> None:
    then = history_of(*LOOKS).at(A, 121.0)
    assert then == Disk(id=A, busy_percent=3.0, read_bytes_per_second=15.0)


def test_a_time_of_which_nothing_is_known_has_no_answer() -> None:
    history = history_of(*LOOKS)
    assert history.at(A, 99.0) is None
    assert history.at(A, 200.0) is None
    assert history.at("/mnt/b", 110.0) is None
    assert history.at(None, 110.0) is None


def test_two_minutes_are_kept() -> None:
    history = history_of(*((float(time), 50.0, 1.0) for time in range(0, 1000, 5)))
    assert history.at(A, 890.0) is not None
    assert history.at(A, 860.0) is None
    assert len(history._intervals[A]) < 30


def test_a_clock_that_jumped_begins_anew() -> None:
    for jump in (50.0, 9000.0):
        history = history_of(*LOOKS, (jump, 7.0, 7.0))
        assert history.at(A, 110.0) is None
        history.add(jump + 5, {A: Disk(id=A, busy_percent=8.0, read_bytes_per_second=8.0)})
        assert history.at(A, jump + 3, 2.0) == Disk(id=A, busy_percent=8.0, read_bytes_per_second=8.0)


def test_a_disk_without_rates_has_no_history() -> None:
    history = DiskHistory()
    for time in (0.0, 5.0):
        history.add(time, {A: Disk(id=A)})
    assert history.at(A, 5.0) is None
