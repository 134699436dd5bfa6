"""The table of mounts, and which of all mounted file systems are disks. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Mount", "disks_among", "is_under", "lost_mounts", "parse_mounts"]

_NO_DISKS: Final = frozenset(
    [
        "autofs",
        "bdev",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "cpuset",
        "cramfs",
        "debugfs",
        "devfs",
        "devpts",
        "devtmpfs",
        "ecryptfs",
        "efivarfs",
        "erofs",
        "fdescfs",
        "fusectl",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "fuse.portal",
        "fuse.snapfuse",
        "hugetlbfs",
        "iso9660",
        "linprocfs",
        "linsysfs",
        "mqueue",
        "nsfs",
        "nullfs",
        "overlay",
        "overlayfs",
        "pipefs",
        "proc",
        "procfs",
        "pstore",
        "ramfs",
        "rootfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sockfs",
        "squashfs",
        "sysfs",
        "tracefs",
        "udf",
    ]
)
_SYSTEM_FOLDERS: Final = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var", "/snap")  # noqa: S108 - not written to
_ESCAPED: Final = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the system's table of mounts."""

    device: str
    mount_point: str
    filesystem_type: str
    options: str

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written to it, as it was mounted or since an error.

        `emergency_ro` is what ext4 says of itself after an error since Linux 6.14.
        """
        return not {"ro", "emergency_ro"}.isdisjoint(self.options.split(","))

    @property
    def is_shut_down(self) -> bool:
        """Whether the file system gave up after an error: ext4 and f2fs say so among their options."""
        return "shutdown" in self.options.split(",")


def parse_mounts(table: bytes) -> list[Mount]:
    """The mounts of /proc/self/mounts (proc_pid_mounts(5), fstab(5)): space, tab, newline and backslash are octal.

    Names that are no UTF-8 carry half surrogates, as Python's own file names do.
    """
    rows = (line.split(b" ") for line in table.split(b"\n"))
    return [Mount(*(_unescaped(column) for column in columns[:4])) for columns in rows if len(columns) >= 4]


def _unescaped(column: bytes) -> str:
    plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), column) if b"\\" in column else column
    return plain.decode("utf-8", "surrogateescape")


def disks_among(
    mounts: Iterable[Mount], no_folders: Collection[str] = (), preferred: Sequence[Collection[str]] = ()
) -> list[Mount]:
    """The real file systems and network mounts, one for each device, and `/` whatever it is.

    Of several mounts of one device (bind mounts, btrfs subvolumes) one on a mount point in the first of the
    collections of `preferred` is taken, else in the next one, else the first in the table. Of several on one mount
    point the last is, which covers the others, as a mount covers all that was mounted below it before. `no_folders`
    are mount points known to be single files, as containers have them. A writable tmpfs outside the system's own
    folders is one that somebody made to plot in.
    """

    def rank(mount: Mount) -> int:
        places = (place for place, points in enumerate(preferred) if mount.mount_point in points)
        return -1 if mount.mount_point == "/" else next(places, len(preferred))

    chosen: dict[str, Mount] = {}
    for mount in sorted(_seen(mounts), key=rank):
        if mount.mount_point in no_folders or not _is_disk(mount):
            continue
        is_shared_name = not (mount.device.startswith("/") or ":" in mount.device or mount.filesystem_type == "zfs")
        chosen.setdefault(mount.mount_point if is_shared_name else mount.device, mount)
    return list(chosen.values())


def _seen(mounts: Iterable[Mount]) -> list[Mount]:
    """Those that can be reached by their path: the table's order is the order in which they were made."""
    by_point: dict[str, Mount] = {}
    for mount in mounts:
        by_point.pop(mount.mount_point, None)
        by_point[mount.mount_point] = mount
    seen: list[Mount] = []
    later: set[str] = set()
    for mount in reversed(by_point.values()):
        parents = _parents(mount.mount_point)
        if later.isdisjoint(parents):
            seen.append(mount)
        later.add(mount.mount_point)
    return seen[::-1]


def _parents(point: str) -> list[str]:
    """The folders above, but `/`."""
    names = point.split("/")[1:-1]
    return ["/" + "/".join(names[: n + 1]) for n in range(len(names))]


def _is_disk(mount: Mount) -> bool:
    if mount.mount_point == "/":
        return True
    if mount.filesystem_type == "tmpfs":
        is_of_system = any(is_under(mount.mount_point, top) for top in _SYSTEM_FOLDERS)
        return not is_of_system and not mount.is_read_only
    return bool(mount.filesystem_type) and mount.filesystem_type not in _NO_DISKS


def is_under(path: str, folder: str) -> bool:
    """Whether a path is that folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def lost_mounts(known: Iterable[str], mounted: Collection[str], folders: Collection[str]) -> list[str]:
    """Mount points that were there before, are not now, and that plots are expected under."""
    return [
        point
        for point in known
        if point not in mounted and point != "/" and any(is_under(folder, point) for folder in folders)
    ]
