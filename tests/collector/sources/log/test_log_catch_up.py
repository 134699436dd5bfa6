"""Reading many lines at once tells the same as reading them one by one."""

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chiatea.collector.observations import Observation
from chiatea.collector.sources.log import chia_log
from chiatea.collector.sources.log.chia_log import ChiaLog, LogPart
from chiatea.collector.watchdog.watchdog import Watchdog

NODE = "full_node chia.full_node.full_node: INFO     "
HARVESTER = "harvester chia.harvester.harvester: INFO     "
REFRESH = f"{HARVESTER}_plot_refresh_callback: event"
TEMPLATES = (
    *[f"{NODE}\u23f2\ufe0f  Finished signage point {{point}}/64: CC: {{hash}} RC: {{hash}} "] * 2,
    f"{NODE}\u23f2\ufe0f  Finished signage point {{small}}/64: {{hash}}",
    (
        f"{HARVESTER}challenge_hash: {{short}} ...{{small}} plots were eligible for farming challengeFound {{proofs}} "
        "V1 proofs and {proofs} V2 qualities. Time: {seconds} s. Total {number} plots"
    ),
    (
        f"{HARVESTER}challenge_hash: {{short}} ...{{small}} plots were eligible for farming challengeFound 0 V1 proofs "
        "and 0 V2 qualities. Time: 0.0{number} s. Total 42 plots"
    ),
    f"{HARVESTER}challenge_hash: {{short}} and no more",
    (
        "harvester src.harvester.harvester : INFO     {small} plots were eligible for farming {short}... Found "
        "{proofs} proofs. Time: {seconds} s. Total {number} plots"
    ),
    (
        f"{REFRESH} done, loaded {{proofs}}, removed 0, processed 5, remaining 0, duration: 0.00 seconds, total plots: "
        "{small}"
    ),
    f"{REFRESH} done, loaded 0, removed 0, processed 5, remaining 0, duration: {{seconds}} seconds, total plots: 42",
    f"{REFRESH} started, loaded 0, removed 0",
    (
        "harvester chia.plotting.manager   : ERROR    Failed to open file /mnt/{short}.plot. Bad Traceback (most "
        'recent call last):\n  File "x.py", line {small}\n    x = {hash}\n \n\nValueError: {short}'
    ),
    "full_node chia.full_node.mempool_manager: INFO     add_spendbundle {hash} took {seconds} seconds",
    f"{NODE}Added unfinished_block {{hash}}, not farmed by us, SP: {{small}}",
    f"{NODE}\U0001f331 Updated peak to height {{number}}, weight {{number}}, hh {{hash}}",
    f"{NODE}\U0001f340 \ufe0fFarmed unfinished_block {{hash}}, SP: {{small}}, cost",
    "full_node chia.full_node.full_node: WARNING  Block validation: {seconds}s, height: {number}",
    "full_node full_node_server        : INFO     Connection closed: 1.2.{small}.4, node id: {hash}",
    "farmer farmer_server              : INFO     Connection closed: 1.2.{small}.4, node id: {hash}",
    "harvester harvester_server        : INFO     Connected with farmer PeerInfo({number})",
    "harvester harvester               : INFO     Service harvester at port None fully stopped",
    "wallet chia.wallet.wallet_node    : INFO     request coin: {hash}{{'coin': {{'amount': {number},",
    "wallet chia.wallet.wallet_node    : INFO     request coin: {hash}and no more",
    "wallet chia.wallet.wallet_blockchain: INFO     Peak set to: {number} timestamp: {number}",
    "farmer chia.farmer.farmer         : DEBUG    -> new_signage_point_harvester to peer 10.0.0.2 {hash}",
    "farmer chia.farmer.farmer         : INFO     a new thing {number}",
    "timelord chia.timelord.timelord   : INFO     Finished something",
)


def made_log(rng: random.Random, n_lines: int) -> bytes:
    """Lines of every kind, in random order, and some that no Chia writes."""
    lines, seconds, point = [], 1_795_000_000.0, 5
    for _ in range(n_lines):
        seconds += rng.choice((0.001, 0.5, 9.4, 70.0))
        if rng.random() < 0.02:
            lines.append(rng.choice((b"", b" ", b"\xff\0\x80", b"a word", b"2027-01-01 harvester INFO new", b" in")))
            continue
        point += rng.choice((0, 1, 1, 1, 1, 2))
        numbers = {
            "hash": f"{rng.getrandbits(256):064x}",
            "short": f"{rng.getrandbits(40):010x}",
            "point": point % 64 or 64,
            "small": rng.randrange(100),
            "number": rng.randrange(1, 10 ** rng.randrange(1, 6)),
            "proofs": rng.choice((0, 0, 0, 1, 12)),
            "seconds": rng.choice(("0.02732", "1e-05", "12.5", "6.25123", "3")),
        }
        text = rng.choice(TEMPLATES).format(**numbers)
        if numbers["point"] == 64 and "signage point" in text:
            text = text.partition("Finished")[0] + f"Finished sub slot, SP 64/64, {numbers['hash']}, number of sub"
        time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        lines.append(f"{time}{rng.choice((' 2.7.5', ' 2.7.5', ''))} {text}".encode())
        if rng.random() < 0.01:
            lines[-1] += b"\r"
    return b"\n".join(lines) + b"\n"


NOW = 1_795_463_720.0


def parts_of(path: Path, slice_bytes: int, *, sums_history: bool = False) -> list[LogPart]:
    log = ChiaLog(path)
    parts = [log.read_part(slice_bytes, NOW, sums_history=sums_history)]
    while parts[-1].n_behind:
        parts.append(log.read_part(slice_bytes, NOW, sums_history=sums_history))
    log.close()
    return parts


def told(parts: list[LogPart]) -> tuple[list[Observation], dict[str, tuple[float, str]], tuple[object, ...]]:
    services: dict[str, tuple[float, str]] = {}
    for part in parts:
        services |= part.services
    quiet_since = None
    for part in parts:
        if part.has_info or quiet_since is None:
            quiet_since = part.quiet_since
    newest = [part.newest_time for part in parts if part.newest_time is not None]
    counts = (
        sum(part.n_understood for part in parts),
        sum(part.n_not_understood for part in parts),
        sum(part.n_strange for part in parts),
        sum(part.n_cut for part in parts),
        parts[-1].context,
        newest[-1:],
        any(part.has_info for part in parts),
        quiet_since,
    )
    return [observation for part in parts for observation in part.observations], services, counts


def every_block_at_once(patch: pytest.MonkeyPatch, slice_bytes: int) -> None:
    patch.setattr(chia_log, "_BULK_BYTES", 0)
    patch.setattr(chia_log, "_HISTORY_BYTES", slice_bytes)
    patch.setattr(chia_log, "_AHEAD_BYTES", slice_bytes)


@given(st.integers(0, 2**32), st.integers(0, 700), st.sampled_from([3000, 20_000, 1 << 20]))
def test_lines_read_many_at_once_tell_what_they_tell_one_by_one(seed: int, n_lines: int, slice_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "debug.log"
        path.write_bytes(made_log(random.Random(seed), n_lines))
        one_by_one = told(parts_of(path, 1 << 20))
        every_block_at_once(patch, slice_bytes)
        assert told(parts_of(path, slice_bytes)) == one_by_one


@given(st.binary(max_size=3000), st.integers(0, 2**32))
def test_any_bytes_read_many_at_once_tell_what_they_tell_one_by_one(data: bytes, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "debug.log"
        path.write_bytes(made_log(random.Random(seed), 20) + data + made_log(random.Random(seed), 20))
        one_by_one = told(parts_of(path, 1 << 20))
        every_block_at_once(patch, 500)
        assert told(parts_of(path, 500)) == one_by_one


FIELDS = (
    "n_challenges",
    "n_eligible_plots",
    "n_proofs",
    "n_v2_qualities",
    "n_slow_lookups",
    "n_plots",
    "n_plots_added",
    "n_plots_lost",
    "last_challenge_time",
    "last_challenge_hash",
    "last_proof_time",
    "is_connected_to_farmer",
)


def folded(parts: list[LogPart]) -> dict[str, object]:
    watchdog = Watchdog()
    for part in parts:
        for observation in part.observations:
            watchdog.take(observation)
    harvester, farmer, node = watchdog.harvester.draft, watchdog.farmer.draft, watchdog.node
    return {
        **{name: getattr(harvester, name) for name in FIELDS},
        "skipped": node.full_node.n_skipped_signage_points,
        "last_point": node.last_point,
        "blocks": farmer.n_blocks_farmed,
        "coins": node.wallet.n_coins_received,
        "kinds": sorted(watchdog.notices.all()),
        "understood": sum(part.n_understood for part in parts),
    }


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 1500), st.sampled_from([3000, 40_000]))
@example(105669, 1, 3000)  # one line that is shorter than what its kind is told by
def test_a_log_whose_history_is_summed_up_gives_the_same_counters(seed: int, n_lines: int, slice_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "debug.log"
        path.write_bytes(made_log(random.Random(seed), n_lines))
        one_by_one = folded(parts_of(path, 1 << 20))
        every_block_at_once(patch, slice_bytes)
        summed = parts_of(path, slice_bytes, sums_history=True)
        assert folded(summed) == one_by_one


def test_of_a_long_history_few_lines_are_told(tmp_path: Path, data_folder: Path) -> None:
    path = tmp_path / "debug.log"
    recorded = (data_folder / "debug_farmer.log").read_bytes() + b"\n"
    path.write_bytes(recorded * 400)
    parts = parts_of(path, 1 << 20, sums_history=True)
    far_back = next(part for part in parts if part.n_behind > 4 << 20)
    assert len(far_back.observations) < far_back.n_understood / 10
    assert folded(parts)["n_challenges"] == 60 * 400
