"""Answers of Chia's RPC as entries. Pure; forms of Chia 2.7.5. What is missing or of a wrong type stays unset."""

from collections.abc import Iterator, Mapping
from typing import Any

from chiatea.chia.untrusted import boolean, count, integer, items, mapping, number, plain_hex, text
from chiatea.collector.observations import Connection, ConnectionsTold
from chiatea.protobuf.chia_pb2 import (
    FullNode,
    HarvesterViewedFromFarmer,
    Pool,
    Wallet,
    WalletBalance,
)

__all__ = [
    "connections_of",
    "full_node_of",
    "harvester_of_summary",
    "harvesters_of",
    "pools_of",
    "signage_points_of",
    "wallet_balance_of",
    "wallet_balances_of",
    "wallet_farmed_of",
    "wallet_sync_of",
]


def _count(value: object) -> int:
    """A count that some answers give as a number and others as a list."""
    return len(value) if isinstance(value, list) else count(value)


def _small(value: object) -> int | None:
    """A number that fits 32 bits."""
    as_integer = integer(value)
    return as_integer if as_integer is not None and abs(as_integer) < 2**31 else None


def harvester_of_summary(entry: object) -> HarvesterViewedFromFarmer | None:
    """One entry of get_harvesters_summary, or a harvester_update; None where it names no node."""
    told = mapping(entry)
    connection = mapping(told.get("connection"))
    node_id = plain_hex(connection.get("node_id"))
    if not node_id:
        return None
    syncing = mapping(told.get("syncing"))
    return HarvesterViewedFromFarmer(
        id=node_id,
        host=text(connection.get("host")) or "",
        n_plots=_count(told.get("plots")),
        total_plot_bytes=_count(told.get("total_plot_size")),
        effective_plot_bytes=_count(told.get("total_effective_plot_size")),
        n_failed_to_open=_count(told.get("failed_to_open_filenames")),
        n_no_key=_count(told.get("no_key_filenames")),
        n_duplicates=_count(told.get("duplicates")),
        # Every refresh shows for a moment as syncing too; only the first one after a connect matters.
        is_syncing=syncing.get("initial") is True,
        n_sync_processed=integer(syncing.get("plot_files_processed")),
        n_sync_total=integer(syncing.get("plot_files_total")),
        last_sync_time=number(told.get("last_sync_time")),
        harvesting_mode=_small(told.get("harvesting_mode")),
    )


def harvesters_of(answer: object) -> tuple[HarvesterViewedFromFarmer, ...]:
    """The harvesters in get_harvesters_summary's answer."""
    entries = map(harvester_of_summary, items(mapping(answer).get("harvesters")))
    return tuple(entry for entry in entries if entry is not None)


def connections_of(answer: object, service: str, time: float) -> ConnectionsTold:
    """get_connections of any service."""
    return ConnectionsTold(time, service, tuple(_connections(mapping(answer).get("connections"))))


def _connections(entries: object) -> Iterator[Connection]:
    for entry in map(mapping, items(entries)):
        node_id = plain_hex(entry.get("node_id"))
        if node_id:
            yield Connection(
                node_id=node_id,
                host=text(entry.get("peer_host")) or "",
                kind=integer(entry.get("type")) or 0,
                connected_since=number(entry.get("creation_time")),
                last_message_time=number(entry.get("last_message_time")),
            )


def pools_of(answer: object) -> tuple[Pool, ...]:
    """The pools in get_pool_state's answer (farmer.py: pool_state), by launcher id."""
    pools: dict[str, Pool] = {}
    for entry in map(mapping, items(mapping(answer).get("pool_state"))):
        config = mapping(entry.get("pool_config"))
        launcher_id = plain_hex(config.get("launcher_id"))
        if launcher_id:
            pools[launcher_id] = Pool(
                id=launcher_id,
                url=text(config.get("pool_url")) or "",
                current_difficulty=integer(entry.get("current_difficulty")),
                current_points=integer(entry.get("current_points")),
                points_found_24h=_points(entry.get("points_found_24h")),
                points_acknowledged_24h=_points(entry.get("points_acknowledged_24h")),
                n_errors_24h=_count(entry.get("pool_errors_24h")),
                n_plots=_count(entry.get("plot_count")),
            )
    return tuple(pools.values())


def signage_points_of(answer: object) -> tuple[tuple[str, str], ...]:
    """Signage point and challenge hash of each in get_signage_points' answer, oldest first."""
    points = (mapping(mapping(entry).get("signage_point")) for entry in items(mapping(answer).get("signage_points")))
    told = ((plain_hex(point.get("challenge_chain_sp")), plain_hex(point.get("challenge_hash"))) for point in points)
    return tuple(point for point in told if point[0])


def _points(entries: object) -> int | None:
    """Sums [time, points] pairs."""
    if not isinstance(entries, list):
        return None
    return sum(count(pair[1]) for pair in map(items, entries) if len(pair) == 2)


def full_node_of(answer: object) -> FullNode:
    """get_blockchain_state of the full node."""
    state = mapping(mapping(answer).get("blockchain_state"))
    sync, peak = mapping(state.get("sync")), mapping(state.get("peak"))
    return FullNode(
        is_synced=boolean(sync.get("synced")),
        is_syncing=boolean(sync.get("sync_mode")),
        peak_height=integer(peak.get("height")),
        sync_tip_height=integer(sync.get("sync_tip_height")),
        sync_progress_height=integer(sync.get("sync_progress_height")),
        peak_time=number(peak.get("timestamp")),
        difficulty=integer(state.get("difficulty")),
        netspace_bytes=_positive(state.get("space")),
        average_block_seconds=_positive(state.get("average_block_time")),
        mempool_size=integer(state.get("mempool_size")),
        sub_slot_iters=integer(state.get("sub_slot_iters")),
    )


def _positive(value: object) -> float | None:
    as_number = number(value)
    return as_number if as_number is not None and as_number > 0 else None


def wallet_sync_of(answers: Mapping[str, Any]) -> Wallet:
    """get_sync_status, get_height_info and get_wallets, by call."""
    sync = mapping(answers.get("get_sync_status"))
    height = mapping(answers.get("get_height_info"))
    return Wallet(
        is_synced=boolean(sync.get("synced")),
        is_syncing=boolean(sync.get("syncing")),
        height=integer(height.get("height")),
        n_wallets=len(items(mapping(answers.get("get_wallets")).get("wallets"))),
    )


def wallet_balance_of(answer: object) -> Wallet:
    """get_wallet_balance."""
    balance = mapping(mapping(answer).get("wallet_balance"))
    return Wallet(
        confirmed_balance_mojo=integer(balance.get("confirmed_wallet_balance")),
        unconfirmed_balance_mojo=integer(balance.get("unconfirmed_wallet_balance")),
        spendable_balance_mojo=integer(balance.get("spendable_balance")),
    )


def wallet_balances_of(wallets: object, balances: Mapping[int, object]) -> tuple[WalletBalance, ...]:
    """get_wallets, and the `wallet_balance` of each by its id as far as it was told."""
    told: dict[int, WalletBalance] = {}
    for entry in map(mapping, items(mapping(wallets).get("wallets"))):
        identity = integer(entry.get("id"))
        if identity is None:
            continue
        balance = wallet_balance_of({"wallet_balance": balances.get(identity)})
        told[identity] = WalletBalance(
            id=identity,
            name=text(entry.get("name")) or "",
            wallet_type=_small(entry.get("type")) or 0,
            confirmed_balance_mojo=_told(balance, "confirmed_balance_mojo"),
            unconfirmed_balance_mojo=_told(balance, "unconfirmed_balance_mojo"),
            spendable_balance_mojo=_told(balance, "spendable_balance_mojo"),
        )
    return tuple(told.values())


def _told(wallet: Wallet, name: str) -> int | None:
    return getattr(wallet, name) if wallet.HasField(name) else None  # type: ignore[arg-type]


def wallet_farmed_of(answer: object) -> Wallet:
    """get_farmed_amount."""
    farmed = mapping(answer)
    return Wallet(
        farmed_mojo=integer(farmed.get("farmed_amount")),
        farmer_reward_mojo=integer(farmed.get("farmer_reward_amount")),
        pool_reward_mojo=integer(farmed.get("pool_reward_amount")),
        fee_mojo=integer(farmed.get("fee_amount")),
        last_height_farmed=integer(farmed.get("last_height_farmed")),
        last_time_farmed=number(farmed.get("last_time_farmed")),
    )
