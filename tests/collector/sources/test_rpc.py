from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.observations import HarvestersListed, Observation, PlotsListed, ServiceStopping
from chiatea.collector.service_watch import ServiceWatch
from chiatea.collector.sources.chia_config import ChiaPlace, ChiaPlaceReader, place_of
from chiatea.collector.sources.rpc import NoServiceError, RpcClient, RpcFailedError, RpcRefusedError
from chiatea.collector.sources.rpc_answers import (
    connections_of,
    full_node_of,
    harvesters_of,
    plots_of,
    pools_of,
    wallet_balance_of,
    wallet_farmed_of,
    wallet_sync_of,
)
from chiatea.collector.sources.rpc_rounds import FarmerRounds, HarvesterRounds
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
    assert second.effective_plot_bytes == 15736189
    told = connections_of(rpc_answers["farmer.get_connections"], "farmer", 1.0)
    assert [(peer.kind, peer.node_id[:8]) for peer in told.connections] == [(2, "12c5b7d6"), (2, "49b16985")]


def test_recorded_plots_are_read_v2_by_their_size(rpc_answers: dict[str, Any]) -> None:
    plots = plots_of(rpc_answers["harvester.get_plots"], ["/", "/mnt/lab"])
    v2 = [plot for plot in plots if plot.plot_version == 2]
    assert [(plot.k, plot.strength, plot.effective_bytes) for plot in v2] == [(20, 3, 2193987), (20, 2, 2193987)]
    failed = [plot for plot in plots if plot.state == HarvesterPlot.FAILED_TO_OPEN]
    assert [(plot.k, plot.disk_id) for plot in failed] == [(18, "/mnt/lab")]
    assert not plots[0].HasField("pool_contract_puzzle_hash")


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
    plots_of(answer, ["/"])
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
    await client.close()


async def test_a_service_is_absent_till_it_was_seen_and_failing_when_it_goes(
    chia: FakeChia, clock: Clock, rpc_answers: dict[str, Any]
) -> None:
    chia.write_config()
    told: list[Observation] = []
    watch = ServiceWatch(FarmerRounds(RpcClient("farmer"), clock), told.append, clock)

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
    # Come back after it went, it loads its plots anew: what it has in the meantime is not told.
    rounds.lost()
    chia.answers["harvester", "get_plots"] = {"plots": [{"filename": "/a.plot", "size": 32}], "success": True}
    assert await n_lists() == 0
    chia.answers["harvester", "get_plots"] = rpc_answers["harvester.get_plots"]
    assert [await n_lists() for _ in range(3)] == [0, 0, 1]
    await rounds.client.close()
