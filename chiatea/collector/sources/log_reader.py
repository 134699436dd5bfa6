"""Reads a log as it grows, through its rotation and through our own restarts."""

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["LogPosition", "LogReader"]

MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is cut here: Chia's longest are tracebacks of some kilobytes."""
FINGERPRINT_BYTES: Final = 200
MAX_ROTATIONS: Final = 100


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far a log was read, in a form that survives a restart.

    Attributes:
        inode: of the file that was read last.
        offset: bytes of it that were read: always the beginning of a line.
        fingerprint: of the file's first bytes, as inodes are used again.
    """

    inode: int
    offset: int
    fingerprint: str


class LogReader:
    """Follows one log file, whose older parts are FILE.1, FILE.2, ..."""

    def __init__(self, filepath: Path, position: LogPosition | None = None) -> None:
        """Begins at a position, else at the file's start."""
        self._filepath = filepath
        self._descriptor: int | None = None
        self._inode = 0
        self._offset = 0
        self._fingerprint = ""
        self._is_cutting = False
        self._sought = position

    @property
    def position(self) -> LogPosition | None:
        """How far it was read; None before the file was there."""
        if self._descriptor is None:
            return self._sought
        return LogPosition(self._inode, self._offset, self._fingerprint)

    def read(self, max_bytes: int) -> list[str]:
        """The next whole lines, up to about `max_bytes`; none when there is nothing new.

        Raises:
            OSError: when the file is there and cannot be read, or is no file.
        """
        if self._descriptor is None and not self._open_first():
            return []
        lines = self._read_lines(max_bytes)
        if lines:
            return lines
        # Nothing more in this file: has it been renamed, with another begun?
        following = self._next_file()
        if following is None:
            return []
        # What was written between our last read and the rename.
        lines = self._read_lines(max_bytes, to_the_end=True)
        if lines:
            return lines
        self._open(following)
        return self._read_lines(max_bytes)

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _candidates(self) -> list[Path]:
        """The file and its older parts, the newest first."""
        found = [self._filepath]
        for number in range(1, MAX_ROTATIONS):
            older = self._filepath.with_name(f"{self._filepath.name}.{number}")
            if not older.exists():
                break
            found.append(older)
        return found

    def _open_first(self) -> bool:
        sought = self._sought
        if sought is not None:
            for path in self._candidates():
                with contextlib.suppress(OSError):
                    if path.stat().st_ino == sought.inode:
                        self._open(path)
                        if self._fingerprint == sought.fingerprint and self._size() >= sought.offset:
                            self._offset = sought.offset
                            return True
                        self.close()
        try:
            self._open(self._filepath)
        except FileNotFoundError:
            return False
        return True

    def _open(self, path: Path) -> None:
        # Opening a FIFO would wait for who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "is no file")
        self.close()
        self._descriptor = descriptor
        self._inode = status.st_ino
        self._offset = 0
        self._is_cutting = False
        self._fingerprint = self._fingerprint_now()

    def _fingerprint_now(self) -> str:
        assert self._descriptor is not None
        first_line = os.pread(self._descriptor, FINGERPRINT_BYTES, 0).partition(b"\n")
        # A first line that is not whole yet would have another fingerprint later.
        return hashlib.sha256(first_line[0]).hexdigest()[:16] if first_line[1] else ""

    def _size(self) -> int:
        assert self._descriptor is not None
        return os.fstat(self._descriptor).st_size

    def _next_file(self) -> Path | None:
        """The file that follows the open one; None while it is the newest."""
        assert self._descriptor is not None
        last_written = os.fstat(self._descriptor).st_mtime_ns
        newer: Path | None = None
        for path in self._candidates():
            with contextlib.suppress(OSError):
                status = path.stat()
                # Where ours is gone, what followed it is the oldest that was written to later.
                if status.st_ino == self._inode or status.st_mtime_ns < last_written:
                    return newer
                newer = path
        return newer

    def _read_lines(self, max_bytes: int, *, to_the_end: bool = False) -> list[str]:
        assert self._descriptor is not None
        if self._size() < self._offset:
            self._offset, self._is_cutting = 0, False
        if not self._fingerprint:
            self._fingerprint = self._fingerprint_now()
        block = os.pread(self._descriptor, max(max_bytes, MAX_LINE_BYTES + 1), self._offset)
        end = block.rfind(b"\n") + 1
        if end == 0:
            return self._without_newline(block, is_last=to_the_end)
        self._offset += end
        lines = block[:end].split(b"\n")[:-1]
        if self._is_cutting:
            self._is_cutting = False
            lines = lines[1:]
        return [_text(line) for line in lines]

    def _without_newline(self, block: bytes, *, is_last: bool) -> list[str]:
        """A line that has no end yet waits for it, unless it is too long or its file ends with it."""
        if len(block) <= MAX_LINE_BYTES and not (is_last and block):
            return []
        self._offset += len(block)
        was_cutting, self._is_cutting = self._is_cutting, len(block) > MAX_LINE_BYTES
        return [] if was_cutting else [_text(block)]


def _text(line: bytes) -> str:
    return line[:MAX_LINE_BYTES].rstrip(b"\r").decode("utf-8", "replace").replace("\0", "")
