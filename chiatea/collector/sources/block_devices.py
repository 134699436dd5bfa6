"""Block devices as Linux's sysfs tells of them: which disks lie under a mounted device, and what they are."""

import os
import re
import sys
from pathlib import Path
from typing import Final

from chiatea.chia.untrusted import printable

__all__ = ["BlockDevices", "Counters", "has_smart", "parse_diskstats"]

_SECTOR_BYTES: Final = 512
"""Of /proc/diskstats, whatever the device's own (Linux, Documentation/admin-guide/iostats.rst)."""
_DEEPEST: Final = 8
_HAS_SMART: Final = re.compile(r"(?:sd|hd)[a-z]+|nvme\d+n\d+")
_MAC_SLICE: Final = re.compile(r"(disk\d+)s\d+.*")

Counters = tuple[float, ...]
"""Bytes read, bytes written, and milliseconds with a request under way where those are counted."""


def parse_diskstats(table: bytes) -> dict[str, Counters]:
    """Counters by the kernel's device name out of /proc/diskstats (Linux, Documentation/admin-guide/iostats.rst)."""
    counters: dict[str, Counters] = {}
    for line in table.splitlines():
        columns = line.split()
        if len(columns) < 13:
            continue
        try:
            read, written, busy = int(columns[5]), int(columns[9]), int(columns[12])
        except ValueError:
            continue
        counters[columns[2].decode("utf-8", "replace")] = (read * _SECTOR_BYTES, written * _SECTOR_BYTES, busy)
    return counters


class BlockDevices:
    """What lies under the devices of the table of mounts. Answers are kept until `forget`."""

    def __init__(self, sys_folder: Path = Path("/sys")) -> None:
        """`sys_folder` is where sysfs is mounted; where there is none, nothing is known of any device."""
        self._sys_folder = sys_folder
        self._parts: dict[tuple[str, str], tuple[str, ...]] = {}
        self._disks: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._models: dict[str, str] = {}

    def forget(self) -> None:
        """What is mounted has changed: names may mean other devices now."""
        self._parts.clear()
        self._disks.clear()
        self._models.clear()

    def parts_of(self, device: str, filesystem_type: str) -> tuple[str, ...]:
        """The kernel's names of the devices that a file system is on: /dev/mapper/data is dm-3.

        They are what the system counts reads and writes by. A btrfs has all of its devices, though the table of
        mounts names one; a ZFS dataset, a network mount, a mergerfs have none.
        """
        key = (device, filesystem_type)
        parts = self._parts.get(key)
        if parts is None:
            parts = self._parts[key] = self._found_parts(device, filesystem_type)
        return parts

    def _found_parts(self, device: str, filesystem_type: str) -> tuple[str, ...]:
        if not device.startswith("/dev/"):
            return ()
        # A name with a slash has a ! in its place.
        name = os.path.realpath(device).removeprefix("/dev/").replace("/", "!")
        if filesystem_type == "btrfs":
            for folder in _paths(self._sys_folder / "fs" / "btrfs", "*/devices"):
                members = _names(folder)
                if name in members:
                    return tuple(members)
        slice_of_mac = _MAC_SLICE.fullmatch(name) if sys.platform == "darwin" else None
        return (slice_of_mac[1] if slice_of_mac else name,)

    def disks_of(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The whole devices that have a place in a machine, under partitions, device mapper and RAID."""
        disks = self._disks.get(parts)
        if disks is None:
            found: dict[str, None] = {}
            for part in parts:
                self._add_disks(part, found, 0)
            disks = self._disks[parts] = tuple(found)
        return disks

    def _add_disks(self, name: str, found: dict[str, None], depth: int) -> None:
        place = self._sys_folder / "class" / "block" / name
        members = _names(place / "slaves")
        if depth > _DEEPEST or not place.exists():
            return
        if members:
            for member in members:
                self._add_disks(member, found, depth + 1)
        elif (place / "partition").exists():
            self._add_disks(Path(os.path.realpath(place)).parent.name, found, depth + 1)
        elif (place / "device").exists():
            found[name] = None

    def model_of(self, disk: str) -> str:
        """What a whole device calls itself; "" where it does not say."""
        model = self._models.get(disk)
        if model is None:
            try:
                told = (self._sys_folder / "class" / "block" / disk / "device" / "model").read_bytes()
            except OSError:
                told = b""
            model = self._models[disk] = " ".join(printable(told.decode("utf-8", "replace")).split())
        return model


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, not paths
    except OSError:
        return []


def _paths(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def has_smart(disk: str) -> bool:
    """Whether a device of that name may know S.M.A.R.T.: ATA, SCSI, USB and NVMe, not virtual ones or memory cards."""
    return _HAS_SMART.fullmatch(disk) is not None
