"""Processor, memory, network and the system itself, by psutil."""

import os
import platform
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from chiatea import __version__
from chiatea.chia.untrusted import printable
from chiatea.collector.sources.rates import Rates, three_digits
from chiatea.protobuf.hardware_pb2 import Cpu, CpuCore, NetworkInterface, Ram, System

__all__ = [
    "CpuWatch",
    "NetworkWatch",
    "busy_percent",
    "look_at_ram",
    "look_at_system",
]

_SAME_BOOT_SECONDS: Final = 3.0
"""The system reckons when it started from its clock, and says a second more or less as that is set."""
_NETWORK_STATES_EVERY: Final = 6
_IDLE: Final = ("idle", "iowait")
_COUNTED_TWICE: Final = ("guest", "guest_nice")


def look_at_system(before: System | None = None) -> System:
    """What stays as it is while the machine runs; `before` is what was told last."""
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except (OSError, AttributeError):
        name = ""
    boot_time = float(round(psutil.boot_time()))
    if before is not None and abs(before.boot_time - boot_time) <= _SAME_BOOT_SECONDS:
        boot_time = before.boot_time
    return System(
        hostname=printable(socket.gethostname()),
        operating_system=printable(name or f"{platform.system()} {platform.release()}".strip()),
        kernel=printable(f"{platform.system()} {platform.release()}".strip()),
        boot_time=boot_time,
        chia_tea_version=__version__,
        python_version=platform.python_version(),
        utc_offset_seconds=time.localtime().tm_gmtoff,
    )


def busy_percent(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Share of time in which a core was not idle, between two readings of its times; None of no time at all."""
    spent = {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after if name not in _COUNTED_TWICE}
    total = sum(spent.values())
    if total <= 0:
        return None
    idle = sum(spent.get(name, 0.0) for name in _IDLE)
    return round(100 * (total - idle) / total, 1)


class CpuWatch:
    """The processor and its cores."""

    def __init__(self) -> None:
        """Usage is told from the second look on."""
        self._name = _cpu_name()
        self._n_physical = psutil.cpu_count(logical=False)
        self._before: list[dict[str, float]] = []
        self._clocks: list[Any] = []

    def look_at_clocks(self) -> None:
        """Asks for clock frequencies, which may take milliseconds a core."""
        try:
            self._clocks = list(psutil.cpu_freq(percpu=True) or []) if hasattr(psutil, "cpu_freq") else []
        except (OSError, RuntimeError, NotImplementedError, ValueError):
            self._clocks = []

    def look(self, temperature_celsius: float | None) -> tuple[Cpu, dict[int, CpuCore]]:
        """The processor, and its cores by index."""
        after = [times._asdict() for times in psutil.cpu_times(percpu=True)]
        before = self._before if len(self._before) == len(after) else []
        self._before = after
        usages = [busy_percent(old, new) for old, new in zip(before, after, strict=True)] if before else []
        told = [usage for usage in usages if usage is not None]
        cpu = Cpu(
            name=self._name,
            n_physical_cores=self._n_physical,
            n_logical_cores=len(after),
            usage_percent=round(sum(told) / len(told), 1) if told else None,
            temperature_celsius=temperature_celsius,
        )
        clocks = [clock.current for clock in self._clocks if clock.current > 0]
        if clocks:
            cpu.clock_mhz = _ten_mhz(sum(clocks) / len(clocks))
            highest = max(clock.max for clock in self._clocks)
            if highest > 0:
                cpu.max_clock_mhz = _ten_mhz(highest)
        loads = _loads()
        if loads:
            cpu.load_1_minute, cpu.load_5_minutes, cpu.load_15_minutes = loads
        cores = {
            index: CpuCore(id=index, usage_percent=usage or 0.0, clock_mhz=self._clock_of(index, len(after)))
            for index, usage in enumerate(usages)
        }
        return cpu, cores

    def _clock_of(self, index: int, n_cores: int) -> float | None:
        if len(self._clocks) != n_cores or self._clocks[index].current <= 0:
            return None
        return _ten_mhz(self._clocks[index].current)


def _loads() -> list[float]:
    """Over 1, 5 and 15 minutes; empty where the system has none."""
    if sys.platform == "win32":
        return []
    try:
        return [round(load, 2) for load in os.getloadavg()]
    except OSError:
        return []


def _ten_mhz(mhz: float) -> float:
    return float(round(mhz, -1))


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return printable(platform.processor() or platform.machine())
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(filter(None, names), platform.machine())


def look_at_ram() -> Ram:
    """Memory and swap."""
    memory = psutil.virtual_memory()
    try:
        swap = psutil.swap_memory()
        swap_total, swap_used = swap.total, swap.used
    except (OSError, RuntimeError, NotImplementedError):
        swap_total = swap_used = 0
    return Ram(
        total_bytes=memory.total,
        # As `free` reckons: what cannot be had by another process.
        used_bytes=max(0, memory.total - memory.available),
        available_bytes=memory.available,
        swap_total_bytes=swap_total,
        swap_used_bytes=swap_used,
    )


class NetworkWatch:
    """Network interfaces but the loopback."""

    def __init__(self) -> None:
        """Rates are told from the second look on."""
        self._rates: Rates[str] = Rates()
        self._states: Mapping[str, Any] = {}
        self._n_looks = 0

    def look(self, time: float) -> dict[str, NetworkInterface]:
        """Every interface by its name."""
        try:
            counters = psutil.net_io_counters(pernic=True, nowrap=True)
            # Speed and the like are asked of each interface by itself, and seldom change.
            if self._n_looks % _NETWORK_STATES_EVERY == 0 or counters.keys() != self._states.keys():
                self._states = psutil.net_if_stats()
        except (OSError, RuntimeError, NotImplementedError):
            return {}
        self._n_looks += 1
        rates = self._rates.of({name: (c.bytes_recv, c.bytes_sent) for name, c in counters.items()}, time)
        interfaces: dict[str, NetworkInterface] = {}
        for name, state in self._states.items():
            if name == "lo" or name.startswith("lo0") or "loopback" in getattr(state, "flags", "").split(","):
                continue
            interface = NetworkInterface(id=printable(name), is_up=state.isup)
            # 65535 is what a driver says that does not know.
            if 0 < state.speed < 65535:
                interface.speed_megabits_per_second = state.speed
            if name in rates:
                received, sent = rates[name]
                interface.received_bytes_per_second = three_digits(received)
                interface.sent_bytes_per_second = three_digits(sent)
            interfaces[interface.id] = interface
        return interfaces
