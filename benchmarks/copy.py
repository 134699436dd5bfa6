"""Moving plots: `python -m benchmarks.copy [--gib N] [--rounds N] [--folder DIR] [--at-once N]`.

The real worker against `cp` and others, each in turn, from a cold source, until the copy is on the disk. Ratios are
medians over the rounds; above 1 the worker was faster. Also the processor's time, and the page cache taken.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chiatea.copier.job_spec import JobSpec, Verification
from chiatea.copier.system_calls import System
from chiatea.copier.worker_process import WORKER_COMMAND

SYSTEM = System()
MIB = 1 << 20


@dataclass(frozen=True)
class Taken:
    """What one way of copying took."""

    seconds: float
    cpu_seconds: float
    cached_bytes: int
    most_cached_bytes: int = 0


def make_plot(path: Path, n_bytes: int) -> str:
    """A file with a plot's header; returns the plot's id."""
    made = random.Random(n_bytes)
    plot_id = made.randbytes(32)
    header = b"Proof of Space Plot" + plot_id + bytes([32]) + struct.pack(">H", 4) + b"v1.0" + struct.pack(">H", 0)
    header += struct.pack(">10Q", *range(1000, 1010))
    block = made.randbytes(64 * MIB)
    with path.open("wb") as file:
        file.write(header)
        while file.tell() < n_bytes:
            file.write(block[: n_bytes - file.tell()])
        os.fsync(file.fileno())
    return plot_id.hex()


def drop(path: Path) -> None:
    """Out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        SYSTEM.drop_pages(file.fileno(), 0, 0)


def cached(*paths: Path) -> int:
    """How much of some files is in memory."""
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            total += SYSTEM.resident_bytes(file.fileno(), size) if size else 0
    return total


class Bench:
    """Plots in one folder, copied to another."""

    def __init__(self, source: Path, target: Path, n_bytes: int, n_files: int) -> None:
        self.source, self.target, self.n_bytes = source, target, n_bytes
        self.masters = [source / f"master{number}" for number in range(n_files)]
        plot_id = ""
        for master in self.masters:
            plot_id = make_plot(master, n_bytes)
        # A move takes a second name of its source; the master stays.
        self.names = [f"plot-k32-{number}-{plot_id}.plot" for number in range(n_files)]

    @contextlib.contextmanager
    def ready(self, n_files: int) -> Iterator[list[tuple[Path, Path]]]:
        """Cold sources, and names that are free at the target."""
        pairs = [(self.source / name, self.target / name) for name in self.names[:n_files]]
        for master, (source, target) in zip(self.masters, pairs, strict=False):
            drop(master)
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
            os.link(master, source)
        os.sync()
        yield pairs
        for source, target in pairs:
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    def shell(self, command: str, n_files: int = 1) -> Taken:
        """A command for each file, at once; S and T in it are the paths."""
        with self.ready(n_files) as pairs:
            before = os.times()
            began = time.perf_counter()
            processes = [
                subprocess.Popen(["sh", "-ec", command], env={**os.environ, "S": str(source), "T": str(target)})
                for source, target in pairs
            ]
            for process in processes:
                assert process.wait() == 0, command
            seconds = time.perf_counter() - began
            after = os.times()
            left = cached(*(target for _, target in pairs), *self.masters[:n_files])
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Taken(seconds, cpu, left)

    def move(self, verification: Verification, n_files: int = 1, *, watch: bool = False) -> Taken:
        """Our worker, one for each file."""
        with self.ready(n_files) as pairs, tempfile.TemporaryDirectory(dir=self.source) as journal:
            orders = [
                JobSpec(
                    f"job{number}", source, self.target, self.target.stat().st_dev, verification, 0, Path(journal), 0.0
                )
                for number, (source, _) in enumerate(pairs)
            ]
            before = os.times()
            began = time.perf_counter()
            processes = [
                subprocess.Popen(WORKER_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in orders
            ]
            for process, spec in zip(processes, orders, strict=True):
                assert process.stdin is not None
                process.stdin.write(json.dumps({"do": "copy", **spec.to_json()}).encode() + b"\n")
                process.stdin.flush()
            most = 0
            while watch and any(source.exists() for source, _ in pairs):
                most = max(most, cached(*self.masters[:n_files], *(spec.temporary for spec in orders)))
                time.sleep(0.02)
            for process in processes:
                assert process.stdout is not None
                assert any(json.loads(line)["event"] == "done" for line in iter(process.stdout.readline, b""))
                process.communicate()
            seconds = time.perf_counter() - began
            after = os.times()
            left = cached(*(target for _, target in pairs), *self.masters[:n_files])
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Taken(seconds, cpu, left, most)


CP_SYNC = 'cp "$S" "$T"; sync "$T"'
COLD_CMP = (
    f'{CP_SYNC}; dd of="$T" oflag=nocache conv=notrunc,fdatasync count=0 status=none; '
    'dd if="$S" iflag=nocache count=0 status=none; cmp "$S" "$T"'
)
COPYFILE = f"""{sys.executable} -c 'import os, shutil
shutil.copyfile(os.environ["S"], os.environ["T"]); os.unlink(os.environ["S"])'"""


def rounds(ways: dict[str, Callable[[], Taken]], n_rounds: int) -> dict[str, list[Taken]]:
    """Each way in turn, in another order each round."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for number in range(n_rounds):
        order = list(ways)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            taken[name].append(ways[name]())
    return taken


def ratio(slow: list[Taken], fast: list[Taken]) -> float:
    """How much faster, at the median."""
    return statistics.median(one.seconds / two.seconds for one, two in zip(slow, fast, strict=True))


def on_disk(bench: Bench, n_rounds: int, at_once: int) -> None:
    """All that issue 5 sets goals for."""
    ways: dict[str, Callable[[], Taken]] = {
        "copy": lambda: bench.move("none"),
        "move": lambda: bench.move("full"),
        "cp": lambda: bench.shell(CP_SYNC),
        "cp, cmp": lambda: bench.shell(COLD_CMP),
        "copyfile": lambda: bench.shell(COPYFILE),
        "copies": lambda: bench.move("none", at_once),
        "cps": lambda: bench.shell(CP_SYNC, at_once),
    }
    if shutil.which("rsync"):
        ways["rsync -W"] = lambda: bench.shell('rsync -W "$S" "$T"; sync "$T"')
    if shutil.which("rclone"):
        ways["rclone"] = lambda: bench.shell('rclone copyto "$S" "$T"; sync "$T"')
    taken = rounds(ways, n_rounds)
    for name, several in taken.items():
        seconds = sorted(one.seconds for one in several)
        middle = statistics.median(seconds)
        print(f"   {name:9} {middle:6.2f} s (from {seconds[0]:.2f} to {seconds[-1]:.2f})", flush=True)
    for what, slow, fast, goal in (
        ("copy with hash, durable, against cp + sync", "cp", "copy", 2.5),
        (f"the same, {at_once} at once", "cps", "copies", 3.0),
        ("move with cold verification, against cp + sync + cold cmp", "cp, cmp", "move", 5.0),
        ("the same against cp + sync, which verifies nothing", "cp", "move", 0.9),
        ("copy against copyfile + unlink, which is not durable", "copyfile", "copy", 1.2),
    ):
        print(f"{what}: {ratio(taken[slow], taken[fast]):.2f}x, goal {goal}x")
    for name in ("rsync -W", "rclone"):
        if name in taken:
            print(f"copy against {name} + sync: {ratio(taken[name], taken['copy']):.2f}x")
        else:
            print(f"{name.split()[0]} is not installed: not compared")
    gigabytes = bench.n_bytes / 1e9
    cpu = {name: statistics.median(one.cpu_seconds for one in several) / gigabytes for name, several in taken.items()}
    print(f"processor, copy + hash: {cpu['copy']:.2f} s per GB (cp + sync {cpu['cp']:.2f}), goal 0.4")
    print(f"processor, with full verification: {cpu['move']:.2f} s per GB, goal 0.5")
    left = max(one.cached_bytes for name in ("copy", "move", "copies") for one in taken[name]) / bench.n_bytes
    print(f"page cache left behind: {left:.1%} (cp: {taken['cp'][0].cached_bytes / bench.n_bytes:.0%}), goal 0 %")
    most = bench.move("full", watch=True).most_cached_bytes
    print(f"page cache in flight: {most / MIB:.0f} MiB a copy, goal 96 MiB")


def in_memory(n_bytes: int, n_rounds: int) -> None:
    """The processor's limit: tmpfs to tmpfs."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shutil.disk_usage(shm).free < 3 * n_bytes:
        print("tmpfs to tmpfs: there is no room for it")
        return
    with tempfile.TemporaryDirectory(dir=shm) as source, tempfile.TemporaryDirectory(dir=shm) as target:
        bench = Bench(Path(source), Path(target), n_bytes, 1)
        taken = rounds(
            {"copy": lambda: bench.move("none"), "dd": lambda: bench.shell('dd if="$S" of="$T" bs=512K status=none')},
            n_rounds,
        )
        gigabytes = n_bytes / 1e9
        speeds = {
            name: gigabytes / statistics.median(one.seconds for one in several) for name, several in taken.items()
        }
        print(
            f"tmpfs to tmpfs: {speeds['copy']:.2f} GB/s, dd bs=512K {speeds['dd']:.2f} GB/s: "
            f"{ratio(taken['dd'], taken['copy']):.2f}x"
        )


def main() -> None:
    """Measures, and prints each figure beside its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="the size of a plot")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: the temporary one")
    options = parser.parse_args()
    n_bytes = int(options.gib * (1 << 30))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        source, target = Path(name) / "source", Path(name) / "target"
        source.mkdir()
        target.mkdir()
        on_disk(Bench(source, target, n_bytes, options.at_once), options.rounds, options.at_once)
    in_memory(min(n_bytes, 1 << 30), options.rounds)


if __name__ == "__main__":
    main()
