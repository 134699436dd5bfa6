from typing import Any

import pytest

from chiatea.collector.observations import Observation, SignagePointFinished, SignagePointSent, VersionTold
from chiatea.collector.watchdog.node_side import skipped_between
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import ChiaNotice
from chiatea.protobuf.computer_info_pb2 import ComputerInfo


def watched(*observations: Observation) -> Watchdog:
    watchdog = Watchdog()
    for observation in observations:
        watchdog.take(observation)
    return watchdog


def skipped(watchdog: Watchdog) -> tuple[int, int, float, int]:
    """The farmer's and the node's count, when, and how many notices."""
    entries = watchdog.entries(500.0, frozenset())
    farmer: Any = entries["farmer"][""] if "farmer" in entries else None
    node: Any = entries["full_node"][""] if "full_node" in entries else None
    notices = [n for n in watchdog.notices.all().values() if n.kind == ChiaNotice.SKIPPED_SIGNAGE_POINTS]
    return (
        farmer.n_skipped_signage_points if farmer else -1,
        node.n_skipped_signage_points if node else -1,
        farmer.last_skipped_time if farmer else 0.0,
        len(notices),
    )


def sent(n: int, time: float, n_skipped: int) -> SignagePointSent:
    return SignagePointSent(time, "c", f"sp{n}", n, n_skipped=n_skipped)


BY_EVENT = [sent(1, 100.0, 0), sent(5, 140.2, 3), sent(6, 150.0, 0), sent(9, 180.2, 2)]
BY_LOG = [SignagePointFinished(time, index) for time, index in ((100.0, 1), (140.0, 5), (150.0, 6), (180.0, 9))]


@pytest.mark.parametrize("told", [[*BY_EVENT, *BY_LOG], [*BY_LOG, *BY_EVENT]])
def test_a_gap_that_farmer_and_node_tell_counts_once_for_both(told: list[Observation]) -> None:
    n_farmer, n_node, time, n_notices = skipped(watched(*told))
    assert (n_farmer, n_node, n_notices) == (5, 5, 2)
    assert time == pytest.approx(180.0, abs=0.3)


def test_each_of_them_alone_tells_the_same_to_both() -> None:
    running = [VersionTold(100.0, "farmer", ""), VersionTold(100.0, "full_node", "")]
    assert skipped(watched(*running, *BY_EVENT))[:2] == skipped(watched(*running, *BY_LOG))[:2] == (5, 5)


def test_where_they_differ_the_larger_word_counts_whoever_came_first() -> None:
    for n_told, expected in ((4, 4), (2, 3)):
        event, log = sent(5, 140.2, n_told), [SignagePointFinished(100.0, 1), SignagePointFinished(140.0, 5)]
        assert skipped(watched(event, *log))[:2] == skipped(watched(*log, event))[:2] == (expected, expected)


def test_a_gap_told_before_a_restart_is_not_counted_when_the_log_tells_it_after_it() -> None:
    before = watched(SignagePointFinished(100.0, 1), sent(5, 140.2, 3))
    after = Watchdog()
    after.restore(ComputerInfo(), before.as_json(141.0))
    after.take(SignagePointFinished(140.0, 5))
    assert skipped(after)[:2] == (3, 3)


@pytest.mark.parametrize(
    ("before", "after", "seconds", "n_skipped"),
    [
        (10, 11, 9.4, 0),
        (10, 10, 1.0, 0),
        (10, 13, 28.0, 2),
        (63, 64, 9.4, 0),
        (64, 1, 9.4, 0),
        (62, 2, 37.0, 3),
        (13, 10, 1.0, 0),
        (10, 40, 3600.0, 0),
    ],
    ids=["next", "again", "gap", "end", "wraps", "gap over the end", "back in a fork", "not running"],
)
def test_missing_indexes_are_skipped_points_unless_the_time_says_otherwise(
    before: int, after: int, seconds: float, n_skipped: int
) -> None:
    assert skipped_between(before, after, seconds) == n_skipped
