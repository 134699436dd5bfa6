import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.chia.place import ChiaPlaceReader
from chiatea.collector.observations import (
    AnswerGiven,
    ConnectionsTold,
    FullNodeTold,
    Lookup,
    Observation,
    PartialTold,
    SignagePointSent,
    WalletChanged,
    WatchingGap,
)
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.daemon import DaemonListener
from chiatea.collector.sources.daemon_messages import may_tell, observation_of_message
from chiatea.protobuf.chia_pb2 import Source

Clock = Any
FakeChia = Any
"""As conftest.py has them: a module that nothing imports by name."""

Until = Callable[[Callable[[], bool]], Awaitable[None]]
Messages = list[tuple[float, dict[str, Any]]]


def kinds(messages: Messages, name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for at, message in messages:
        told = observation_of_message(message, name, at)
        if told is not None:
            counts[type(told).__name__] = counts.get(type(told).__name__, 0) + 1
    return counts


def test_each_registration_tells_what_it_gets(metrics_messages: Messages, wallet_ui_messages: Messages) -> None:
    assert kinds(metrics_messages, "metrics") == {
        "SignagePointSent": 60,
        "AnswerGiven": 113,
        "Lookup": 60,
        "ProofFound": 147,
        "HarvestersListed": 9,
        "HarvesterRemoved": 1,
    }
    assert kinds(wallet_ui_messages, "wallet_ui") == {
        "SignagePointSent": 59,
        "AnswerGiven": 111,
        "Lookup": 59,
        "HarvestersListed": 9,
        "HarvesterRemoved": 1,
        "ConnectionsTold": 10,
    }


def test_hashes_come_without_0x_and_times_in_seconds(metrics_messages: Messages) -> None:
    told = [observation_of_message(message, "metrics", at) for at, message in metrics_messages]
    point = next(entry for entry in told if isinstance(entry, SignagePointSent))
    answer = next(entry for entry in told if isinstance(entry, AnswerGiven))
    lookup = next(entry for entry in told if isinstance(entry, Lookup))
    assert (point.index, point.n_skipped, point.difficulty) == (0, 14, 1)
    assert answer.signage_point == point.signage_point
    assert (answer.seconds, lookup.seconds, lookup.challenge_prefix) == (0.013871, 0.01387, "a3648d6003")


def test_partials_say_who_told_them_as_they_have_no_name() -> None:
    data = {"launcher_id": "0xAB", "points_acknowledged_since_start": 7}
    sent = {"origin": "chia_farmer", "command": "submitted_partial", "data": data}
    failed = {"origin": "chia_farmer", "command": "failed_partial", "data": {}}
    told = [observation_of_message(sent, name, 1.0) for name in ("metrics", "wallet_ui")]
    assert told == [
        PartialTold(1.0, is_accepted=True, key="ab/7", source=f"chia daemon {name}")
        for name in ("metrics", "wallet_ui")
    ]
    assert observation_of_message(failed, "wallet_ui", 1.0) == PartialTold(
        1.0, is_accepted=False, key="/None", source="chia daemon wallet_ui"
    )


def test_an_answer_of_older_chia_names_no_harvester() -> None:
    info = {"challenge_hash": "0xcc", "signage_point": "0xAB", "passed_filter": 2, "proofs": 0, "total_plots": 9}
    message = {"origin": "chia_farmer", "command": "new_farming_info", "data": {"farming_info": info}}
    assert observation_of_message(message, "wallet_ui", 1.0) == AnswerGiven(1.0, "", "cc", "ab", 2, 0, None)


def test_the_node_s_state_and_changes_of_the_wallet_are_told_to_metrics_alone() -> None:
    state = {"blockchain_state": {"peak": {"height": 7}, "sync": {"synced": True}}, "success": True}
    pushed = {"origin": "chia_full_node", "command": "get_blockchain_state", "data": state}
    told = observation_of_message(pushed, "metrics", 1.0)
    assert isinstance(told, FullNodeTold)
    assert (told.full_node.peak_height, told.full_node.is_synced) == (7, True)
    coin = {"origin": "chia_wallet", "command": "coin_added", "data": {"state": "coin_added", "wallet_id": 1}}
    assert observation_of_message(coin, "metrics", 1.0) == WalletChanged(1.0)
    empty = {"origin": "chia_full_node", "command": "get_blockchain_state", "data": {}}
    assert observation_of_message(empty, "metrics", 1.0) is None
    for message in (pushed, coin):
        assert observation_of_message(message, "wallet_ui", 1.0) is None


def test_what_is_not_worth_reading_tells_nothing(metrics_messages: Messages, wallet_ui_messages: Messages) -> None:
    for name, messages in (("metrics", metrics_messages), ("wallet_ui", wallet_ui_messages)):
        for at, message in messages:
            told = observation_of_message(message, name, at)
            assert may_tell(json.dumps(message), name) or told is None
    assert may_tell(json.dumps({"command": "register_service", "origin": "daemon"}), "wallet_ui")
    peers = {"origin": "chia_full_node", "command": "get_connections", "data": {"connections": []}}
    assert not may_tell(json.dumps(peers), "wallet_ui")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["new_signage_point", "new_farming_info", "harvester_update", "harvester_removed", "proof"]),
    st.dictionaries(
        st.sampled_from(["signage_point", "farming_info", "connection", "node_id", "missing_signage_points", "plots"]),
        st.one_of(JSON, st.dictionaries(st.sampled_from(["node_id", "challenge_chain_sp", "lookup_time"]), JSON)),
    ),
)
def test_any_data_of_a_message_gives_no_exception(command: str, data: dict[str, Any]) -> None:
    observation_of_message({"origin": "chia_farmer", "command": command, "data": data}, "metrics", 1.0)
    observation_of_message(data, "wallet_ui", 1.0)


@pytest.fixture
def told() -> list[Observation]:
    return []


def listener(chia: FakeChia, told: list[Observation], health: SourceHealth, clock: Clock) -> DaemonListener:
    return DaemonListener(ChiaPlaceReader(chia.root).place, told.append, health, clock, first_wait_seconds=0.02)


async def test_the_daemon_is_listened_to_and_again_after_it_went(
    chia: FakeChia, told: list[Observation], clock: Clock, until: Until, metrics_messages: Messages
) -> None:
    await chia.start("daemon")
    health = SourceHealth("chia daemon", clock)
    daemon = listener(chia, told, health, clock)
    daemon.start()
    try:
        await until(lambda: daemon.is_listening and "wallet_ui" in chia.sockets)
        assert health.entry.state == Source.OK
        for _, message in metrics_messages:
            await chia.push("metrics", message)
        await chia.sockets["metrics"].send_str("no json")
        await until(lambda: sum(isinstance(entry, AnswerGiven) for entry in told) == 113)
        await chia.stop_one("daemon")
        await until(lambda: not daemon.is_listening and health.entry.state == Source.FAILING)
        assert isinstance(told[-1], WatchingGap)
        assert "\n" not in health.entry.error
        await chia.start_one("daemon")
        await until(lambda: daemon.is_listening and health.entry.state == Source.OK)
    finally:
        await daemon.close()


async def test_the_second_registration_tells_connections_and_nearly_all_else(
    chia: FakeChia, told: list[Observation], clock: Clock, until: Until, wallet_ui_messages: Messages
) -> None:
    await chia.start("daemon")
    daemon = listener(chia, told, SourceHealth("chia daemon", clock), clock)
    daemon.start()
    try:
        await until(lambda: {"wallet_ui", "metrics"} <= chia.sockets.keys())
        for _, message in wallet_ui_messages:
            await chia.push("wallet_ui", message)
        await until(lambda: sum(isinstance(entry, ConnectionsTold) for entry in told) == 10)
        assert sum(isinstance(entry, AnswerGiven) for entry in told) == 111
    finally:
        await daemon.close()


async def test_a_collector_that_slept_or_whose_clock_was_set_tells_of_the_gap_before_it_takes_what_waited(
    chia: FakeChia, told: list[Observation], clock: Clock, until: Until, metrics_messages: Messages
) -> None:
    await chia.start("daemon")
    daemon = listener(chia, told, SourceHealth("chia daemon", clock), clock)
    daemon.start()
    try:
        await until(lambda: daemon.is_listening)
        for seconds in (60, -3600):
            told.clear()
            clock.now += seconds
            await chia.push("metrics", next(m for _, m in metrics_messages if m["command"] == "new_signage_point"))
            await until(lambda: any(isinstance(entry, SignagePointSent) for entry in told))
            assert told[0] == WatchingGap(clock.now)
    finally:
        await daemon.close()


async def test_without_a_daemon_the_source_is_absent(
    chia: FakeChia, told: list[Observation], clock: Clock, until: Until
) -> None:
    chia.write_config()
    health = SourceHealth("chia daemon", clock)
    daemon = listener(chia, told, health, clock)
    daemon.start()
    try:
        await until(lambda: health.entry.state == Source.ABSENT)
        assert told == []
    finally:
        await daemon.close()


async def test_the_daemon_is_found_again_after_chia_renewed_all_of_its_certificates(
    chia: FakeChia, told: list[Observation], clock: Clock, until: Until
) -> None:
    await chia.start("daemon")
    health = SourceHealth("chia daemon", clock)
    daemon = listener(chia, told, health, clock)
    daemon.start()
    try:
        await until(lambda: daemon.is_listening)
        await chia.stop_one("daemon")
        await until(lambda: not daemon.is_listening)
        chia.renew_authority()
        await chia.start_one("daemon")
        await until(lambda: daemon.is_listening and health.entry.state == Source.OK)
    finally:
        await daemon.close()
