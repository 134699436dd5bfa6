"""From a collector's batch to the commit: `python -m benchmarks.pipeline [--seconds S] [--rounds N]`.

Events committed per second by a real server (its own process, TLS, tokens, every commit on the disk before its ack),
100 collectors on loopback in a second process, against what `sqlite3` alone does with the same rows: the same events
and state rows, made beforehand, in one transaction. Server and raw SQLite are measured in turn, so a machine whose
speed drifts does not favour one; the ratio of each round is printed, and the median is what counts.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.server import running_server
from chiatea.protobuf.computer_info_pb2 import UPDATE, UpdateEvent
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import BatchAck, EventBatch, ReporterHello, ReporterMessage
from chiatea.server.database.schema import TABLES, create_statements, stored_row
from chiatea.wire.channel import Server, open_channel

METHOD = "/chiatea.Monitoring/SendMonitoringUpdate"
N_COLLECTORS = 100
N_BEFORE_ACK = 8
"""Batches that a collector sends ahead of its acks."""


def usual_mix(rng: random.Random, count: int, timestamp: float) -> list[UpdateEvent]:
    """Events as a farm sends them: half of them of disks, the rest of processor, memory, harvester and processes."""
    events = []
    for index in range(count):
        event = UpdateEvent(timestamp=timestamp, event_type=UPDATE)
        kind = index % 8
        if kind < 4:
            event.disk.id = f"/mnt/disk{rng.randrange(16)}"
            event.disk.state = Disk.OK
            event.disk.total_bytes = 16 * 10**12
            event.disk.used_bytes = rng.randrange(16 * 10**12)
            event.disk.free_bytes = rng.randrange(16 * 10**12)
            event.disk.read_bytes_per_second = rng.randrange(10**8)
            event.disk.busy_percent = rng.randrange(100)
        elif kind == 4:
            event.cpu.usage_percent = rng.randrange(1000) / 10
            event.cpu.n_logical_cores = 8
            event.cpu.load_1_minute = rng.random()
        elif kind == 5:
            event.ram.total_bytes = 64 << 30
            event.ram.used_bytes = rng.randrange(64 << 30)
        elif kind == 6:
            event.harvester.is_running = True
            event.harvester.n_plots = 1800
            event.harvester.n_challenges = rng.randrange(10**6)
            event.harvester.last_lookup_seconds = rng.random()
        else:
            event.process.id = rng.randrange(4000, 4008)
            event.process.name = "chia_harvester"
            event.process.cpu_percent = rng.randrange(100)
            event.process.resident_bytes = rng.randrange(10**9)
        events.append(event)
    return events


def raw_rate(folder: Path, n_events: int) -> float:
    """Events per second of sqlite3 alone: the rows of events and of the state, in one transaction."""
    rng = random.Random(1)
    events = usual_mix(rng, n_events, 1.7e9)
    event_rows: dict[str, list[list[object]]] = {}
    state_rows: dict[str, list[list[object]]] = {}
    for index, event in enumerate(events):
        name = event.WhichOneof("event_data") or ""
        data = stored_row(getattr(event, name), TABLES[name].topic.columns)
        machine = f"{index % N_COLLECTORS:012x}"
        event_rows.setdefault(name, []).append([machine, 1.7e9 + index, index, 0, 2, *data])
        state_rows.setdefault(name, []).append([machine, 1.7e9 + index, *data])
    path = folder / "raw.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for statement in create_statements():
        connection.execute(statement)
    began = time.perf_counter()
    connection.execute("BEGIN")
    for name, rows in event_rows.items():
        connection.executemany(TABLES[name].events.insert, rows)
    for name, rows in state_rows.items():
        connection.executemany(TABLES[name].upsert_state, rows)
    connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return n_events / seconds


def varint(value: int) -> bytes:
    """A length as protobuf writes it."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


async def one_collector(server: Server, index: int, batch_size: int, until: float) -> int:
    """Sends batches as fast as they are acked; returns how many events were acked."""
    rng = random.Random(index)
    async with open_channel(server) as channel:
        room = asyncio.Semaphore(N_BEFORE_ACK)

        async def messages() -> AsyncIterator[bytes]:
            hello = ReporterHello(machine_id=f"{index:012x}", machine_name=f"m{index}")
            yield ReporterMessage(hello=hello).SerializeToString()
            # Encoded once: what that costs is a hundred collectors' affair, and here they share one processor.
            made = [EventBatch(events=usual_mix(rng, batch_size, time.time())).SerializeToString() for _ in range(8)]
            sequence = 0
            while time.monotonic() < until:
                await room.acquire()
                sequence += 1
                # Encoded messages put one after the other are one message with the fields of both.
                batch = EventBatch(sequence=sequence).SerializeToString() + made[sequence % 8]
                yield b"\x12" + varint(len(batch)) + batch

        acked = 0
        call = channel.stream_stream(METHOD, response_deserializer=BatchAck.FromString)
        async for ack in call(messages()):
            for _ in range(ack.sequence - acked):
                room.release()
            acked = ack.sequence
        return acked * batch_size


async def all_collectors(server: Server, batch_size: int, seconds: float) -> float:
    """Events per second that the server acked to all collectors."""
    began = time.monotonic()
    counts = await asyncio.gather(
        *(one_collector(server, index, batch_size, began + seconds) for index in range(N_COLLECTORS))
    )
    return sum(counts) / (time.monotonic() - began)


def server_rate(folder: Path, batch_size: int, seconds: float) -> tuple[float, float]:
    """Events per second that a fresh server commits, and its CPU seconds for each thousand of them."""
    with running_server(folder) as running:
        before = running.cpu_seconds()
        rate = asyncio.run(all_collectors(running.server, batch_size, seconds))
        return rate, 1000 * (running.cpu_seconds() - before) / (rate * seconds)


def main() -> None:
    """Measures, and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each measurement sends")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for batch_size, goal in ((16, 0.35), (2, 0.15)):
            ratios = []
            for number in range(options.rounds):
                raw = raw_rate(folder, 60_000)
                rate, cpu = server_rate(folder / f"{batch_size}-{number}", batch_size, options.seconds)
                ratios.append(rate / raw)
                print(
                    f"   batches of {batch_size:2}: {rate:8.0f} events/s committed, raw SQLite {raw:8.0f}, "
                    f"ratio {rate / raw:.2f}, {cpu:.3f} s of CPU for 1,000 events",
                    flush=True,
                )
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            print(f"batches of {batch_size}: {middle:.2f} of raw SQLite (from {low:.2f} to {high:.2f}), goal {goal}")


if __name__ == "__main__":
    main()
