"""What a newcomer does: one command, and this machine and its Chia are there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil

from .conftest import Home

LINE = (
    "2026-11-23T19:{minute:02}:50.778 2.7.5 harvester chia.harvester.harvester: INFO     challenge_hash: 37c5941d80 "
    "...{eligible} plots were eligible for farming challengeFound {proofs} V1 proofs and 0 V2 qualities. "
    "Time: {seconds:.5f} s. Total 5 plots\n"
)


def test_this_machine_is_online_with_its_real_hardware(home: Home) -> None:
    home.start("up", "--headless")
    home.until(lambda: home.machine().get("cpu") and home.machine()["disks"])
    machine = home.machine()
    assert machine["online"] is True
    assert machine["name"] == "barn"
    assert machine["cpu"]["n_logical_cores"] == os.cpu_count()
    assert machine["ram"]["total_bytes"] == psutil.virtual_memory().total
    root = next(disk for disk in machine["disks"] if disk["id"] == "/")
    total = os.statvfs("/").f_blocks * os.statvfs("/").f_frsize
    assert root["total_bytes"] == total
    assert abs(root["free_bytes"] - shutil.disk_usage("/").free) < total * 0.05
    runs_chia = any((process.info["name"] or "").startswith("chia") for process in psutil.process_iter(["name"]))
    assert runs_chia or machine["farmer"] is None
    assert home.status()["totals"]["n_machines_online"] == 1
    assert "barn" in home.run("status").stdout
    assert home.sql("SELECT name, n_logical_cores FROM Cpu")[0]["n_logical_cores"] == os.cpu_count()
    assert home.sql("SELECT count(*) AS n FROM CpuEvents")[0]["n"] >= 1


def test_lookups_in_a_growing_log_arrive(home: Home) -> None:
    log = home.chia_root / "log" / "debug.log"
    log.parent.mkdir(parents=True)
    log.write_text(LINE.format(minute=1, eligible=3, proofs=1, seconds=0.25))
    home.start("up", "--headless")
    home.until(lambda: (home.machine().get("harvester") or {}).get("last_eligible_plots") == 3)
    with log.open("a") as file:
        file.write(LINE.format(minute=2, eligible=2, proofs=0, seconds=0.5))
    home.until(lambda: home.machine()["harvester"]["last_eligible_plots"] == 2)
    harvester = home.machine()["harvester"]
    assert harvester["last_lookup_seconds"] == 0.5
    assert harvester["n_eligible_plots"] == 5
    assert harvester["n_proofs"] == 1
    assert harvester["n_plots"] == 5
    log.rename(log.with_name("debug.log.1"))
    log.write_text(LINE.format(minute=3, eligible=1, proofs=1, seconds=0.125))
    home.until(lambda: home.machine()["harvester"]["n_eligible_plots"] == 6)
    assert home.sql("SELECT n_proofs FROM Harvester") == [{"n_proofs": 2}]


def test_up_leaves_nothing_running_when_it_ends(home: Home) -> None:
    up = home.start("up", "--headless")
    children = psutil.Process(up.pid).children(recursive=True)
    assert len(children) >= 1
    up.send_signal(signal.SIGTERM)
    assert up.wait(15) == 0
    assert not psutil.wait_procs(children, timeout=10)[1]


def test_up_leaves_nothing_running_when_it_is_killed(home: Home) -> None:
    up = home.start("up", "--headless")
    home.until(lambda: len(psutil.Process(up.pid).children()) == 2)
    children = psutil.Process(up.pid).children(recursive=True)
    up.kill()
    up.wait()
    assert not psutil.wait_procs(children, timeout=15)[1]


def test_a_killed_server_is_started_again_and_loses_nothing(home: Home) -> None:
    up = home.start("up", "--headless")
    home.until(lambda: home.machine().get("cpu"))
    server = next(p for p in psutil.Process(up.pid).children() if "serve" in p.cmdline())
    before = home.sql("SELECT last_sequence FROM MachineInfo")[0]["last_sequence"]
    server.kill()
    home.until(lambda: (home.machine() or {}).get("online"))
    home.until(lambda: home.sql("SELECT last_sequence FROM MachineInfo")[0]["last_sequence"] > before)
    twice = home.sql("SELECT sequence, position, count(*) FROM CpuEvents GROUP BY 1, 2 HAVING count(*) > 1")
    assert twice == []


def has_counted_more_than(home: Home, n_challenges: int) -> bool:
    return bool((home.machine().get("harvester") or {}).get("n_challenges", 0) > n_challenges)


def test_a_killed_collector_counts_each_line_of_the_log_once(home: Home) -> None:
    log = home.chia_root / "log" / "debug.log"
    log.parent.mkdir(parents=True)
    home.run("certs", "create")
    home.start("serve")
    n_lines = 0
    for _ in range(5):
        collector = home.start("collect", ready="connected to the server")
        with log.open("a") as file:
            for minute in range(7):
                file.write(LINE.format(minute=minute, eligible=2, proofs=1, seconds=0.25))
                n_lines += 1
        home.until(partial(has_counted_more_than, home, n_lines - 7))
        collector.kill()
        collector.wait()
    home.start("collect", ready="connected to the server")
    home.until(lambda: home.machine()["harvester"]["n_challenges"] == n_lines)
    assert home.machine()["harvester"]["n_eligible_plots"] == 2 * n_lines
    assert home.sql("SELECT max(n_challenges) AS n FROM HarvesterEvents") == [{"n": n_lines}]


def test_collect_once_prints_this_machine_and_remembers_nothing(home: Home) -> None:
    log = home.chia_root / "log" / "debug.log"
    log.parent.mkdir(parents=True)
    log.write_text(LINE.format(minute=1, eligible=3, proofs=1, seconds=0.25))
    for _ in range(2):
        seen = json.loads(home.run("collect", "--once").stdout)
        assert seen["cpu"]["n_logical_cores"] == os.cpu_count()
        assert seen["harvester"]["n_challenges"] == 1
    assert seen["machine_name"] == "barn"


def test_a_fresh_home_needs_no_configuration(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("CHIA_TEA_CONFIG", None)
    for arguments in (["config", "show"], ["config", "validate"], ["config", "path"], ["collect", "--once"]):
        done = subprocess.run(
            [sys.executable, "-m", "chiatea", *arguments],
            env=environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
