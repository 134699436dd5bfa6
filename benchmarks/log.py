"""A log read from its start, against `wc -l`: `python -m benchmarks.log [--megabytes N] [--folder DIR] [--mix NAME]`.

The log is made of lines as Chia 2.7.5 writes them on one machine that farms and has a full node, at INFO: mostly the
full node's, a tenth of them lookups and a tenth signage points, times that go on as a clock does. `--mix recording` is
the recorded farm's log again and again instead: a harvester that looks up every four seconds and refreshes its plots
every ten, without a full node, so that two lines of three tell something.

`wc -l` and the collector's own `LogWatch` with a `Watchdog` behind it read the whole file in turn, from the page cache.
What counts is the median of the ratios of wall time, and the memory that reading takes at most.
"""

import argparse
import asyncio
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

N_ROUNDS: Final = 5
RECORDING: Final = Path(__file__).parent.parent / "tests" / "data" / "chia" / "debug_farmer.log"
START: Final = 1_767_225_600.0
HEX: Final = "0123456789abcdef"


def full_node_lines(rng: random.Random, n_points: int) -> Iterator[str]:
    """All but the time and version of lines without end; `n_points` signage points were there before."""
    node = "full_node chia.full_node.full_node: INFO     "
    while True:
        one, two = ("".join(rng.choices(HEX, k=64)) for _ in range(2))
        number, share = rng.randrange(10**9), rng.random()
        match rng.choices(range(7), weights=(10, 10, 20, 10, 35, 8, 7))[0]:
            case 0:
                n_points += 1
                if n_points % 64:
                    yield f"{node}⏲️  Finished signage point {n_points % 64}/64: CC: {one} RC: {two} "
                else:
                    yield f"{node}⏲️  Finished sub slot, SP 64/64, {one}, number of sub-slots: 1, RC hash: {two}"
            case 1:
                yield (
                    f"harvester chia.harvester.harvester: INFO     challenge_hash: {one[:10]} ...{number % 9} plots "
                    f"were eligible for farming challengeFound {int(share < 0.01)} V1 proofs and 0 V2 qualities. "
                    f"Time: {rng.lognormvariate(-2, 1):.5f} s. Total 4211 plots"
                )
            case 2:
                yield (
                    f"{node}Added unfinished_block {one}, not farmed by us, SP: {number % 64} farmer response time: "
                    f"{20 * share}, Pool pk xch1{two[:58]}, validation time: {share}, cost: {number}, percent full: "
                    f"{9 * share:.3f}%"
                )
            case 3:
                yield (
                    f"{node}🌱 Updated peak to height {n_points}, weight {number}, hh {one}, ph {two}, forked at "
                    f"{n_points}, rh: {two}, total iters: {number}, overflow: False, deficit: 7, difficulty: 14000, "
                    "sub slot iters: 578813952, Generator size: 100, Generator ref list size: 0"
                )
            case 4:
                yield (
                    f"full_node chia.full_node.mempool_manager: INFO     add_spendbundle {one} took {share:.2f} "
                    f"seconds. Cost: {number} ({share:.3f}% of max block cost)"
                )
            case 5:
                host = f"{number % 200}.{number % 250}.{number % 255}.7"
                yield f"full_node full_node_server        : INFO     Connection closed: {host}, node id: {one}"
            case _:
                yield f"wallet chia.wallet.wallet_blockchain: INFO     Peak set to: {n_points} timestamp: {number}"


def full_node_block(rng: random.Random, first_hour: int) -> bytes:
    """An hour of lines of the first day."""
    lines = []
    for number, line in zip(range(20_000), full_node_lines(rng, first_hour * 400), strict=False):
        now = datetime.fromtimestamp(START + first_hour * 3600 + number * 0.18, UTC)
        lines.append(f"{now.isoformat(timespec='milliseconds').removesuffix('+00:00')} 2.7.5 {line}\n")
    return "".join(lines).encode()


def make_log(path: Path, megabytes: int, mix: str) -> None:
    """Writes a log of about that size."""
    rng = random.Random(1)
    n_bytes, n_blocks = 0, 0
    made = [full_node_block(rng, first) for first in range(8)] if mix == "full-node" else []
    recording = RECORDING.read_bytes() + b"\n"
    with path.open("wb") as file:
        while n_bytes < megabytes * 1_000_000:
            block = made[n_blocks % 8] if made else recording * 200
            if made:
                day = datetime.fromtimestamp(START + n_blocks // 8 * 86400, UTC).date().isoformat()
                block = block.replace(b"2026-01-01T", day.encode() + b"T")
            n_bytes += file.write(block)
            n_blocks += 1


def read_once(path: Path) -> None:
    """Reads the whole log as a collector that starts: prints seconds of wall time and of CPU, and what was found."""
    from chiatea.collector.log_watch import LogWatch  # noqa: PLC0415 - in a process of its own, for its memory
    from chiatea.collector.watchdog.watchdog import Watchdog  # noqa: PLC0415

    watchdog = Watchdog()
    watch = LogWatch(path, watchdog.take, time.time)
    before = peak_memory_bytes()
    wall, cpu = time.perf_counter(), time.process_time()

    size = path.stat().st_size

    async def read() -> None:
        while watch.position.offset < size:
            await watch.look()

    asyncio.run(read())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = peak_memory_bytes() - before
    entry = watch.health.entry
    n_lookups = watchdog.harvester.draft.n_challenges
    print(wall, cpu, memory, entry.n_understood, entry.n_not_understood, n_lookups)


def main() -> None:
    """Measures, and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--mix", choices=("full-node", "recording"), default="full-node")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read is not None:
        read_once(arguments.read)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "debug.log"
        make_log(path, arguments.megabytes, arguments.mix)
        measure(path)


def measure(path: Path) -> None:
    """Both in turn, from the page cache."""
    n_lines = int(subprocess.run(["wc", "-l", path], capture_output=True, text=True, check=True).stdout.split()[0])
    command = [sys.executable, "-m", "benchmarks.log", "--read", str(path)]
    wc_seconds: list[tuple[float, float]] = []
    read_seconds: list[tuple[float, float]] = []
    found = [0.0]
    for _ in range(N_ROUNDS):
        for _ in range(3):
            wall, cpu = time.perf_counter(), children_cpu_seconds()
            subprocess.run(["wc", "-l", path], stdout=subprocess.DEVNULL, check=True)
            wc_seconds.append((time.perf_counter() - wall, children_cpu_seconds() - cpu))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = [float(value) for value in done.stdout.split()]
        read_seconds.append((found[0], found[1]))
    megabytes = path.stat().st_size / 1e6
    print(f"{megabytes:.0f} MB, {n_lines} lines, {found[5]:.0f} lookups; {found[4]:.0f} lines not understood")
    wc_wall, wc_cpu = (statistics.median(column) for column in zip(*wc_seconds, strict=True))
    wall, cpu = (statistics.median(column) for column in zip(*read_seconds, strict=True))
    print(f"wc -l             {wc_wall:.3f} s, of CPU {wc_cpu:.3f} s")
    print(f"read from the start {wall:.3f} s, of CPU {cpu:.3f} s; {megabytes / wall:.0f} MB/s")
    print(f"ratio of medians  {wall / wc_wall:.1f} (goal 8), of CPU {cpu / wc_cpu:.1f}")
    print(f"memory            +{found[2] / 2**20:.0f} MiB over a collector that reads no log")


def peak_memory_bytes() -> int:
    """Of this process alone: what `getrusage` tells is its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024


def children_cpu_seconds() -> float:
    """Of the processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
