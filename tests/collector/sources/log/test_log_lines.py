from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.observations import (
    BlockFarmed,
    CoinReceived,
    FarmerConnected,
    Lookup,
    Observation,
    PeerLost,
    PlotFailed,
    PlotsRefreshed,
    ServiceStopping,
    SignagePointFinished,
    SlowPlot,
)
from chiatea.collector.sources.log.chia_log import ChiaLog
from chiatea.collector.sources.log.known_lines import is_daily_noise, is_known_uninteresting
from chiatea.collector.sources.log.log_form import looks_like_a_log_line, parse_form
from chiatea.collector.sources.log.log_judge import LineJudge
from chiatea.collector.sources.log.log_lines import observation_of_line

HASH = "ab" * 32
OTHERS = Path(__file__).parents[5] / "shared" / "third_party_logs"


def told(line: str) -> Observation | None:
    form = parse_form(line)
    assert form is not None
    return observation_of_line(form, 5.0)


def test_a_line_has_date_version_service_module_level_and_text() -> None:
    form = parse_form("2026-11-23T19:42:50.778 2.7.5 harvester chia.plotting.manager   : ERROR    What: this")
    assert form == (
        "2026-11-23",
        "19:42:50.778",
        "",
        "2.7.5",
        "harvester",
        "chia.plotting.manager",
        "ERROR",
        "What: this",
    )


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-23T19:42:50.778 2.7.5 harvester chia.harvester.harvester: INFO     ",
        "2026-11-23T19:42:50.778 2.5.0rc3.dev12 harvester chia.harvester.harvester: INFO     ",
        "2023-01-02T19:42:50.778 harvester chia.harvester.harvester: INFO     ",
        "19:42:50.778 harvester chia.harvester.harvester: INFO     ",
        "19:42:50.778 harvester src.harvester.harvester : INFO     ",
        "2026-11-23T19:42:50.778 2.7.5 harvester chia.harvester.harvester: \x1b[32mINFO    \x1b[0m ",
        "\x1b[37m19:42:50.778\x1b[0m harvester \x1b[34mchia.harvester.harvester\x1b[0m: \x1b[1;32mINFO\x1b[0m     ",
        "2026-11-23 19:42:50,778 2.7.5 harvester chia.harvester.harvester: INFO     ",
        "2026-11-23T19:42:50.778+02:00 harvester chia.harvester.harvester: INFO     ",
        "2026-11-23T19:42:50.778-0330 2.7.5 harvester chia.harvester.harvester: INFO     ",
        "2026-11-23T19:42:50Z 2.7.5 harvester chia.harvester.harvester: INFO     ",
    ],
)
def test_lookups_are_read_in_every_release_s_form(start: str) -> None:
    new = "challenge_hash: 37c5941d80 ...2 plots were eligible for farming challenge"
    new += "Found 1 V1 proofs and 3 V2 qualities."
    old = "2 plots were eligible for farming 37c5941d80... Found 1 proofs."
    for text, n_qualities in (
        (new, 3),
        (new.replace("challengeFound 1 V1 proofs", "challenge Found 1 V1 proof"), 3),
        (old, 0),
    ):
        lookup = told(f"{start}{text} Time: 0.02732 s. Total 42 plots")
        assert lookup == Lookup(5.0, "chia log", "37c5941d80", 2, 1, 0.02732, 42, n_qualities)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                "harvester chia.harvester.harvester: WARNING  Looking up qualities on /mnt/a b/plot-k32-x.plot took: "
                "9.2216. This should be below 8 seconds to minimize risk of losing rewards."
            ),
            SlowPlot(5.0, "/mnt/a b/plot-k32-x.plot", 9.2216),
        ),
        (
            (
                "harvester chia.harvester.harvester: WARNING  Looking up partial proofs on /mnt/plot-k28-x.plot2took: "
                "8.5. This should be below 8 secondsto minimize risk of losing rewards."
            ),
            SlowPlot(5.0, "/mnt/plot-k28-x.plot2", 8.5),
        ),
        (
            (
                "harvester chia.plotting.manager   : ERROR    Failed to open file /mnt/p/plot-k18-x.plot. Invalid "
                "plot header magic: 6e6f Traceback (most recent call last):"
            ),
            PlotFailed(5.0, "/mnt/p/plot-k18-x.plot", "Invalid plot header magic: 6e6f"),
        ),
        (
            (
                "harvester chia.harvester.harvester: INFO     _plot_refresh_callback: event done, loaded 1, "
                "removed 2, processed 5, remaining 0, duration: 0.00 seconds, total plots: 7"
            ),
            PlotsRefreshed(5.0, 1, 2, 7),
        ),
        (
            f"full_node chia.full_node.full_node: INFO     ⏲️  Finished signage point 62/64: {HASH}",
            SignagePointFinished(5.0, 62),
        ),
        (
            f"full_node src.full_node.full_node : INFO     ⏲️  Finished sub slot, SP 64/64, {HASH}, number of sub",
            SignagePointFinished(5.0, 64),
        ),
        (
            f"full_node chia.full_node.full_node: INFO     🍀 Farmed unfinished_block {HASH}, SP: 49, validation",
            BlockFarmed(5.0, HASH),
        ),
        (
            (
                f"wallet chia.wallet.wallet_node    : INFO     request coin: {HASH}CoinState {{ coin: Coin {{ "
                f"parent_coin_info: {HASH}, puzzle_hash: {HASH}, amount: 250000000000 }}, spent_height: None, "
                "created_height: Some(42) }"
            ),
            CoinReceived(5.0, HASH, 250000000000),
        ),
        (
            "wallet chia.wallet.wallet_state_manager: INFO     Adding coin: {'amount': 250000000000,",
            CoinReceived(5.0, "2026-01-01T10:00:00.000/250000000000", 250000000000),
        ),
        (
            "wallet chia.wallet.wallet_state_manager: INFO     Adding record to state manager coin: {'amount': 3,",
            CoinReceived(5.0, "2026-01-01T10:00:00.000/3", 3),
        ),
        (
            f"wallet chia.wallet.wallet_node    : INFO     request coin: {HASH}{{'coin': {{'amount': 1750000000000,",
            CoinReceived(5.0, HASH, 1750000000000),
        ),
        (
            (
                f"wallet chia.wallet.wallet_node    : INFO     request coin: {HASH}CoinState {{ coin: Coin {{ "
                f"parent_coin_info: {HASH}, puzzle_hash: {HASH}, amount: 250000000000 }}, spent_height: Some(43), "
                "created_height: Some(42) }"
            ),
            None,
        ),
        (
            (
                "harvester chia.plotting.manager   : WARNING  Not farming plot /mnt/a.plot. Size is 9.1 GiB, but "
                "expected at least: 99.06 GiB. We assume the file is being copied."
            ),
            PlotFailed(
                5.0,
                "/mnt/a.plot",
                "Size is 9.1 GiB, but expected at least: 99.06 GiB. We assume the file is being copied",
                is_open=True,
            ),
        ),
        (
            (
                "harvester chia.plotting.manager   : WARNING  Plot /mnt/a.plot has a pool public key that is not in "
                "the farmer's pool pk list."
            ),
            PlotFailed(
                5.0, "/mnt/a.plot", "has a pool public key that is not in the farmer's pool pk list", is_open=True
            ),
        ),
        (
            (
                "harvester chia.plotting.manager   : WARNING  Have multiple copies of the plot plot-k32-x.plot in "
                "['/mnt/a', '/mnt/b']."
            ),
            PlotFailed(5.0, "/mnt/a/plot-k32-x.plot", "multiple copies in ['/mnt/a', '/mnt/b']", is_open=True),
        ),
        (
            (
                "harvester chia.harvester.harvester: ERROR    Exception fetching qualities for /mnt/a.plot. "
                "[Errno 5] Input/output error"
            ),
            PlotFailed(5.0, "/mnt/a.plot", "[Errno 5] Input/output error", is_open=True),
        ),
        (
            f"harvester chia.harvester.harvester: ERROR    File: /mnt/a.plot Plot ID: {HASH}, challenge: {HASH}",
            PlotFailed(5.0, "/mnt/a.plot", "a lookup in it failed", is_open=True),
        ),
        (
            "harvester harvester               : INFO     Received signal SIGINT (2), shutting down.",
            ServiceStopping(5.0, "harvester"),
        ),
        ("wallet wallet : INFO     Received signal SIGTERM (15), ignoring in worker process.", None),
        (
            "harvester harvester               : INFO     Service harvester at port None fully stopped",
            ServiceStopping(5.0, "harvester"),
        ),
        (
            f"farmer farmer_server              : INFO     Connection closed: 10.0.0.2, node id: {HASH}",
            PeerLost(5.0, "farmer", "10.0.0.2", HASH),
        ),
        (
            "harvester harvester_server        : INFO     Connected with farmer PeerInfo(_ip=...)",
            FarmerConnected(5.0),
        ),
        (
            "harvester harvester               : INFO     Received signal SIGTERM (15), shutting down.",
            ServiceStopping(5.0, "harvester"),
        ),
        (f"full_node full_node_server : INFO     Connection closed: 10.0.0.2, node id: {HASH}", None),
    ],
)
def test_each_kind_of_line_is_understood(text: str, expected: Observation | None) -> None:
    assert told(f"2026-01-01T10:00:00.000 2.7.5 {text}") == expected


def test_lines_of_a_traceback_are_none_of_chia_s_forms() -> None:
    for line in (
        "",
        "ValueError: x",
        '  File "/opt/chia/manager.py", line 331, in process_file',
        "10:00 a b: INFO x",
    ):
        assert parse_form(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "2027-01-01T10:00:00.000 harvester/2.9.0 INFO Looked up 2 plots",
        "[2027-01-01 10:00:00] harvester: 2 plots",
        '{"time": "2027-01-01T10:00:00Z", "level": "info", "msg": "2 plots"}',
        "INFO 2027-01-01 harvester 2 plots",
        "I0101 10:00:00.000 harvester.py:33] 2 plots",
        "1795463720.123 harvester 2 plots",
        "harvester 2.9.0 10:00:00 INFO 2 plots",
        "Jan  1 10:00:00 barn chia[3]: 2 plots",
    ],
)
def test_lines_of_another_form_of_log_are_told_from_those_of_a_traceback(line: str) -> None:
    assert parse_form(line) is None
    assert looks_like_a_log_line(line)


def test_lines_of_a_traceback_do_not_look_like_another_form_of_log() -> None:
    for line in (
        "Traceback (most recent call last):",
        "ValueError: 5",
        "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host pool.example:443 ssl:default",
        "During handling of the above exception, another exception occurred:",
        "Error: too slow",
    ):
        assert not looks_like_a_log_line(line)


def test_what_nobody_knows_is_not_taken_for_uninteresting() -> None:
    assert not is_known_uninteresting("farmer", "chia.x", "INFO", "a new thing")
    assert not is_known_uninteresting("harvester", "chia.x", "INFO", "Found 3 proofs in 2 plots")
    assert not is_known_uninteresting("harvester2", "chia.x", "INFO", "Loaded 5 bytes")
    assert not is_known_uninteresting("full_node", "chia.x", "INFO", "Finished signage point number 3 of 64")


def test_debug_lines_and_those_of_services_that_say_nothing_of_a_farm_are_known() -> None:
    assert is_known_uninteresting("farmer", "chia.x", "DEBUG", "-> new_signage_point_harvester to peer 10.0.0.2 98a8")
    assert is_known_uninteresting("farmer", "chia.x", "INFO", "<- farming_info from peer 20388420 127.0.0.1")
    assert is_known_uninteresting("timelord", "chia.x", "INFO", "whatever")


def test_warnings_about_strangers_are_noise_of_a_full_node_and_no_noise_of_a_farmer() -> None:
    assert is_daily_noise("full_node", "WARNING", "Banning 1.2.3.4 for 10 seconds")
    assert not is_daily_noise("farmer", "WARNING", "Banning 1.2.3.4 for 10 seconds")
    assert not is_daily_noise("full_node", "WARNING", "Block validation: 3.01s")


def test_the_recorded_logs_are_understood_in_whole(data_folder: Path) -> None:
    for name in ("debug_farmer.log", "debug_harvester2.log"):
        part = ChiaLog(data_folder / name).read_part(10_000_000, 1_795_463_720.0)
        assert part.n_not_understood == 0
        assert part.n_understood > 100


@pytest.mark.skipif(not OTHERS.is_dir(), reason="the logs of other projects are not beside the repository")
def test_other_projects_samples_are_understood(tmp_path: Path) -> None:
    for sample in sorted(OTHERS.glob("chia_*.txt")):
        path = tmp_path / sample.name
        path.write_bytes(sample.read_bytes() + b"\n")
        log = ChiaLog(path)
        part = log.read_part(10_000_000, 1_795_463_720.0)
        assert part.observations, sample.name
        assert part.n_not_understood == 0, log.samples.all()


@given(st.text(max_size=300), st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR"]))
def test_any_text_is_read_without_an_exception(text: str, level: str) -> None:
    judge = LineJudge()
    for line in (text, f"2026-01-01T10:00:00.000 2.7.5 harvester chia.x: {level} {text}", text):
        judge.judge(line, 1.0)
