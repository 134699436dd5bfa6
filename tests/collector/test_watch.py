import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from chiatea.collector.watch import Watch
from chiatea.config import Config
from chiatea.protobuf.chia_pb2 import ChiaNotice, Farmer, Harvester, HarvesterViewedFromFarmer, PlotInProgress, Source
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState

Clock = Any
FakeChia = Any
"""As conftest.py has them: a module that nothing imports by name."""

PYTHON = Path(sys.executable).resolve()
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Open = Callable[..., Awaitable[Watch]]


def config_of(tmp_path: Path) -> Config:
    chia = {
        "root": str(tmp_path / "chia"),
        "plotter_logs": [str(tmp_path / "plotters" / "**" / "*.log")],
        "madmax_logfile": str(tmp_path / "madmax.txt"),
    }
    return Config.model_validate({"chia": chia, "machine": {"state_folder": str(tmp_path / "state")}})


@pytest.fixture
async def opened(tmp_path: Path, clock: Clock) -> AsyncIterator[Open]:
    watches: list[Watch] = []

    async def open_one(known: MachineState | None = None) -> Watch:
        watch = Watch(config_of(tmp_path), "machine", clock=clock)
        await watch.start(known or MachineState())
        watches.append(watch)
        return watch

    yield open_one
    for watch in watches:
        await watch.close()


def harvester_of(state: MachineState) -> Harvester:
    entry = state.of("harvester")[""].message
    assert isinstance(entry, Harvester)
    return entry


def source_states(state: MachineState) -> dict[object, int]:
    return {
        identity: entry.message.state
        for identity, entry in state.of("source").items()
        if isinstance(entry.message, Source)
    }


def put_log(tmp_path: Path, lines: list[str], mode: str = "a") -> None:
    folder = tmp_path / "chia" / "log"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "debug.log").open(mode) as file:
        file.writelines(lines)


@pytest.fixture
def lines(data_folder: Path) -> list[str]:
    return (data_folder / "debug_farmer.log").read_text().splitlines(keepends=True)


async def test_a_machine_without_chia_is_watched_and_nothing_is_said_of_chia(
    opened: Open, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Chia that runs on the tests' machine is not the one asked for.
    monkeypatch.setattr(psutil, "pids", list)
    watch = await opened()
    state = await watch.look()
    assert {"system", "cpu", "ram", "disk", "source"} <= state.entries.keys()
    assert not {"farmer", "harvester", "full_node", "wallet", "harvester_plot"} & state.entries.keys()
    states = source_states(state)
    assert states.pop("hardware") == Source.OK
    del states["plotter logs"]  # another test may run a plotter meanwhile
    del states["smart"]  # as this machine has disks that may be asked
    assert states == dict.fromkeys(
        ["chia log", "chia daemon", "farmer rpc", "harvester rpc", "full node rpc", "wallet rpc"], Source.ABSENT
    )
    assert all(entry.timestamp == clock.now for _, _, entry in state.all_entries())
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


async def test_entries_that_did_not_change_are_the_same_messages(
    opened: Open, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Chia that runs on the tests' machine changes all the time.
    monkeypatch.setattr(psutil, "pids", list)
    put_log(tmp_path, lines)
    watch = await opened()
    first, second = await watch.look(), await watch.look()
    assert first is not second
    assert second.of("harvester")[""].message is first.of("harvester")[""].message
    changed = {change.topic.name for change in diff(first, second)}
    assert not changed & {"harvester", "farmer", "chia_notice", "system", "process"}


async def test_a_log_alone_gives_the_harvester_and_lines_added_are_seen(
    opened: Open, tmp_path: Path, lines: list[str]
) -> None:
    put_log(tmp_path, lines[:60])
    watch = await opened()
    first = await watch.look()
    put_log(tmp_path, lines[60:])
    second = await watch.look()
    assert harvester_of(first).n_challenges == 28
    assert harvester_of(second).n_challenges == 60
    assert harvester_of(second).n_plots == 5
    assert harvester_of(first).n_challenges == 28, "entries are never changed in place"


async def test_after_a_restart_no_line_is_counted_twice_and_none_is_missed(
    opened: Open, tmp_path: Path, lines: list[str]
) -> None:
    put_log(tmp_path, [*lines[:60], lines[60][:30]])
    watch = await opened()
    known = await watch.look()
    await watch.close()
    put_log(tmp_path, [lines[60][30:], *lines[61:90]])
    log = tmp_path / "chia" / "log" / "debug.log"
    log.rename(log.with_name("debug.log.1"))
    put_log(tmp_path, lines[90:])
    again = await opened(known)
    harvester = harvester_of(await again.look())
    assert (harvester.n_challenges, harvester.n_eligible_plots, harvester.n_proofs) == (60, 72, 83)


async def test_without_the_memory_file_known_lookups_are_not_counted_again(
    opened: Open, tmp_path: Path, lines: list[str]
) -> None:
    put_log(tmp_path, lines[:60])
    watch = await opened()
    known = await watch.look()
    await watch.close()
    (tmp_path / "state" / "watch.json").unlink()
    put_log(tmp_path, lines[60:])
    again = await opened(known)
    assert harvester_of(await again.look()).n_challenges == 60


async def test_a_corrupt_memory_is_put_aside_with_a_warning(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    for text in ("{", "[]", json.dumps({"version": 1, "log": 5, "watchdog": [], "x": None})):
        (folder / "watch.json").write_text(text)
        watch = await opened()
        await watch.look()
        await watch.close()
    assert (folder / "watch.json.corrupt").exists()
    assert sum("is corrupt" in record.message for record in caplog.records) == 2


async def test_a_log_that_is_a_folder_or_a_pipe_is_failing_and_all_else_goes_on(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "chia" / "log" / "debug.log").mkdir(parents=True)
    state = await (await opened()).look()
    source = state.of("source")["chia log"].message
    assert isinstance(source, Source)
    assert (source.state, source.error.endswith("is a folder")) == (Source.FAILING, True)
    assert isinstance(state.of("disk")["/"].message, Disk)


async def test_the_whole_farm_is_told_by_rpc_daemon_and_log_together(
    *,
    opened: Open,
    tmp_path: Path,
    chia: FakeChia,
    clock: Clock,
    until: Until,
    lines: list[str],
    rpc_answers: dict[str, Any],
    metrics_messages: list[tuple[float, dict[str, Any]]],
) -> None:
    chia.answer_as_recorded(rpc_answers)
    chia.answers["full_node", "get_blockchain_state"] = {
        "blockchain_state": {"space": 1.0e9, "sync": {"synced": True}, "peak": {"height": 9}},
        "success": True,
    }
    await chia.start("daemon", "farmer", "harvester", "full_node")
    put_log(tmp_path, lines)
    watch = await opened()
    first = await watch.look()
    assert len(first.of("harvester_plot")) == 6
    assert list(first.of("plot_folder")) == ["/mnt/lab/plots"]
    farmer = first.of("farmer")[""].message
    assert isinstance(farmer, Farmer)
    assert (farmer.n_harvesters, farmer.n_plots, farmer.effective_plot_bytes) == (2, 10, 2 * 15736189)
    assert farmer.expected_seconds_to_win == round(86400 / 4608 * 1e9 / (2 * 15736189))
    assert harvester_of(first).is_running
    assert harvester_of(first).is_connected_to_farmer
    await until(lambda: "metrics" in chia.sockets)
    before = len(metrics_messages)
    for at, message in metrics_messages:
        clock.now = at
        n_understood = watch._daemon_health.entry.n_understood
        await chia.push("metrics", message)
        if message["command"] in {"new_signage_point", "new_farming_info", "farming_info"}:
            await until(lambda n=n_understood: watch._daemon_health.entry.n_understood > n)  # type: ignore[misc]
    assert before == len(metrics_messages)
    last = await watch.look()
    assert harvester_of(last).n_challenges == 60
    second = next(
        entry.message for identity, entry in last.of("farmer_harvester").items() if str(identity).startswith("49b16985")
    )
    assert isinstance(second, HarvesterViewedFromFarmer)
    assert second.missed_challenges == 12
    assert second.n_timeouts == 1
    assert len(last.of("missed_challenge")) == 12


async def test_looking_never_waits_for_a_service_that_hangs(opened: Open, chia: FakeChia, clock: Clock) -> None:
    await chia.start("farmer", "harvester")
    watch = await opened()
    await watch.look()
    chia.is_hanging = True
    clock.now += 60
    state = await asyncio.wait_for(watch.look(), 5)
    assert "disk" in state.entries


async def test_a_log_of_megabytes_is_caught_up_within_few_looks(opened: Open, tmp_path: Path, lines: list[str]) -> None:
    block = "".join(lines)
    put_log(tmp_path, [block] * (5_000_000 // len(block)))
    watch = await opened()
    for _ in range(5):
        state = await watch.look()
        if watch._log.position.offset == (tmp_path / "chia/log/debug.log").stat().st_size:
            break
    assert watch._log.position.offset == (tmp_path / "chia/log/debug.log").stat().st_size
    assert harvester_of(state).n_plots == 5


def plots_of(state: MachineState) -> dict[object, PlotInProgress]:
    return {
        identity: entry.message
        for identity, entry in state.of("plotting_plot").items()
        if isinstance(entry.message, PlotInProgress)
    }


async def test_plotters_logs_tell_of_plots_in_progress_before_and_after_a_restart(
    opened: Open, tmp_path: Path, clock: Clock, data_folder: Path
) -> None:
    logs = {"madmax": tmp_path / "madmax.txt", "bladebit_ram": tmp_path / "plotters" / "a" / "b" / "ram.log"}
    logs["bladebit_ram"].parent.mkdir(parents=True)
    for name, path in logs.items():
        text = (data_folder.parent / "plotters" / f"{name}.log").read_text()
        path.write_text(text + "".join(text.splitlines(keepends=True)[:50]))
        os.utime(path, (clock.now, clock.now))
    watch = await opened()
    state = await watch.look()
    ours = {str(path) for path in logs.values()}
    plots = {identity: plot for identity, plot in plots_of(state).items() if plot.log_filepath in ours}
    assert {plot.plotter for plot in plots.values()} == {PlotInProgress.MADMAX, PlotInProgress.BLADEBIT}
    assert all(plot.HasField("remaining_seconds") for plot in plots.values())
    assert source_states(state)["plotter logs"] == Source.OK
    await watch.close()
    again = await opened(state)
    state = await again.look()
    assert {identity: plots_of(state).get(identity) for identity in plots} == plots
    clock.now += 400
    state = await again.look()
    assert source_states(state)["plotter logs"] == Source.OK, "silence does not make it stale"
    assert not plots.keys() & plots_of(state).keys(), "and a minute without a word or a plotter ends a plot"


async def test_a_plotter_that_is_killed_takes_its_plot_with_it(
    opened: Open, tmp_path: Path, clock: Clock, data_folder: Path, until: Until
) -> None:
    clock.now = time.time()
    program, log = tmp_path / "chia_plot", tmp_path / "out"
    program.symlink_to(PYTHON)
    say = f"print(open({str(data_folder.parent / 'plotters' / 'madmax.log')!r}).read()[:1500], flush=True); input()"
    with log.open("wb") as output:
        plotter = await asyncio.create_subprocess_exec(program, "-c", say, stdin=subprocess.PIPE, stdout=output)
    try:
        await until(lambda: log.stat().st_size > 1000)
        watch = await opened()
        plots = plots_of(await watch.look())
        (ours,) = (identity for identity, plot in plots.items() if plot.log_filepath == str(log))
        assert plots[ours].process_id == plotter.pid
    finally:
        plotter.kill()
        await plotter.communicate()
    clock.now += 6
    assert ours not in plots_of(await watch.look())


async def test_a_slow_lookup_read_late_stands_beside_what_its_disk_did_then(
    opened: Open, tmp_path: Path, clock: Clock
) -> None:
    watch = await opened()
    await watch.look()
    for age, busy, read in ((60.0, 5.0, 1e3), (55.0, 99.0, 2e8), (50.0, 4.0, 1e3)):
        disk = Disk(id="/", busy_percent=busy, read_bytes_per_second=read)
        watch._hardware.history.add(clock.now - age, {"/": disk})
    at = datetime.fromtimestamp(clock.now - 54).isoformat(timespec="milliseconds")  # noqa: DTZ006 - as Chia logs
    start = f"{at} 2.7.5 harvester chia.harvester.harvester: WARNING "
    warning = f"Looking up qualities on {tmp_path}/a.plot took: 9.5. This should be below 8 seconds to minimize risk"
    put_log(tmp_path, [f"{start} {warning} of losing rewards.\n"])
    notices = [entry.message for entry in (await watch.look()).of("chia_notice").values()]
    assert [(notice.disk_id, notice.disk_busy_percent) for notice in notices if isinstance(notice, ChiaNotice)] == [
        ("/", 99.0)
    ]
