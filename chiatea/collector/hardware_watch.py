"""The hardware sources together, each at its own pace."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import psutil
from google.protobuf.message import Message

from chiatea.chia.place import one_line
from chiatea.collector.smart_watch import SmartWatch, fill_health
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.disk_history import DiskHistory
from chiatea.collector.sources.disks import Disks
from chiatea.collector.sources.hardware import CpuWatch, NetworkWatch, look_at_ram, look_at_system
from chiatea.collector.sources.processes import Processes
from chiatea.collector.sources.sensors import Sensors, cpu_temperature
from chiatea.config import HardwareConfig
from chiatea.protobuf.chia_pb2 import Process
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk, Sensor, System
from chiatea.question import Question, UnansweredError

__all__ = ["HardwareWatch", "Pace"]

_STEADY_EVERY: Final = 5.0
_DISKS_EVERY: Final = 5.0
_SLOW_EVERY: Final = 15.0
_DISK_TEMPERATURES_EVERY: Final = 60.0
"""Some disks never sleep when they are asked more often (Linux, Documentation/hwmon/drivetemp.rst)."""
_LIMIT_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 0.2
"""What takes longer is told by a later look."""
_ERRORS: Final = (OSError, RuntimeError, ValueError, psutil.Error)


class Pace:
    """Says when something is due again. A clock that was set back makes it due."""

    def __init__(self, every_seconds: float) -> None:
        """Due at first."""
        self._every_seconds = every_seconds
        self._last: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether it is due; counts as done."""
        if self._last is not None and 0 <= now - self._last < self._every_seconds:
            return False
        self._last = now
        return True


class HardwareWatch:
    """System, processor, memory, disks, sensors, network and processes."""

    def __init__(
        self,
        clock: Callable[[], float],
        config: HardwareConfig | None = None,
        *,
        disks: Disks | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is looked at yet. `clock` gives UTC, `monotonic` the seconds of a clock that nobody sets."""
        config = config or HardwareConfig()
        self.disks = disks or Disks()
        self.history = DiskHistory()
        self.health = SourceHealth("hardware", clock)
        self._smart = SmartWatch(config.smartctl, config.smart_every, clock)
        self._monotonic = monotonic
        self._system: System | None = None
        self._cpu = CpuWatch()
        self._network = NetworkWatch()
        self._processes = Processes()
        self._sensor_watch, self._disk_sensors = Sensors(), Sensors()
        self._sensors: dict[str, Sensor] = {}
        self._disk_celsius: dict[str, float] = {}
        self._slow = Question(self._look_at_what_is_slow)
        self._disk_temperatures = Question(self._disk_sensors.look_at_disks)
        self._disks_task: asyncio.Task[dict[str, Disk]] | None = None
        self._disks_asked = float("-inf")
        self._slow_pace, self._disks_pace, self._steady_pace, self._temperatures_pace = (
            Pace(_SLOW_EVERY),
            Pace(_DISKS_EVERY),
            Pace(_STEADY_EVERY),
            Pace(_DISK_TEMPERATURES_EVERY),
        )
        self._is_first = True
        self._errors: dict[str, str] = {}
        self._topics: dict[str, Mapping[Any, Message]] = {}

    def restore(self, known: ComputerInfo) -> None:
        """Goes on from what was known before a restart."""
        self.disks.restore(known.disks)
        if known.HasField("system"):
            self._system = known.system

    async def close(self) -> None:
        """Ends what runs in the background."""
        if self._disks_task is not None:
            self._disks_task.cancel()
            await asyncio.wait({self._disks_task})
        await self._smart.close()

    @property
    def healths(self) -> Sequence[SourceHealth]:
        """Of this source and of S.M.A.R.T."""
        return (self.health, self._smart.health)

    async def look(self, now: float, folders: Collection[str]) -> Mapping[str, Mapping[Any, Message]]:
        """Every topic of hardware with its entries by id; `folders` is where plots are expected."""
        time = self._monotonic()
        if self._slow_pace.is_due(time):
            await self._take_what_is_slow()
        if self._temperatures_pace.is_due(time):
            await self._take_disk_temperatures()
        await self._look_at_disks(now, time, folders)
        self._smart.step(time, [device for devices in self.disks.hardware.values() for device in devices])
        self._errors.pop("quick", None)
        try:
            self._look_at_what_is_quick(time)
        except _ERRORS as error:
            self._errors["quick"] = one_line(error)
        if self._is_first:
            # Rates are made from two looks: they are told by the second one.
            self._is_first = False
            self._disks_pace, self._steady_pace = Pace(_DISKS_EVERY), Pace(_STEADY_EVERY)
        if self._errors:
            self.health.failed("; ".join(self._errors.values()))
        else:
            self.health.succeeded()
        return self._topics

    @property
    def processes(self) -> list[Process]:
        """The processes of Chia and of plotters that run."""
        processes = self._topics.get("process", {}).values()
        return [process for process in processes if isinstance(process, Process) and process.status != "zombie"]

    @property
    def running_kinds(self) -> frozenset[int]:
        """Kinds of the Chia processes that run."""
        return frozenset(process.kind for process in self.processes)

    async def _take_what_is_slow(self) -> None:
        self._errors.pop("slow", None)
        try:
            self._sensors, self._system = await self._slow.answer(_LIMIT_SECONDS)
        except UnansweredError:
            self._errors["slow"] = "sensors and processes give no answer in time"
        except _ERRORS as error:
            self._errors["slow"] = one_line(error)

    async def _take_disk_temperatures(self) -> None:
        """A disk that hangs is told as hanging by its space: here it only has no temperature."""
        try:
            self._disk_celsius = await self._disk_temperatures.answer(_PATIENCE_SECONDS)
        except UnansweredError:
            self._disk_celsius = {}

    async def _look_at_disks(self, now: float, time: float, folders: Collection[str]) -> None:
        """Takes what is told soon; the rest of a look at disks that are slow goes on in the background."""
        if self._disks_task is None:
            if not self._disks_pace.is_due(time):
                return
            self._disks_task = asyncio.create_task(self.disks.look(now, time, folders), name="disks")
            self._disks_asked = now
        await asyncio.wait({self._disks_task}, timeout=None if self._is_first else _PATIENCE_SECONDS)
        if not self._disks_task.done():
            return
        task, self._disks_task = self._disks_task, None
        self._errors.pop("disks", None)
        try:
            disks = task.result()
        except _ERRORS as error:
            self._errors["disks"] = one_line(error)
            return
        for disk_id, devices in self.disks.hardware.items():
            fill_health(disks[disk_id], devices, self._smart.reports, self._disk_celsius)
        self.history.add(self._disks_asked, disks)
        self._topics["disk"] = disks

    def _look_at_what_is_slow(self) -> tuple[dict[str, Sensor], System]:
        self._processes.find()
        self._cpu.look_at_clocks()
        return self._sensor_watch.look(), look_at_system(self._system)

    def _look_at_what_is_quick(self, time: float) -> None:
        if self._system is None:
            self._system = look_at_system()
        cpu, cores = self._cpu.look(cpu_temperature(self._sensors))
        topics = self._topics
        topics["system"] = {"": self._system}
        topics["cpu"] = {"": cpu}
        topics["cpu_core"] = cores
        topics["ram"] = {"": look_at_ram()}
        topics["sensor"] = self._sensors
        if self._steady_pace.is_due(time):
            topics["network_interface"] = self._network.look(time)
            topics["process"] = self._processes.look(time)
