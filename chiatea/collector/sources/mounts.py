"""Which of all mounted file systems are disks. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["Mount", "disks_among", "lost_mounts"]

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


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the system's table of mounts."""

    device: str
    mount_point: str
    filesystem_type: str
    options: str

    @property
    def is_read_only(self) -> bool:
        """Whether it is mounted so."""
        return "ro" in self.options.split(",")


def disks_among(mounts: Iterable[Mount], no_folders: Collection[str] = ()) -> list[Mount]:
    """The real file systems and network mounts, one for each device, and `/` whatever it is.

    Of several mounts of one device (bind mounts, btrfs subvolumes) the first in the table is taken; of several on one
    mount point the last, which covers the others. `no_folders` are mount points known to be single files, as
    containers have them. A writable tmpfs outside the system's own folders is one that somebody made to plot in.
    """
    by_point = {mount.mount_point: mount for mount in mounts}
    chosen: dict[str, Mount] = {}
    for mount in sorted(by_point.values(), key=lambda mount: mount.mount_point != "/"):
        if mount.mount_point in no_folders or not _is_disk(mount):
            continue
        is_shared_name = not (mount.device.startswith("/") or ":" in mount.device or mount.filesystem_type == "zfs")
        chosen.setdefault(mount.mount_point if is_shared_name else mount.device, mount)
    return list(chosen.values())


def _is_disk(mount: Mount) -> bool:
    if mount.mount_point == "/":
        return True
    if mount.filesystem_type == "tmpfs":
        is_of_system = any(
            mount.mount_point == top or mount.mount_point.startswith(f"{top}/") for top in _SYSTEM_FOLDERS
        )
        return not is_of_system and not mount.is_read_only
    return bool(mount.filesystem_type) and mount.filesystem_type not in _NO_DISKS


def lost_mounts(known: Iterable[str], mounted: Collection[str], folders: Collection[str]) -> list[str]:
    """Mount points that were there before, are not now, and that plots are expected under."""
    return [
        point
        for point in known
        if point not in mounted
        and point != "/"
        and any(folder == point or folder.startswith(point.rstrip("/") + "/") for folder in folders)
    ]
