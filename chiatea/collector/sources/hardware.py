"""Processor, memory, sensors, network and system, as psutil tells them."""

import contextlib
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from chiatea import __version__
from chiatea.protobuf.hardware_pb2 import Cpu, CpuCore, NetworkInterface, Ram, Sensor, System

__all__ = ["HardwareWatch", "sensors", "system"]

_CPU_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
"""Sensor chips that measure the processor, the most exact first."""


def system() -> System:
    """What this machine is; it changes with a reboot or an update only."""
    return System(
        hostname=socket.gethostname(),
        operating_system=_operating_system(),
        kernel=f"{platform.system()} {platform.release()}",
        # Computed from the clock and the uptime, so it moves by parts of a second.
        boot_time=round(psutil.boot_time()),
        chia_tea_version=__version__,
        python_version=platform.python_version(),
    )


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _cpu_name() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(("model name", "Hardware", "Model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class HardwareWatch:
    """Looks at what changes all the time. Shares and rates are over the time since the look before."""

    def __init__(self) -> None:
        """Begins to measure: the first look tells the time since here."""
        self._name = _cpu_name()
        self._n_physical = psutil.cpu_count(logical=False)
        self._n_logical = psutil.cpu_count() or 1
        psutil.cpu_percent()
        psutil.cpu_percent(percpu=True)
        self._began = time.monotonic()
        self._network: dict[str, tuple[float, int, int]] = {}

    def cpu(self) -> Cpu:
        """The processor. Its share is told from a tenth of a second after the last look on."""
        cpu = Cpu(name=self._name, n_logical_cores=self._n_logical)
        if self._n_physical:
            cpu.n_physical_cores = self._n_physical
        now = time.monotonic()
        if now - self._began >= 0.1:
            self._began = now
            cpu.usage_percent = psutil.cpu_percent()
        with contextlib.suppress(OSError):
            cpu.load_1_minute, cpu.load_5_minutes, cpu.load_15_minutes = (round(x, 2) for x in psutil.getloadavg())
        return cpu

    def tell_clock(self, cpu: Cpu) -> None:
        """Adds the clock: reading it costs a file for each core, so not at every look."""
        frequency = _told(psutil, "cpu_freq")
        if frequency:
            cpu.clock_mhz = round(frequency.current)
            if frequency.max:
                cpu.max_clock_mhz = round(frequency.max)

    def cores(self) -> Iterator[CpuCore]:
        """Every logical core."""
        for index, percent in enumerate(psutil.cpu_percent(percpu=True)):
            yield CpuCore(id=index, usage_percent=percent)

    def ram(self) -> Ram:
        """Memory and swap. `used` is what `available` leaves, so that caches do not count."""
        memory = psutil.virtual_memory()
        ram = Ram(
            total_bytes=memory.total, used_bytes=memory.total - memory.available, available_bytes=memory.available
        )
        try:
            swap = psutil.swap_memory()
        except (OSError, RuntimeError):
            return ram
        ram.swap_total_bytes, ram.swap_used_bytes = swap.total, swap.used
        return ram

    def network(self, now_seconds: float) -> Iterator[NetworkInterface]:
        """Every interface but the loopback and those of containers."""
        states: Mapping[str, Any] = _told(psutil, "net_if_stats") or {}
        counters: Mapping[str, Any] = psutil.net_io_counters(pernic=True) or {}
        for name, state in states.items():
            if name.startswith(("lo", "veth", "docker", "br-", "virbr", "tap", "ifb")):
                continue
            interface = NetworkInterface(id=name, is_up=state.isup)
            if state.speed:
                interface.speed_megabits_per_second = state.speed
            told = counters.get(name)
            before = self._network.get(name)
            if told is not None:
                self._network[name] = (now_seconds, told.bytes_recv, told.bytes_sent)
                if before is not None and now_seconds > before[0]:
                    seconds = now_seconds - before[0]
                    interface.received_bytes_per_second = round(max(0, told.bytes_recv - before[1]) / seconds)
                    interface.sent_bytes_per_second = round(max(0, told.bytes_sent - before[2]) / seconds)
            yield interface


def sensors() -> list[Sensor]:
    """All temperatures and fans that the system tells of; most virtual machines have none."""
    found: dict[str, Sensor] = {}
    for kind, asked in (
        (Sensor.TEMPERATURE_CELSIUS, "sensors_temperatures"),
        (Sensor.FAN_RPM, "sensors_fans"),
    ):
        for chip, readings in (_told(psutil, asked) or {}).items():
            for index, reading in enumerate(readings):
                name = f"{chip}/{reading.label or index}"
                name = name if name not in found else f"{name} {index}"
                sensor = found[name] = Sensor(id=name, kind=kind, value=round(reading.current, 1))
                if getattr(reading, "high", None):
                    sensor.high_value = reading.high
                if getattr(reading, "critical", None):
                    sensor.critical_value = reading.critical
    return list(found.values())


def cpu_temperature(found: list[Sensor]) -> float | None:
    """The hottest sensor of the processor."""
    for chip in _CPU_CHIPS:
        values = [s.value for s in found if s.kind == Sensor.TEMPERATURE_CELSIUS and s.id.startswith(f"{chip}/")]
        if values:
            return max(values)
    return None


def _told(module: Any, name: str) -> Any:
    """What psutil tells where it has that function at all: some systems have it not, some fail to answer."""
    ask = getattr(module, name, None)
    if ask is None:
        return None
    try:
        return ask()
    except (OSError, RuntimeError, NotImplementedError):
        return None
