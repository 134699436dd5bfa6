"""What watching the hardware costs: `python -m benchmarks.hardware [--disks N] [--processes N]`.

The CPU time of all looks of some minutes at default settings, as a share of one core, beside what psutil's plain calls
for the same figures take at the same pace. The machine's own processor, memory, network and processes are watched;
the disks are so many mounts of `/`, with counters, temperatures and health of disks that are not there.
"""

import argparse
import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from chiatea.collector.hardware_watch import HardwareWatch
from chiatea.collector.sources.block_devices import BlockDevices
from chiatea.collector.sources.disk_tables import read_counters, read_mounts
from chiatea.collector.sources.disks import Disks
from chiatea.collector.sources.mounts import Mount
from chiatea.collector.sources.sensors import Sensors
from chiatea.collector.sources.spaces import space_of
from chiatea.config import Config, HardwareConfig

SECONDS: Final = 600.0
DISKS_EVERY: Final = 5.0
SLOW_EVERY: Final = 15.0


class Clock:
    """Goes as far as it is told to: ten minutes of looks are measured in seconds."""

    def __init__(self) -> None:
        self.now = 1_795_463_720.0

    def __call__(self) -> float:
        return self.now


def made_sys_folder(folder: Path, names: list[str]) -> Path:
    """A sysfs with a disk, a partition and a temperature for each name, as Linux's `drivetemp` has it."""
    for index, name in enumerate(names):
        disk = folder / "devices" / f"ata{index}" / "block" / name
        (disk / f"{name}1").mkdir(parents=True)
        (disk / f"{name}1" / "partition").write_text("1\n")
        (disk / "device").mkdir()
        (disk / "device" / "model").write_text("ST16000NM001G\n")
        links = folder / "class" / "block"
        links.mkdir(parents=True, exist_ok=True)
        (links / name).symlink_to(disk)
        (links / f"{name}1").symlink_to(disk / f"{name}1")
        chip = folder / "class" / "hwmon" / f"hwmon{index}"
        (chip / "device" / "block" / name).mkdir(parents=True)
        (chip / "name").write_text("drivetemp\n")
        (chip / "temp1_input").write_text("38000\n")
    return folder


def watch_of(folder: Path, n_disks: int, clock: Clock) -> HardwareWatch:
    """A watch over this machine, and disks of whose number it is told."""
    names = [f"sd{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(n_disks)]
    sys_folder = made_sys_folder(folder, names)
    mounts = [Mount(f"/dev/{name}1", f"/mnt/{name}", "ext4", "rw,relatime") for name in names]
    n_looks = 0

    def counters() -> dict[str, tuple[float, ...]]:
        nonlocal n_looks
        n_looks += 1
        told = read_counters()
        told.update({f"{name}1": (n_looks * 1e8 * n, 0, n_looks * 40 * n) for n, name in enumerate(names)})
        return told

    def all_mounts() -> list[Mount]:
        return read_mounts() + mounts

    disks = Disks(mounts=all_mounts, ask=lambda _: space_of("/"), counters=counters, devices=BlockDevices(sys_folder))
    watch = HardwareWatch(clock, HardwareConfig(smartctl=""), disks=disks, monotonic=clock)
    watch._disk_sensors = Sensors(sys_folder)  # noqa: SLF001 - this machine has no such disks
    watch._disk_temperatures._ask = watch._disk_sensors.look_at_disks  # noqa: SLF001
    return watch


async def cpu_seconds_of_looks(n_disks: int, every_seconds: float) -> tuple[float, int]:
    """CPU time of all threads for ten minutes of looks after the first, and how many there were."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        watch = watch_of(Path(folder), n_disks, clock)
        await watch.look(clock.now, ())
        n_looks = round(SECONDS / every_seconds)
        began = time.process_time()
        for _ in range(n_looks):
            clock.now += every_seconds
            await watch.look(clock.now, ["/mnt/plots"])
        spent = time.process_time() - began
        await watch.close()
    return spent, n_looks


def cpu_seconds_of_psutil(n_disks: int, every_seconds: float) -> float:
    """The same figures by psutil's plain calls at the same pace; of processes only name and command line."""
    began = time.process_time()
    time_now, disks_due, slow_due = 0.0, 0.0, 0.0
    while time_now < SECONDS:
        time_now += every_seconds
        psutil.cpu_percent(percpu=True)
        psutil.getloadavg()
        psutil.virtual_memory()
        psutil.swap_memory()
        if time_now >= disks_due:
            disks_due = time_now + DISKS_EVERY
            psutil.disk_partitions()
            psutil.disk_io_counters(perdisk=True)
            for _ in range(n_disks):
                psutil.disk_usage("/")
            psutil.net_io_counters(pernic=True)
            psutil.net_if_stats()
        if time_now >= slow_due:
            slow_due = time_now + SLOW_EVERY
            psutil.cpu_freq(percpu=True)
            psutil.sensors_temperatures()
            psutil.sensors_fans()
            for process in psutil.process_iter(["name", "cmdline"]):
                process.info["name"]
    return time.process_time() - began


@contextlib.contextmanager
def sleeping(n_processes: int) -> Iterator[None]:
    """So many processes that do nothing."""
    script = f"for i in $(seq {n_processes}); do sleep 1000 & done; echo begun; wait"
    with subprocess.Popen(["setsid", "sh", "-c", script], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        children = psutil.Process(shell.pid).children(recursive=True)
        try:
            yield
        finally:
            for process in (psutil.Process(shell.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


def main() -> None:
    """Prints milliseconds of CPU for each look, the share of a core, and psutil's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disks", type=int, default=50)
    parser.add_argument("--processes", type=int, default=500)
    options = parser.parse_args()
    every = Config().monitoring.client.collect_data_every
    with sleeping(options.processes):
        spent, n_looks = asyncio.run(cpu_seconds_of_looks(options.disks, every))
        plain = cpu_seconds_of_psutil(options.disks, every)
    print(f"{options.disks} disks, {options.processes} processes more than there were, a look each {every:g} s")
    print(f"CPU for each look       {1000 * spent / n_looks:8.2f} ms")
    print(f"share of one core       {100 * spent / SECONDS:8.2f} %   (goal <= 0.4 %)")
    print(f"psutil's plain calls    {100 * plain / SECONDS:8.2f} %   {plain / spent:.1f}x of that")


if __name__ == "__main__":
    main()
