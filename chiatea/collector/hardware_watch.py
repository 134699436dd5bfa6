"""The hardware sources together, each at its own pace."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import psutil
from google.protobuf.message import Message

from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.chia_config import one_line
from chiatea.collector.sources.disks import Disks
from chiatea.collector.sources.hardware import (
    CpuWatch,
    NetworkWatch,
    cpu_temperature,
    look_at_ram,
    look_at_sensors,
    look_at_system,
)
from chiatea.collector.sources.processes import Processes
from chiatea.protobuf.chia_pb2 import Process
from chiatea.protobuf.hardware_pb2 import Sensor, System
from chiatea.question import Question, UnansweredError

__all__ = ["HardwareWatch", "Pace"]

_STEADY_EVERY: Final = 5.0
_DISKS_EVERY: Final = 5.0
_SLOW_EVERY: Final = 15.0
_LIMIT_SECONDS: Final = 2.0


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

    def __init__(self, clock: Callable[[], float], *, disks: Disks | None = None) -> None:
        """Nothing is looked at yet."""
        self.disks = disks or Disks()
        self.health = SourceHealth("hardware", clock)
        self._system: System | None = None
        self._cpu = CpuWatch()
        self._network = NetworkWatch()
        self._processes = Processes()
        self._sensors: dict[str, Sensor] = {}
        self._slow = Question(self._look_at_what_is_slow)
        self._slow_pace, self._disks_pace, self._steady_pace = (
            Pace(_SLOW_EVERY),
            Pace(_DISKS_EVERY),
            Pace(_STEADY_EVERY),
        )
        self._topics: dict[str, Mapping[Any, Message]] = {}

    async def look(self, now: float, folders: Collection[str]) -> Mapping[str, Mapping[Any, Message]]:
        """Every topic of hardware with its entries by id; `folders` is where plots are expected."""
        errors: list[str] = []
        if self._slow_pace.is_due(now):
            try:
                self._sensors = await self._slow.answer(_LIMIT_SECONDS)
            except UnansweredError:
                errors.append("sensors and processes give no answer in time")
            except (OSError, RuntimeError, ValueError, psutil.Error) as error:
                errors.append(one_line(error))
        if self._disks_pace.is_due(now):
            try:
                self._topics["disk"] = await self.disks.look(now, folders)
            except (OSError, RuntimeError, ValueError, psutil.Error) as error:
                errors.append(one_line(error))
        try:
            self._look_at_what_is_quick(now)
        except (OSError, RuntimeError, ValueError, psutil.Error) as error:
            errors.append(one_line(error))
        if errors:
            self.health.failed("; ".join(errors))
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

    def _look_at_what_is_slow(self) -> dict[str, Sensor]:
        self._processes.find()
        self._cpu.look_at_clocks()
        return look_at_sensors()

    def _look_at_what_is_quick(self, now: float) -> None:
        if self._system is None:
            self._system = look_at_system()
        cpu, cores = self._cpu.look(cpu_temperature(self._sensors))
        topics = self._topics
        topics["system"] = {"": self._system}
        topics["cpu"] = {"": cpu}
        topics["cpu_core"] = cores
        topics["ram"] = {"": look_at_ram()}
        topics["sensor"] = self._sensors
        if self._steady_pace.is_due(now):
            topics["network_interface"] = self._network.look(now)
            topics["process"] = self._processes.look(now)
