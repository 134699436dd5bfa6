"""The real commands as real processes, in a home of their own, on free ports of loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Home:
    """One user's home: configuration, state and processes of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.chia_root = folder / "chia"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("CHIA", "COLUMNS"))},
            "HOME": str(folder),
            "CHIA_ROOT": str(self.chia_root),
            "PYTHONWARNINGS": "error::ResourceWarning",
        }
        self.processes: list[subprocess.Popen[str]] = []
        self.config = folder / ".chia_tea" / "config" / "config.yml"
        self.config.parent.mkdir(parents=True)
        self.write_config()

    def write_config(self, more: str = "") -> None:
        self.config.write_text(
            "machine: {name: barn}\n"
            f"monitoring: {{server: {{port: {self.port}}}, client: {{collect_data_every: 0.2s}}}}\n{more}"
        )

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "chiatea", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def start(self, *arguments: str, ready: str = "listening on") -> subprocess.Popen[str]:
        """Starts a service and waits for the line that says it is ready."""
        log = self.folder / f"{len(self.processes)}.stderr"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "chiatea", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                text=True,
            )
        self.processes.append(process)
        self.until(lambda: ready in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return process

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return document

    def machine(self) -> dict[str, Any]:
        """The one machine of `status --json`; empty while there is none."""
        done = self.run("status", "--json", check=False)
        machines = json.loads(done.stdout)["machines"] if done.returncode == 0 else []
        machine: dict[str, Any] = machines[0] if machines else {}
        return machine

    def sql(self, statement: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("db", "sql", "--json", statement).stdout)
        return rows

    def until(self, condition: Callable[[], object], limit_seconds: float = 30.0) -> None:
        deadline = time.monotonic() + limit_seconds
        while not condition():
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.05)

    def end(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.end()
