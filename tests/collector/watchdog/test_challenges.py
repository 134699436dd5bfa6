from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.watchdog.challenges import Challenges, Point


def point(n: int, sent_time: float) -> Point:
    return Point(f"sp{n}", "challenge", n % 64, sent_time)


def ledger(*nodes: str) -> Challenges:
    challenges = Challenges()
    for node in nodes:
        challenges.connected(node, 0.0)
    return challenges


def test_an_answer_within_25_seconds_is_not_missed() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.answered("a", "sp1", 35.0)
    challenges.pass_time(1000.0)
    debt = challenges.debt_of("a")
    assert (debt.n_owed, debt.n_answered, debt.n_late, debt.n_missed, debt.n_timeouts) == (1, 1, 0, 0, 0)


def test_no_answer_within_25_seconds_is_one_missed_challenge_counted_once() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.pass_time(35.0)
    assert challenges.debt_of("a").n_missed == 0
    for now in (35.1, 40.0, 50.0):
        challenges.pass_time(now)
    assert challenges.debt_of("a").n_missed == 1
    assert [missed.point.signage_point for missed in challenges.newest_missed()] == ["sp1"]


def test_a_late_answer_does_not_undo_the_miss_and_is_told_with_it() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.answered("a", "sp1", 50.0)
    challenges.answered("a", "sp1", 51.0)
    debt = challenges.debt_of("a")
    assert (debt.n_missed, debt.n_answered, debt.n_late) == (1, 1, 1)
    assert challenges.newest_missed()[0].late_answer_time == 50.0


def test_sixty_seconds_without_any_answer_is_one_time_out_until_any_answer() -> None:
    challenges = ledger("a")
    for n in range(10):
        challenges.sent(point(n, 10.0 * n))
    assert challenges.debt_of("a").is_timed_out
    challenges.pass_time(200.0)
    assert challenges.debt_of("a").n_timeouts == 1
    challenges.answered("a", "sp3", 201.0)
    assert not challenges.debt_of("a").is_timed_out
    turns = challenges.take_turns()
    assert [(turn.time, turn.is_timed_out) for turn in turns] == [(60.0, True), (201.0, False)]


def test_a_harvester_that_is_owed_nothing_does_not_time_out() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.answered("a", "sp1", 11.0)
    challenges.pass_time(10_000.0)
    assert challenges.debt_of("a").n_timeouts == 0


def test_points_sent_while_it_was_not_connected_are_not_owed() -> None:
    challenges = ledger("a", "b")
    challenges.disconnected("b", 5.0)
    challenges.sent(point(1, 10.0))
    challenges.pass_time(100.0)
    assert challenges.debt_of("b").n_owed == 0
    assert challenges.debt_of("a").n_missed == 1


def test_what_was_owed_before_it_went_is_still_missed() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.disconnected("a", 12.0)
    challenges.pass_time(36.0)
    assert challenges.debt_of("a").n_missed == 1
    assert challenges.debt_of("a").n_timeouts == 0


def test_a_point_told_twice_is_owed_once() -> None:
    challenges = ledger("a")
    assert challenges.sent(point(1, 10.0))
    assert not challenges.sent(point(1, 11.0))
    assert challenges.debt_of("a").n_owed == 1


def test_the_first_answer_of_an_unknown_harvester_shows_that_it_owed_the_point() -> None:
    challenges = Challenges()
    challenges.sent(point(1, 10.0))
    challenges.answered("new", "sp1", 11.0)
    assert (challenges.debt_of("new").n_owed, challenges.debt_of("new").n_answered) == (1, 1)


def test_after_a_gap_in_watching_nothing_that_was_under_way_is_missed() -> None:
    challenges = ledger("a")
    challenges.sent(point(1, 10.0))
    challenges.not_watched(20.0)
    challenges.pass_time(500.0)
    debt = challenges.debt_of("a")
    assert (debt.n_owed, debt.n_missed, debt.n_timeouts) == (0, 0, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["sent", "answer", "connect", "gone"]), st.integers(0, 8), st.floats(0.1, 40.0)),
        max_size=60,
    )
)
def test_every_owed_point_is_answered_missed_or_still_pending(steps: list[tuple[str, int, float]]) -> None:
    challenges = Challenges()
    now = 0.0
    for what, n, pause in steps:
        now += pause
        match what:
            case "sent":
                challenges.sent(point(n, now))
            case "answer":
                challenges.answered("a", f"sp{n}", now)
            case "connect":
                challenges.connected("a", now)
            case "gone":
                challenges.disconnected("a", now)
    debt = challenges.debt_of("a")
    assert debt.n_owed == (debt.n_answered - debt.n_late) + debt.n_missed + len(debt.pending)
    assert debt.n_late <= debt.n_missed
