"""The system's own tables of what is mounted and of what each device did."""

import sys
from pathlib import Path

import psutil

from chiatea.collector.sources.block_devices import Counters, parse_diskstats
from chiatea.collector.sources.mounts import Mount, parse_mounts

__all__ = ["read_counters", "read_mounts"]


def read_mounts() -> list[Mount]:
    """The system's table of mounts."""
    if sys.platform != "linux":
        return [Mount(p.device, p.mountpoint, p.fstype, p.opts) for p in psutil.disk_partitions(all=False)]
    # Not psutil's: it opens every device's path to see whether it is a link.
    return parse_mounts(Path("/proc/self/mounts").read_bytes())


def read_counters() -> dict[str, Counters]:
    """Bytes read, bytes written and milliseconds busy, by device; only what this system counts."""
    if sys.platform != "linux":
        return _counted_by_psutil()
    try:
        return parse_diskstats(Path("/proc/diskstats").read_bytes())
    except OSError:
        return {}


def _counted_by_psutil() -> dict[str, Counters]:
    try:
        counters = psutil.disk_io_counters(perdisk=True)
    except (OSError, RuntimeError, NotImplementedError):
        return {}
    told: dict[str, Counters] = {}
    for name, counter in (counters or {}).items():
        busy = getattr(counter, "busy_time", None)
        told[name] = (counter.read_bytes, counter.write_bytes, *([] if busy is None else [busy]))
    return told
