"""A small real Chia farm for `make test-real`, run by the Python that chia-blockchain is installed for.

`real_farm.py prepare FOLDER`: two Chia roots below FOLDER, as two machines have them: `farm` with the key, a farmer and
a harvester, `barn` with a harvester of that farmer. Real small plots for both, ports that are free now, and a private
test network whose rules let small plots pass the filter and win. Needs $CHIA_KEYS_ROOT.

`real_farm.py plot FOLDER N_V1 N_V2`: makes more such plots, one after the other, into a folder. Needs the same.

`real_farm.py feed ROOT FILE HOLD`: is the full node of ROOT's farmer and sends it a signage point each 4 s, until it is
ended, but none while there is a file HOLD. Each point that it sends, each proof that it gets and each time that it is
held is a line of JSON in FILE, with its time.
"""

import asyncio
import json
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from chia.plotting.create_plots import PlotKeys, create_plots, create_v2_plots
from chia.plotting.util import Params
from chia.protocols.farmer_protocol import DeclareProofOfSpace, NewSignagePoint
from chia.protocols.outbound_message import Message, NodeType, make_msg
from chia.protocols.protocol_message_types import ProtocolMessageTypes
from chia.protocols.shared_protocol import Handshake, default_capabilities, protocol_version
from chia.server.server import ssl_context_for_client
from chia.util.bech32m import encode_puzzle_hash
from chia.util.config import load_config, save_config
from chia.util.keychain import Keychain, generate_mnemonic
from chia.wallet.derive_keys import master_sk_to_farmer_sk, master_sk_to_pool_sk
from chia_rs import AugSchemeMPL
from chia_rs.sized_bytes import bytes32
from chia_rs.sized_ints import uint8, uint16, uint32, uint64

NETWORK = "testnet0"
RULES = {
    "MIN_PLOT_SIZE_V1": 18,
    "PLOT_SIZE_V2": 20,
    "NUMBER_ZERO_BITS_PLOT_FILTER_V1": 1,
    "NUMBER_ZERO_BITS_PLOT_FILTER_V2": 1,
    "DIFFICULTY_CONSTANT_FACTOR": 33554432,
    # v2 plots are farmed from this height on: from the start.
    "HARD_FORK2_HEIGHT": 0,
}
SECONDS_BETWEEN_POINTS = 4.0
SKIPS_BEFORE_POINT = {3: 3}
"""Point number: how many points the node "did not see" just before it."""


def chia(root: Path, *arguments: str) -> None:
    """Runs a command of Chia's."""
    command = Path(sys.executable).with_name("chia")
    done = subprocess.run([command, "--root-path", root, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"chia {' '.join(arguments)}: {done.stdout}{done.stderr}")


def free_ports(n: int) -> list[int]:
    """Ports of loopback that nobody listens on, and that no connection is given before they are: Linux takes the ports
    of those that somebody opens from 32768 on (ip_local_port_range).
    """
    ports: list[int] = []
    for port in random.sample(range(20000, 32768), 12768):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == n:
            return ports
    raise SystemExit("no port of loopback is free")


def all_dicts(value: Any) -> list[dict[str, Any]]:
    """A parsed document's mappings, nested ones too."""
    if isinstance(value, list):
        return [found for item in value for found in all_dicts(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in all_dicts(item))]


def configure(root: Path, farmer_port: int, folders: list[Path]) -> None:
    """Writes a root's config.yaml for the test network, with ports and plots of its own."""
    config = load_config(root, "config.yaml")
    for section in all_dicts(config):
        if "selected_network" in section:
            section["selected_network"] = NETWORK
        if "log_level" in section:
            section["log_level"] = "INFO"
        if "constants" in section:
            section["constants"][NETWORK].update(RULES)
    services = ("farmer", "harvester", "full_node", "wallet")
    config["daemon_port"], *rpc_ports = free_ports(1 + len(services))
    for service, port in zip(services, rpc_ports, strict=True):
        config[service]["rpc_port"] = port
    config["self_hostname"] = "127.0.0.1"
    config["farmer"]["port"] = farmer_port
    config["farmer"]["full_node_peers"] = config["farmer"]["solver_peers"] = []
    config["harvester"]["farmer_peers"] = [{"host": "127.0.0.1", "port": farmer_port}]
    config["harvester"]["plot_directories"] = [str(folder) for folder in folders]
    config["harvester"]["plots_refresh_parameter"].update(interval_seconds=10, retry_invalid_seconds=10)
    save_config(root, "config.yaml", config)


def make_plots(folder: Path, keys: PlotKeys, n_v1: int, n_v2: int) -> None:
    """Plots as small as Chia makes them: k18 of version 1, k20 of version 2."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f"{folder.name}-temporary")
    temporary.mkdir()
    v1 = Params(
        size=18,
        num=n_v1,
        buffer=100,
        num_threads=2,
        buckets=0,
        stripe_size=2000,
        tmp_dir=temporary,
        tmp2_dir=temporary,
        final_dir=folder,
        plotid=None,
        memo=None,
        nobitfield=False,
    )
    if n_v1:
        asyncio.run(create_plots(v1, keys))
    if n_v2:
        asyncio.run(create_v2_plots(folder, keys, size=20, num=n_v2, testnet=True))
    shutil.rmtree(temporary)


def own_keys() -> PlotKeys:
    """Those of the farm, which Chia keeps."""
    found = Keychain().get_first_private_key()
    if found is None:
        raise SystemExit("there is no key: `prepare` makes it")
    return PlotKeys(master_sk_to_farmer_sk(found[0]).get_g1(), master_sk_to_pool_sk(found[0]).get_g1(), None)


def prepare(folder: Path) -> None:
    """Makes both roots and all plots."""
    farm, barn = folder / "farm", folder / "barn"
    chia(farm, "init")
    Keychain().add_key(generate_mnemonic())
    # Chia takes the pool key and the reward addresses over from the keys whenever it initialises.
    chia(farm, "init")
    chia(barn, "init", "-c", str(farm / "config" / "ssl" / "ca"))
    (farmer_port,) = free_ports(1)
    configure(farm, farmer_port, [folder / "plots" / "one", folder / "plots" / "two"])
    configure(barn, farmer_port, [folder / "plots" / "barn"])

    ours = own_keys()
    contract = PlotKeys(ours.farmer_public_key, None, encode_puzzle_hash(bytes32.random(), "txch"))
    stranger = AugSchemeMPL.key_gen(secrets.token_bytes(32)).get_g1()
    plots = folder / "plots"
    make_plots(plots / "one", ours, 2, 1)
    make_plots(plots / "two", contract, 1, 1)
    make_plots(plots / "barn", ours, 1, 1)
    make_plots(plots / "stranger", PlotKeys(stranger, stranger, None), 1, 0)
    for plot in (plots / "stranger").iterdir():
        plot.rename(plots / "barn" / plot.name)
    duplicate = min((plots / "one").glob("*.plot"))
    shutil.copy(duplicate, plots / "two" / duplicate.name)


def signage_point(number: int, before: NewSignagePoint | None) -> NewSignagePoint:
    """A point of a sub slot of its own; after skipped ones, of the sub slot of the one before."""
    n_skipped = SKIPS_BEFORE_POINT.get(number, 0)
    if before is not None and n_skipped:
        challenge, index = before.challenge_hash, before.signage_point_index + n_skipped + 1
    else:
        challenge, index = bytes32.random(), 1 + number % 32
    return NewSignagePoint(
        challenge_hash=challenge,
        challenge_chain_sp=bytes32.random(),
        reward_chain_sp=bytes32.random(),
        difficulty=uint64(1),
        sub_slot_iters=uint64(2**27),
        signage_point_index=uint8(index),
        peak_height=uint32(0),
        last_tx_height=uint32(0),
        filter_challenge=bytes32.random(),
    )


async def take_proofs(connection: aiohttp.ClientWebSocketResponse, write: Callable[[dict[str, Any]], None]) -> None:
    """Takes what the farmer sends: proofs, to which this node makes no block."""
    async for frame in connection:
        message = Message.from_bytes(frame.data)
        if message.type == ProtocolMessageTypes.declare_proof_of_space.value:
            proof = DeclareProofOfSpace.from_bytes(message.data)
            write({"what": "proof", "signage_point": proof.challenge_chain_sp.hex()})


async def feed(root: Path, filepath: Path, is_held: Callable[[], bool]) -> None:
    """Connects to the farmer as its full node and sends signage points until it is ended."""

    def write(line: dict[str, Any]) -> None:
        with filepath.open("a") as file:
            file.write(json.dumps({"time": time.time(), **line}) + "\n")

    config = load_config(root, "config.yaml")
    ssl = root / "config" / "ssl"
    context = ssl_context_for_client(
        ssl / "ca" / "private_ca.crt",
        ssl / "ca" / "private_ca.key",
        ssl / "full_node" / "private_full_node.crt",
        ssl / "full_node" / "private_full_node.key",
    )
    handshake = Handshake(
        NETWORK,
        protocol_version[NodeType.FULL_NODE],
        "2.7.5",
        uint16(0),
        uint8(NodeType.FULL_NODE),
        default_capabilities[NodeType.FULL_NODE],
    )
    url = f"wss://127.0.0.1:{config['farmer']['port']}/ws"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, ssl=context) as connection:
        await connection.send_bytes(bytes(make_msg(ProtocolMessageTypes.handshake, handshake)))
        Message.from_bytes(await connection.receive_bytes())
        taking = asyncio.create_task(take_proofs(connection, write))
        point, number, begin = None, 0, time.monotonic()
        while not taking.done():
            if is_held():
                write({"what": "held"})
                while is_held() and not taking.done():  # noqa: ASYNC110 - a file has no event
                    await asyncio.sleep(0.1)
                begin = time.monotonic() - number * SECONDS_BETWEEN_POINTS
            point = signage_point(number, point)
            told = {"challenge_hash": point.challenge_hash.hex(), "signage_point": point.challenge_chain_sp.hex()}
            write({"what": "point", **told, "n_skipped": SKIPS_BEFORE_POINT.get(number, 0)})
            await connection.send_bytes(bytes(make_msg(ProtocolMessageTypes.new_signage_point, point)))
            number += 1
            await asyncio.sleep(begin + number * SECONDS_BETWEEN_POINTS - time.monotonic())
    raise SystemExit("the farmer closed the connection")


def main() -> None:
    """Does what the first argument says."""
    match sys.argv[1:]:
        case ["prepare", folder]:
            prepare(Path(folder).resolve())
        case ["plot", folder, n_v1, n_v2]:
            make_plots(Path(folder).resolve(), own_keys(), int(n_v1), int(n_v2))
        case ["feed", root, filepath, hold]:
            with suppress(KeyboardInterrupt):
                asyncio.run(feed(Path(root), Path(filepath), Path(hold).exists))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
