"""What many quiet collectors cost: `python -m benchmarks.collectors [--collectors N] [--seconds S]`.

The share of one core that a server takes for N collectors that each send one event a second, and for the same number
that are connected and say nothing.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.pipeline import METHOD, usual_mix, varint
from benchmarks.server import Running, running_server
from chiatea.protobuf.monitoring_service_pb2 import BatchAck, EventBatch, ReporterHello, ReporterMessage
from chiatea.wire.channel import Server, open_channel

SETTLE_SECONDS = 12.0
"""A thousand TLS handshakes take a while, and are not what is measured."""


async def one_collector(server: Server, index: int, interval_seconds: float) -> None:
    """Sends one event each interval until it is cancelled."""
    rng = random.Random(index)

    async def messages() -> AsyncIterator[bytes]:
        hello = ReporterHello(machine_id=f"{index:012x}", machine_name=f"m{index}")
        yield ReporterMessage(hello=hello).SerializeToString()
        made = [EventBatch(events=usual_mix(rng, 1, time.time())).SerializeToString() for _ in range(4)]
        await asyncio.sleep(rng.random() * interval_seconds)
        sequence = 0
        while True:
            sequence += 1
            batch = EventBatch(sequence=sequence).SerializeToString() + made[sequence % 4]
            yield b"\x12" + varint(len(batch)) + batch
            await asyncio.sleep(interval_seconds)

    async with open_channel(server) as channel:
        async for _ in channel.stream_stream(METHOD, response_deserializer=BatchAck.FromString)(messages()):
            pass


async def share_of_a_core(running: Running, n_collectors: int, interval_seconds: float, seconds: float) -> float:
    """CPU seconds of the server for each second, in percent."""
    tasks = [
        asyncio.create_task(one_collector(running.server, index, interval_seconds)) for index in range(n_collectors)
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
    with tempfile.TemporaryDirectory() as name:
        for what, interval in (("at one event a second each", 1.0), ("that say nothing", 3600.0)):
            with running_server(Path(name) / what.split()[-1]) as running:
                share = asyncio.run(share_of_a_core(running, options.collectors, interval, options.seconds))
            goal = ", goal 16 %" if interval == 1.0 else ""
            print(f"{options.collectors} collectors {what}: {share:.1f} % of a core{goal}", flush=True)


if __name__ == "__main__":
    main()
