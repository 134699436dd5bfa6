"""From Chia's event to the event on the server: `python -m benchmarks.latency [--seconds S]`.

A made-up Chia (benchmarks/fake_farm.py) whose daemon tells each harvester's answer, a real `chia-tea collect` and a
real `chia-tea serve`, each a process of its own. Measured is from the moment before the daemon sends an answer to the
moment when a subscriber has the harvester's new state: committed on the disk, and delivered. Beside it: what one commit
takes on this disk, and one call over gRPC and TLS on loopback.
"""

import argparse
import asyncio
import bisect
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import yaml

from benchmarks.collector import running
from benchmarks.server import Running, running_server
from chiatea.protobuf.monitoring_service_pb2 import MachineStateRequest, SubscribeRequest
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.wire.channel import Server, open_channel

WARM_UP_SECONDS: Final = 10.0


class Counts:
    """When a subscriber first knew of how many answers, by harvester."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.counts: dict[str, list[int]] = {}

    async def follow(self, server: Server) -> None:
        """Takes down what comes until it is cancelled."""
        async with open_channel(server) as channel:
            async for message in MonitoringStub(channel).Subscribe(SubscribeRequest(topics=["farmer_harvester"])):
                now = time.time()
                for event in (*message.snapshot.entries, *message.delta.events):
                    harvester = event.farmer_harvester
                    self.times.setdefault(harvester.id, []).append(now)
                    self.counts.setdefault(harvester.id, []).append(harvester.n_challenges_answered)

    def delays(self, node_id: str, sent: list[float]) -> list[float]:
        """Seconds from each answer to the first state that counts it; of those that it counts."""
        times, counts = self.times[node_id], self.counts[node_id]
        # Answers from before the collector listened are in no count.
        missed = len(sent) - counts[-1]
        return [
            times[bisect.bisect_left(counts, number)] - moment
            for number, moment in enumerate(sent[missed:], start=1)
            if number > counts[0]
        ]


async def follow_for(viewer: Server, chia: "subprocess.Popen[str]", seconds: float) -> Counts:
    """What a subscriber sees until Chia has ended and all that it told has come."""
    counts = Counts()
    following = asyncio.create_task(counts.follow(viewer))
    await asyncio.sleep(WARM_UP_SECONDS + seconds)
    assert chia.stdin is not None
    chia.stdin.close()
    await asyncio.sleep(2.0)
    following.cancel()
    await asyncio.wait({following})
    return counts


def delays_of(counts: Counts, answers: Path) -> list[float]:
    """Seconds from each answer to the subscriber, over all harvesters, in ascending order."""
    sent: dict[str, list[float]] = {}
    for line in answers.read_text().splitlines():
        moment, node_id = line.split()
        sent.setdefault(node_id.removeprefix("0x"), []).append(float(moment))
    return sorted(delay for node_id, moments in sent.items() for delay in counts.delays(node_id, moments))


def commit_seconds(folder: Path) -> float:
    """What one small write takes until it is on this disk; the median of some."""
    taken = []
    with (folder / "written").open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def call_seconds(server: Server) -> float:
    """What one call takes; the median of some."""
    taken = []
    async with open_channel(server) as channel:
        for _ in range(50):
            began = time.perf_counter()
            async for _ in MonitoringStub(channel).GetMachineState(MachineStateRequest(machine_id="nobody")):
                pass
            taken.append(time.perf_counter() - began)
    return statistics.median(taken[5:])


def main() -> None:
    """Measures, and prints the delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--plots", type=int, default=10_000)
    parser.add_argument("--harvesters", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        folder = Path(name)
        root, answers = folder / "chia", folder / "answers"
        root.mkdir()
        fake = running(
            "benchmarks.fake_farm", str(root), f"--plots={options.plots}", f"--harvesters={options.harvesters}",
            "--every=4", "--spread=2", f"--answers={answers}",
        )  # fmt: skip
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
            command = ("chiatea", "collect", "--until-stdin-closes", f"--config={config}")
            with running(*command, f"--address={server.server.address}"):
                viewer = as_viewer(folder / "server", server)
                call = runner.run(call_seconds(server.server))
                delays = delays_of(runner.run(follow_for(viewer, chia, options.seconds)), answers)
        half, p99, longest = (1000 * delays[int(share * (len(delays) - 1))] for share in (0.5, 0.99, 1.0))
        print(
            f"{len(delays)} answers of {options.harvesters} harvesters: half within {half:.0f} ms, p99 {p99:.0f} ms, "
            f"at most {longest:.0f} ms, goal p99 300 ms"
        )
        print(f"   beside it: a commit {1000 * commit_seconds(folder):.1f} ms, a call over TLS {1000 * call:.1f} ms")


def as_viewer(folder: Path, server: Running) -> Server:
    """The server as a dashboard sees it."""
    return Server(server.server.address, server.server.certificate, (folder / "viewer.token").read_text().strip())


if __name__ == "__main__":
    main()
