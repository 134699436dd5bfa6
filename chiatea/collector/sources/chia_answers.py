"""What Chia's RPC answers mean: from its JSON to entries of the protocol. Pure, and forgiving: a field that is
missing, null or of another type is untold, never an error.

Names and forms are those of chia-blockchain 2.7.5.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from chiatea.collector.sources.disks import disk_of_path
from chiatea.protobuf.chia_pb2 import FullNode, HarvesterPlot, PlotFolder, Pool, Wallet
from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer as FarmerHarvester

__all__ = [
    "effective_bytes",
    "expected_seconds_to_win",
    "full_node_of",
    "harvesters_of",
    "items",
    "number",
    "plain_hex",
    "plot_folders_of",
    "plots_of",
    "pools_of",
    "wallet_of",
]

EFFECTIVE_FACTOR: Final = 0.78
"""UI_ACTUAL_SPACE_CONSTANT_FACTOR of Chia: what a plot counts for, of its uncompressed size."""
V2_BITS_ABOVE_K: Final = 1.46
"""A v2 plot has k + 1.46 bits for each of its 2^k entries: fits total_effective_plot_size of 2.7.5 to the byte."""
BLOCKS_PER_DAY: Final = 4608
V2_SIZE_FLAG: Final = 128
"""`size` of a v2 plot is 128 + its strength; its k stands in its file's name only."""
_FILE_NAME_K: Final = re.compile(r"plot-k(\d{1,2})-")


def items(value: Any) -> list[Any]:
    """A list, where it is one."""
    return value if isinstance(value, list) else []


def _section(value: Any, key: str) -> dict[str, Any]:
    """A part of an answer; empty where it is no object."""
    part = value.get(key) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def number(value: Any) -> float | None:
    """A finite number, where it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        return None
    return value


def _integer(value: Any) -> int:
    """A whole number that 64 bits hold; 0 where it is none."""
    told = number(value)
    return int(told) if told is not None and abs(told) < 2**63 else 0


def _count(value: Any) -> int:
    """A count, which some answers give as the list itself."""
    return len(value) if isinstance(value, list) else _integer(value)


def plain_hex(value: Any) -> str:
    """Hexadecimal text without the "0x" that JSON has and the log has not."""
    return value.removeprefix("0x") if isinstance(value, str) else ""


def effective_bytes(k: int, plot_version: int) -> int:
    """What a plot counts for, in bytes: the netspace is the sum of it. 0 for a k that no plot has."""
    if not 10 <= k <= 60:
        return 0
    bits = (k + V2_BITS_ABOVE_K) * 2**k if plot_version == 2 else (2 * k + 1) * 2 ** (k + 2)
    return int(EFFECTIVE_FACTOR * bits / 8)


def expected_seconds_to_win(effective_plot_bytes: float, netspace_bytes: float) -> float | None:
    """The mean time between two blocks of this farm; None where one of the two is not known."""
    if effective_plot_bytes <= 0 or netspace_bytes <= 0:
        return None
    return 86400 / BLOCKS_PER_DAY * netspace_bytes / effective_plot_bytes


def harvesters_of(summary: dict[str, Any]) -> Iterator[FarmerHarvester]:
    """The farmer's `get_harvesters_summary`."""
    for told in items(summary.get("harvesters")):
        connection = _section(told, "connection")
        node_id = plain_hex(connection.get("node_id"))
        if not node_id:
            continue
        seen = FarmerHarvester(
            id=node_id,
            host=str(connection.get("host") or ""),
            n_plots=_count(told.get("plots")),
            total_plot_bytes=_integer(told.get("total_plot_size")),
            effective_plot_bytes=_integer(told.get("total_effective_plot_size")),
            n_failed_to_open=_count(told.get("failed_to_open_filenames")),
            n_no_key=_count(told.get("no_key_filenames")),
            n_duplicates=_count(told.get("duplicates")),
        )
        if (last_sync := number(told.get("last_sync_time"))) is not None:
            seen.last_sync_time = last_sync
        if isinstance(syncing := told.get("syncing"), dict) and syncing.get("initial"):
            # Only the first sync is worth telling: it flickers at every refresh.
            seen.is_syncing = True
            seen.n_sync_processed = _integer(syncing.get("plot_files_processed"))
            seen.n_sync_total = _integer(syncing.get("plot_files_total"))
        yield seen


def pools_of(answer: dict[str, Any]) -> Iterator[Pool]:
    """The farmer's `get_pool_state`."""
    for told in items(answer.get("pool_state")):
        config = _section(told, "pool_config")
        identity = plain_hex(config.get("launcher_id"))
        if not identity:
            continue
        yield Pool(
            id=identity,
            url=str(config.get("pool_url") or ""),
            current_difficulty=_integer(told.get("current_difficulty")),
            current_points=_integer(told.get("current_points")),
            points_found_24h=sum(_integer(pair[-1]) for pair in items(told.get("points_found_24h")) if pair),
            points_acknowledged_24h=sum(
                _integer(pair[-1]) for pair in items(told.get("points_acknowledged_24h")) if pair
            ),
            n_errors_24h=len(items(told.get("pool_errors_24h"))),
            n_plots=_count(told.get("plot_count")),
        )


def plots_of(answer: dict[str, Any], mount_points: Iterable[str]) -> Iterator[HarvesterPlot]:
    """The harvester's `get_plots`: what is loaded, what failed to open, what was not found."""
    mounts = sorted(mount_points, key=len, reverse=True)
    disk_of_folder: dict[str, str | None] = {}

    def disk_of(filename: str) -> str | None:
        folder = filename.rpartition("/")[0]
        if folder not in disk_of_folder:
            disk_of_folder[folder] = disk_of_path(filename, mounts)
        return disk_of_folder[folder]

    for told in items(answer.get("plots")):
        if isinstance(told, dict) and isinstance(told.get("filename"), str):
            yield _plot(told, disk_of(told["filename"]))
    for key, state in (
        ("failed_to_open_filenames", HarvesterPlot.FAILED_TO_OPEN),
        ("not_found_filenames", HarvesterPlot.NOT_FOUND),
    ):
        for filename in items(answer.get(key)):
            if isinstance(filename, str):
                plot = HarvesterPlot(id=filename, state=state, plot_version=_version_of(filename))
                if (disk := disk_of(filename)) is not None:
                    plot.disk_id = disk
                yield plot


def _version_of(filename: str) -> int:
    return 2 if filename.endswith((".plot2", ".gplot")) else 1


def _plot(told: dict[str, Any], disk_id: str | None) -> HarvesterPlot:
    filename, size = told["filename"], _integer(told.get("size"))
    is_v2 = size >= V2_SIZE_FLAG or _version_of(filename) == 2
    plot = HarvesterPlot(
        id=filename,
        plot_id=plain_hex(told.get("plot_id")),
        state=HarvesterPlot.LOADED,
        plot_version=2 if is_v2 else 1,
        compression_level=max(-1, min(_integer(told.get("compression_level")), 1000)),
        file_bytes=_integer(told.get("file_size")),
        modified_time=number(told.get("time_modified")) or 0.0,
    )
    if size >= V2_SIZE_FLAG:
        plot.strength = min(size - V2_SIZE_FLAG, 1000)
        in_name = _FILE_NAME_K.search(PurePosixPath(filename).name)
        k = int(in_name[1]) if in_name else 0
    else:
        k = size
    if k > 0:
        plot.k = k
        plot.effective_bytes = effective_bytes(k, plot.plot_version)
    for name in ("plot_public_key", "pool_public_key", "pool_contract_puzzle_hash"):
        if text := plain_hex(told.get(name)):
            setattr(plot, name, text)
    if disk_id is not None:
        plot.disk_id = disk_id
    return plot


def plot_folders_of(plots: Iterable[HarvesterPlot], folders: Iterable[str]) -> list[PlotFolder]:
    """Totals of each folder that plots are in, or could be."""
    found = {folder.rstrip("/") or "/": PlotFolder(id=folder.rstrip("/") or "/") for folder in folders}
    for plot in plots:
        path = plot.id.rpartition("/")[0] or "/"
        folder = found.get(path)
        if folder is None:
            folder = found[path] = PlotFolder(id=path)
        if plot.HasField("disk_id"):
            folder.disk_id = plot.disk_id
        if plot.state == HarvesterPlot.FAILED_TO_OPEN:
            folder.n_failed_to_open += 1
        elif plot.state == HarvesterPlot.LOADED:
            folder.n_plots += 1
            folder.n_plots_v2 += plot.plot_version == 2
            folder.n_plots_v1 += plot.plot_version != 2
            folder.total_plot_bytes += plot.file_bytes
            folder.effective_plot_bytes += plot.effective_bytes
    return list(found.values())


def full_node_of(answer: dict[str, Any]) -> FullNode:
    """The full node's `get_blockchain_state`."""
    node = FullNode(is_running=True)
    state = _section(answer, "blockchain_state")
    sync, peak = _section(state, "sync"), _section(state, "peak")
    node.is_synced = sync.get("synced") is True
    node.is_syncing = sync.get("sync_mode") is True
    if node.is_syncing:
        node.sync_tip_height = _integer(sync.get("sync_tip_height"))
        node.sync_progress_height = _integer(sync.get("sync_progress_height"))
    if peak:
        node.peak_height = _integer(peak.get("height"))
    if (peak_time := number(peak.get("timestamp"))) is not None:
        node.peak_time = peak_time
    for name, told, convert in (
        ("difficulty", state.get("difficulty"), int),
        ("netspace_bytes", state.get("space"), float),
        ("average_block_seconds", state.get("average_block_time"), float),
        ("mempool_size", state.get("mempool_size"), int),
        ("sub_slot_iters", state.get("sub_slot_iters"), int),
    ):
        value = number(told)
        if value is not None and (convert is float or abs(value) < 2**63):
            setattr(node, name, convert(value))
    return node


def wallet_of(
    sync: dict[str, Any],
    *,
    wallets: dict[str, Any] | None = None,
    balance: dict[str, Any] | None = None,
    farmed: dict[str, Any] | None = None,
) -> Wallet:
    """The wallet's `get_sync_status`, `get_wallets`, `get_wallet_balance` and `get_farmed_amount`."""
    wallet = Wallet(is_running=True, is_synced=sync.get("synced") is True, is_syncing=sync.get("syncing") is True)
    wallet.n_wallets = len(items((wallets or {}).get("wallets")))
    told = (balance or {}).get("wallet_balance")
    if isinstance(told, dict):
        wallet.confirmed_balance_mojo = _integer(told.get("confirmed_wallet_balance"))
        wallet.unconfirmed_balance_mojo = _integer(told.get("unconfirmed_wallet_balance"))
        wallet.spendable_balance_mojo = _integer(told.get("spendable_balance"))
    if farmed is not None:
        wallet.farmed_mojo = _integer(farmed.get("farmed_amount"))
        wallet.farmer_reward_mojo = _integer(farmed.get("farmer_reward_amount"))
        wallet.pool_reward_mojo = _integer(farmed.get("pool_reward_amount"))
        wallet.fee_mojo = _integer(farmed.get("fee_amount"))
        wallet.last_height_farmed = _integer(farmed.get("last_height_farmed"))
        if (last := number(farmed.get("last_time_farmed"))) is not None:
            wallet.last_time_farmed = last
    return wallet
