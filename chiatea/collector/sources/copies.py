"""Which disks copies of `chia-tea copy` read and write now."""

from collections.abc import Callable, Iterable

import psutil

from chiatea.protobuf.chia_pb2 import Process

__all__ = ["WORKER_NAME", "copies_on"]

WORKER_NAME = "chia-tea worker"
"""One process for each copy under way: see `chiatea.copier.worker`."""


def copies_on(disk_id: str, processes: Iterable[Process], disk_of: Callable[[str], str | None]) -> int | None:
    """How many copies read or write a disk.

    Args:
        disk_id: the disk's mount point.
        processes: those that run; only the copier's workers are looked at.
        disk_of: the disk of a path.

    Returns:
        None where that cannot be told: a worker is another user's.
    """
    n_copies = 0
    for process in processes:
        if process.name != WORKER_NAME:
            continue
        try:
            files = psutil.Process(process.id).open_files()
        except psutil.AccessDenied:
            return None
        except (psutil.Error, OSError):
            continue  # it ended
        n_copies += any(disk_of(file.path) == disk_id for file in files if ".plot" in file.path)
    return n_copies
