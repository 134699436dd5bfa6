"""Counters that only grow, as cells of a strip and as shares."""

from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.protobuf.monitoring_service_pb2 import Series
from chiatea.tui.challenge_history import (
    Count,
    Interval,
    Kind,
    Miss,
    cells_of,
    intervals_of,
    points_of,
    share_over,
    strip_cell,
)

OWED, MISSED, LATE = "n_challenges_owed", "missed_challenges", "n_challenges_late"
A, L, M, S, GONE, U = Kind.ANSWERED, Kind.LATE, Kind.MISSED, Kind.SKIPPED, Kind.AWAY, Kind.UNKNOWN
AWAY = HarvesterViewedFromFarmer.DISCONNECTED


def series(*values: float | None, before: float | None = None) -> Series:
    """The last value of each step; None where there was no event."""
    made = Series(before=before)
    for index, value in enumerate(values):
        if value is not None:
            made.steps.add(index=index, least=value, mean=value, greatest=value, last=value, n_events=1)
    return made


def told(owed: Series, missed: Series | None = None, late: Series | None = None, **more: Series) -> dict[str, Series]:
    return {OWED: owed, MISSED: missed or Series(), LATE: late or Series(), **more}


def test_counters_become_differences_and_a_step_without_an_event_none() -> None:
    intervals = intervals_of(told(series(12, None, 15, before=10), series(1, None, 2, before=1)), None, 4)
    assert [interval.n_owed for interval in intervals] == [2, 0, 3, 0]
    assert [interval.n_missed for interval in intervals] == [0, 0, 1, 0]


def test_what_was_counted_before_the_first_event_is_of_no_step() -> None:
    (first, second) = intervals_of(told(series(9000, 9002)), None, 2)
    assert (first.n_owed, second.n_owed) == (0, 2)


def test_a_counter_that_begins_at_zero_again_counts_from_there_and_so_do_the_others() -> None:
    intervals = intervals_of(
        told(series(110, 4, 6, before=100), series(7, 0, 1, before=7), series(5, 0, 0, before=5)), None, 3
    )
    assert [interval.n_owed for interval in intervals] == [10, 4, 2]
    assert [interval.n_missed for interval in intervals] == [0, 0, 1]


def test_what_was_counted_in_a_step_before_the_counter_began_again_is_not_lost() -> None:
    owed = Series(before=100)
    owed.steps.add(index=0, least=0, mean=50, greatest=103, last=2, n_events=9)
    (interval,) = intervals_of(told(owed), None, 1)
    assert interval.n_owed == 5


def test_a_miss_that_was_told_late_and_is_none_after_all_is_taken_back() -> None:
    intervals = intervals_of(told(series(12, 14, before=10), series(3, 2, before=2)), None, 2)
    assert [interval.n_missed for interval in intervals] == [1, -1]
    assert cells_of(intervals)[1] is A


def test_each_cell_says_the_worst_of_its_time() -> None:
    assert cells_of(
        [
            Interval(n_owed=4),
            Interval(n_owed=4, n_missed=1),
            Interval(n_owed=4, n_missed=1, n_late=1),
            Interval(n_owed=4, n_missed=2, n_late=1),
            Interval(n_owed=4, n_skipped=1),
            Interval(n_owed=400, n_skipped=1),
            Interval(),
            Interval(is_connected=False),
            Interval(is_connected=False, n_skipped=2),
            Interval(n_skipped=2),
        ]
    ) == [A, M, L, M, S, A, U, GONE, GONE, S]


def test_an_answer_that_came_in_a_later_cell_makes_its_own_cell_late() -> None:
    intervals = [Interval(n_owed=1, n_missed=1), Interval(n_owed=1, n_late=1), Interval(n_owed=1, n_missed=1)]
    misses = [Miss(105.0, is_late=True), Miss(125.0, is_late=False)]
    assert cells_of(intervals, misses, 100.0, 10.0) == [L, A, M]


def test_a_harvester_that_is_away_is_so_until_it_is_told_otherwise() -> None:
    intervals = intervals_of(told(series(1, None, None, 2), state=series(1, AWAY, None, 1)), None, 4)
    assert [interval.is_connected for interval in intervals] == [True, False, False, True]
    assert cells_of(intervals_of({}, None, 2, state_now=AWAY)) == [GONE, GONE], "nothing is told of it for long"


def test_skipped_points_are_the_farmers() -> None:
    intervals = intervals_of(told(series(1, 2, 3, before=0)), series(5, 7, 7, before=5), 3)
    assert cells_of(intervals) == [A, S, A]


def test_zoomed_in_each_signage_point_has_a_cell_and_a_gap_is_as_long_as_it_was() -> None:
    empty = [Interval()]
    point, miss = [Interval(n_owed=1), *empty, *empty], [Interval(n_owed=1, n_missed=1), *empty, *empty]
    steps = [*point, *point, *miss, *empty * 12, *point, *[Interval(n_owed=2, n_missed=1)], *point]
    points = points_of(steps, [Miss(19.0, is_late=True)], 0.0, 3.0, n_points=99)
    assert points == [A, A, L, U, U, U, A, A, M, A]
    assert points_of(steps, [], 0.0, 3.0, n_points=4) == [A, A, M, A]


@given(st.lists(st.builds(Interval, *[st.floats(-1e6, 1e6)] * 4, st.booleans()), max_size=50), st.integers(1, 40))
def test_no_numbers_make_more_points_than_there_is_room_for(intervals: list[Interval], n_points: int) -> None:
    assert len(points_of(intervals, [], 0.0, 3.0, n_points=n_points)) <= n_points
    assert len(cells_of(intervals)) == len(intervals)


def test_shares_are_of_the_time_that_is_asked_for() -> None:
    counts = [Count(0, 0, 0), Count(6400, 100, 10), Count(9600, 300, 12), Count(10_000, 400, 12)]
    assert share_over(counts, 3600, 10_000) == (2, 300, 3600)
    assert share_over(counts, 10_000, 10_000) == (12, 400, 10_000)


def test_a_share_is_of_what_is_known_and_says_of_how_long_that_is() -> None:
    assert share_over([Count(9000, 50, 1), Count(10_000, 150, 3)], 86_400, 10_000) == (2, 100, 1000)
    assert share_over([], 3600, 10_000) == (0, 0, 0)


def test_a_share_goes_on_over_a_counter_that_began_again() -> None:
    counts = [Count(0, 1000, 50), Count(50, 1100, 51), Count(100, 40, 2)]
    assert share_over(counts, 100, 100) == (3, 140, 100)


def test_a_strip_is_drawn_at_the_right_and_can_be_read_without_colours() -> None:
    cell = strip_cell([A, A, L, M, S, GONE, U], 10)
    assert cell.text == "   ▁▁▄█s○·"
    assert "".join(span.text for span in cell.parts) == cell.text
    assert len({kind.value[0] for kind in Kind}) == len(Kind)
