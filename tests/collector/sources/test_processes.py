import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from chiatea.collector.sources.processes import Processes, kind_of, own_name
from chiatea.protobuf.chia_pb2 import Process


@pytest.mark.parametrize(
    ("name", "command_line", "kind"),
    [
        ("chia_harvester", ["chia_harvester"], Process.HARVESTER),
        ("python3", ["/opt/venv/bin/python3", "/opt/venv/bin/chia_full_node"], Process.FULL_NODE),
        ("start_farmer", ["/opt/chia/start_farmer"], Process.FARMER),
        ("chia", ["/opt/venv/bin/python", "/opt/venv/bin/chia", "run_daemon"], Process.DAEMON),
        ("chia_plot", ["chia_plot", "-n", "1"], Process.PLOTTER),
        ("bladebit_cuda", ["./bladebit_cuda", "-f", "aa"], Process.PLOTTER),
        ("chia", ["/usr/bin/python3", "/usr/bin/chia", "plots", "create"], Process.PLOTTER),
        ("python3", ["python3", "-m", "http.server"], None),
        ("vim", ["vim", "chia_harvester.log"], None),
        ("chia", ["chia"], None),
        ("chia-tea", ["/opt/venv/bin/python3", "/opt/venv/bin/chia-tea", "collect"], Process.OTHER),
        ("python3", ["python3", "-m", "chiatea", "serve"], Process.OTHER),
    ],
)
def test_processes_are_known_by_name_and_command(name: str, command_line: list[str], kind: int | None) -> None:
    assert kind_of(name, command_line) == kind


async def test_a_running_plotter_is_found_and_its_secrets_are_not_told(tmp_path: Path) -> None:
    plotter = tmp_path / "chia_plot"
    plotter.symlink_to("/bin/sleep")
    running = await asyncio.create_subprocess_exec(str(plotter), "30", env={"KEY": "secret"})
    try:
        processes = Processes()
        processes.find()
        for _ in range(100):
            if running.pid in processes.look(0.0):
                break
            await asyncio.sleep(0.01)
            processes.find()
        entry = processes.look(1.0)[running.pid]
        assert (entry.kind, entry.name) == (Process.PLOTTER, "chia_plot")
        assert entry.resident_bytes > 0
    finally:
        running.kill()
        await running.wait()
    assert running.pid not in processes.look(2.0)


def named(tmp_path: Path, name: str) -> str:
    """A program of that name that does nothing for half a minute."""
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    return str(program)


def found(processes: Processes, pid: int) -> Process:
    """The process as it is found: one just begun may not have its own name yet."""
    for _ in range(500):
        processes.find()
        looked = processes.look(0.0)
        if pid in looked:
            return looked[pid]
        processes._looked_at.pop(pid, None)
        time.sleep(0.01)
    pytest.fail("it is not found")


def test_one_that_stops_is_told_so_and_a_zombie_too(tmp_path: Path) -> None:
    with subprocess.Popen([named(tmp_path, "chia_plot"), "30"]) as running:
        try:
            processes = Processes()
            found(processes, running.pid)
            running.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
            assert processes.look(1.0)[running.pid].status == "stopped"
        finally:
            running.kill()
            os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        zombie = processes.look(2.0)[running.pid]
        assert (zombie.status, zombie.kind) == ("zombie", Process.PLOTTER)
    assert running.pid not in processes.look(3.0)


def test_one_that_waits_for_a_disk_is_told_as_the_system_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([named(tmp_path, "bladebit_cuda"), "30"]) as running:
        try:
            processes = Processes()
            found(processes, running.pid)
            monkeypatch.setattr(psutil.Process, "status", lambda _: psutil.STATUS_DISK_SLEEP)
            assert processes.look(1.0)[running.pid].status == "disk-sleep"
        finally:
            running.kill()


def test_one_that_may_not_be_looked_into_is_told_without_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: psutil.Process) -> object:
        raise psutil.AccessDenied

    for name in ("cmdline", "exe", "io_counters", "status"):
        monkeypatch.setattr(psutil.Process, name, refuse)
    with subprocess.Popen([named(tmp_path, "chia_harvester"), "30"]) as running:
        try:
            entry = found(Processes(), running.pid)
            assert (entry.kind, entry.name, entry.executable) == (Process.HARVESTER, "chia_harvester", "")
            assert not entry.HasField("cpu_percent")
        finally:
            running.kill()


def test_another_process_with_the_number_of_one_that_ended_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([named(tmp_path, "chia_plot"), "30"]) as running:
        try:
            processes = Processes()
            found(processes, running.pid)
            monkeypatch.setattr(psutil.Process, "is_running", lambda _: False)
            assert running.pid not in processes.look(1.0)
        finally:
            running.kill()


def test_a_process_is_inspected_twice_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ended(pid: int) -> str:
        asked.append(pid)
        return "bash"

    monkeypatch.setattr(psutil, "pids", lambda: [10, 11])
    monkeypatch.setattr("chiatea.collector.sources.processes._quick_name", ended)
    processes = Processes()
    for _ in range(5):
        processes.find()
    assert sorted(asked) == [10, 10, 11, 11]


@pytest.mark.parametrize(
    ("command_line", "name"),
    [
        (["/usr/bin/python3", "-m", "chiatea", "serve", "--port", "0"], "chia-tea serve"),
        (["/venv/bin/python", "/venv/bin/chia-tea", "--debug", "up", "--headless"], "chia-tea up"),
        (["C:\\tools\\chia-tea.exe", "tui"], "chia-tea tui"),
        (["chia-tea"], "chia-tea"),
        (["/usr/bin/python3", "-P", "-m", "chiatea.copier.worker"], "chia-tea worker"),
        (["chia-tea", "copy", "--config", "/etc/chiatea.yml"], "chia-tea copy"),
    ],
)
def test_a_process_of_chia_tea_is_called_by_its_command(command_line: list[str], name: str) -> None:
    assert own_name(command_line) == name
    assert kind_of("python3", command_line) == Process.OTHER


def test_python_that_waits_for_the_name_of_a_module_is_none_of_ours() -> None:
    assert kind_of("python3", ["python3", "-P", "-m"]) is None
