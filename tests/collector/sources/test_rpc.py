import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.chia.place import ChiaPlace, ChiaPlaceReader, place_of
from chiatea.chia.rpc import NoServiceError, RpcClient, RpcFailedError, RpcRefusedError
from chiatea.collector.observations import (
    HarvestersListed,
    Observation,
    PlotsListed,
    ServiceStopping,
    SignagePointsListed,
    WalletBalancesTold,
)
from chiatea.collector.plots import PlotList
from chiatea.collector.service_watch import ServiceWatch
from chiatea.collector.sources.harvester_rounds import HarvesterRounds
from chiatea.collector.sources.plot_stream import PlotStream
from chiatea.collector.sources.rpc_answers import (
    connections_of,
    full_node_of,
    harvesters_of,
    pools_of,
    wallet_balance_of,
    wallet_farmed_of,
    wallet_sync_of,
)
from chiatea.collector.sources.rpc_rounds import FarmerRounds, WalletRounds
from chiatea.protobuf.chia_pb2 import HarvesterPlot, Source

Clock = Any
FakeChia = Any
"""As conftest.py has them: a module that nothing imports by name."""


def place(chia: FakeChia) -> ChiaPlace:
    found = ChiaPlaceReader(chia.root).place()
    assert found is not None
    return found


def test_recorded_harvesters_and_connections_are_read(rpc_answers: dict[str, Any]) -> None:
    first, second = harvesters_of(rpc_answers["farmer.get_harvesters_summary"])
    assert (first.id[:8], first.host, first.n_plots, first.n_failed_to_open) == ("12c5b7d6", "127.0.0.1", 5, 1)
    assert not first.is_syncing
    assert first.harvesting_mode == 1
    assert second.effective_plot_bytes == 15736189
    told = connections_of(rpc_answers["farmer.get_connections"], "farmer", 1.0)
    assert [(peer.kind, peer.node_id[:8]) for peer in told.connections] == [(2, "12c5b7d6"), (2, "49b16985")]


def test_recorded_plots_are_read_v2_by_their_size(rpc_answers: dict[str, Any]) -> None:
    stream = PlotStream(["/", "/mnt/lab"], None)
    stream.feed(json.dumps(rpc_answers["harvester.get_plots"]).encode())
    plots = list(stream.plots())
    v2 = [plot for plot in plots if plot.plot_version == 2]
    assert [(plot.k, plot.strength, plot.effective_bytes) for plot in v2] == [(20, 3, 2193987), (20, 2, 2193987)]
    failed = [plot for plot in plots if plot.state == HarvesterPlot.FAILED_TO_OPEN]
    assert [(plot.k, plot.disk_id) for plot in failed] == [(18, "/mnt/lab")]
    assert not any(plot.HasField("pool_contract_puzzle_hash") for plot in plots)


def test_pools_wallet_and_node_are_read_in_chia_s_documented_forms() -> None:
    (pool,) = pools_of(
        {
            "pool_state": [
                {
                    "pool_config": {"launcher_id": "0xAB", "pool_url": "https://pool.example"},
                    "current_difficulty": 4,
                    "points_found_24h": [[1.0, 4], [2.0, 4]],
                    "pool_errors_24h": [{}],
                    "plot_count": 7,
                },
                {"pool_config": None},
            ]
        }
    )
    assert (pool.id, pool.points_found_24h, pool.n_errors_24h, pool.n_plots) == ("ab", 8, 1, 7)
    assert not pool.HasField("points_acknowledged_24h")
    node = full_node_of(
        {
            "blockchain_state": {
                "peak": {"height": 5, "timestamp": None},
                "sync": {"synced": True, "sync_mode": False},
                "space": 2**65,
                "average_block_time": 19,
            }
        }
    )
    assert (node.peak_height, node.is_synced, node.netspace_bytes) == (5, True, float(2**65))
    assert not node.HasField("peak_time")
    wallet = wallet_sync_of({"get_sync_status": {"synced": True}, "get_wallets": {"wallets": [{}, {}]}})
    assert (wallet.is_synced, wallet.n_wallets) == (True, 2)
    balance = wallet_balance_of({"wallet_balance": {"confirmed_wallet_balance": 10**13}})
    assert balance.confirmed_balance_mojo == 10**13
    assert wallet_farmed_of({"farmed_amount": 0}).farmed_mojo == 0


KEYS = st.sampled_from(
    [
        "harvesters",
        "connection",
        "node_id",
        "plots",
        "syncing",
        "connections",
        "pool_state",
        "pool_config",
        "launcher_id",
        "points_found_24h",
        "size",
        "filename",
        "file_size",
        "blockchain_state",
        "peak",
        "space",
        "wallet_balance",
        "failed_to_open_filenames",
        "total_plot_size",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_answer_gives_entries_and_no_exception(answer: Any) -> None:
    for read in (harvesters_of, pools_of, full_node_of, wallet_balance_of, wallet_farmed_of):
        read(answer)
    connections_of(answer, "farmer", 1.0)
    stream = PlotStream(["/"], None)
    with contextlib.suppress(RpcFailedError):
        stream.feed(json.dumps(answer).encode())
        stream.plots()
    place_of(answer, Path("/chia"))


async def test_a_call_is_answered_over_mutual_tls(chia: FakeChia) -> None:
    await chia.start("farmer")
    chia.answers["farmer", "get_version"] = {"version": "2.7.5", "success": True}
    client = RpcClient("farmer")
    assert (await client.ask(place(chia), "get_version"))["version"] == "2.7.5"
    await client.close()


async def test_failures_are_one_line_without_a_traceback(chia: FakeChia) -> None:
    await chia.start("farmer")
    chia.answers["farmer", "bad"] = {"success": False, "error": "it\nbroke", "traceback": "Traceback: x"}
    chia.answers["farmer", "strange"] = b"[1, 2]"
    chia.answers["farmer", "worse"] = b"\xff{"
    client = RpcClient("farmer", limit_seconds=0.2)
    with pytest.raises(RpcRefusedError, match=r"^it broke$"):
        await client.ask(place(chia), "bad")
    for call in ("strange", "worse"):
        with pytest.raises(RpcFailedError, match=r"^the answer is no JSON"):
            await client.ask(place(chia), call)
    chia.is_hanging = True
    with pytest.raises(RpcFailedError, match=r"got no answer within"):
        await client.ask(place(chia), "bad")
    await client.close()


async def test_a_service_that_is_not_there_and_missing_certificates_are_told_apart_from_failures(
    chia: FakeChia,
) -> None:
    await chia.start("farmer")
    client = RpcClient("wallet")
    with pytest.raises(NoServiceError, match=r"nothing answers there"):
        await client.ask(place(chia), "x")
    (chia.root / "config/ssl/wallet/private_wallet.key").unlink()
    with pytest.raises(NoServiceError, match=r"private_wallet\.key: there is no such file"):
        await client.ask(place(chia), "x")
    await client.close()


async def test_certificates_are_read_again_when_they_change(chia: FakeChia) -> None:
    await chia.start("farmer")
    chia.answers["farmer", "x"] = {"success": True}
    client = RpcClient("farmer")
    key = chia.root / "config/ssl/farmer/private_farmer.key"
    good = key.read_bytes()
    key.write_text("no key")
    with pytest.raises(RpcFailedError, match=r"private_farmer\.crt"):
        await client.ask(place(chia), "x")
    key.write_bytes(good)
    assert await client.ask(place(chia), "x") == {"success": True}
    chia.authority.renew("farmer")
    assert await client.ask(place(chia), "x") == {"success": True}
    await chia.stop_one("farmer")
    chia.renew_authority()
    await chia.start_one("farmer")
    assert await client.ask(place(chia), "x") == {"success": True}
    await client.close()


async def test_a_service_is_absent_till_it_was_seen_and_failing_when_it_goes(
    chia: FakeChia, clock: Clock, rpc_answers: dict[str, Any]
) -> None:
    chia.write_config()
    told: list[Observation] = []
    watch = ServiceWatch(FarmerRounds(RpcClient("farmer"), clock, lambda: True), told.append, clock)

    async def look() -> "Source.State.ValueType":
        clock.now += 60
        task = watch.begin_if_due(place(chia), clock.now)
        assert task is not None
        await task
        return watch.health.entry.state

    assert await look() == Source.ABSENT
    chia.answer_as_recorded(rpc_answers)
    await chia.start("farmer")
    assert await look() == Source.OK
    assert any(isinstance(entry, HarvestersListed) for entry in told)
    await chia.stop_one("farmer")
    assert await look() == Source.FAILING
    assert isinstance(told[-1], ServiceStopping)
    await chia.start_one("farmer")
    assert await look() == Source.OK
    await watch.close()


async def test_the_list_of_plots_is_asked_for_seldom_and_told_only_when_it_changed(
    chia: FakeChia, clock: Clock, rpc_answers: dict[str, Any]
) -> None:
    chia.answer_as_recorded(rpc_answers)
    await chia.start("harvester")
    n_plots = 5
    rounds = HarvesterRounds(RpcClient("harvester"), clock, lambda: ["/"], lambda: n_plots)

    async def n_lists() -> int:
        clock.now += 5
        return sum(isinstance(entry, PlotsListed) for entry in await rounds.round(place(chia)))

    assert await n_lists() == 1
    assert [await n_lists() for _ in range(4)] == [0, 0, 0, 0]
    assert chia.asked.count(("harvester", "get_plots")) == 1
    n_plots = 4
    chia.answers["harvester", "get_plots"] = {"plots": [], "success": True}
    assert await n_lists() == 1
    # One plot for another: nobody's number says so, the next list does.
    chia.answers["harvester", "get_plots"] = {"plots": [], "failed_to_open_filenames": ["/b.plot"], "success": True}
    clock.now += 30
    assert await n_lists() == 1
    # Come back after it went, it loads its plots anew: what it has in the meantime is not told.
    rounds.lost()
    chia.answers["harvester", "get_plots"] = {"plots": [{"filename": "/a.plot", "size": 32}], "success": True}
    assert await n_lists() == 0
    chia.answers["harvester", "get_plots"] = rpc_answers["harvester.get_plots"]
    assert [await n_lists() for _ in range(3)] == [0, 0, 1]
    await rounds.client.close()


def many_plots(n: int, **more: Any) -> bytes:
    plots = [
        {
            "filename": f"/mnt/disk{number % 50}/plot-k32-{number:064x}.plot",
            "file_size": 87 << 30,
            "size": 32,
            "plot_id": f"0x{number:064x}",
            "plot_public_key": f"0x{number:096x}",
            "pool_contract_puzzle_hash": "0x" + "ab" * 32,
            "time_modified": 1_700_000_000,
        }
        for number in range(n)
    ]
    return json.dumps({"plots": plots, "success": True, **more}).encode()


async def listed(rounds: HarvesterRounds, chia: FakeChia) -> PlotList:
    (told,) = [entry for entry in await rounds.round(place(chia)) if isinstance(entry, PlotsListed)]
    return told.plots


async def test_a_long_list_is_read_in_pieces_and_shares_with_the_last_what_is_the_same(
    chia: FakeChia, clock: Clock
) -> None:
    await chia.start("harvester")
    chia.answers["harvester", "get_connections"] = {"connections": [], "success": True}
    n_told = 5_000
    rounds = HarvesterRounds(RpcClient("harvester"), clock, lambda: ["/mnt/disk1"], lambda: n_told)
    chia.answers["harvester", "get_plots"] = many_plots(n_told)
    first = await listed(rounds, chia)
    assert (first.totals.n_plots, first.totals.total_plot_bytes) == (5_000, 5_000 * (87 << 30))
    n_told = 4_999
    chia.answers["harvester", "get_plots"] = many_plots(n_told, not_found_filenames=["/mnt/disk1/foreign.plot"])
    clock.now += 60
    second = await listed(rounds, chia)
    assert (second.totals.n_plots, second.totals.n_no_key, first.n_loaded_beside(second)) == (4_999, 1, 1)
    common = first.messages.packed.keys() & second.messages.packed.keys()
    assert len(common) == 4_999
    assert all(first.messages.packed[path] is second.messages.packed[path] for path in common)
    await rounds.client.close()


async def test_other_tasks_have_their_turn_while_a_long_list_is_read(chia: FakeChia, clock: Clock) -> None:
    await chia.start("harvester")
    chia.answers["harvester", "get_plots"] = many_plots(5_000)
    rounds = HarvesterRounds(RpcClient("harvester"), clock, list, lambda: None)
    stream = PlotStream([], None)
    n_turns, n_pieces = 0, 0

    async def take_turns() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    def feed(piece: bytes) -> None:
        nonlocal n_pieces
        n_pieces += 1
        assert len(piece) <= 64 * 1024
        stream.feed(piece)

    others = asyncio.create_task(take_turns())
    await rounds.client.ask_long(place(chia), "get_plots", feed)
    others.cancel()
    assert len(stream.plots()) == 5_000
    assert n_turns >= n_pieces > 25
    await rounds.client.close()


async def test_a_list_that_ends_too_early_or_is_refused_is_one_line(chia: FakeChia, clock: Clock) -> None:
    await chia.start("harvester")
    chia.answers["harvester", "get_connections"] = {"connections": [], "success": True}
    rounds = HarvesterRounds(RpcClient("harvester"), clock, list, lambda: None)
    for answer, message in (
        (b'{"plots": [{"filename": "/a.plot"}', "no JSON object"),
        (b'{"success": false, "error": "not\\nnow"}', "^not now$"),
        (b"[1]", "no JSON object"),
    ):
        chia.answers["harvester", "get_plots"] = answer
        clock.now += 600
        with pytest.raises(RpcFailedError, match=message):
            await rounds.round(place(chia))
    await rounds.client.close()


async def test_wallets_are_told_one_by_one_and_at_once_when_something_came_in(chia: FakeChia, clock: Clock) -> None:
    await chia.start("wallet")
    chia.answers["wallet", "get_sync_status"] = {"synced": True, "success": True}
    wallets = [{"id": 1, "name": "Chia Wallet", "type": 0}, {"id": 2, "name": "Pool wallet", "type": 9}]
    chia.answers["wallet", "get_wallets"] = {"wallets": wallets, "success": True}
    balances = {"1": {"confirmed_wallet_balance": 7}, "2": {"confirmed_wallet_balance": 5}}
    chia.answers["wallet", "get_wallet_balances"] = {"wallet_balances": balances, "success": True}
    rounds = WalletRounds(RpcClient("wallet"), clock)

    async def told() -> list[WalletBalancesTold]:
        clock.now += 5
        return [entry for entry in await rounds.round(place(chia)) if isinstance(entry, WalletBalancesTold)]

    (first,) = await told()
    assert [
        (wallet.id, wallet.name, wallet.wallet_type, wallet.confirmed_balance_mojo) for wallet in first.wallets
    ] == [
        (1, "Chia Wallet", 0, 7),
        (2, "Pool wallet", 9, 5),
    ]
    assert not first.wallets[0].HasField("spendable_balance_mojo")
    assert await told() == []
    rounds.changed()
    # Older releases tell them one by one only.
    del chia.answers["wallet", "get_wallet_balances"]
    chia.answers["wallet", "get_wallet_balance"] = {"wallet_balance": {"confirmed_wallet_balance": 9}, "success": True}
    (second,) = await told()
    assert [wallet.confirmed_balance_mojo for wallet in second.wallets] == [9, 9]
    await rounds.client.close()


async def test_signage_points_are_asked_for_once_after_a_gap_when_the_daemon_is_listened_to_again(
    chia: FakeChia, clock: Clock, rpc_answers: dict[str, Any]
) -> None:
    chia.answer_as_recorded(rpc_answers)
    point = {"challenge_chain_sp": "0xAB", "challenge_hash": "0xcd"}
    chia.answers["farmer", "get_signage_points"] = {"signage_points": [{"signage_point": point}, {}], "success": True}
    await chia.start("farmer")
    is_listening = False
    rounds = FarmerRounds(RpcClient("farmer"), clock, lambda: is_listening)

    async def told() -> list[SignagePointsListed]:
        return [entry for entry in await rounds.round(place(chia)) if isinstance(entry, SignagePointsListed)]

    assert await told() == []
    rounds.fill_gap()
    assert await told() == []
    is_listening = True
    assert [entry.points for entry in await told()] == [(("ab", "cd"),)]
    assert await told() == []
    await rounds.client.close()
