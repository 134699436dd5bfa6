import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chiatea.collector.observations import Lookup, Observation, SlowPlot
from chiatea.collector.sources.log.chia_log import ChiaLog
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import (
    ChiaNotice,
    Farmer,
    Harvester,
    HarvesterViewedFromFarmer,
    MissedChallenge,
)
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk

FIRST = "12c5b7d6114bff61c29b66600c14dc0c349130230716b01a7dd7f5da25f962f8"
SECOND = "49b169855067723ed47b86cb5585b28a4514aa623241ad4c6dc51b1eedbc751f"


def log_observations(path: Path) -> list[Observation]:
    return ChiaLog(path).read_part(10_000_000, 1_795_463_720.0).observations


def fed(*streams: list[Observation]) -> Watchdog:
    watchdog = Watchdog()
    for stream in streams:
        for observation in stream:
            watchdog.take(observation)
    return watchdog


def harvesters_of(watchdog: Watchdog, now: float) -> dict[object, HarvesterViewedFromFarmer]:
    entries = watchdog.entries(now, frozenset())["farmer_harvester"]
    return {identity: entry for identity, entry in entries.items() if isinstance(entry, HarvesterViewedFromFarmer)}


def harvester_of(watchdog: Watchdog, now: float) -> Harvester:
    entry = watchdog.entries(now, frozenset())["harvester"][""]
    assert isinstance(entry, Harvester)
    return entry


def test_the_recorded_farm_has_twelve_missed_challenges_one_time_out_and_seven_points_not_owed(
    metrics_observations: list[Observation],
) -> None:
    watchdog = fed(metrics_observations)
    now = metrics_observations[-1].time
    harvesters = harvesters_of(watchdog, now)
    second, first = harvesters[SECOND], harvesters[FIRST]
    assert (second.missed_challenges, second.n_timeouts, second.n_challenges_late) == (12, 1, 12)
    assert (second.n_challenges_owed, second.n_challenges_answered) == (60 - 7, 60 - 7)
    assert (first.missed_challenges, first.n_timeouts) == (0, 0)
    assert (first.n_challenges_owed, first.n_challenges_answered) == (60, 60)
    assert {second.state, first.state} == {HarvesterViewedFromFarmer.ANSWERING}
    missed: list[MissedChallenge] = list(watchdog.farmer.missed_challenges().values())
    assert len(missed) == 12
    assert all(entry.late_answer_time - entry.sent_time > 25 for entry in missed)


def test_the_recorded_time_out_and_recovery_are_noticed_once_each(metrics_observations: list[Observation]) -> None:
    watchdog = fed(metrics_observations)
    notices = [
        entry
        for entry in watchdog.entries(metrics_observations[-1].time, frozenset())["chia_notice"].values()
        if isinstance(entry, ChiaNotice)
    ]
    kinds = [notice.kind for notice in notices]
    assert kinds.count(ChiaNotice.HARVESTER_TIMED_OUT) == 1
    assert kinds.count(ChiaNotice.HARVESTER_RECOVERED) == 1
    assert kinds.count(ChiaNotice.SKIPPED_SIGNAGE_POINTS) == 1


def test_while_the_second_harvester_was_frozen_it_is_timed_out_and_while_stopped_disconnected(
    metrics_observations: list[Observation],
) -> None:
    begun = metrics_observations[0].time
    for seconds, state in (
        (100, HarvesterViewedFromFarmer.TIMED_OUT),
        (120, HarvesterViewedFromFarmer.ANSWERING),
        (180, HarvesterViewedFromFarmer.DISCONNECTED),
    ):
        now = begun + seconds
        watchdog = fed([observation for observation in metrics_observations if observation.time <= now])
        assert harvesters_of(watchdog, now)[SECOND].state == state


def test_a_lookup_told_by_daemon_and_log_counts_once_in_either_order(
    metrics_observations: list[Observation], data_folder: Path
) -> None:
    logged = log_observations(data_folder / "debug_farmer.log")
    now = metrics_observations[-1].time
    both = [
        harvester_of(fed(*streams), now) for streams in ((metrics_observations, logged), (logged, metrics_observations))
    ]
    for harvester in (*both, harvester_of(fed(logged), now), harvester_of(fed(metrics_observations), now)):
        assert (harvester.n_challenges, harvester.n_eligible_plots, harvester.n_proofs) == (60, 72, 83)
        assert harvester.last_lookup_seconds == 0.01343
        assert harvester.is_running


def test_equal_lookups_of_one_challenge_are_each_counted() -> None:
    def lookup(source: str, time: float) -> Lookup:
        return Lookup(time, source, "aaaaaaaaaa", 0, 0, 0.00023, 5)

    streams: list[Observation] = [
        lookup("chia daemon", 1.0),
        lookup("chia log", 1.1),
        lookup("chia log", 9.0),
        lookup("chia daemon", 9.1),
    ]
    assert harvester_of(fed(streams), 10.0).n_challenges == 2


def test_an_old_log_alone_shows_its_newest_lookup_though_nothing_runs(data_folder: Path) -> None:
    watchdog = fed(log_observations(data_folder / "debug_harvester2.log"))
    harvester = harvester_of(watchdog, 1_795_463_720.0 + 86400)
    assert not harvester.is_running
    assert harvester.n_plots == 5
    assert (harvester.n_challenges, harvester.last_eligible_plots, harvester.last_proofs) == (53, 1, 2)
    assert harvester.HasField("median_lookup_seconds")
    assert "farmer_harvester" in watchdog.entries(0.0, frozenset())


def test_a_machine_without_chia_has_no_chia_entries() -> None:
    topics = Watchdog().entries(0.0, frozenset())
    assert not {"farmer", "harvester", "full_node", "wallet"} & topics.keys()
    assert not any(topics.values())


def test_plots_that_came_and_went_are_counted_from_the_log_and_a_restart_is_neither(data_folder: Path) -> None:
    restarted = harvester_of(fed(log_observations(data_folder / "debug_harvester2.log")), 0.0)
    assert (restarted.n_plots_added, restarted.n_plots_lost) == (0, 0)
    hidden = harvester_of(fed(log_observations(data_folder / "debug_farmer.log")), 0.0)
    assert (hidden.n_plots_added, hidden.n_plots_lost) == (2, 2)


def test_a_slow_lookup_told_by_its_plots_and_by_itself_counts_once() -> None:
    watchdog = fed(
        [
            SlowPlot(20.0, "/mnt/a/plot-k32-a.plot", 10.0),
            SlowPlot(21.0, "/mnt/a/plot-k32-b.plot", 11.0),
            Lookup(21.2, "chia log", "aaaaaaaaaa", 2, 0, 11.2, 5),
            Lookup(60.0, "chia log", "bbbbbbbbbb", 2, 0, 9.5, 5),
        ]
    )
    assert harvester_of(watchdog, 61.0).n_slow_lookups == 2


def test_a_slow_lookup_is_noticed_with_its_disk_and_how_busy_that_was() -> None:
    then = Disk(id="/mnt/a", busy_percent=98.5, read_bytes_per_second=1e8)
    watchdog = Watchdog(
        lambda disk_id, time, _: then if (disk_id, time) == ("/mnt/a", 20.0) else None,
        lambda disk_id, time: 2 if (disk_id, time) == ("/mnt/a", 20.0) else None,
    )
    watchdog.mount_points = ["/", "/mnt/a"]
    for time in (20.0, 500.0):
        watchdog.take(SlowPlot(time, "/mnt/a/plot-k32-a.plot", 10.0))
    now, later = watchdog.notices.all().values()
    assert (now.kind, now.disk_id, now.disk_busy_percent) == (ChiaNotice.SLOW_LOOKUP, "/mnt/a", 98.5)
    assert now.n_active_copies_on_disk == 2
    assert not later.HasField("disk_busy_percent")
    assert not later.HasField("n_active_copies_on_disk")


def test_a_restart_from_memory_goes_on_and_counts_nothing_twice(metrics_observations: list[Observation]) -> None:
    half = len(metrics_observations) // 2
    before = fed(metrics_observations[:half])
    now = metrics_observations[half].time
    memory = before.as_json(now)
    after = Watchdog()
    after.restore(ComputerInfo(), memory)
    # What was read again after the restart was counted before it.
    for observation in metrics_observations[half - 40 :]:
        if isinstance(observation, Lookup) and observation.time < now:
            continue
        if observation.time >= now:
            after.take(observation)
    whole = harvester_of(fed(metrics_observations), now)
    assert harvester_of(after, now).n_challenges == whole.n_challenges
    assert harvester_of(after, now).median_lookup_seconds == whole.median_lookup_seconds


def test_without_memory_counters_go_on_from_what_the_server_knew() -> None:
    known = ComputerInfo(
        harvester=Harvester(n_challenges=1000, last_challenge_time=100.0), farmer=Farmer(n_signage_points=7)
    )
    watchdog = Watchdog()
    watchdog.restore(known, None)
    for time in (90.0, 100.0, 110.0):
        watchdog.take(Lookup(time, "chia log", "aaaaaaaaaa", 0, 0, time / 1000, 5))
    assert harvester_of(watchdog, 111.0).n_challenges == 1001
    assert watchdog.farmer.draft.n_signage_points == 7


def test_a_corrupt_memory_is_as_good_as_none() -> None:
    for memory in ({"entries": "%%%"}, {"entries": 5}, {"entries": "AAAA", "harvester": 3, "last_point": ["x"]}):
        watchdog = Watchdog()
        watchdog.restore(ComputerInfo(harvester=Harvester(n_challenges=3)), memory)
        assert harvester_of(watchdog, 0.0).n_challenges == 3


LOG = (Path(__file__).parents[2] / "data" / "chia" / "debug_harvester2.log").read_bytes()


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, len(LOG)))
@example(cut=20621)
def test_a_restart_at_any_byte_of_the_log_gives_the_same_harvester_as_no_restart(cut: int) -> None:
    now = 1_795_463_720.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "debug.log"
        path.write_bytes(LOG)
        expected = harvester_of(fed(ChiaLog(path).read_part(1 << 20, now).observations), now)
        path.write_bytes(LOG[:cut])
        part = ChiaLog(path).read_part(1 << 20, now)
        memory = json.loads(json.dumps(fed(part.observations).as_json(now)))
        with path.open("ab") as file:
            file.write(LOG[cut:])
        after = Watchdog()
        after.restore(ComputerInfo(), memory)
        for observation in ChiaLog(path, part.position).read_part(1 << 20, now).observations:
            after.take(observation)
    assert harvester_of(after, now) == expected
