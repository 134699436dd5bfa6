"""What many quiet collectors cost: `python -m benchmarks.collectors [--collectors N] [--seconds S]`.

The share of one core that a server takes for N collectors of which each has one event a second, and for the same number
that are connected and say nothing. As in `chia-tea collect`, what is news leaves at once, and readings leave together.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.pipeline import usual_mix
from benchmarks.server import Running, running_server
from chiatea.collector.service import GATHER_SECONDS
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.state.news import READINGS
from chiatea.wire.channel import Server
from chiatea.wire.reporting import Reporting

SETTLE_SECONDS = 12.0
"""A thousand TLS handshakes take a while, and are not what is measured."""


class Load(NamedTuple):
    """What each collector does."""

    what: str
    interval_seconds: float
    gathers: bool = True
    goal: str = ""


LOADS = (
    Load("with one event a second each", 1.0, goal=", goal 16 %"),
    Load("that say nothing", 3600.0),
    Load("with one event a second each, every one a message of its own", 1.0, gathers=False),
)


async def one_collector(server: Server, index: int, interval_seconds: float, *, gathers: bool = True) -> None:
    """Reports one event each interval, as `chia-tea collect` does unless it does not gather, until it is cancelled."""
    rng = random.Random(index)
    events = usual_mix(rng, 8, time.time())
    reporting = Reporting(server, f"{index:012x}", f"m{index}", COLLECTOR, gather_seconds=GATHER_SECONDS)
    sending = asyncio.create_task(reporting.run())
    try:
        await reporting.is_ready.wait()
        await asyncio.sleep(rng.random() * interval_seconds)
        for number in itertools.count():
            event = UpdateEvent()
            event.CopyFrom(events[number % 8])
            event.timestamp = time.time()
            reporting.put([event], at_once=not gathers or event.WhichOneof("event_data") not in READINGS)
            await asyncio.sleep(interval_seconds)
    finally:
        sending.cancel()
        await asyncio.wait({sending})


async def share_of_a_core(running: Running, load: Load, n_collectors: int, seconds: float) -> float:
    """CPU seconds of the server for each second, in percent."""
    tasks = [
        asyncio.create_task(one_collector(running.server, index, load.interval_seconds, gathers=load.gathers))
        for index in range(n_collectors)
    ]
    await asyncio.sleep(SETTLE_SECONDS)
    cpu, began = running.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    share = 100 * (running.cpu_seconds() - cpu) / (time.perf_counter() - began)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return share


def main() -> None:
    """Measures, and prints the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collectors", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    # One event loop for all: gRPC's own thread would call back a closed one.
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        for number, load in enumerate(LOADS):
            with running_server(Path(name) / str(number)) as running:
                share = runner.run(share_of_a_core(running, load, options.collectors, options.seconds))
            print(f"{options.collectors} collectors {load.what}: {share:.1f} % of a core{load.goal}", flush=True)


if __name__ == "__main__":
    main()
