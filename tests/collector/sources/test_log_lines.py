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
from chiatea.collector.sources.chia_log import ChiaLog
from chiatea.collector.sources.log_lines import is_known_uninteresting, observation_of_line, parse_form

HASH = "ab" * 32
OTHERS = Path(__file__).parents[4] / "shared" / "third_party_logs"


def told(line: str) -> Observation | None:
    form = parse_form(line)
    assert form is not None
    return observation_of_line(form, 5.0)


def test_a_line_has_date_version_service_module_level_and_text() -> None:
    form = parse_form("2026-11-23T19:42:50.778 2.7.5 harvester chia.plotting.manager   : ERROR    What: this")
    assert form == (
        "2026-11-23",
        "19:42:50.778",
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
    ],
)
def test_lookups_are_read_in_every_release_s_form(start: str) -> None:
    new = "challenge_hash: 37c5941d80 ...2 plots were eligible for farming challenge"
    new += "Found 1 V1 proofs and 3 V2 qualities."
    old = "2 plots were eligible for farming 37c5941d80... Found 1 proofs."
    for text, v2_qualities in ((new, 3), (old, 0)):
        lookup = told(f"{start}{text} Time: 0.02732 s. Total 42 plots")
        assert lookup == Lookup(5.0, "chia log", "37c5941d80", 2, 1, 0.02732, 42, v2_qualities)


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
                "harvester chia.harvester.harvester: WARNING  Looking up qualities on /mnt/plot-k28-x.plot2took: "
                "8.5. This should be below 8 seconds to minimize risk of losing rewards."
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


def test_what_nobody_knows_is_not_taken_for_uninteresting() -> None:
    form = parse_form("2026-01-01T10:00:00.000 2.7.5 farmer chia.farmer.farmer : INFO     a new thing")
    assert form is not None
    assert not is_known_uninteresting(form)


def test_the_recorded_logs_are_understood_in_whole(data_folder: Path) -> None:
    for name in ("debug_farmer.log", "debug_harvester2.log"):
        part = ChiaLog(data_folder / name).read_part(10_000_000, 1_795_463_720.0)
        assert (part.n_not_understood, part.last_not_understood) == (0, "")
        assert part.n_understood > 100


@pytest.mark.skipif(not OTHERS.is_dir(), reason="the logs of other projects are not beside the repository")
def test_other_projects_samples_are_understood(tmp_path: Path) -> None:
    for sample in sorted(OTHERS.glob("chia_*.txt")):
        path = tmp_path / sample.name
        path.write_bytes(sample.read_bytes() + b"\n")
        part = ChiaLog(path).read_part(10_000_000, 1_795_463_720.0)
        assert part.observations, sample.name
        assert part.n_not_understood == 0, part.last_not_understood


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    for line in (text, f"2026-01-01T10:00:00.000 2.7.5 harvester chia.x: INFO {text}"):
        form = parse_form(line)
        if form is not None:
            observation_of_line(form, 1.0)
            is_known_uninteresting(form)
