from datetime import UTC, datetime
from pathlib import Path

import pytest

from chiatea.collector.observations import (
    Connection,
    ConnectionsTold,
    FarmerConnected,
    Lookup,
    Observation,
    PeerLost,
    PlotFailed,
    PlotsListed,
    PlotsRefreshed,
    SlowPlot,
    WatchingGap,
)
from chiatea.collector.plots import PlotList
from chiatea.collector.sources.log.chia_log import ChiaLog
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import ChiaNotice, Harvester, HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk


def watched(*observations: Observation) -> Watchdog:
    watchdog = Watchdog()
    for observation in observations:
        watchdog.take(observation)
    return watchdog


def harvester_of(watchdog: Watchdog, now: float) -> Harvester:
    entry = watchdog.entries(now, frozenset())["harvester"][""]
    assert isinstance(entry, Harvester)
    return entry


def lookup(time: float, seconds: float = 0.5, n_plots: int = 5, source: str = "chia log", v2: int = 0) -> Lookup:
    return Lookup(time, source, "aaaaaaaaaa", 2, 0, seconds, n_plots, v2)


def listed(time: float, *paths: str) -> PlotsListed:
    plots = tuple(HarvesterPlot(id=path, state=HarvesterPlot.LOADED, plot_version=1) for path in paths)
    return PlotsListed(time, PlotList.of(plots), ("/mnt/a",))


def asked(time: float, *, has_farmer: bool = True) -> ConnectionsTold:
    farmer = Connection("f", "host", 3, 1.0, time)
    return ConnectionsTold(time, "harvester", (farmer,) if has_farmer else ())


def counts(watchdog: Watchdog, now: float) -> tuple[int, int, int]:
    harvester = harvester_of(watchdog, now)
    return harvester.n_plots, harvester.n_plots_added, harvester.n_plots_lost


def test_plots_that_the_log_counted_while_the_rpc_was_away_are_not_counted_again_by_its_next_list() -> None:
    watchdog = watched(
        listed(0, "a", "b", "c"),
        PlotsRefreshed(10, 0, 0, 3),
        PlotsRefreshed(1000, 0, 2, 1),
        PlotsRefreshed(1100, 1, 0, 2),
    )
    assert counts(watchdog, 1150) == (2, 1, 2)
    watchdog.take(listed(1200, "a", "d"))
    assert counts(watchdog, 1200) == (2, 1, 2)
    watchdog.take(listed(1230, "a"))
    assert counts(watchdog, 1230) == (1, 1, 3)


def test_while_the_rpc_answers_its_list_holds_though_it_is_told_but_once() -> None:
    watchdog = watched(PlotsRefreshed(1, 0, 0, 2), listed(2, "a", "b"), PlotFailed(3, "/mnt/a/x.plot", "bad"))
    for n in range(1, 2000, 5):
        watchdog.take(asked(float(n)))
    # The file is gone by now, and the RPC would have told of one that is not.
    watchdog.take(PlotsRefreshed(1998, 0, 1, 1))
    harvester = harvester_of(watchdog, 2000)
    assert (harvester.n_plots, harvester.n_plots_lost, harvester.n_failed_to_open) == (2, 0, 0)
    watchdog.take(listed(2000, "a"))
    assert counts(watchdog, 2000) == (1, 0, 1)


def test_by_the_log_alone_a_file_has_failed_to_open_as_long_as_chia_says_so_again() -> None:
    watchdog = watched(*(PlotFailed(1200.0 * n, "/mnt/a/x.plot", "bad") for n in range(1, 4)), lookup(3600))
    assert harvester_of(watchdog, 3700).n_failed_to_open == 1
    watchdog.take(PlotFailed(3700, "/mnt/a/y.plot", "bad"))
    assert harvester_of(watchdog, 3700).n_failed_to_open == 2
    assert harvester_of(watchdog, 6350).n_failed_to_open == 1
    assert harvester_of(watchdog, 7000).n_failed_to_open == 0


def test_on_a_machine_of_which_the_log_alone_is_known_a_copy_of_a_plot_did_open() -> None:
    watchdog = watched(PlotFailed(1.0, "/mnt/a/x.plot", "multiple copies", is_open=True), lookup(2))
    assert harvester_of(watchdog, 3).n_failed_to_open == 0
    (notice,) = watchdog.notices.all().values()
    assert (notice.kind, notice.plot_filepath) == (ChiaNotice.PLOT_ERROR, "/mnt/a/x.plot")


def test_qualities_of_v2_plots_are_summed_whoever_tells() -> None:
    watchdog = watched(
        lookup(1, 0.1, v2=2), lookup(1.01, 0.1, source="chia daemon metrics", v2=2), lookup(10, 0.2, v2=1)
    )
    assert harvester_of(watchdog, 11).n_v2_qualities == 3


def test_the_newest_word_on_the_farmers_connection_counts() -> None:
    for told, is_connected in (
        ((PeerLost(10, "harvester", "host", "f"), asked(12)), True),
        ((asked(12), PeerLost(10, "harvester", "host", "f")), True),
        ((asked(12), PeerLost(13, "harvester", "host", "f")), False),
        ((asked(12), asked(13, has_farmer=False), FarmerConnected(11)), False),
        ((asked(12, has_farmer=False), lookup(20)), True),
        ((asked(12, has_farmer=False), lookup(5)), False),
    ):
        watchdog = watched(lookup(1), *told)
        assert harvester_of(watchdog, 21).is_connected_to_farmer is is_connected


def test_a_log_read_from_its_start_after_what_the_daemon_told_changes_nothing_that_is_newest() -> None:
    newest = lookup(5000, 0.125, n_plots=9, source="chia daemon metrics")
    old = [lookup(10.0 * n, 0.5 + n / 1000, n_plots=5) for n in range(1, 450)]
    watchdog, other = watched(newest, *old), watched(*old, newest)
    assert harvester_of(watchdog, 5001) == harvester_of(other, 5001)
    harvester = harvester_of(watchdog, 5001)
    assert (harvester.n_plots, harvester.n_challenges, harvester.last_lookup_seconds) == (9, 450, 0.125)
    assert harvester.seconds_between_challenges == 10.0


def test_after_the_clock_was_set_back_the_newest_lookup_is_the_newest_again() -> None:
    watchdog = watched(lookup(10_000, 0.5), WatchingGap(3000), lookup(3010, 0.25))
    harvester = harvester_of(watchdog, 3011)
    assert (harvester.last_challenge_time, harvester.last_lookup_seconds, harvester.is_running) == (3010, 0.25, True)


@pytest.mark.parametrize("is_warned_first", [True, False])
def test_a_slow_lookup_and_the_warnings_of_its_plots_are_one(*, is_warned_first: bool) -> None:
    warnings = [SlowPlot(100, "/mnt/a/x.plot", 9.0), SlowPlot(101, "/mnt/a/y.plot", 10.0)]
    lookups = [lookup(101.2, 10.2), lookup(101.21, 10.2, source="chia daemon metrics")]
    told = [*warnings, *lookups] if is_warned_first else [*lookups, *warnings]
    assert harvester_of(watched(*told), 102).n_slow_lookups == 1


def test_a_warning_of_an_older_chia_counts_from_5_seconds_and_without_one_8_seconds_do() -> None:
    assert harvester_of(watched(SlowPlot(100, "/mnt/a/x.plot", 5.5), lookup(100.1, 5.6)), 101).n_slow_lookups == 1
    assert harvester_of(watched(lookup(100.1, 5.6)), 101).n_slow_lookups == 0
    assert harvester_of(watched(lookup(100.1, 7.99999)), 101).n_slow_lookups == 0
    assert harvester_of(watched(lookup(100.1, 8.0)), 101).n_slow_lookups == 1


def test_a_restart_between_a_warning_and_its_lookup_counts_one_slow_lookup() -> None:
    before = watched(SlowPlot(100, "/mnt/a/x.plot", 9.0))
    after = Watchdog()
    after.restore(ComputerInfo(), before.as_json(100))
    after.take(lookup(100.2, 9.2))
    assert harvester_of(after, 101).n_slow_lookups == 1


MODERN = "harvester chia.harvester.harvester: "
OLD = "harvester src.harvester.harvester : "


@pytest.mark.parametrize(
    ("columns", "warning", "seconds"),
    [
        ("2.7.5 " + MODERN, "took: 9.5. This should be below 8 seconds to minimize risk of losing rewards.", 9.5),
        ("2.7.5 " + MODERN, "took: 12.25. This should be below 8 seconds to minimize risk of losing rewards.", 12.25),
        (OLD, "took: 6.75. This should be below 5 seconds to minimize risk of losing rewards.", 6.75),
    ],
    ids=["2.7", "2.7, very slow", "1.1"],
)
def test_from_the_logs_line_a_slow_lookup_is_traced_to_its_plot_its_disk_and_what_that_did(
    tmp_path: Path, columns: str, warning: str, seconds: float
) -> None:
    now = 1_795_463_720.0
    at = datetime.fromtimestamp(now, UTC).astimezone().replace(tzinfo=None).isoformat(timespec="milliseconds")
    plot = "/mnt/plots 3/plot-k32-2026-01-02-03-04-abc.plot"
    path = tmp_path / "debug.log"
    path.write_text(
        f"{at} {columns}WARNING  Looking up qualities on {plot} {warning}\n"
        f"{at} {columns}INFO     1 plots were eligible for farming aaaaaaaaaa... Found 0 proofs. "
        f"Time: {seconds:.5f} s. Total 42 plots\n"
    )
    asked = []

    def disk_at(disk_id: str | None, time: float, lookup_seconds: float) -> Disk:
        asked.append((disk_id, time, lookup_seconds))
        return Disk(busy_percent=97.5, read_bytes_per_second=2.5e8)

    watchdog = Watchdog(disk_at)
    watchdog.mount_points = ("/", "/mnt/plots 3", "/mnt/plots")
    for observation in ChiaLog(path).read_part(1 << 20, now).observations:
        watchdog.take(observation)
    (notice,) = watchdog.notices.all().values()
    assert asked == [("/mnt/plots 3", now, seconds)]
    assert notice.kind == ChiaNotice.SLOW_LOOKUP
    assert (notice.plot_filepath, notice.disk_id, notice.lookup_seconds) == (plot, "/mnt/plots 3", seconds)
    assert (notice.disk_busy_percent, notice.disk_read_bytes_per_second) == (97.5, 2.5e8)
    harvester = harvester_of(watchdog, now + 1)
    assert (harvester.n_slow_lookups, harvester.n_challenges, harvester.worst_lookup_seconds) == (1, 1, seconds)
