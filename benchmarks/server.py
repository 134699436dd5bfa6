"""A real server in a process of its own, for the benchmarks: TLS, tokens, every commit on the disk before its ack."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from chiatea.config import Config, load
from chiatea.security.first_use import SecurityFiles, create_missing
from chiatea.wire.channel import Server, server_of


class Running(NamedTuple):
    """A server that runs, as a collector sees it."""

    server: Server
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Of all its threads since it started."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


def made_config(folder: Path) -> Config:
    """A configuration of its own below a folder, with certificates and tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    filepath = folder / "config.yml"
    filepath.write_text(
        "machine: {state_folder: state}\nlogging: {log_to_file: false}\nmonitoring: {server: {db_filepath: farm.db}}\n"
    )
    config = load(filepath)
    auth = config.monitoring.auth
    files = SecurityFiles(auth.key_filepath, auth.cert_filepath, auth.token_hashes_filepath, config.folder)
    create_missing(files, now=time.time())
    return config


@contextlib.contextmanager
def running_server(folder: Path, *, token_file: str = "collector.token") -> Iterator[Running]:
    """A fresh server with a database below a folder."""
    config = made_config(folder)
    command = [sys.executable, "-m", "chiatea", "serve", "--port", "0", "--config", str(config.filepath)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(line.split()[-1] for line in process.stderr if line.startswith("listening on"))
            # Its log lines are read and thrown away: a full pipe would hold it.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            server = server_of(config, token_files=(token_file,), address=address)
            yield Running(server, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()
