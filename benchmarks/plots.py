"""The dashboard's list of plots: `python -m benchmarks.plots [--plots N] [--machines N]`.

The dashboard (without a terminal, 160x50) against a real server in a process of its own, over a farm of 1,000,000 plots
and one of 10 machines with 10,000: time from a key till what it asked for is on the screen. The ratio is what counts.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ["TEXTUAL_ANIMATIONS"] = "none"

from benchmarks.server import made_config, running_server
from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.database import Database
from chiatea.server.storage import batch_of
from chiatea.tui.app import ChiaTeaApp
from chiatea.tui.list_pane import ListPane
from chiatea.tui.table_view import TableView
from chiatea.wire.asking import Asking
from chiatea.wire.channel import Server
from chiatea.wire.feed import FarmFeed

N_ROUNDS = 5
K32_BYTES = 87 << 30


def plot_event(rng: random.Random, number: int) -> UpdateEvent:
    event = UpdateEvent(timestamp=1.7e9 + number * 0.001, event_type=ADD)
    plot = event.harvester_plot
    plot.plot_id, disk = rng.randbytes(32).hex(), f"/mnt/disk{number % 50:02}"
    plot.id = f"{disk}/plots/plot-k32-c05-2026-{1 + number % 12:02}-11-18-40-{plot.plot_id}.plot"
    plot.state, plot.plot_version, plot.k, plot.compression_level = 1, 1, 32, 5
    plot.file_bytes, plot.effective_bytes = K32_BYTES + rng.randrange(1 << 24), 108_888_000_000
    plot.plot_public_key, plot.pool_contract_puzzle_hash = rng.randbytes(48).hex(), "3b" * 32
    plot.modified_time, plot.disk_id = 1.7e9 + number, disk
    return event


def fill(filepath: Path, n_machines: int, n_plots: int) -> None:
    rng = random.Random(7)
    with Database(filepath, durability="normal") as database:
        for number in range(n_machines):
            events = [plot_event(rng, n) for n in range(n_plots // n_machines)]
            harvester = UpdateEvent(timestamp=1.7e9, event_type=ADD)
            harvester.harvester.n_plots = len(events)
            info = MachineInfo(machine_id=f"{number:012x}", name=f"house{number:03}", last_seen=1.7e9)
            database.write([batch_of(info.machine_id, 1, [harvester, *events])], [info])


class Step(NamedTuple):
    """What is pressed, and when it is there."""

    name: str
    keys: tuple[str, ...]
    is_there: Callable[[TableView, ListPane], bool]


def _row(table: TableView, index: int) -> str:
    return table.shown_text[index] if len(table.shown_text) > 1 else ""


def steps(n_plots: int, number: int) -> list[Step]:
    def is_at(text: str, row: int) -> Callable[[TableView, ListPane], bool]:
        return lambda table, _: text in _row(table, row) and "loaded" in _row(table, row)

    return [
        Step("to the end", ("end",), is_at("house", -1)),
        Step("to the top", ("home",), is_at("house000", 1)),
        Step("sorted by size", ("s",) * 6, lambda table, _: "SIZE ▲" in _row(table, 0) and "loaded" in _row(table, 1)),
        Step("to its end", ("end",), is_at("loaded", -1)),
        Step(
            "filtered by a disk",
            ("slash", *f"disk{10 + number}/"),
            lambda _, pane: f"{n_plots // 50:,} of {n_plots:,}" in str(pane.border_subtitle),
        ),
    ]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def measure(server: Server, n_plots: int, number: int) -> dict[str, float]:
    """Seconds from each key till its answer is on the screen."""
    took: dict[str, float] = {}
    began = time.perf_counter()
    app = ChiaTeaApp(FarmFeed(server, except_topics=("harvester_plot",)), Asking(server))
    async with app.run_test(size=(160, 50)) as pilot:
        await until(lambda: app._feed.has_snapshot)  # noqa: SLF001
        took["first frame"] = time.perf_counter() - began
        began = time.perf_counter()
        await app.run_action("open_plots()")
        await until(lambda: bool(app.screen.query(TableView)))
        table, pane = app.screen.query_one(TableView), app.screen.query_one(ListPane)
        await until(lambda: "loaded" in _row(table, 1))
        took["first page"] = time.perf_counter() - began
        for step in steps(n_plots, number):
            for key in step.keys[:-1]:
                await pilot.press(key)
            began = time.perf_counter()
            await pilot.press(step.keys[-1])
            await until(lambda step=step: step.is_there(table, pane))  # type: ignore[misc]
            took[step.name] = time.perf_counter() - began
    return took


def measured(folder: Path, n_machines: int, n_plots: int) -> dict[str, float]:
    fill(made_config(folder).monitoring.server.db_filepath, n_machines, n_plots)
    with running_server(folder, token_file="viewer.token") as running:
        rounds = [asyncio.run(measure(running.server, n_plots, number)) for number in range(N_ROUNDS)]
    return {name: statistics.median(taken[name] for taken in rounds) for name in rounds[0]}


def main() -> None:
    """Measures, and prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=int, default=1_000_000)
    parser.add_argument("--machines", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        small = measured(Path(name) / "small", 10, 10_000)
        large = measured(Path(name) / "large", options.machines, options.plots)
    for step, seconds in large.items():
        print(
            f"{step:20} {1000 * seconds:6.0f} ms, of 10 machines and 10,000 plots {1000 * small[step]:6.0f} ms: "
            f"{seconds / small[step]:.2f}"
        )


if __name__ == "__main__":
    main()
