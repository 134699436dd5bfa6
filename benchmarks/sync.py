"""The first sync of a large harvester: `python -m benchmarks.sync [--plots N] [--rounds N]`.

Seconds from the moment a collector hands over its plots until a fresh server acked them all, the seconds to read the
state of 10,000 plots back, and the server's memory.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.server import Running, running_server
from chiatea.collector.service import PART_CHANGES
from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, MachineStateRequest
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.wire.channel import open_channel
from chiatea.wire.reporting import Reporting

N_READ_BACK = 10_000


def plot_event(number: int) -> UpdateEvent:
    """A plot as a harvester tells it."""
    event = UpdateEvent(timestamp=1.7e9, event_type=ADD)
    event.harvester_plot.CopyFrom(
        HarvesterPlot(
            id=f"/mnt/disk{number % 50}/plots/plot-k32-c05-2026-11-23-18-40-{number:064x}.plot",
            plot_id=f"{number:064x}",
            state=HarvesterPlot.LOADED,
            plot_version=1,
            k=32,
            compression_level=5,
            file_bytes=(87 << 30) + number,
            effective_bytes=101 << 30,
            plot_public_key=f"{number:096x}",
            pool_contract_puzzle_hash=f"{number % 7:064x}",
            modified_time=1.7e9 + number,
            disk_id=f"/mnt/disk{number % 50}",
        )
    )
    return event


async def sync(running: Running, machine_id: str, events: list[UpdateEvent]) -> float:
    """Seconds until everything is acked."""
    reporting = Reporting(running.server, machine_id, machine_id, COLLECTOR)
    task = asyncio.create_task(reporting.run())
    await reporting.is_ready.wait()
    began = time.perf_counter()
    for begin in range(0, len(events), PART_CHANGES):
        # In parts, as the collector does: the first are on their way while the last are made.
        reporting.put(events[begin : begin + PART_CHANGES])
        await asyncio.sleep(0)
    while reporting.n_unacked:
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    task.cancel()
    await asyncio.wait({task})
    return seconds


async def read_back(running: Running, machine_id: str) -> list[float]:
    """Seconds that each of some readings of one machine's state takes."""
    taken = []
    async with open_channel(running.server) as channel:
        for _ in range(7):
            began = time.perf_counter()
            count = 0
            async for chunk in MonitoringStub(channel).GetMachineState(MachineStateRequest(machine_id=machine_id)):
                count += len(chunk.part.harvester_plots)
            taken.append(time.perf_counter() - began)
            assert count == N_READ_BACK
    return taken


async def measure(folder: Path, events: list[UpdateEvent]) -> tuple[float, float]:
    """Seconds of a first sync and of a reading, with a fresh server."""
    with running_server(folder) as running:
        before = running.process.memory_info().rss
        seconds = await sync(running, "large", events)
        after = running.process.memory_info().rss
        await sync(running, "small", events[:N_READ_BACK])
        reading = statistics.median(await read_back(running, "small"))
        print(
            f"   {len(events)} plots synced in {seconds:.2f} s, {N_READ_BACK} read back in {1000 * reading:.0f} ms, "
            f"the server grew from {before >> 20} to {after >> 20} MiB",
            flush=True,
        )
        return seconds, reading


def main() -> None:
    """Measures, and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    events = [plot_event(number) for number in range(max(options.plots, N_READ_BACK))]
    with tempfile.TemporaryDirectory() as name:
        measured = [asyncio.run(measure(Path(name) / str(n), events)) for n in range(options.rounds)]
    syncs, readings = zip(*measured, strict=True)
    print(
        f"first sync: {statistics.median(syncs):.2f} s (from {min(syncs):.2f} to {max(syncs):.2f}), "
        "goal 2.5 s for 100,000 plots"
    )
    print(f"{N_READ_BACK} plots read back: {1000 * statistics.median(readings):.0f} ms, goal 45 ms")


if __name__ == "__main__":
    main()
