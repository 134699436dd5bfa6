"""The hardware and the processes of this machine, each looked at as often as it is worth."""

import asyncio
import time
from collections.abc import Iterable

from google.protobuf.message import Message

from chiatea.collector.sources.disks import DiskWatch
from chiatea.collector.sources.hardware import HardwareWatch, cpu_temperature, sensors, system
from chiatea.collector.sources.processes import ProcessWatch
from chiatea.protobuf.hardware_pb2 import Cpu, Disk

__all__ = ["MachineWatch"]

_EVERY_SECONDS = {
    "system": 60.0,
    "cpu": 1.0,
    "cpu_core": 5.0,
    "ram": 1.0,
    "disk": 5.0,
    "sensor": 15.0,
    "network_interface": 5.0,
    "process": 5.0,
}
"""What costs more is looked at less often, however often one looks."""


class MachineWatch:
    """Keeps the newest entries of each hardware topic."""

    def __init__(self, *, is_paced: bool = True) -> None:
        """Begins to measure; without pace every look looks at everything."""
        self._every_seconds = _EVERY_SECONDS if is_paced else dict.fromkeys(_EVERY_SECONDS, 0.0)
        self._hardware = HardwareWatch()
        self._disks = DiskWatch()
        self._processes = ProcessWatch()
        self._last_looks: dict[str, float] = {}
        self._temperature: float | None = None
        self.entries: dict[str, list[Message]] = {}

    @property
    def mount_points(self) -> Iterable[str]:
        """Of all disks."""
        return [disk.id for disk in self.entries.get("disk", ()) if isinstance(disk, Disk)]

    async def look(self) -> dict[str, list[Message]]:
        """The newest entries by topic."""
        now = time.monotonic()
        due = {t for t, every in self._every_seconds.items() if now - self._last_looks.get(t, -1e9) >= every * 0.95}
        self._last_looks.update(dict.fromkeys(due, now))
        if "disk" in due:
            # A disk that hangs is waited for in a thread, so that nothing else waits with it.
            self.entries["disk"] = [*await asyncio.to_thread(self._disks.look, now)]
        if "process" in due:
            self.entries["process"] = [*await asyncio.to_thread(self._processes.look, now)]
        if "sensor" in due:
            found = sensors()
            self._temperature = cpu_temperature(found)
            self.entries["sensor"] = [*found]
        if "cpu" in due:
            self.entries["cpu"] = [self._cpu(reads_clock="cpu_core" in due)]
        if "cpu_core" in due:
            self.entries["cpu_core"] = [*self._hardware.cores()]
        if "ram" in due:
            self.entries["ram"] = [self._hardware.ram()]
        if "network_interface" in due:
            self.entries["network_interface"] = [*self._hardware.network(now)]
        if "system" in due:
            self.entries["system"] = [system()]
        return self.entries

    def _cpu(self, *, reads_clock: bool) -> Cpu:
        cpu = self._hardware.cpu()
        before = next((m for m in self.entries.get("cpu", ()) if isinstance(m, Cpu)), Cpu())
        if reads_clock:
            self._hardware.tell_clock(cpu)
        else:
            for name in ("clock_mhz", "max_clock_mhz"):
                if before.HasField(name):
                    setattr(cpu, name, getattr(before, name))
        if not cpu.HasField("usage_percent") and before.HasField("usage_percent"):
            cpu.usage_percent = before.usage_percent
        if self._temperature is not None:
            cpu.temperature_celsius = self._temperature
        return cpu
