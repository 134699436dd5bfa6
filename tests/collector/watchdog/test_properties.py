"""Whatever order, repetition, restart or set clock: the recorded farm stays the same one."""

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.collector.observations import HarvesterRemoved, Lookup, Observation, PartialTold, WatchingGap
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.daemon import DaemonListener
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.descriptors import TOPICS, EntryId
from tests.collector.replay import BEGIN, END, FARMER_NODE, SECOND_NODE, Told, by_time, entries_of, replayed, streams

STREAMS = streams("farmer")
ALL = by_time(entry for stream in STREAMS.values() for entry in stream)
QUICK = settings(max_examples=25, derandomize=True)
MOST_DELAY = 3.0

Entries = dict[str, Mapping[EntryId, Message]]


def values(message: Message) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}


def is_alike(one: Message, other: Message) -> bool:
    """Equal, but for the fraction of a second between two words on one thing: whose word came first has its time."""
    mine, theirs = values(one), values(other)
    if mine.keys() != theirs.keys():
        return False
    # Of a notice the id holds its whole second.
    return all(
        math.isclose(value, theirs[name], abs_tol=0.2, rel_tol=0.0)
        if isinstance(value, float) and name.endswith("time")
        else value == theirs[name]
        for name, value in mine.items()
        if not (name == "id" and "kind" in mine)
    )


def assert_alike(one: Entries, other: Entries) -> None:
    assert one.keys() == other.keys()
    for topic, mine in one.items():
        theirs = other[topic]
        assert len(mine) == len(theirs), topic
        for identity, entry in mine.items():
            if identity in theirs:
                assert is_alike(entry, theirs[identity]), (topic, entry, theirs[identity])
            else:
                assert any(is_alike(entry, candidate) for candidate in theirs.values()), (topic, entry)


EXPECTED = entries_of(replayed(ALL))


@QUICK
@given(st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_any_order_in_which_the_sources_come_to_word_gives_the_same_state(seed: int, share_delayed: float) -> None:
    chance = random.Random(seed)
    told = []
    for stream in STREAMS.values():
        at = 0.0
        for entry in stream:
            delay = chance.uniform(0.0, MOST_DELAY) if chance.random() < share_delayed else 0.0
            at = max(at, entry.at + delay)
            told.append(Told(at, entry.observation))
    assert_alike(entries_of(replayed(by_time(told))), EXPECTED)


def again(observation: Observation) -> Observation:
    """The same thing told a second time: what has no name of its own, by another source."""
    if isinstance(observation, Lookup | PartialTold):
        return replace(observation, source=f"{observation.source}, again")
    return observation


@QUICK
@given(st.integers(0, 2**32), st.floats(0.0, MOST_DELAY))
def test_what_is_told_twice_counts_once(seed: int, delay: float) -> None:
    chance = random.Random(seed)
    twice = [Told(entry.at + delay, again(entry.observation)) for entry in ALL if chance.random() < 0.5]
    # What it repeats of who was connected is not repeated after the opposite was told.
    twice = [entry for entry in twice if not isinstance(entry.observation, HarvesterRemoved)]
    assert_alike(entries_of(replayed(by_time([*ALL, *twice]))), EXPECTED)


def as_server_knows(watchdog: Watchdog, now: float) -> ComputerInfo:
    info = ComputerInfo()
    for topic, entries in entries_of(watchdog, now).items():
        field = getattr(info, TOPICS[topic].state_field)
        for entry in entries.values():
            if TOPICS[topic].is_repeated:
                field.append(entry)
            else:
                field.CopyFrom(entry)
    return info


def restarted(watchdog: Watchdog, now: float) -> Watchdog:
    memory = json.loads(json.dumps(watchdog.as_json(now)))
    after = Watchdog()
    after.mount_points = ("/",)
    after.restore(as_server_knows(watchdog, now), memory)
    return after


@QUICK
@given(st.lists(st.integers(0, len(ALL) - 1), min_size=1, max_size=3))
def test_a_restart_at_any_point_changes_nothing(cuts: list[int]) -> None:
    watchdog = Watchdog()
    watchdog.mount_points = ("/",)
    for index, entry in enumerate(ALL):
        if index in cuts:
            watchdog = restarted(watchdog, entry.at)
        watchdog.take(entry.observation)
    assert entries_of(watchdog) == EXPECTED


def assert_nothing_invented(watchdog: Watchdog, now: float) -> None:
    harvesters = entries_of(watchdog, now)["farmer_harvester"]
    first, second = harvesters[FARMER_NODE], harvesters[SECOND_NODE]
    assert isinstance(first, HarvesterViewedFromFarmer)
    assert isinstance(second, HarvesterViewedFromFarmer)
    assert (first.missed_challenges, first.n_timeouts, first.n_challenges_late) == (0, 0, 0)
    assert second.missed_challenges <= 12
    assert second.n_timeouts <= 1
    for harvester in (first, second):
        on_time = harvester.n_challenges_answered - harvester.n_challenges_late
        assert harvester.n_challenges_owed == on_time + harvester.missed_challenges
        assert harvester.n_challenges_owed <= 60
        assert harvester.state == HarvesterViewedFromFarmer.ANSWERING


class Wall:
    """The collector's clock, which somebody sets."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.now + self.ahead


def watched_by(wall: Wall, told: list[Told], set_at: Mapping[float, float]) -> Watchdog:
    """Takes all of it as the collector does, which looks for gaps each second and before all that it takes."""
    watchdog = Watchdog()
    watchdog.mount_points = ("/",)
    take: Callable[[Observation], None] = watchdog.take
    daemon = DaemonListener(lambda: None, take, SourceHealth("chia daemon", wall), wall)
    jumps = sorted(set_at.items())
    for entry in told:
        while wall.now < entry.at:
            wall.now = min(entry.at, wall.now + 1.0)
            while jumps and wall.now >= jumps[0][0]:
                wall.ahead += jumps.pop(0)[1]
            daemon.notice_gap()
        take(replace(entry.observation, time=entry.observation.time + wall.ahead))
    return watchdog


@QUICK
@given(
    st.dictionaries(
        st.floats(BEGIN + 1, BEGIN + 215),
        st.floats(10.0, 20_000.0) | st.floats(-20_000.0, -10.0),
        min_size=1,
        max_size=2,
    )
)
def test_a_clock_that_is_set_makes_no_missed_challenge_and_no_time_out(set_at: dict[float, float]) -> None:
    wall = Wall()
    watchdog = watched_by(wall, ALL, set_at)
    assert_nothing_invented(watchdog, wall())
    entries = entries_of(watchdog, wall())
    harvester: Any = entries["harvester"][""]
    assert harvester.is_running
    assert 0 <= wall() - harvester.last_challenge_time < 60
    assert harvester.n_challenges == 60
    farmer: Any = entries["farmer"][""]
    assert farmer.is_running
    assert 0 <= wall() - farmer.last_signage_point_time < 60


def test_a_clock_that_nobody_sets_makes_no_difference() -> None:
    assert entries_of(watched_by(Wall(), ALL, {})) == EXPECTED


@QUICK
@given(st.floats(BEGIN, BEGIN + 200), st.floats(0.0, 100.0), st.booleans())
def test_a_gap_in_watching_makes_no_missed_challenge_and_no_time_out(
    begun: float, seconds: float, is_restart: bool
) -> None:
    ended = min(begun + seconds, BEGIN + 215)
    watchdog = replayed(entry for entry in ALL if entry.at < begun)
    if is_restart:
        watchdog = restarted(watchdog, begun)
    else:
        watchdog.take(WatchingGap(begun))
    watchdog.take(WatchingGap(ended))
    for entry in ALL:
        # The log tells of the gap too, afterwards.
        if entry.at > ended or (entry.at >= begun and entry in STREAMS["log"]):
            watchdog.take(entry.observation)
    assert_nothing_invented(watchdog, END)
    harvester: Any = entries_of(watchdog)["harvester"][""]
    assert (harvester.n_challenges, harvester.n_eligible_plots, harvester.n_proofs) == (60, 72, 83)


@pytest.mark.parametrize(
    "memory", [{"farmer": {"challenges": {"points": [[]]}}}, {"farmer": 5, "skipped": [[1, 2], 3]}]
)
def test_a_strange_memory_is_passed_over(memory: dict[str, Any]) -> None:
    watchdog = Watchdog()
    watchdog.restore(ComputerInfo(), memory)
    assert not any(entries_of(watchdog).values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@QUICK
@given(st.data())
def test_a_memory_with_anything_in_any_place_gives_no_exception(data: st.DataObject) -> None:
    watchdog = replayed(ALL[:300])
    memory: Any = json.loads(json.dumps(watchdog.as_json(ALL[300].at)))
    where = memory
    while True:
        keys = list(where) if isinstance(where, dict) else list(range(len(where)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(where[key], dict | list) or not where[key] or data.draw(st.booleans()):
            where[key] = data.draw(JSON)
            break
        where = where[key]
    after = Watchdog()
    after.restore(as_server_knows(watchdog, ALL[300].at), memory)
    for entry in ALL[300:400]:
        after.take(entry.observation)
    entries_of(after)
