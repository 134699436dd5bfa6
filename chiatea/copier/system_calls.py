"""The system calls that a copy needs and Python lacks, each with what is done where it is missing.

All of a transfer's input and output goes through `System`, so that a test can come between. Everything at the target
and at the source is named relative to an open folder: a file system that is mounted over it cannot divert us.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["System"]

_NOT_SUPPORTED: Final = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ESPIPE})
_RENAME_NOREPLACE: Final = 1  # linux/fs.h
_WAIT_BEFORE: Final = 1  # sync_file_range(2)
_WRITE: Final = 2
_WAIT_AFTER: Final = 4
_PAGE_BYTES: Final = mmap.PAGESIZE
_MAPPED_BYTES: Final = 1 << 30
"""As much of a file as is asked for resident pages at a time: the answer takes 256 KiB."""

_libc = ctypes.CDLL(None, use_errno=True)


def _function(name: str, *argument_types: Any) -> Callable[..., int] | None:
    """A function of the C library that returns 0 or sets errno; None where the library has none of that name."""
    function = getattr(_libc, name, None)
    if function is None or sys.platform != "linux":
        return None
    function.argtypes = argument_types
    function.restype = ctypes.c_int

    def call(*arguments: Any) -> int:
        # PEP 475: a call that a signal interrupts is made again.
        while function(*arguments) != 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                return number
        return 0

    return call


_off = ctypes.c_int64
_fallocate = _function("fallocate64", ctypes.c_int, ctypes.c_int, _off, _off)
_sync_file_range = _function("sync_file_range", ctypes.c_int, _off, _off, ctypes.c_uint)
_renameat2 = _function("renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_mincore = _function("mincore", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
_munmap = _function("munmap", ctypes.c_void_p, ctypes.c_size_t)
_mmap = getattr(_libc, "mmap64", None)
if _mmap is not None:
    _mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, _off)
    _mmap.restype = ctypes.c_void_p


def _raise(number: int, name: str = "") -> None:
    raise OSError(number, os.strerror(number), name)


class System:
    """Files and folders as a transfer uses them; every method raises OSError as `os` does."""

    def open_folder(self, path: Path) -> int:
        """A folder, to name files in it and to make its entries durable."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_to_read(self, folder: int, name: str) -> int:
        """A file to read; no symbolic link is followed, and nothing that waits is waited for."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)

    def create(self, folder: int, name: str) -> int:
        """A new file to write and read back; EEXIST where anything has that name."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o644, dir_fd=folder)

    def reopen(self, folder: int, name: str) -> int:
        """A file that is there, to write and read back."""
        return os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)

    def close(self, descriptor: int) -> None:
        """Closes a file or folder. What it has to say was said by `sync`, or is of no use any more."""
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def status(self, descriptor: int) -> os.stat_result:
        """Of an open file or folder."""
        return os.fstat(descriptor)

    def status_of(self, path: Path | str, folder: int | None = None) -> os.stat_result:
        """Of a name; a symbolic link is not followed."""
        return os.stat(path, dir_fd=folder, follow_symlinks=False)

    def folder_status(self, path: Path) -> os.stat_result:
        """Of what a folder's path leads to now; links in it are followed."""
        return path.stat()

    def may_remove_from(self, folder: int) -> bool:
        """Whether a file of this folder could be removed, as far as that can be told before."""
        if os.fstatvfs(folder).f_flag & os.ST_RDONLY:
            return False
        return os.access(".", os.W_OK | os.X_OK, dir_fd=folder)

    def free_bytes(self, folder: int) -> int:
        """What the file system of an open folder has left for this user."""
        room = os.fstatvfs(folder)
        return room.f_bavail * room.f_frsize

    def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Reads up to a buffer's size; 0 at the end of the file."""
        return os.preadv(descriptor, [buffer], offset)

    def write(self, descriptor: int, data: memoryview, offset: int) -> None:
        """Writes all of it."""
        while len(data):
            written = os.pwrite(descriptor, data, offset)
            data = data[written:]
            offset += written

    def preallocate(self, descriptor: int, n_bytes: int) -> bool:
        """Gives a file its size and its place on the disk, by fallocate(2). False where the file system has no such
        call; `os.posix_fallocate` would write zeros there.

        Raises:
            OSError: ENOSPC among them; the file may keep the space that it got.
        """
        if _fallocate is None:
            return False
        number = _fallocate(descriptor, 0, 0, n_bytes)
        if number in _NOT_SUPPORTED:
            return False
        if number:
            _raise(number)
        return True

    def holds_data(self, descriptor: int) -> bool:
        """Whether anything was ever written to a file: space that is merely reserved is no data."""
        try:
            os.lseek(descriptor, 0, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            return os.fstat(descriptor).st_size > 0
        return True

    def start_write_back(self, descriptor: int, offset: int, n_bytes: int) -> None:
        """Begins to write dirty pages to the device, and does not wait. Nothing where there is no such call."""
        self._sync_range(descriptor, offset, n_bytes, _WRITE)

    def wait_for_write_back(self, descriptor: int, offset: int, n_bytes: int) -> None:
        """Waits until pages are on the device. An error here is told only once: fsync may not tell it again."""
        self._sync_range(descriptor, offset, n_bytes, _WAIT_BEFORE | _WRITE | _WAIT_AFTER)

    def _sync_range(self, descriptor: int, offset: int, n_bytes: int, flags: int) -> None:
        if _sync_file_range is not None:
            number = _sync_file_range(descriptor, offset, n_bytes, flags)
            if number and number not in _NOT_SUPPORTED:
                _raise(number)

    def will_read_in_order(self, descriptor: int) -> None:
        """Lets the system read further ahead. Advice: a file system that takes none is as good."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def drop_pages(self, descriptor: int, offset: int, n_bytes: int) -> None:
        """Drops clean pages of a file from memory; `n_bytes` 0 is all behind `offset`."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, offset, n_bytes, os.POSIX_FADV_DONTNEED)

    def resident_bytes(self, descriptor: int, n_bytes: int) -> int:
        """How much of a file is in memory, by mincore(2), which tells the truth about files we may write to.
        All of it where that cannot be asked.
        """
        if _mincore is None or _munmap is None or _mmap is None:
            return n_bytes
        return sum(
            self._resident_in(descriptor, offset, min(_MAPPED_BYTES, n_bytes - offset))
            for offset in range(0, n_bytes, _MAPPED_BYTES)
        )

    @staticmethod
    def _resident_in(descriptor: int, offset: int, n_bytes: int) -> int:
        assert _mincore is not None
        assert _munmap is not None
        assert _mmap is not None
        address = _mmap(None, n_bytes, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, offset)
        if address == ctypes.c_void_p(-1).value:
            return n_bytes
        n_pages = -(-n_bytes // _PAGE_BYTES)
        pages = ctypes.create_string_buffer(n_pages)
        try:
            if _mincore(address, n_bytes, pages):
                return n_bytes
        finally:
            _munmap(address, n_bytes)
        # Only the lowest bit of each byte means anything, and a plain count of both values is fast.
        raw = pages.raw
        return min(n_bytes, _PAGE_BYTES * (n_pages - raw.count(0)))

    def sync(self, descriptor: int) -> None:
        """fsync(2), of a file or a folder. After an error a file is void: the lost write is told only once."""
        os.fsync(descriptor)

    def sync_data(self, descriptor: int) -> None:
        """fdatasync(2): the data and what is needed to find it."""
        os.fdatasync(descriptor)

    def take_over_times_and_mode(self, descriptor: int, like: os.stat_result) -> None:
        """Gives a copy the age and the permissions of its source, where the file system knows of such."""
        self._set_where_known(os.utime, descriptor, ns=(like.st_atime_ns, like.st_mtime_ns))
        # Its owner must be able to open it again, to go on after a crash.
        self._set_where_known(os.fchmod, descriptor, stat.S_IMODE(like.st_mode) | stat.S_IRUSR | stat.S_IWUSR)

    @staticmethod
    def _set_where_known(call: Callable[..., None], *arguments: Any, **named: Any) -> None:
        try:
            call(*arguments, **named)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED | {errno.EPERM, errno.EACCES}:
                raise

    def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
        """Renames within a folder; EEXIST where the new name is taken. By renameat2(2), else by link and unlink: there
        both names may stand for a while, or for good after a crash.
        """
        if _renameat2 is not None:
            number = _renameat2(folder, os.fsencode(old), folder, os.fsencode(new), _RENAME_NOREPLACE)
            if number == 0:
                return
            if number not in _NOT_SUPPORTED:
                _raise(number, new)
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(old, dir_fd=folder)

    def remove(self, folder: int, name: str) -> None:
        """Removes a file's name."""
        os.unlink(name, dir_fd=folder)
