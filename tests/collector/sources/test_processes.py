import asyncio
from pathlib import Path

import pytest

from chiatea.collector.sources.processes import Processes, kind_of
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
