"""chia-tea as its users run it: the real commands, one configuration for each machine, asked as scripts ask it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from .farm import LIMIT_SECONDS, Processes, until

COMMAND = Path(sys.executable).with_name("chia-tea")


def _free_port() -> int:
    """A port that nobody listens on, below those that Linux gives to connections (ip_local_port_range)."""
    for port in range(20000 + os.getpid() % 10000, 32768):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Tea:
    """A server, and a collector for each machine."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder / "tea"
        self._processes = processes
        self._collectors: dict[str, subprocess.Popen[bytes]] = {}
        self._n_started = 0
        self._port = _free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHIA")}
        self._environment = kept | {"HOME": str(folder), "PYTHONWARNINGS": "error::ResourceWarning"}
        self._folder.mkdir()

    def configure(self, machine: str, chia: dict[str, Path], *, copy: dict[str, Any] | None = None) -> None:
        """Writes the configuration of a machine. All of them share a folder, and so certificate and tokens."""
        config = {
            "machine": {"name": machine, "state_folder": str(self._folder / machine)},
            "logging": {"log_to_file": False},
            "chia": {key: str(path) for key, path in chia.items()},
            "monitoring": {
                "server": {"port": self._port, "db_filepath": str(self._folder / "monitoring.db")},
                "client": {"collect_data_every": 1.0, "send_update_every": {"source": 1.0, "process": 1.0}},
            },
        } | ({"copy": copy} if copy is not None else {})
        # JSON is YAML.
        self._config(machine).write_text(json.dumps(config))

    def _config(self, machine: str) -> Path:
        return self._folder / f"{machine}.yml"

    def run(self, *arguments: str, machine: str = "farm") -> str:
        done = subprocess.run(
            [COMMAND, *arguments, "--config", self._config(machine)],
            cwd=self._processes.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self, command: str, machine: str, ready: str) -> subprocess.Popen[bytes]:
        self._n_started += 1
        log = self._folder / f"{self._n_started}-{command}-{machine}.log"
        arguments: list[str | Path] = [COMMAND, command, "--config", self._config(machine)]
        process = self._processes.start(arguments, self._environment, log)
        until(lambda: ready in log.read_text() or process.poll() is not None, f"{command} of {machine}")
        assert process.poll() is None, log.read_text()
        return process

    def serve(self) -> None:
        self.run("certs", "create")
        self._start("serve", "farm", "listening on")

    def collect(self, machine: str) -> None:
        """Starts a machine's collector and waits until it is connected."""
        self._collectors[machine] = self._start("collect", machine, "connected to the server")

    def copy(self, machine: str) -> None:
        """Starts a machine's copier."""
        self._start("copy", machine, "connected to the server")

    def copier(self) -> dict[str, Any]:
        """The sums of the one copier; empty before it has told them."""
        copiers = json.loads(self.run("jobs", "--json"))["copiers"]
        return dict(copiers[0]) if copiers else {}

    def kill_collector(self, machine: str) -> None:
        """As a power cut ends it."""
        self._collectors[machine].send_signal(signal.SIGKILL)
        self._collectors[machine].wait(LIMIT_SECONDS)

    def status(self) -> dict[str, dict[str, Any]]:
        """`chia-tea status --json`, by the name of the machine."""
        return {machine["name"]: machine for machine in json.loads(self.run("status", "--json"))["machines"]}

    def machine(self, name: str) -> dict[str, Any]:
        return self.status()[name]

    def harvester_of_farmer(self, node_id: str) -> dict[str, Any]:
        """A harvester as the farmer's machine tells of it."""
        seen = self.machine("farm")["farmer_harvesters"]
        found: dict[str, Any] = next((entry for entry in seen if entry["id"] == node_id), {})
        return found

    def source(self, machine: str, name: str) -> str:
        """The state of one of a machine's sources."""
        return next((entry["state"] for entry in self.machine(machine)["sources"] if entry["id"] == name), "")

    def history(self, machine: str, topic: str) -> list[dict[str, Any]]:
        """Every entry of a topic that a machine has told, oldest first."""
        found = self.run("events", "--since", "1h", "--machine", machine, "--topic", topic, "--json")
        return [event["entry"] for event in json.loads(found) if event["entry"]]

    def notices(self, machine: str, kind: str) -> list[dict[str, Any]]:
        """The notices of one kind that a machine has told: each once, however often it was told."""
        told = {entry["id"]: entry for entry in self.history(machine, "chia_notice") if entry["kind"] == kind}
        return list(told.values())

    def sql(self, statement: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("db", "sql", "--json", statement))
        return rows
