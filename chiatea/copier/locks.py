"""One copier for each folder: locks that the system releases when their process dies, however it dies."""

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import xxhash

from chiatea.copier.shown import shown
from chiatea.errors import ConfigurationError

__all__ = ["FolderLocks", "name_locked"]

_HELD_LOCKS: Final = Path("/proc/locks")
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ENOSYS})
"""What file systems answer that know no locks on folders: there each copier must know for itself."""

_LOCK_BYTES: Final = 1 << 62


@contextlib.contextmanager
def name_locked(filepath: Path, name: bytes) -> Iterator[bool]:
    """Locks a name; False where another process holds it. One byte of one file stands for each name, so that no lock
    files are left behind. The system frees it when the process ends. A process holds one of a file at a time: to close
    the file frees all of its locks (fcntl(2)).

    Raises:
        OSError: the file cannot be made, or not be locked.
    """
    descriptor = os.open(filepath, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, xxhash.xxh3_64_intdigest(name) % _LOCK_BYTES)
            is_ours = True
        except (BlockingIOError, PermissionError):
            is_ours = False
        yield is_ours
    finally:
        # Nothing was written, so there is nothing that could be lost.
        with contextlib.suppress(OSError):
            os.close(descriptor)


class FolderLocks:
    """Locks on folders themselves: nothing is written into them, and nothing stays behind.

    A folder that somebody locked keeps its disk from being unmounted. It may be used from many threads.
    """

    def __init__(self) -> None:
        """Holds none."""
        self._mutex = threading.Lock()
        self._held: dict[Path, tuple[tuple[int, int], int]] = {}

    def take(self, folder: Path) -> None:
        """Locks a folder, or sees that it is locked by us still: another disk may be mounted there by now.

        Raises:
            ConfigurationError: another process has it, or it is one of ours under another name.
            OSError: it is not there, or cannot be opened.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            with self._mutex:
                if self._take(folder, (status.st_dev, status.st_ino), descriptor):
                    descriptor = -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _take(self, folder: Path, identity: tuple[int, int], descriptor: int) -> bool:
        for other, (held, _) in self._held.items():
            if held == identity and other == folder:
                return False
            if held == identity:
                raise ConfigurationError(
                    f"{shown(folder)} and {shown(other)} are one folder", "name it once, as source or as target"
                )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner_of(identity)
            raise ConfigurationError(
                f"{shown(folder)}: another chia-tea copy{f' (process {owner})' if owner else ''} works with it",
                "stop that one, or give this one other folders and another machine.state_folder",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        old = self._held.get(folder)
        self._held[folder] = (identity, descriptor)
        if old is not None:
            os.close(old[1])
        return True

    def let_go(self, folder: Path) -> None:
        """Gives one back, where it is held."""
        with self._mutex:
            held = self._held.pop(folder, None)
            if held is not None:
                os.close(held[1])

    def release(self) -> None:
        """Gives all back."""
        with self._mutex:
            for _, descriptor in self._held.values():
                os.close(descriptor)
            self._held.clear()


def _owner_of(identity: tuple[int, int]) -> int | None:
    """Source: Linux, proc(5), /proc/locks: `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END`, in hex."""
    device, inode = identity
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    try:
        lines = _HELD_LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5] == place and fields[4].isdigit():
            return int(fields[4])
    return None
