"""Mounted file systems: which count, how full they are, how busy, and which of them hang."""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from chiatea.protobuf.hardware_pb2 import Disk

__all__ = ["DiskWatch", "Mount", "disk_of_path", "mounts_that_count"]

_PSEUDO_FILE_SYSTEMS: Final = frozenset(
    [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "fuse.portal",
        "fuse.snapfuse",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "nullfs",
        "proc",
        "pstore",
        "ramfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "squashfs",
        "sysfs",
        "tracefs",
    ]
)
_SYSTEM_FOLDERS: Final = ("/dev", "/proc", "/run", "/sys", "/snap", "/boot/efi", "/var/lib/docker", "/System/Volumes")
HANGING_AFTER_SECONDS: Final = 2.0
"""A healthy file system answers statvfs in microseconds, a sleeping disk within its first access."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system as the system lists it."""

    mount_point: str
    device: str
    filesystem_type: str
    options: str


def mounts_that_count(mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts that hold data: real and network file systems, one for each device, and always the root.

    A device that is mounted twice (bind mounts, snapshots of one volume) counts at its shortest mount point. A RAM
    disk counts, as plotters use them, but not the system's own.
    """
    by_device: dict[str, Mount] = {}
    for mount in sorted(mounts, key=lambda m: (len(m.mount_point), m.mount_point)):
        if mount.mount_point == "/":
            by_device[mount.device] = mount
            continue
        is_system = any(_is_below(mount.mount_point, folder) for folder in _SYSTEM_FOLDERS)
        if mount.filesystem_type in _PSEUDO_FILE_SYSTEMS or is_system:
            continue
        # Only what has a device of its own can be there twice: two RAM disks are both "tmpfs".
        has_device = "/" in mount.device
        by_device.setdefault(mount.device if has_device else mount.mount_point, mount)
    return sorted(by_device.values(), key=lambda m: m.mount_point)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def disk_of_path(path: str, mount_points: Iterable[str]) -> str | None:
    """The mount point that a path lies on: the longest that begins it; None where none does."""
    return max((point for point in mount_points if _is_below(path, point) or point == "/"), key=len, default=None)


class _Question:
    """How full one file system is, asked in a thread of its own, as it may never be answered."""

    def __init__(self, mount_point: str) -> None:
        self._mount_point = mount_point
        self.usage: Any = None
        self.inodes: tuple[int, int] | None = None
        self.error: OSError | None = None
        self.is_answered = threading.Event()
        threading.Thread(target=self._ask, name=f"disk {mount_point}", daemon=True).start()

    def _ask(self) -> None:
        try:
            self.usage = psutil.disk_usage(self._mount_point)
            if hasattr(os, "statvfs"):
                answer = os.statvfs(self._mount_point)
                # Some file systems (btrfs) have no fixed number of inodes and tell 0.
                self.inodes = (answer.f_files, answer.f_favail) if answer.f_files else None
        except OSError as error:
            self.error = error
        self.is_answered.set()


@dataclass(frozen=True, slots=True)
class _Counters:
    """What a device did since the system started."""

    time_seconds: float
    read_bytes: int
    write_bytes: int
    busy_milliseconds: int | None


class DiskWatch:
    """Looks at all disks.

    `look` waits up to HANGING_AFTER_SECONDS for disks that do not answer, so it is called in a thread. A disk that
    hangs is not asked again until it has answered: no more than one thread waits for it.
    """

    def __init__(self) -> None:
        """Knows no disk yet."""
        self._unanswered: dict[str, _Question] = {}
        self._counters: dict[str, _Counters] = {}

    def look(self, now_seconds: float) -> list[Disk]:
        """All disks as they are now. The clock is any that does not jump."""
        partitions = psutil.disk_partitions(all=True)
        mounts = mounts_that_count(Mount(p.mountpoint, p.device, p.fstype, p.opts) for p in partitions)
        questions = {
            mount.mount_point: self._unanswered.get(mount.mount_point) or _Question(mount.mount_point)
            for mount in mounts
        }
        deadline = time.monotonic() + HANGING_AFTER_SECONDS
        for point, question in questions.items():
            # One that hung before is not waited for again.
            limit = 0.0 if point in self._unanswered else deadline - time.monotonic()
            question.is_answered.wait(max(0.0, limit))
        self._unanswered = {point: q for point, q in questions.items() if not q.is_answered.is_set()}
        counters = _io_counters(now_seconds)
        disks = [
            disk for mount in mounts if (disk := self._disk(mount, questions[mount.mount_point], counters)) is not None
        ]
        self._counters = counters
        return disks

    def _disk(self, mount: Mount, question: _Question, counters: Mapping[str, _Counters]) -> Disk | None:
        disk = Disk(
            id=mount.mount_point,
            device=mount.device,
            filesystem_type=mount.filesystem_type,
            mount_options=mount.options,
            is_read_only="ro" in mount.options.split(","),
        )
        if not question.is_answered.is_set():
            disk.state = Disk.HANGING
            return disk
        if question.error is not None:
            # Unmounted since it was listed, or not ours to look at: no state of it can be told.
            return None
        if mount.mount_point != "/" and question.usage.total < _least_bytes(mount.filesystem_type):
            return None
        disk.state = Disk.OK
        disk.total_bytes = question.usage.total
        disk.used_bytes = question.usage.used
        disk.free_bytes = question.usage.free
        if question.inodes is not None:
            disk.total_inodes, disk.free_inodes = question.inodes
        self._tell_rates(disk, counters)
        return disk

    def _tell_rates(self, disk: Disk, counters: Mapping[str, _Counters]) -> None:
        name = Path(os.path.realpath(disk.device)).name if disk.device.startswith("/dev/") else disk.device
        now, before = counters.get(name), self._counters.get(name)
        if now is None or before is None or now.time_seconds <= before.time_seconds:
            return
        seconds = now.time_seconds - before.time_seconds
        disk.read_bytes_per_second = round(max(0, now.read_bytes - before.read_bytes) / seconds)
        disk.write_bytes_per_second = round(max(0, now.write_bytes - before.write_bytes) / seconds)
        if now.busy_milliseconds is not None and before.busy_milliseconds is not None:
            busy = (now.busy_milliseconds - before.busy_milliseconds) / seconds / 10
            disk.busy_percent = round(min(100.0, max(0.0, busy)), 1)


def _least_bytes(filesystem_type: str) -> int:
    """Below it a file system is none that plots could be on: a small RAM disk is the system's own."""
    return 1 << 30 if filesystem_type == "tmpfs" else 1


def _io_counters(now_seconds: float) -> dict[str, _Counters]:
    try:
        told = psutil.disk_io_counters(perdisk=True) or {}
    except (OSError, RuntimeError):  # some containers have none
        return {}
    return {
        name: _Counters(now_seconds, c.read_bytes, c.write_bytes, getattr(c, "busy_time", None))
        for name, c in told.items()
    }
