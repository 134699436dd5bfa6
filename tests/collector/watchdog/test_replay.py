"""The recorded farm, whichever of its sources is withheld: the same truth from each that can know it."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import ChiaNotice, HarvesterViewedFromFarmer
from tests.collector.replay import (
    BEGIN,
    END,
    FARMER_NODE,
    SECOND_NODE,
    SOURCES,
    Told,
    by_time,
    entries_of,
    replayed,
    streams,
)

Streams = Mapping[str, Mapping[str, list[Told]]]

CHOICES = [
    (machine, chosen)
    for machine, sources in SOURCES.items()
    for n in range(1, len(sources) + 1)
    for chosen in itertools.combinations(sources, n)
]
EVENTS = {"metrics", "wallet_ui"}


@pytest.fixture(scope="module")
def told() -> Streams:
    return {machine: streams(machine) for machine in SOURCES}


def watched(told: Streams, machine: str, chosen: tuple[str, ...], until: float = END) -> Watchdog:
    return replayed(entry for entry in by_time(e for s in chosen for e in told[machine][s]) if entry.at <= until)


def one(watchdog: Watchdog, topic: str, identity: str = "", now: float = END) -> Any:
    return entries_of(watchdog, now)[topic][identity]


def named(choices: list[tuple[str, tuple[str, ...]]]) -> Iterator[Any]:
    for machine, chosen in choices:
        yield pytest.param(machine, chosen, id=f"{machine}: {' '.join(chosen)}")


@pytest.mark.parametrize(("machine", "chosen"), named([c for c in CHOICES if c[0] == "farmer" and EVENTS & set(c[1])]))
def test_what_harvesters_owed_is_told_by_the_daemons_events(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    # The second registration began after the first point.
    n_before = 0 if "metrics" in chosen else 1
    watchdog = watched(told, machine, chosen)
    first, second = one(watchdog, "farmer_harvester", FARMER_NODE), one(watchdog, "farmer_harvester", SECOND_NODE)
    assert (second.missed_challenges, second.n_challenges_late, second.n_timeouts) == (12, 12, 1)
    assert (first.missed_challenges, first.n_challenges_late, first.n_timeouts) == (0, 0, 0)
    assert (second.n_challenges_owed, second.n_challenges_answered) == (60 - 7 - n_before, 60 - 7 - n_before)
    assert (first.n_challenges_owed, first.n_challenges_answered) == (60 - n_before, 60 - n_before)
    missed = entries_of(watchdog)["missed_challenge"].values()
    late = [entry.late_answer_time - entry.sent_time for entry in missed]  # type: ignore[attr-defined]
    assert len(late) == 12
    assert min(late) > 25
    assert max(late) == pytest.approx(72.6, abs=0.2)
    farmer = one(watchdog, "farmer")
    assert farmer.n_signage_points == 60 - n_before
    assert first.state == second.state == HarvesterViewedFromFarmer.ANSWERING
    assert second.last_answer_time - BEGIN == pytest.approx(236.4, abs=0.1)
    assert (first.n_eligible_plots, first.n_proofs) == ((72, 83) if n_before == 0 else (71, 82))
    assert (second.n_eligible_plots, second.n_proofs) == ((72, 76) if n_before == 0 else (70, 72))
    kinds = [notice.kind for notice in watchdog.notices.all().values()]
    assert kinds.count(ChiaNotice.HARVESTER_TIMED_OUT) == kinds.count(ChiaNotice.HARVESTER_RECOVERED) == 1


@pytest.mark.parametrize(("machine", "chosen"), named([c for c in CHOICES if c[0] == "farmer" and "metrics" in c[1]]))
def test_skipped_points_and_proofs_are_told_to_the_first_registration(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    farmer = one(watched(told, machine, chosen), "farmer")
    assert (farmer.n_skipped_signage_points, farmer.n_proofs) == (14, 147)
    assert farmer.last_skipped_time == pytest.approx(BEGIN, abs=0.1)


@pytest.mark.parametrize(("machine", "chosen"), named([c for c in CHOICES if not EVENTS & set(c[1])]))
def test_without_the_daemons_events_nobody_knows_what_was_owed_and_nothing_is_claimed(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    entries = entries_of(watched(told, machine, chosen))
    assert not entries["missed_challenge"]
    for harvester in entries["farmer_harvester"].values():
        assert isinstance(harvester, HarvesterViewedFromFarmer)
        # Nothing owed is how "unknown" is told: the counts beside it mean nothing then.
        assert (harvester.n_challenges_owed, harvester.missed_challenges) == (0, 0)
        assert not harvester.HasField("last_answer_time")
        assert not harvester.HasField("median_lookup_seconds")
    kinds = {notice.kind for notice in watched(told, machine, chosen).notices.all().values()}
    assert ChiaNotice.HARVESTER_TIMED_OUT not in kinds


LOOKUPS = {"farmer": (60, 72, 83), "harvester2": (53, 72, 76)}


@pytest.mark.parametrize(("machine", "chosen"), named(CHOICES))
def test_each_lookup_counts_once_and_without_a_source_that_tells_them_none_is_claimed(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    harvester = one(watched(told, machine, chosen), "harvester")
    counts = (harvester.n_challenges, harvester.n_eligible_plots, harvester.n_proofs)
    if chosen == ("rpc",):
        assert counts == (0, 0, 0)
        for name in (
            "last_challenge_time",
            "last_lookup_seconds",
            "median_lookup_seconds",
            "seconds_between_challenges",
        ):
            assert not harvester.HasField(name)
        return
    missing = set(chosen) <= {"wallet_ui", "rpc"}
    assert counts == ((59, 71, 82) if missing else LOOKUPS[machine])
    assert harvester.last_lookup_seconds == {"farmer": 0.01343, "harvester2": 0.02109}[machine]
    assert harvester.seconds_between_challenges == 4.0
    assert harvester.worst_lookup_seconds == {"farmer": 0.08468, "harvester2": 0.17439}[machine]
    kinds = [notice.kind for notice in watched(told, machine, chosen).notices.all().values()]
    assert kinds.count(ChiaNotice.PROOF_FOUND) == (35 if missing or machine == "harvester2" else 36)


@pytest.mark.parametrize(("machine", "chosen"), named(CHOICES))
def test_plots_are_the_same_from_every_source(told: Streams, machine: str, chosen: tuple[str, ...]) -> None:
    watchdog = watched(told, machine, chosen)
    harvester = one(watchdog, "harvester")
    assert harvester.n_plots == 5
    assert harvester.is_running
    assert harvester.is_connected_to_farmer
    if "rpc" in chosen:
        assert (harvester.n_plots_v1, harvester.n_plots_v2) == (3, 2)
        assert len(entries_of(watchdog)["harvester_plot"]) == (6 if machine == "farmer" else 5)
    else:
        assert not entries_of(watchdog)["harvester_plot"]
    # Events tell how many plots there are, not which of them came and went, nor why.
    if machine == "farmer" and {"rpc", "log"} & set(chosen):
        assert (harvester.n_plots_added, harvester.n_plots_lost, harvester.n_failed_to_open) == (2, 2, 1)
    else:
        assert (harvester.n_plots_added, harvester.n_plots_lost, harvester.n_failed_to_open) == (0, 0, 0)


@pytest.mark.parametrize(("machine", "chosen"), named([c for c in CHOICES if c[0] == "farmer" and set(c[1]) - {"log"}]))
def test_harvesters_as_the_farmer_sees_them_are_the_same_from_rpc_and_events(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    watchdog = watched(told, machine, chosen)
    first, second = one(watchdog, "farmer_harvester", FARMER_NODE), one(watchdog, "farmer_harvester", SECOND_NODE)
    assert first.state == second.state == HarvesterViewedFromFarmer.ANSWERING
    assert [(h.n_plots, h.n_failed_to_open, h.total_plot_bytes, h.host, h.is_syncing) for h in (first, second)] == [
        (5, 1, 17654681, "127.0.0.1", False),
        (5, 0, 17480215, "127.0.0.1", False),
    ]
    farmer = one(watchdog, "farmer")
    assert (farmer.n_harvesters, farmer.n_plots, farmer.is_running) == (2, 10, True)
    if {"rpc", "wallet_ui"} & set(chosen):
        assert second.connected_since - BEGIN == pytest.approx(198.3, abs=0.1)
    else:
        assert not second.HasField("connected_since")


@pytest.mark.parametrize(
    ("machine", "chosen"), named([c for c in CHOICES if c[0] == "farmer" and {"rpc", "metrics"} & set(c[1])])
)
def test_while_the_second_harvester_was_stopped_it_is_disconnected_and_owes_nothing(
    told: Streams, machine: str, chosen: tuple[str, ...]
) -> None:
    now = BEGIN + 190
    watchdog = watched(told, machine, chosen, until=now)
    second = one(watchdog, "farmer_harvester", SECOND_NODE, now)
    assert second.state == HarvesterViewedFromFarmer.DISCONNECTED
    assert one(watchdog, "farmer", now=now).n_harvesters == 1
    assert (
        second.n_challenges_owed
        == second.n_challenges_answered
        == (43 if EVENTS & set(chosen) else 0) - (0 if "metrics" in chosen or not EVENTS & set(chosen) else 1)
    )


@pytest.mark.parametrize("chosen", [c for m, c in CHOICES if m == "farmer" and EVENTS & set(c)], ids=" ".join)
def test_while_it_was_frozen_it_is_timed_out(told: Streams, chosen: tuple[str, ...]) -> None:
    for seconds, state in (
        (80, HarvesterViewedFromFarmer.ANSWERING),
        (100, HarvesterViewedFromFarmer.TIMED_OUT),
        (120, HarvesterViewedFromFarmer.ANSWERING),
    ):
        now = BEGIN + seconds
        watchdog = watched(told, "farmer", chosen, until=now)
        assert one(watchdog, "farmer_harvester", SECOND_NODE, now).state == state


@pytest.mark.parametrize("chosen", [c for m, c in CHOICES if m == "farmer" and {"log", "rpc"} & set(c)], ids=" ".join)
def test_a_file_that_is_no_plot_has_failed_to_open_from_then_on(told: Streams, chosen: tuple[str, ...]) -> None:
    for seconds, n_failed in ((149, 0), (185, 1)):
        now = BEGIN + seconds
        assert one(watched(told, "farmer", chosen, until=now), "harvester", now=now).n_failed_to_open == n_failed
