import asyncio
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from chiatea.collector.sources.disks import Disks, Space, space_of
from chiatea.collector.sources.hardware import CpuWatch, busy_percent, look_at_ram, look_at_system
from chiatea.collector.sources.mounts import Mount, disks_among, lost_mounts
from chiatea.collector.sources.processes import Processes, kind_of
from chiatea.collector.sources.rates import Rates
from chiatea.protobuf.chia_pb2 import Process
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.question import Question, UnansweredError

SPACE = Space(is_folder=True, total_bytes=100, used_bytes=60, free_bytes=30, total_inodes=10, free_inodes=5)


def mount(device: str, point: str, kind: str = "ext4", options: str = "rw") -> Mount:
    return Mount(device, point, kind, options)


def chosen(*mounts: Mount) -> list[str]:
    return [disk.mount_point for disk in disks_among(mounts)]


def test_disks_are_real_file_systems_network_mounts_and_the_root_whatever_it_is() -> None:
    assert chosen(
        mount("proc", "/proc", "proc"),
        mount("overlay", "/", "overlay"),
        mount("overlay", "/var/lib/docker/overlay2/x/merged", "overlay"),
        mount("/dev/loop3", "/snap/core/1", "squashfs", "ro"),
        mount("/dev/sda1", "/mnt/a"),
        mount("nas:/plots", "/mnt/nas", "nfs4"),
        mount("//nas/plots", "/mnt/smb", "cifs"),
        mount("tmpfs", "/run", "tmpfs"),
        mount("tmpfs", "/mnt/ramdisk", "tmpfs"),
        mount("pool/plots", "/tank", "zfs"),
    ) == ["/", "/mnt/a", "/mnt/nas", "/mnt/smb", "/mnt/ramdisk", "/tank"]


def test_a_device_is_one_disk_however_often_it_is_mounted() -> None:
    assert chosen(
        mount("/dev/sda1", "/mnt/a"), mount("/dev/sda1", "/srv/bound"), mount("/dev/sdb1", "/mnt/b", "btrfs")
    ) == ["/mnt/a", "/mnt/b"]


def test_what_covers_a_mount_point_is_what_is_seen_there() -> None:
    covering = disks_among([mount("/dev/sda1", "/mnt/a"), mount("/dev/sdb1", "/mnt/a")])
    assert [disk.device for disk in covering] == ["/dev/sdb1"]


def test_a_mount_is_lost_only_where_plots_are_expected() -> None:
    assert lost_mounts(["/", "/mnt/a", "/mnt/b", "/mnt/c"], {"/", "/mnt/c"}, ["/mnt/a/plots"]) == ["/mnt/a"]


def test_space_agrees_with_df() -> None:
    space, told = space_of("/"), shutil.disk_usage("/")
    status = os.statvfs("/")
    assert space.total_bytes == told.total
    assert abs(space.free_bytes - status.f_bavail * status.f_frsize) < 1 << 30
    assert space.is_folder


async def test_a_hanging_disk_is_reported_and_blocks_nothing_and_piles_up_no_threads() -> None:
    release = threading.Event()
    asked: list[str] = []

    def ask(point: str) -> Space:
        asked.append(point)
        if point == "/mnt/dead":
            release.wait(20)
        return SPACE

    mounts = [mount("/dev/sda1", "/mnt/a"), mount("nas:/x", "/mnt/dead", "nfs4")]
    disks = Disks(mounts=lambda: mounts, ask=ask, limit_seconds=0.05)
    try:
        for time in range(5):
            looked = await asyncio.wait_for(disks.look(float(time), ()), 5)
        assert looked["/mnt/dead"].state == Disk.HANGING
        assert looked["/mnt/a"].state == Disk.OK
        assert looked["/mnt/a"].free_bytes == 30
        assert (asked.count("/mnt/dead"), asked.count("/mnt/a")) == (1, 5)
    finally:
        release.set()


async def test_a_disk_that_answers_again_is_fine_again() -> None:
    release = threading.Event()

    def ask(_: str) -> Space:
        release.wait(20)
        return SPACE

    disks = Disks(mounts=lambda: [mount("/dev/sda1", "/mnt/a")], ask=ask, limit_seconds=0.02)
    assert (await disks.look(0.0, ()))["/mnt/a"].state == Disk.HANGING
    release.set()
    for time in range(1, 200):
        if (await disks.look(float(time), ()))["/mnt/a"].state == Disk.OK:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("it stays hanging")


async def test_a_lost_mount_stays_as_lost_and_a_bound_file_is_no_disk() -> None:
    mounts = [mount("/dev/sda1", "/mnt/a"), mount("/dev/sdb1", "/etc/hosts")]
    no_folder = Space(is_folder=False, total_bytes=1, used_bytes=1, free_bytes=0, total_inodes=None, free_inodes=None)
    disks = Disks(mounts=lambda: mounts, ask=lambda point: no_folder if point == "/etc/hosts" else SPACE)
    assert list(await disks.look(0.0, ())) == ["/mnt/a"]
    mounts.clear()
    lost = await disks.look(1.0, ["/mnt/a/plots"])
    assert lost["/mnt/a"].state == Disk.MOUNT_LOST
    assert list(await disks.look(2.0, ())) == []


async def test_a_file_system_with_an_error_is_told_without_its_space() -> None:
    def ask(_: str) -> Space:
        raise OSError(5, "Input/output error")

    looked = await Disks(mounts=lambda: [mount("/dev/sda1", "/mnt/a")], ask=ask).look(0.0, ())
    assert looked["/mnt/a"].state == Disk.UNKNOWN
    assert not looked["/mnt/a"].HasField("free_bytes")


async def test_mount_points_that_are_no_utf8_are_told_readably() -> None:
    looked = await Disks(mounts=lambda: [mount("/dev/sda1", "/mnt/\udcff")], ask=lambda _: SPACE).look(0.0, ())
    assert list(looked) == ["/mnt/\ufffd"]


async def test_this_machine_s_disks_are_told_by_default() -> None:
    looked = await Disks().look(0.0, ())
    assert looked["/"].total_bytes == shutil.disk_usage("/").total
    assert not {"proc", "sysfs", "devtmpfs"} & {disk.filesystem_type for disk in looked.values()}


async def test_a_late_answer_is_not_lost(until: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
    release = threading.Event()

    def ask() -> str:
        release.wait(20)
        return "told"

    question = Question(ask)
    with pytest.raises(UnansweredError):
        await question.answer(0.01)
    with pytest.raises(UnansweredError):
        await question.answer(10)
    release.set()
    await until(lambda: not question.is_unanswered)
    assert await question.answer(10) == "told"


def test_busy_is_what_is_neither_idle_nor_waiting() -> None:
    before = {"user": 1.0, "idle": 1.0, "iowait": 0.0, "guest": 0.0}
    after = {"user": 2.0, "idle": 3.0, "iowait": 1.0, "guest": 1.0}
    assert busy_percent(before, after) == 25.0
    assert busy_percent(after, after) is None


def test_rates_need_two_readings_and_mind_no_reset() -> None:
    rates: Rates[str] = Rates()
    assert rates.of({"a": (100, 0)}, 10.0) == {}
    assert rates.of({"a": (300, 0), "b": (5, 5)}, 12.0) == {"a": (100.0, 0.0)}
    assert rates.of({"a": (0, 0)}, 13.0) == {"a": (0.0, 0.0)}


def test_this_machine_s_processor_memory_and_system_are_told() -> None:
    cpu, cores = CpuWatch().look(55.0)
    assert cpu.n_logical_cores == psutil.cpu_count()
    assert cpu.temperature_celsius == 55.0
    assert cores == {}
    ram = look_at_ram()
    assert ram.total_bytes == psutil.virtual_memory().total
    assert ram.used_bytes + ram.available_bytes == ram.total_bytes
    assert look_at_system().hostname


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
