"""From a collector's batch to every dashboard: `python -m benchmarks.fanout [--rate EVENTS] [--seconds S]`.

Events at a steady rate from 10 collectors, with 1, 10 and 50 subscribers: milliseconds from the sending of an event to
its arrival at a subscriber (one clock: all of it is on this machine, and sending, the commit's fsync and the frame's
tick are in it), and the server's CPU for each event with 50 subscribers against 1. Collectors and subscribers share
one process here, so what they cost is in the latency too.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.pipeline import usual_mix
from benchmarks.server import Running, running_server
from chiatea.protobuf.monitoring_service_pb2 import EventBatch, ReporterHello, ReporterMessage, SubscribeRequest
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.wire.channel import Server, open_channel

N_COLLECTORS = 10
BATCH_SIZE = 16
SETTLE_SECONDS = 1.5


async def one_collector(server: Server, index: int, interval_seconds: float) -> None:
    """Sends a batch each interval until it is cancelled; every event says when it was sent."""
    rng = random.Random(index)
    templates = [usual_mix(rng, BATCH_SIZE, 0.0) for _ in range(4)]

    async def messages() -> AsyncIterator[ReporterMessage]:
        yield ReporterMessage(hello=ReporterHello(machine_id=f"{index:012x}", machine_name=f"m{index}"))
        await asyncio.sleep(rng.random() * interval_seconds)
        sequence, due = 0, time.monotonic()
        while True:
            sequence += 1
            events = templates[sequence % 4]
            now = time.time()
            for event in events:
                event.timestamp = now
            yield ReporterMessage(batch=EventBatch(sequence=sequence, events=events))
            due += interval_seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async with open_channel(server) as channel:
        async for _ in MonitoringStub(channel).SendMonitoringUpdate(messages()):
            pass


async def one_subscriber(server: Server, begin: float, delays: list[float], counts: list[int]) -> None:
    """Notes the age of the oldest and the newest event of each delta that comes after `begin`."""
    async with open_channel(server) as channel:
        async for message in MonitoringStub(channel).Subscribe(SubscribeRequest()):
            now = time.time()
            if now >= begin and message.delta.events:
                times = [event.timestamp for event in message.delta.events]
                counts[0] += len(times)
                delays += (now - min(times), now - max(times))


async def measure(running: Running, collecting: Server, n_subscribers: int, rate: float, seconds: float) -> float:
    """Prints the delays, and returns the server's CPU seconds for each event that was sent."""
    interval = N_COLLECTORS * BATCH_SIZE / rate
    delays: list[float] = []
    counts = [0]
    begin = time.time() + SETTLE_SECONDS
    tasks = [asyncio.create_task(one_collector(collecting, n, interval)) for n in range(N_COLLECTORS)]
    tasks += [asyncio.create_task(one_subscriber(running.server, begin, delays, counts)) for _ in range(n_subscribers)]
    await asyncio.sleep(SETTLE_SECONDS)
    before = running.cpu_seconds()
    await asyncio.sleep(seconds)
    cpu = running.cpu_seconds() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    delays.sort()
    middle, worst = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    goal = ", goal p99 100 ms" if n_subscribers == 10 else ""
    print(
        f"   {n_subscribers:2} subscribers: half within {1000 * middle:.0f} ms, p99 {1000 * worst:.0f} ms{goal}; "
        f"{counts[0] / seconds:.0f} entries/s delivered; "
        f"{1e6 * cpu / (rate * seconds):.0f} us of the server's CPU an event",
        flush=True,
    )
    return cpu / (rate * seconds)


def main() -> None:
    """Measures, and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000.0, help="events a second, of all collectors")
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    costs = {}
    with tempfile.TemporaryDirectory() as name:
        for n_subscribers in (1, 10, 50):
            # An admin's token may do both, so one server serves both sides.
            with running_server(Path(name) / str(n_subscribers), token_file="admin.token") as running:
                costs[n_subscribers] = asyncio.run(
                    measure(running, running.server, n_subscribers, options.rate, options.seconds)
                )
    print(f"50 subscribers against 1: {costs[50] / costs[1]:.1f}x the CPU of the server for each event, goal 3x")


if __name__ == "__main__":
    main()
