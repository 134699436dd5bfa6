"""Disks: space, rates, and those that hang or are lost."""

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from chiatea.collector.sources.mounts import Mount, disks_among, lost_mounts
from chiatea.collector.sources.rates import Rates, three_digits
from chiatea.collector.sources.untrusted import printable
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.question import Question, UnansweredError

__all__ = ["Disks", "Space", "read_mounts", "space_of"]

_LIMIT_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Space:
    """What a file system says of itself."""

    is_folder: bool
    total_bytes: int
    used_bytes: int
    free_bytes: int
    total_inodes: int | None
    free_inodes: int | None


def space_of(mount_point: str) -> Space:
    """Asks a file system: as df does, free is what an ordinary process may still write. It may hang for good."""
    is_folder = stat.S_ISDIR(os.stat(mount_point).st_mode)  # noqa: PTH116 - asked as cheaply as can be
    if not hasattr(os, "statvfs"):
        usage = shutil.disk_usage(mount_point)
        return Space(is_folder, usage.total, usage.used, usage.free, None, None)
    told = os.statvfs(mount_point)
    return Space(
        is_folder=is_folder,
        total_bytes=told.f_blocks * told.f_frsize,
        used_bytes=(told.f_blocks - told.f_bfree) * told.f_frsize,
        free_bytes=told.f_bavail * told.f_frsize,
        # btrfs and others have no fixed number of inodes, and say 0.
        total_inodes=told.f_files or None,
        free_inodes=told.f_ffree if told.f_files else None,
    )


def read_mounts() -> list[Mount]:
    """The system's table of mounts."""
    if sys.platform != "linux":
        return [Mount(p.device, p.mountpoint, p.fstype, p.opts) for p in psutil.disk_partitions(all=False)]
    # Not psutil's: it opens every device's path to see whether it is a link.
    table = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    return [
        Mount(*(_unescaped(column) for column in columns[:4]))
        for columns in (line.split(" ") for line in table.splitlines())
        if len(columns) >= 4
    ]


def _unescaped(column: str) -> str:
    if "\\" not in column:
        return column
    return column.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


class Disks:
    """All disks of this machine."""

    def __init__(
        self,
        *,
        mounts: Callable[[], list[Mount]] = read_mounts,
        ask: Callable[[str], Space] = space_of,
        limit_seconds: float = _LIMIT_SECONDS,
    ) -> None:
        """`mounts` gives the table of mounts, `ask` a file system's space: it may hang."""
        self._mounts = mounts
        self._ask = ask
        self._limit_seconds = limit_seconds
        self._questions: dict[str, Question[Space]] = {}
        self._no_folders: set[str] = set()
        self._rates: Rates[str] = Rates()
        self._device_names: dict[str, str] = {}
        self._disks: dict[str, Disk] = {}
        self.time = float("-inf")
        """When they were last looked at."""

    def restore(self, disks: Iterable[Disk]) -> None:
        """Takes over what was known before a restart: one that is gone since is lost."""
        self._disks = {disk.id: disk for disk in disks}

    @property
    def newest(self) -> Mapping[str, Disk]:
        """As they were last looked at, by id."""
        return self._disks

    @property
    def mount_points(self) -> list[str]:
        """Of all disks, also of those that hang or are lost."""
        return list(self._disks)

    async def look(self, time: float, folders: Collection[str]) -> dict[str, Disk]:
        """Every disk by its id. A lost one is kept while one of `folders`, where plots are expected, is on it."""
        chosen = disks_among(self._mounts(), self._no_folders)
        rates = self._rates.of(_io_counters(), time)
        answers = await asyncio.gather(*(self._space(mount.mount_point) for mount in chosen))
        disks: dict[str, Disk] = {}
        for mount, answer in zip(chosen, answers, strict=True):
            if isinstance(answer, Space) and not answer.is_folder:
                self._no_folders.add(mount.mount_point)
                continue
            disk = self._disk(mount, answer, rates)
            disks[disk.id] = disk
        for mount_point in lost_mounts(self._disks, disks.keys(), folders):
            lost = Disk()
            lost.CopyFrom(self._disks[mount_point])
            lost.state = Disk.MOUNT_LOST
            for name in ("read_bytes_per_second", "write_bytes_per_second", "busy_percent"):
                lost.ClearField(name)
            disks[mount_point] = lost
        for gone in self._questions.keys() - {mount.mount_point for mount in chosen}:
            if not self._questions[gone].is_unanswered:
                del self._questions[gone]
        self._disks, self.time = disks, time
        return disks

    async def _space(self, mount_point: str) -> Space | UnansweredError | OSError:
        question = self._questions.get(mount_point)
        if question is None:
            question = self._questions[mount_point] = Question(lambda: self._ask(mount_point))
        try:
            return await question.answer(self._limit_seconds)
        except UnansweredError as error:
            return error
        except OSError as error:
            return error

    def _disk(
        self, mount: Mount, answer: Space | UnansweredError | OSError, rates: dict[str, tuple[float, ...]]
    ) -> Disk:
        disk = Disk(
            id=printable(mount.mount_point),
            device=printable(mount.device),
            filesystem_type=printable(mount.filesystem_type),
            mount_options=printable(mount.options),
            is_read_only=mount.is_read_only,
        )
        if isinstance(answer, Space):
            disk.state = Disk.OK
            disk.total_bytes = answer.total_bytes
            disk.used_bytes = answer.used_bytes
            disk.free_bytes = answer.free_bytes
            if answer.total_inodes is not None and answer.free_inodes is not None:
                disk.total_inodes, disk.free_inodes = answer.total_inodes, answer.free_inodes
        else:
            disk.state = Disk.HANGING if isinstance(answer, UnansweredError) else Disk.UNKNOWN
        rate = rates.get(self._device_name(mount.device))
        if rate is not None:
            disk.read_bytes_per_second = three_digits(rate[0])
            disk.write_bytes_per_second = three_digits(rate[1])
            if len(rate) > 2:
                disk.busy_percent = min(100.0, round(rate[2] / 10, 1))
        return disk

    def _device_name(self, device: str) -> str:
        """The name under which the system counts: /dev/mapper/data is dm-3."""
        name = self._device_names.get(device)
        if name is None:
            is_device = device.startswith("/dev/")
            name = self._device_names[device] = Path(os.path.realpath(device)).name if is_device else ""
        return name


def _io_counters() -> dict[str, tuple[float, ...]]:
    """Bytes read, bytes written and milliseconds busy, by device; only what this system counts."""
    try:
        counters = psutil.disk_io_counters(perdisk=True)
    except (OSError, RuntimeError, NotImplementedError):
        return {}
    return {
        name: (c.read_bytes, c.write_bytes, c.busy_time) if hasattr(c, "busy_time") else (c.read_bytes, c.write_bytes)
        for name, c in (counters or {}).items()
    }
