"""What watching costs the farm: `python -m benchmarks.collector [--plots N ...] [--seconds S]`.

A real server and a real `chia-tea collect` with default settings, each a process of its own, beside a Chia that is made
up (benchmarks/fake_farm.py): every service's RPC and the daemon over mutual TLS, one harvester here with all the plots,
19 others, signage points each 9.4 s. The 50 disks are 50 folders on one. Printed is what the collector takes of one
core and of memory once the first sync is over, and what a comparison of all plots takes.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import yaml

from benchmarks.server import running_server
from benchmarks.sync import plot_event
from chiatea.collector.watch import PACKED_TOPICS
from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import UPDATE, ComputerInfo
from chiatea.protobuf.descriptors import TOPICS
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState, event_of

SETTLE_SECONDS = 45.0
SHARE_GOALS = {10_000: "goal 1 %", 100_000: "goal 3 %"}


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that ends when its stdin closes."""
    with subprocess.Popen(
        [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory now and at most so far, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(words["VmRSS"]) / 1024, int(words["VmHWM"]) / 1024


def cpu_seconds(process: psutil.Process) -> float:
    """Of all threads since it started."""
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(folder: Path, n_plots: int, n_harvesters: int, seconds: float) -> None:
    """One farm watched."""
    root = folder / "chia"
    root.mkdir(parents=True)
    fake = running("benchmarks.fake_farm", str(root), f"--plots={n_plots}", f"--harvesters={n_harvesters}")
    with fake as chia, running_server(folder / "server") as server:
        assert chia.stdout is not None
        assert chia.stdout.readline() == "ready\n"
        config = folder / "server" / "collect.yml"
        config.write_text(
            yaml.safe_dump(
                {
                    "machine": {"state_folder": "collector"},
                    "logging": {"log_to_file": False},
                    "chia": {"root": str(root)},
                }
            )
        )
        print(f"{n_plots} plots, {n_harvesters} harvesters")
        command = ("chiatea", "collect", "--until-stdin-closes", f"--config={config}")
        for what in ("first sync", "start when the server knows all"):
            with running(*command, f"--address={server.server.address}") as collector:
                process = psutil.Process(collector.pid)
                time.sleep(SETTLE_SECONDS)
                settled, began = cpu_seconds(process), time.perf_counter()
                _, first_peak = memory_mib(collector.pid)
                time.sleep(seconds)
                share = 100 * (cpu_seconds(process) - settled) / (time.perf_counter() - began)
                steady, peak = memory_mib(collector.pid)
            print(f"   {what}: {settled:.1f} s of CPU in {SETTLE_SECONDS:.0f} s, {first_peak:.0f} MiB at most")
            print(f"   then: {share:.2f} % of a core over {seconds:.0f} s, {SHARE_GOALS.get(n_plots, 'no goal')}")
            print(f"   memory: {steady:.0f} MiB, {peak:.0f} MiB at most, goal 150 MiB", flush=True)


def measure_diff(n_plots: int, rounds: int) -> None:
    """One plot changed among many: as the server and the dashboard hold them, and packed as the collector does."""
    plots = {event.harvester_plot.id: event.harvester_plot for event in map(plot_event, range(n_plots))}
    changed = HarvesterPlot()
    changed.CopyFrom(next(iter(plots.values())))
    changed.state = HarvesterPlot.NOT_FOUND
    pairs = {}
    for what, packed_topics in (("packed, as in the collector", PACKED_TOPICS), ("as messages", frozenset[str]())):
        old = MachineState(packed_topics=packed_topics)
        old.merge(ComputerInfo(timestamp=1, harvester_plots=plots.values()))
        new = old.copy()
        new.put(event_of(TOPICS["harvester_plot"], changed, UPDATE, 2))
        pairs[what] = (old, new)
    fields = [field.name for field in HarvesterPlot.DESCRIPTOR.fields]
    copies = {identity: HarvesterPlot.FromString(plot.SerializeToString()) for identity, plot in plots.items()}
    ours: dict[str, list[float]] = {what: [] for what in pairs}
    theirs = []
    for _ in range(rounds):
        for what, (old, new) in pairs.items():
            began = time.process_time()
            assert len(list(diff(old, new))) == 1
            ours[what].append(time.process_time() - began)
        began = time.process_time()
        n_different = sum(
            any(getattr(plot, name) != getattr(copies[identity], name) for name in fields)
            for identity, plot in plots.items()
        )
        theirs.append(time.process_time() - began)
        assert n_different == 0
    print(f"{n_plots} plots, one changed; compared field by field: {1000 * statistics.median(theirs):.0f} ms")
    for what, taken in ours.items():
        ratio = statistics.median(theirs) / statistics.median(taken)
        print(
            f"   diff, {what}: {1000 * statistics.median(taken):.1f} ms, {ratio:.0f} times faster, goal 20", flush=True
        )


def main() -> None:
    """Measures, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--harvesters", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    measure_diff(max(options.plots, default=100_000), options.rounds)
    for n_plots in options.plots:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), n_plots, options.harvesters, options.seconds)


if __name__ == "__main__":
    main()
