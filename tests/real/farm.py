"""A real Chia farm as processes: two daemons, a farmer, two harvesters, and a full node that sends signage points.

`chia` is the folder of a virtual environment with chia-blockchain in it. All truth is from Chia's own RPC and log and
from what the node wrote down, never from chia-tea.
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil
import yaml

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "real_farm.py"
_LOOKUP = re.compile(
    r"(?P<time>\S+) \S+ harvester \S+ *: INFO +challenge_hash: (?P<challenge>\w{10}) \.\.\.(?P<eligible>\d+) plots .*?"
    r"Found (?P<proofs>\d+) V1 proofs and (?P<v2>\d+) V2 qualities"
)

LIMIT_SECONDS = 120.0
"""How long anything may take on a machine that is busy with something else. What comes true ends its wait."""
_N_TRIES = 3
"""Of a question to Chia."""


class Point(NamedTuple):
    """A signage point that the node sent. No two have the same challenge but those around skipped ones."""

    time: float
    challenge: str
    n_skipped: int


class Lookup(NamedTuple):
    """What a harvester's own log says of one signage point: `time` is when it answered."""

    time: float
    challenge: str
    eligible: int
    proofs: int
    v2_qualities: int


_T = TypeVar("_T")


def until(
    condition: Callable[[], _T], what: str, *, every_seconds: float = 0.1, limit_seconds: float = LIMIT_SECONDS
) -> _T:
    """Waits until the condition is true, and gives what it gave."""
    deadline = time.monotonic() + limit_seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {limit_seconds:.0f} s"
        time.sleep(every_seconds)
    return value


class Processes:
    """All processes that run in a folder: those that were started here, and whatever they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return process

    def left(self) -> list[psutil.Process]:
        """Those that run now, known by the folder that they work in, which a child has from its parent."""

        def works_here(process: psutil.Process) -> bool:
            with contextlib.suppress(psutil.Error, OSError):
                is_alive = process.status() != psutil.STATUS_ZOMBIE
                return is_alive and Path(process.cwd()) == self.folder
            return False

        return [process for process in psutil.process_iter() if works_here(process)]

    def end(self) -> None:
        """Ends them all, also what is frozen and what was left by a parent that died."""
        left = self.left()
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.resume()
                process.terminate()
        _, left = psutil.wait_procs(left, timeout=20)
        for process in [*left, *self.left()]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for started in self.started:
            started.wait(LIMIT_SECONDS)
        until(lambda: not self.left(), "the end of every process")


class ChiaRoot:
    """One machine's Chia."""

    def __init__(self, chia: Path, root: Path, processes: Processes) -> None:
        self.root = root
        self._chia = chia
        self._processes = processes
        self.environment = chia_environment(chia, root)
        self.config: dict[str, Any] = yaml.safe_load((root / "config" / "config.yaml").read_text())

    @property
    def node_id(self) -> str:
        """Its harvester's, as Chia makes it out of the certificate (chia/server/ws_connection.py)."""
        certificate = self.root / "config" / "ssl" / "harvester" / "private_harvester.crt"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()

    def start_daemon(self) -> None:
        """Starts the daemon and waits until it listens: `chia start` would start another one."""
        log = self._processes.folder / f"{self.root.name}-daemon.out"
        daemon = self._processes.start([self._chia / "bin" / "chia", "run_daemon"], self.environment, log)

        def listens() -> bool:
            assert daemon.poll() is None, log.read_text()[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.config["daemon_port"]), 5):
                return True
            return False

        until(listens, f"the daemon of {self.root.name}")

    def start(self, *services: str) -> None:
        """Has the daemon start services."""
        done = subprocess.run(
            [self._chia / "bin" / "chia", "start", "--skip-keyring", *services],
            cwd=self._processes.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def signal(self, service: str, signal_number: signal.Signals) -> None:
        os.kill(self.process(service).pid, signal_number)

    def process(self, service: str) -> psutil.Process:
        return psutil.Process(int((self.root / "run" / f"chia_{service}.pid").read_text()))

    def ask(self, service: str, method: str, **arguments: object) -> dict[str, Any]:
        """Chia's own answer. A connection that fails says nothing of chia-tea: it is asked again."""
        for _ in range(_N_TRIES - 1):
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._ask_once(service, method, arguments)
            time.sleep(1.0)
        return self._ask_once(service, method, arguments)

    def _ask_once(self, service: str, method: str, arguments: dict[str, object]) -> dict[str, Any]:
        ssl_folder = self.root / "config" / "ssl"
        context = ssl.create_default_context(cafile=str(ssl_folder / "ca" / "private_ca.crt"))
        context.check_hostname = False
        credentials = ssl_folder / service / f"private_{service}"
        context.load_cert_chain(f"{credentials}.crt", f"{credentials}.key")
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        port = self.config[service]["rpc_port"]
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        with contextlib.closing(connection):
            body = json.dumps(arguments)
            connection.request("POST", f"/{method}", body, {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        assert answer["success"], answer
        return answer

    def log(self) -> str:
        """Its log so far."""
        return (self.root / "log" / "debug.log").read_text()

    def lookups(self) -> list[Lookup]:
        return [
            Lookup(
                datetime.fromisoformat(match["time"]).astimezone().timestamp(),
                match["challenge"],
                int(match["eligible"]),
                int(match["proofs"]),
                int(match["v2"]),
            )
            for match in _LOOKUP.finditer(self.log())
        ]

    def answered(self, points: Sequence[Point]) -> list[tuple[Point, float]]:
        """Each signage point that the harvester answered, with the time of its answer by its own log."""
        times = defaultdict(list)
        for lookup in self.lookups():
            times[lookup.challenge].append(lookup.time)
        return [(point, times[point.challenge].pop(0)) for point in points if times[point.challenge]]


def chia_environment(chia: Path, root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHIA", "PYTHON", "VIRTUAL"))}
    folder = root.parent
    return kept | {
        "HOME": str(folder),
        "CHIA_ROOT": str(root),
        "CHIA_KEYS_ROOT": str(folder / "keys"),
        # The daemon looks for its services there.
        "PATH": f"{chia / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


class RealFarm:
    """The machine `farm`, with a farmer and a harvester, and the machine `barn`, with a harvester."""

    def __init__(self, chia: Path, processes: Processes) -> None:
        self.folder = folder = processes.folder
        self.processes = processes
        self._chia = chia
        self._node_file = folder / "node.jsonl"
        self._hold_file = folder / "hold"
        self._prepare()
        self.farm = ChiaRoot(chia, folder / "farm", self.processes)
        self.barn = ChiaRoot(chia, folder / "barn", self.processes)
        self.roots = {"farm": self.farm, "barn": self.barn}

    def _prepare(self) -> None:
        log = self.folder / "prepare.out"
        environment = chia_environment(self._chia, self.folder / "farm")
        command: list[str | Path] = [self._chia / "bin" / "python", SCRIPT, "prepare", self.folder]
        assert self.processes.start(command, environment, log).wait(4 * LIMIT_SECONDS) == 0, log.read_text()[-2000:]

    def plot(self, folder: Path, *, n_v1: int, n_v2: int) -> "subprocess.Popen[bytes]":
        """Begins to make plots for the farm's key into a folder; each takes about a second."""
        log = self.folder / "plot.out"
        command: list[str | Path] = [self._chia / "bin" / "python", SCRIPT, "plot", folder, str(n_v1), str(n_v2)]
        return self.processes.start(command, self.farm.environment, log)

    def start(self) -> None:
        """Starts both machines and waits until the farmer knows all plots of both."""
        self.farm.start_daemon()
        self.barn.start_daemon()
        self.farm.start("farmer-only", "harvester")
        self.barn.start("harvester")
        until(lambda: self.is_synced("farm") and self.is_synced("barn"), "two harvesters that are synced")

    def is_synced(self, machine: str) -> bool:
        """Whether the farmer knows all plots of a machine's harvester."""
        with contextlib.suppress(OSError):
            told = self.harvesters().get(machine, {})
            # It is null while the first sync after a connect goes on.
            return bool(told.get("last_sync_time"))
        return False

    def start_node(self) -> None:
        """Begins to send a signage point each 4 s."""
        log = self.folder / "node.out"
        files: list[str | Path] = [self.farm.root, self._node_file, self._hold_file]
        node = self.processes.start([self._chia / "bin" / "python", SCRIPT, "feed", *files], self.farm.environment, log)

        def has_sent() -> bool:
            assert node.poll() is None, log.read_text()[-2000:]
            return bool(self.points())

        until(has_sent, "a signage point")

    @contextlib.contextmanager
    def no_points(self) -> Iterator[None]:
        """While this lasts, the node sends nothing: a harvester owes a point that is sent just as it connects or ends,
        and on a slow machine it may not be able to answer it yet, or any more.
        """
        n_before = sum(1 for _ in self._node_lines("held"))
        self._hold_file.touch()
        try:
            until(lambda: sum(1 for _ in self._node_lines("held")) > n_before, "that the node holds")
            yield
        finally:
            n_points = len(self.points())
            self._hold_file.unlink()
        # It may be held again only once it has gone on.
        until(lambda: len(self.points()) > n_points, "a signage point after the hold")

    def harvesters(self) -> dict[str, dict[str, Any]]:
        """The farmer's own summary, by the name of the machine."""
        summary = self.farm.ask("farmer", "get_harvesters_summary")["harvesters"]
        by_id = {str(told["connection"]["node_id"]).removeprefix("0x"): told for told in summary}
        return {name: by_id[root.node_id] for name, root in self.roots.items() if root.node_id in by_id}

    def _node_lines(self, what: str) -> Iterator[dict[str, Any]]:
        if self._node_file.exists():
            for line in self._node_file.read_text().splitlines(keepends=True):
                if line.endswith("\n") and (told := json.loads(line))["what"] == what:
                    yield told

    def points(self) -> list[Point]:
        """All signage points sent so far."""
        return [
            Point(told["time"], told["challenge_hash"][:10], told["n_skipped"]) for told in self._node_lines("point")
        ]

    def n_proofs_declared(self) -> int:
        """Proofs that the farmer declared to its node."""
        return sum(1 for _ in self._node_lines("proof"))

    def until_after_a_point(self, seconds: float, *, answered_by: ChiaRoot | None = None) -> None:
        """Waits until the newest signage point is that old, so that what follows is close to none, and a harvester has
        answered all that were sent.
        """

        def is_then() -> bool:
            points = self.points()
            is_answered = answered_by is None or len(answered_by.answered(points)) == len(points)
            return is_answered and 0 <= time.time() - points[-1].time - seconds <= 0.5

        until(is_then, f"{seconds:g} s after a signage point", every_seconds=0.05)
