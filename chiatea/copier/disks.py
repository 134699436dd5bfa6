"""Which disk a file system lies on, and whether it is there at all."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["disk_of", "is_on_root", "unmounted_point"]

_BLOCK_DEVICES: Final = Path("/sys/dev/block")
_FSTAB: Final = Path("/etc/fstab")


def disk_of(device: int, block_devices: Path = _BLOCK_DEVICES) -> str:
    """A name for the disk under a file system: "sda" for each of its partitions, else "8:1", as `st_dev` tells.

    Source: Linux, Documentation/ABI/testing/sysfs-dev and sysfs-block (a partition is a folder in its disk's).
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        entry = (block_devices / number).resolve(strict=True)
    except OSError:
        return number
    return entry.parent.name if (entry / "partition").exists() else entry.name


def is_on_root(device: int) -> bool:
    """Whether a file system, by its `st_dev`, is the system's own."""
    return device == Path("/").stat().st_dev


def unmounted_point(folder: Path, fstab: Path = _FSTAB) -> Path | None:
    """The mount point that `folder` is or lies below according to /etc/fstab, where nothing is mounted there now."""
    resolved = Path(os.path.realpath(folder))
    for point in _mount_points(fstab):
        if (resolved == point or point in resolved.parents) and not os.path.ismount(point):
            return point
    return None


def _mount_points(fstab: Path) -> Iterator[Path]:
    try:
        lines = fstab.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) >= 3 and not fields[0].startswith("#") and fields[1].startswith("/") and fields[1] != "/":
            # Source: fstab(5): a space in a path stands as \040, a tab as \011.
            yield Path(fields[1].replace("\\040", " ").replace("\\011", "\t"))
