"""How much of something is used, in percent of it; None where that is not known. Pure."""

from typing import Any

__all__ = ["cpu_percent", "disk_used_percent", "ram_percent", "swap_percent"]


def disk_used_percent(disk: Any) -> float | None:
    """As df counts it: of what an ordinary process may use."""
    return _share(disk.used_bytes, disk.used_bytes + disk.free_bytes)


def cpu_percent(cpu: Any) -> float | None:
    """The load of all cores."""
    return cpu.usage_percent if cpu is not None and cpu.HasField("usage_percent") else None


def ram_percent(ram: Any) -> float | None:
    """The memory in use."""
    return _share(ram.used_bytes, ram.total_bytes) if ram is not None else None


def swap_percent(ram: Any) -> float | None:
    """The swap in use."""
    return _share(ram.swap_used_bytes, ram.swap_total_bytes) if ram is not None else None


def _share(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole > 0 else None
