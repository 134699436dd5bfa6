"""A Chia of any size in a process of its own: `python -m benchmarks.fake_farm ROOT --plots N --harvesters N`.

Services and their certificates are below ROOT as Chia has them. The farmer sends a signage point each 9.4 s, every
harvester answers it, and the log gets the harvester's line. It prints "ready" and goes on until its stdin closes.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.fake_chia import FakeChia

SIGNAGE_POINT_EVERY = 9.4
N_FOLDERS = 50
POOL_KEY = "0x" + "924a25596d5ccbe6" * 6
K32_BYTES = 87 << 30


def hexadecimal(rng: random.Random, n_bytes: int) -> str:
    return "0x" + rng.randbytes(n_bytes).hex()


def plot(rng: random.Random, number: int, folders: list[str]) -> dict[str, Any]:
    plot_id = hexadecimal(rng, 32)
    name = f"plot-k32-c05-2026-{1 + number % 12:02}-11-18-40-{plot_id[2:]}.plot"
    return {
        "compression_level": 5,
        "file_size": K32_BYTES + rng.randrange(1 << 24),
        "filename": f"{folders[number % len(folders)]}/{name}",
        "meta_group": 0,
        "plot_id": plot_id,
        "plot_index": 0,
        "plot_public_key": hexadecimal(rng, 48),
        "pool_contract_puzzle_hash": "0x" + "3b" * 32,
        "pool_public_key": None,
        "size": 32,
        "time_modified": 1_700_000_000 + number,
    }


class FakeFarm:
    """One farmer, its full node and wallet, this machine's harvester with all the plots, and other harvesters."""

    def __init__(self, root: Path, n_plots: int, n_harvesters: int) -> None:
        self.rng = random.Random(7)
        self.n_plots = n_plots
        self.chia = FakeChia(root)
        self.node_ids = [hexadecimal(self.rng, 32) for _ in range(n_harvesters)]
        self.chia.plot_folders = [str(root / f"disk{number:02}") for number in range(N_FOLDERS)]
        for folder in self.chia.plot_folders:
            Path(folder).mkdir(parents=True)
        self.log = root / "log" / "debug.log"
        self.log.parent.mkdir()
        self.log.touch()
        self.every_seconds, self.spread_seconds = SIGNAGE_POINT_EVERY, 0.0
        self.answers: Path | None = None
        self.index = 0

    def answer(self) -> None:
        rng, now = self.rng, time.time()
        plots = [plot(rng, number, self.chia.plot_folders) for number in range(self.n_plots)]
        body = json.dumps({"failed_to_open_filenames": [], "not_found_filenames": [], "plots": plots, "success": True})
        summaries = [self.summary(number, now) for number in range(len(self.node_ids))]
        connections = [
            {
                "bytes_read": 230087,
                "bytes_written": 82369,
                "creation_time": now - 86400,
                "last_message_time": now,
                "local_port": 8447,
                "node_id": node_id,
                "peer_host": f"10.0.0.{number}",
                "peer_port": 36434,
                "peer_server_port": 0,
                "type": 2,
            }
            for number, node_id in enumerate(self.node_ids)
        ]
        peers = [{**connections[0], "node_id": hexadecimal(rng, 32), "type": 1} for _ in range(80)]
        farmer = {**connections[0], "type": 3}
        version = {"success": True, "version": "2.7.5"}
        answers: dict[tuple[str, str], Any] = {
            ("harvester", "get_plots"): body.encode(),
            ("harvester", "get_plot_directories"): {"directories": self.chia.plot_folders, "success": True},
            ("harvester", "get_connections"): {"connections": [farmer], "success": True},
            ("farmer", "get_harvesters_summary"): {"harvesters": summaries, "success": True},
            ("farmer", "get_connections"): {"connections": connections, "success": True},
            ("farmer", "get_pool_state"): {"pool_state": [], "success": True},
            ("farmer", "get_signage_points"): {"signage_points": [], "success": True},
            ("full_node", "get_connections"): {"connections": peers, "success": True},
            ("wallet", "get_sync_status"): {"synced": True, "syncing": False, "success": True},
            ("wallet", "get_height_info"): {"height": 6_000_000, "success": True},
            ("wallet", "get_wallets"): {"wallets": [{"id": 1, "name": "Chia Wallet", "type": 0}], "success": True},
            ("wallet", "get_wallet_balance"): {
                "wallet_balance": {"confirmed_wallet_balance": 10**12, "wallet_id": 1},
                "success": True,
            },
            ("wallet", "get_farmed_amount"): {"farmed_amount": 10**12, "success": True},
        }
        answers.update(
            {(service, "get_version"): version for service in ("farmer", "harvester", "full_node", "wallet")}
        )
        self.chia.answers.update(answers)
        self.move_node()

    def summary(self, number: int, now: float) -> dict[str, Any]:
        n_plots = self.n_plots if number == 0 else 5000
        return {
            "connection": {"host": f"10.0.0.{number}", "node_id": self.node_ids[number], "port": 36434},
            "duplicates": 0,
            "failed_to_open_filenames": 0,
            "harvesting_mode": 1,
            "last_sync_time": now - 100,
            "no_key_filenames": 0,
            "plots": n_plots,
            "syncing": None,
            "total_effective_plot_size": n_plots * 108_888_000_000,
            "total_plot_size": n_plots * K32_BYTES,
        }

    def move_node(self) -> None:
        self.chia.answers["full_node", "get_blockchain_state"] = {
            "blockchain_state": {
                "average_block_time": 19,
                "block_max_cost": 11_000_000_000,
                "difficulty": 12_000,
                "mempool_size": self.rng.randrange(100),
                "peak": {"height": 6_000_000 + self.index // 2, "timestamp": int(time.time()), "weight": 1},
                "space": 2.1e19,
                "sub_slot_iters": 578_813_952,
                "sync": {"sync_mode": False, "sync_progress_height": 0, "sync_tip_height": 0, "synced": True},
            },
            "success": True,
        }

    async def live(self) -> None:
        """A signage point now and then, and all that follows from it."""
        while True:
            self.index = (self.index + 1) % 65
            self.move_node()
            with contextlib.suppress(ConnectionError):
                await self.point()
            await asyncio.sleep(max(0.0, self.every_seconds - self.spread_seconds))

    async def point(self) -> None:
        rng = self.rng
        challenge, signage_point = hexadecimal(rng, 32), hexadecimal(rng, 32)
        point = {
            "challenge_chain_sp": signage_point,
            "challenge_hash": challenge,
            "difficulty": 12_000,
            "reward_chain_sp": hexadecimal(rng, 32),
            "signage_point_index": self.index,
            "sub_slot_iters": 578_813_952,
        }
        sent = {"missing_signage_points": None, "proofs": {}, "signage_point": point, "success": True}
        await self.tell("chia_farmer", "new_signage_point", sent)
        for number, node_id in enumerate(self.node_ids):
            info = {
                "challenge_hash": challenge,
                "lookup_time": rng.randrange(200_000, 900_000),
                "node_id": node_id,
                "passed_filter": rng.randrange(30),
                "proofs": 0,
                "signage_point": signage_point,
                "timestamp": int(time.time()),
                "total_plots": self.n_plots if number == 0 else 5000,
            }
            await asyncio.sleep(self.spread_seconds / len(self.node_ids))
            if self.answers is not None:
                with self.answers.open("a") as answers:
                    answers.write(f"{time.time()} {node_id}\n")
            await self.tell("chia_farmer", "new_farming_info", {"farming_info": info, "success": True})
        n_eligible, seconds = rng.randrange(300), rng.uniform(0.2, 0.9)
        looked_up = {
            "challenge_hash": challenge,
            "eligible_plots": n_eligible,
            "found_proofs": 0,
            "found_v2_partial_proofs": 0,
            "success": True,
            "time": seconds,
            "total_plots": self.n_plots,
        }
        await self.tell("chia_harvester", "farming_info", looked_up)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime())
        with self.log.open("a") as log:
            log.write(
                f"{stamp}.000 2.7.5 harvester chia.harvester.harvester: INFO     challenge_hash: {challenge[2:12]} ..."
                f"{n_eligible} plots were eligible for farming challengeFound 0 V1 proofs and 0 V2 qualities. "
                f"Time: {seconds:.5f} s. Total {self.n_plots} plots\n"
            )

    async def tell(self, origin: str, command: str, data: dict[str, Any]) -> None:
        message = {
            "ack": False,
            "command": command,
            "data": data,
            "destination": "metrics",
            "origin": origin,
            "request_id": hexadecimal(self.rng, 32),
        }
        for registered_as in tuple(self.chia.sockets):
            with contextlib.suppress(ConnectionError):
                await self.chia.push(registered_as, message)


async def run(options: argparse.Namespace) -> None:
    farm = FakeFarm(options.root, options.plots, options.harvesters)
    farm.every_seconds, farm.spread_seconds, farm.answers = options.every, options.spread, options.answers
    farm.answer()
    await farm.chia.start()
    living = asyncio.create_task(farm.live())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    living.cancel()
    await farm.chia.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--plots", type=int, default=100_000)
    parser.add_argument("--harvesters", type=int, default=20)
    parser.add_argument("--every", type=float, default=SIGNAGE_POINT_EVERY, help="seconds between two signage points")
    parser.add_argument("--spread", type=float, default=0.0, help="seconds over which the harvesters answer one")
    parser.add_argument("--answers", type=Path, help="a file that each answer is written to: its time and node")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
