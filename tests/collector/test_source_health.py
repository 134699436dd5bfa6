from typing import Any

import pytest

from chiatea.collector.observations import Connection, ConnectionsTold, FullNodeTold, SignagePointSent, VersionTold
from chiatea.collector.source_health import (
    ASKED_STALE_SECONDS,
    DAEMON_STALE_SECONDS,
    LOG_STALE_SECONDS,
    SourceHealth,
)
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import FullNode, Source

Clock = Any


@pytest.mark.parametrize("seconds", [ASKED_STALE_SECONDS, DAEMON_STALE_SECONDS, LOG_STALE_SECONDS])
def test_a_source_that_is_fine_and_tells_nothing_for_its_time_is_stale_till_it_tells(
    clock: Clock, seconds: float
) -> None:
    health = SourceHealth("a", clock, seconds)
    health.succeeded()
    clock.now += seconds
    assert health.aged().state == Source.OK
    clock.now += 1
    health.succeeded(has_news=False)
    assert health.aged().state == Source.STALE
    health.succeeded()
    assert health.aged().state == Source.OK


def test_where_nothing_is_due_silence_is_no_fault(clock: Clock) -> None:
    health = SourceHealth("a", clock)
    health.succeeded()
    clock.now += 10_000
    assert health.aged(is_news_due=False).state == Source.OK
    assert health.aged().state == Source.STALE


def test_news_of_a_clock_that_was_set_back_since_are_old_ones(clock: Clock) -> None:
    health = SourceHealth("a", clock)
    health.succeeded()
    clock.now -= 7200
    assert health.aged().state == Source.STALE


def test_a_hint_stands_where_the_error_would_and_goes_with_its_reason(clock: Clock) -> None:
    health = SourceHealth("a", clock)
    health.succeeded()
    health.hint = "do this"
    assert (health.aged().state, health.entry.error) == (Source.STALE, "do this")
    health.hint = ""
    assert (health.aged().state, health.entry.HasField("error")) == (Source.OK, False)


def test_a_failing_source_keeps_its_reason(clock: Clock) -> None:
    health = SourceHealth("a", clock)
    health.failed("no way in")
    health.hint = "do this"
    clock.now += 10_000
    assert (health.aged().state, health.entry.error) == (Source.FAILING, "no way in")


def running_farmer(*kinds: int) -> Watchdog:
    watchdog = Watchdog()
    watchdog.take(VersionTold(100.0, "farmer", "2.7.5"))
    watchdog.take(SignagePointSent(100.0, "c", "sp", 1))
    connections = tuple(Connection(f"n{kind}", "host", kind, 50.0, 99.0) for kind in kinds)
    watchdog.take(ConnectionsTold(100.0, "farmer", connections))
    watchdog.entries(110.0, frozenset())
    return watchdog


def test_events_are_due_where_a_farmer_has_a_node_that_is_synced() -> None:
    assert running_farmer(1).are_events_due()
    assert not running_farmer(2).are_events_due()
    for is_synced in (True, False):
        watchdog = running_farmer(1)
        watchdog.take(VersionTold(110.0, "full_node", "2.7.5"))
        watchdog.take(FullNodeTold(110.0, FullNode(is_synced=is_synced)))
        watchdog.entries(111.0, frozenset())
        assert watchdog.are_events_due() is is_synced


def test_events_are_not_due_where_no_farmer_and_no_harvester_runs() -> None:
    assert not Watchdog().are_events_due()
    watchdog = running_farmer(1)
    watchdog.entries(1000.0, frozenset())
    assert not watchdog.are_events_due()
