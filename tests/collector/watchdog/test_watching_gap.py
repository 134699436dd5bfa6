from chiatea.collector.observations import (
    AnswerGiven,
    Connection,
    ConnectionsTold,
    SignagePointSent,
    SignagePointsListed,
    WatchingGap,
)
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import Farmer, HarvesterViewedFromFarmer

NODE = "ab" * 32


def sent(number: int, time: float) -> SignagePointSent:
    return SignagePointSent(time, f"challenge{number}", f"point{number}", number)


def listed(numbers: range, time: float) -> SignagePointsListed:
    return SignagePointsListed(time, tuple((f"point{number}", f"challenge{number}") for number in numbers))


def farm_of(watchdog: Watchdog, now: float) -> tuple[Farmer, HarvesterViewedFromFarmer]:
    topics = watchdog.entries(now, frozenset())
    farmer, harvester = topics["farmer"][""], topics["farmer_harvester"][NODE]
    assert isinstance(farmer, Farmer)
    assert isinstance(harvester, HarvesterViewedFromFarmer)
    return farmer, harvester


def watched_till_a_gap() -> Watchdog:
    watchdog = Watchdog()
    watchdog.take(ConnectionsTold(0.0, "farmer", (Connection(NODE, "10.0.0.2", 2, 0.0, 0.0),)))
    for number in range(3):
        watchdog.take(sent(number, 10.0 * number))
    watchdog.take(AnswerGiven(20.5, NODE, "challenge1", "point1", 0, 0, 0.1))
    watchdog.take(WatchingGap(21.0))
    return watchdog


def test_points_of_a_gap_are_counted_once_and_owed_by_nobody() -> None:
    watchdog = watched_till_a_gap()
    watchdog.take(listed(range(-5, 7), 70.0))
    watchdog.take(listed(range(-4, 7), 71.0))
    farmer, harvester = farm_of(watchdog, 72.0)
    assert (farmer.n_signage_points, farmer.last_challenge_hash) == (7, "challenge6")
    assert (harvester.n_challenges_owed, harvester.missed_challenges) == (1, 0)
    watchdog.take(ConnectionsTold(79.0, "farmer", (Connection(NODE, "10.0.0.2", 2, 0.0, 0.0),)))
    watchdog.take(sent(7, 80.0))
    watchdog.take(listed(range(8), 81.0))
    farmer, harvester = farm_of(watchdog, 110.0)
    assert (farmer.n_signage_points, harvester.n_challenges_owed, harvester.missed_challenges) == (8, 2, 1)


def test_after_a_gap_of_hours_all_that_the_farmer_still_knows_is_new() -> None:
    watchdog = watched_till_a_gap()
    watchdog.take(listed(range(100, 150), 9000.0))
    assert farm_of(watchdog, 9000.0)[0].n_signage_points == 53


def test_what_the_farmer_did_before_it_was_watched_is_not_counted() -> None:
    watchdog = Watchdog()
    watchdog.take(ConnectionsTold(0.0, "farmer", (Connection(NODE, "10.0.0.2", 2, 0.0, 0.0),)))
    watchdog.take(listed(range(100), 1.0))
    assert farm_of(watchdog, 1.0)[0].n_signage_points == 0
