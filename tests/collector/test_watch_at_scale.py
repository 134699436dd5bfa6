import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chiatea.collector.watch import PACKED_TOPICS, Watch
from chiatea.config import Config
from chiatea.protobuf.chia_pb2 import Farmer, Harvester, PlotFolder, WalletBalance
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState
from chiatea.state.packed import PackedEntries

Clock = Any
FakeChia = Any
"""As conftest.py has them: a module that nothing imports by name."""

Until = Callable[[Callable[[], bool]], Awaitable[None]]


def config_of(tmp_path: Path) -> Config:
    return Config.model_validate(
        {"chia": {"root": str(tmp_path / "chia")}, "machine": {"state_folder": str(tmp_path / "state")}}
    )


def answer_plots(chia: FakeChia, numbers: range) -> None:
    plots = [{"filename": f"/mnt/{number % 5}/{number}.plot", "size": 32, "file_size": 9} for number in numbers]
    chia.answers["harvester", "get_plots"] = json.dumps({"plots": plots, "success": True}).encode()
    chia.answers["harvester", "get_connections"] = {"connections": [], "success": True}


def plots_of(state: MachineState) -> PackedEntries:
    held = state.of("harvester_plot")
    assert isinstance(held, PackedEntries)
    return held


async def test_plots_that_did_not_change_are_the_same_ones_at_each_look_and_after_a_restart(
    tmp_path: Path, chia: FakeChia, clock: Clock
) -> None:
    await chia.start("harvester")
    answer_plots(chia, range(500))
    watch = Watch(config_of(tmp_path), "machine", clock=clock)
    await watch.start(MachineState(packed_topics=PACKED_TOPICS))
    first = await watch.look()
    clock.now += 5
    second = await watch.look()
    assert len(plots_of(first)) == 500
    assert plots_of(first).messages.is_same(plots_of(second).messages)
    await watch.close()

    known = MachineState(packed_topics=PACKED_TOPICS)
    for part in second.parts(max_bytes=5000):
        known.merge(part)
    again = Watch(config_of(tmp_path), "machine", clock=clock)
    await again.start(known)
    state = await again.look()
    assert plots_of(state).messages.is_same(plots_of(known).messages)
    answer_plots(chia, range(1, 502))
    for _ in range(10):
        clock.now += 40
        state = await again.look()
    changes = [change for change in diff(known, state) if change.topic.name == "harvester_plot"]
    assert {change.entry_id for change in changes} == {"/mnt/0/0.plot", "/mnt/0/500.plot", "/mnt/1/501.plot"}
    harvester = state.of("harvester")[""].message
    assert isinstance(harvester, Harvester)
    assert (harvester.n_plots, harvester.n_plots_added, harvester.n_plots_lost) == (501, 2, 1)
    folders = {identity: entry.message for identity, entry in state.of("plot_folder").items()}
    assert sum(folder.n_plots for folder in folders.values() if isinstance(folder, PlotFolder)) == 501
    await again.close()


async def test_points_that_came_while_the_daemon_was_gone_are_filled_in_from_the_farmer(
    *,
    tmp_path: Path,
    chia: FakeChia,
    clock: Clock,
    until: Until,
    rpc_answers: dict[str, Any],
    metrics_messages: list[tuple[float, dict[str, Any]]],
) -> None:
    chia.answer_as_recorded(rpc_answers)
    await chia.start("daemon", "farmer")
    watch = Watch(config_of(tmp_path), "machine", clock=clock)
    await watch.start(MachineState())
    await watch.look()
    await until(lambda: watch._daemon.is_listening)
    points = [message for _, message in metrics_messages if message["command"] == "new_signage_point"]
    listed = [{"signage_point": point["data"]["signage_point"], "proofs": []} for point in points]
    chia.answers["farmer", "get_signage_points"] = {"signage_points": listed, "success": True}
    for point in points[:10]:
        await chia.push("metrics", point)
    await until(lambda: watch._daemon_health.entry.n_understood == 10)
    await chia.stop_one("daemon")
    await until(lambda: not watch._daemon.is_listening)
    await chia.start_one("daemon")
    await until(lambda: watch._daemon.is_listening)
    clock.now += 5
    farmer = (await watch.look()).of("farmer")[""].message
    assert isinstance(farmer, Farmer)
    assert farmer.n_signage_points == 60
    assert farmer.last_challenge_hash == points[-1]["data"]["signage_point"]["challenge_hash"].removeprefix("0x")
    await watch.close()


async def test_a_coin_that_came_in_makes_the_balances_due_at_once(
    tmp_path: Path, chia: FakeChia, clock: Clock, until: Until
) -> None:
    await chia.start("daemon", "wallet")
    chia.answers["wallet", "get_sync_status"] = {"synced": True, "success": True}
    chia.answers["wallet", "get_wallets"] = {"wallets": [{"id": 1, "name": "Chia Wallet"}], "success": True}

    def answer_balance(mojo: int) -> None:
        balances = {"1": {"confirmed_wallet_balance": mojo}}
        chia.answers["wallet", "get_wallet_balances"] = {"wallet_balances": balances, "success": True}

    async def balance() -> int:
        clock.now += 5
        entry = (await watch.look()).of("wallet_balance")[1].message
        assert isinstance(entry, WalletBalance)
        return entry.confirmed_balance_mojo

    answer_balance(7)
    watch = Watch(config_of(tmp_path), "machine", clock=clock)
    await watch.start(MachineState())
    assert await balance() == 7
    answer_balance(9)
    assert await balance() == 7
    await until(lambda: watch._daemon.is_listening)
    await chia.push("metrics", {"origin": "chia_wallet", "command": "coin_added", "data": {"wallet_id": 1}})
    await until(lambda: watch._daemon_health.entry.n_understood == 1)
    assert await balance() == 9
    await watch.close()
