"""What real farms do that the recording does not."""

from typing import Any

from chiatea.collector.observations import (
    AnswerGiven,
    Connection,
    ConnectionsTold,
    HarvesterRemoved,
    HarvestersListed,
    Observation,
    PartialTold,
    ProofFound,
    ServiceStopping,
    SignagePointSent,
    VersionTold,
    WatchingGap,
)
from chiatea.collector.sources.daemon_messages import observation_of_message
from chiatea.collector.sources.rpc_answers import harvesters_of
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer

State = HarvesterViewedFromFarmer.State


def watched(*observations: Observation) -> Watchdog:
    watchdog = Watchdog()
    for observation in observations:
        watchdog.take(observation)
    return watchdog


def sent(n: int, time: float, challenge: str = "c") -> SignagePointSent:
    return SignagePointSent(time, challenge, f"sp{n}", n % 64)


def answer(node: str, n: int, time: float, eligible: int = 2) -> AnswerGiven:
    return AnswerGiven(time, node, "c", f"sp{n}", eligible, 1, 0.25)


def peers(time: float, *nodes: str, host: str = "host") -> ConnectionsTold:
    return ConnectionsTold(time, "farmer", tuple(Connection(node, host, 2, time - 1, time) for node in nodes))


def listed(time: float, *nodes: str) -> HarvestersListed:
    harvesters = tuple(HarvesterViewedFromFarmer(id=node, host="host", n_plots=5) for node in nodes)
    return HarvestersListed(time, harvesters, is_all=True)


def seen(watchdog: Watchdog, node: str, now: float) -> HarvesterViewedFromFarmer:
    entry = watchdog.entries(now, frozenset())["farmer_harvester"][node]
    assert isinstance(entry, HarvesterViewedFromFarmer)
    return entry


def owed(watchdog: Watchdog, node: str, now: float) -> tuple[int, int, int]:
    entry = seen(watchdog, node, now)
    return entry.n_challenges_owed, entry.n_challenges_answered, entry.missed_challenges


def test_an_answer_told_before_its_point_is_its_answer() -> None:
    watchdog = watched(peers(1, "a", "b"), answer("a", 1, 10.0), sent(1, 10.1))
    assert owed(watchdog, "a", 60) == (1, 1, 0)
    assert owed(watchdog, "b", 60) == (1, 0, 1)


def test_what_both_registrations_tell_counts_once() -> None:
    watchdog = watched(
        peers(1, "a"), sent(1, 10.0), sent(1, 10.001), answer("a", 1, 11.0), answer("a", 1, 11.002),
        ProofFound(11.1, "p"), ProofFound(11.2, "p"), ProofFound(11.3, "q"),
    )  # fmt: skip
    entry = seen(watchdog, "a", 60)
    assert (entry.n_challenges_answered, entry.n_eligible_plots, entry.n_proofs) == (1, 2, 1)
    assert (watchdog.farmer.draft.n_signage_points, watchdog.farmer.draft.n_proofs) == (1, 2)


def test_equal_partials_are_as_many_as_the_registration_says_that_tells_most() -> None:
    watchdog = watched(
        *(
            PartialTold(time, is_accepted=True, key="pool/0", source=source)
            for time, source in ((1, "metrics"), (1.1, "wallet_ui"), (9, "wallet_ui"), (9.1, "metrics"))
        ),
        PartialTold(20, is_accepted=False, key="pool/0", source="wallet_ui"),
    )
    assert (watchdog.farmer.draft.n_partials_submitted, watchdog.farmer.draft.n_partials_failed) == (2, 1)


def test_where_answers_have_no_names_one_harvester_is_judged_and_several_are_not() -> None:
    alone = watched(peers(1, "a"), sent(1, 10), answer("", 1, 11), sent(2, 20))
    assert owed(alone, "a", 60) == (2, 1, 1)
    several = watched(peers(1, "a", "b"), sent(1, 10), answer("", 1, 11), sent(2, 20), answer("", 2, 21), sent(3, 30))
    for node in ("a", "b"):
        assert owed(several, node, 95) == (0, 0, 0)
        assert seen(several, node, 100).state != State.TIMED_OUT
    # Chia is brought up to date: answers have names from now on.
    several.take(answer("a", 4, 100))
    several.take(peers(100, "a", "b"))
    several.take(sent(5, 110))
    assert owed(several, "b", 200) == (1, 0, 1)


def test_of_an_answer_without_a_name_nothing_is_owed_that_was_sent_before_it() -> None:
    watchdog = watched(peers(1, "a", "b"), sent(1, 10), sent(2, 20), answer("", 1, 34))
    assert (owed(watchdog, "a", 80), owed(watchdog, "b", 80)) == ((0, 0, 0), (0, 0, 0))


def test_a_harvester_that_connects_again_is_the_same_one_and_owes_what_comes_then() -> None:
    watchdog = watched(
        peers(1, "a"), sent(1, 10), answer("a", 1, 11), HarvesterRemoved(12, "a"), sent(2, 20), peers(25, "a"),
        sent(3, 30),
    )  # fmt: skip
    assert owed(watchdog, "a", 70) == (2, 1, 1)
    assert seen(watchdog, "a", 70).connected_since == 24


def test_an_answer_of_the_rpc_that_was_asked_before_the_harvester_went_does_not_bring_it_back() -> None:
    watchdog = watched(peers(1, "a"), HarvesterRemoved(12, "a"), listed(11.9, "a"), peers(11.95, "a"), sent(1, 13))
    assert seen(watchdog, "a", 14).state == State.DISCONNECTED
    assert owed(watchdog, "a", 70) == (0, 0, 0)


def test_an_answer_of_the_rpc_that_was_asked_before_the_harvester_came_does_not_send_it_away() -> None:
    watchdog = watched(listed(1), answer("a", 1, 10.0), listed(9.9), peers(9.95), sent(2, 12))
    assert seen(watchdog, "a", 13).state == State.ANSWERING
    assert owed(watchdog, "a", 70) == (1, 0, 1)


def test_a_point_told_before_the_word_that_the_harvester_went_is_not_owed() -> None:
    watchdog = watched(peers(1, "a"), sent(1, 10), sent(2, 20), HarvesterRemoved(15, "a"))
    assert owed(watchdog, "a", 70) == (1, 0, 1)


def test_a_point_told_before_the_word_that_the_harvester_came_is_owed() -> None:
    watchdog = watched(listed(1), sent(1, 10), sent(2, 20), listed(15, "a"))
    assert owed(watchdog, "a", 70) == (1, 0, 1)


def test_two_harvesters_at_one_host_are_two() -> None:
    watchdog = watched(peers(1, "a", "b", host="10.0.0.7"), sent(1, 10), answer("a", 1, 11))
    assert (owed(watchdog, "a", 40), owed(watchdog, "b", 40)) == ((1, 1, 0), (1, 0, 1))
    assert watchdog.farmer.entry(is_running=True, netspace_bytes=None, block_seconds=None).n_harvesters == 2


def test_a_node_id_is_the_same_with_and_without_0x_and_in_large_letters() -> None:
    info = {"node_id": "0xABCD", "signage_point": "0xEF", "passed_filter": 1, "proofs": 0, "lookup_time": 5}
    message = {"origin": "chia_farmer", "command": "new_farming_info", "data": {"farming_info": info}}
    told = observation_of_message(message, "metrics", 5.0)
    assert isinstance(told, AnswerGiven)
    (summary,) = harvesters_of({"harvesters": [{"connection": {"node_id": "abcd"}}]})
    assert told.node_id == summary.id == "abcd"


def test_points_of_one_challenge_are_each_owed() -> None:
    watchdog = watched(peers(1, "a"), *(sent(n, 10.0 + n, challenge="same") for n in range(5)), answer("a", 2, 16))
    assert owed(watchdog, "a", 60) == (5, 1, 4)


def test_a_point_that_a_fork_sends_again_is_owed_once_and_its_second_answer_is_a_sign_of_life() -> None:
    watchdog = watched(peers(1, "a"), sent(1, 10), answer("a", 1, 11), sent(2, 20), sent(1, 40), answer("a", 1, 41))
    entry = seen(watchdog, "a", 60)
    assert (entry.n_challenges_owed, entry.n_challenges_answered, entry.n_eligible_plots) == (2, 1, 2)
    assert entry.last_answer_time == 41
    assert watchdog.farmer.draft.n_signage_points == 2


def test_a_farmer_that_stops_has_no_harvesters_and_sends_nothing() -> None:
    watchdog = watched(VersionTold(1, "farmer", "2.7.5"), peers(1, "a"), sent(1, 10), answer("a", 1, 11))
    watchdog.take(ServiceStopping(12, "farmer"))
    assert seen(watchdog, "a", 13).state == State.DISCONNECTED
    watchdog.take(VersionTold(60, "farmer", "2.7.6"))
    watchdog.take(peers(60, "a"))
    assert owed(watchdog, "a", 61) == (1, 1, 0)
    assert seen(watchdog, "a", 61).state == State.ANSWERING


def test_after_a_gap_nobody_is_called_connected_or_gone_till_it_is_told() -> None:
    watchdog = watched(VersionTold(1, "farmer", ""), peers(1, "a", "b"), sent(1, 10), WatchingGap(20))
    assert seen(watchdog, "a", 21).state == State.UNKNOWN
    watchdog.take(sent(2, 22))
    watchdog.take(peers(23, "a"))
    watchdog.take(sent(3, 24))
    assert (seen(watchdog, "a", 25).state, seen(watchdog, "b", 25).state) == (State.ANSWERING, State.DISCONNECTED)
    assert (owed(watchdog, "a", 60), owed(watchdog, "b", 60)) == ((1, 0, 1), (0, 0, 0))


def test_an_answer_to_a_point_of_before_a_gap_is_not_judged() -> None:
    watchdog = watched(peers(1, "a"), sent(1, 10), WatchingGap(20), answer("a", 1, 50), sent(2, 60), answer("a", 2, 61))
    assert owed(watchdog, "a", 100) == (1, 1, 0)


def test_twenty_harvesters_are_each_judged_by_their_own_answers() -> None:
    nodes = [f"node{n}" for n in range(20)]
    watchdog = watched(peers(1, *nodes))
    for n in range(1, 41):
        now = 10.0 * n
        watchdog.take(sent(n, now))
        for k, node in enumerate(nodes):
            # One of them does not answer each k-th point.
            if k == 0 or n % (k + 1):
                watchdog.take(answer(node, n, now + 0.1 * k))
    for k, node in enumerate(nodes):
        n_missed = 0 if k == 0 else 40 // (k + 1)
        assert owed(watchdog, node, 500) == (40, 40 - n_missed, n_missed)


def test_the_ledger_stays_small_however_long_it_is_kept() -> None:
    watchdog = watched(peers(1, "a", "b"))
    for n in range(1, 1500):
        watchdog.take(sent(n, 10.0 * n))
        watchdog.take(answer("a", n, 10.0 * n + 1))
    memory: Any = watchdog.as_json(15_000)["farmer"]
    assert len(str(memory)) < 20_000
    assert len(watchdog.entries(15_000, frozenset())["missed_challenge"]) == 100


def test_a_point_that_is_under_way_is_neither_answered_nor_owed_yet() -> None:
    watchdog = watched(peers(1, "a"), sent(1, 10.0), answer("a", 1, 11), sent(2, 20.0))
    assert owed(watchdog, "a", 44) == (1, 1, 0)
    assert owed(watchdog, "a", 46) == (2, 1, 1)
