"""Where a folder's file system is mounted, and which one it is, to be known again after a reboot."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Mounted", "mounted_at"]

_MOUNTS: Final = Path("/proc/self/mountinfo")
_BY_UUID: Final = Path("/dev/disk/by-uuid")
_NAMED_BY_SOURCE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "zfs"})
"""Their source is a name that somebody gave: server:/export, //server/share, pool/dataset."""
_FSID_OF_UUID: Final = frozenset({"ext2", "ext3", "ext4", "f2fs", "btrfs"})
"""Their f_fsid is made of their UUID (Linux, fs/ext4/super.c, ext4_statfs); that of xfs is of the device's number."""
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount.

    Attributes:
        point: its mount point.
        file_system: "uuid:...", "fsid:...", or its type and source; "" where nothing tells it from another one, as of
            tmpfs and FUSE.
    """

    point: Path
    file_system: str


@dataclass(frozen=True, slots=True)
class _Mount:
    point: Path
    device: int
    kind: str
    source: str


def mounted_at(folder: Path, mounts: Path = _MOUNTS, by_uuid: Path = _BY_UUID) -> Mounted | None:
    """The mount that a folder is of; it may hang with its disk. None where the system does not tell.

    Raises:
        OSError: the folder is not there.
    """
    path = Path(os.path.realpath(folder))
    device = path.stat().st_dev
    around = [mount for mount in _mounts(mounts) if mount.point == path or mount.point in path.parents]
    if not around:
        return None
    # One may be hidden by another above it. Subvolumes of btrfs have device numbers that are not told here.
    mount = max(around, key=lambda mount: (mount.device == device, len(mount.point.parts)))
    return Mounted(mount.point, _file_system(mount, path, by_uuid))


def _mounts(filepath: Path) -> Iterator[_Mount]:
    """Source: Linux, proc(5), /proc/pid/mountinfo. What is mounted on demand and is not now is none."""
    try:
        lines = filepath.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields, last = before.split(b" "), after.split(b" ")
        if len(fields) < 6 or len(last) < 2 or last[0] == b"autofs":
            continue
        major, _, minor = fields[2].partition(b":")
        yield _Mount(Path(_text(fields[4])), os.makedev(int(major), int(minor)), _text(last[0]), _text(last[1]))


def _text(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field))


def _file_system(mount: _Mount, path: Path, by_uuid: Path) -> str:
    if mount.kind in _NAMED_BY_SOURCE:
        return f"{mount.kind}:{mount.source}"
    numbers = {mount.device}
    if mount.source.startswith("/dev/"):
        with contextlib.suppress(OSError):
            numbers.add(Path(mount.source).stat().st_rdev)
    for link in sorted(by_uuid.glob("*")):
        try:
            if link.stat().st_rdev in numbers:
                return f"uuid:{link.name}"
        except OSError:
            continue
    return f"fsid:{os.statvfs(path).f_fsid:x}" if mount.kind in _FSID_OF_UUID else ""
