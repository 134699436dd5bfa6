"""Follows Chia's log through rotation, truncation and restarts, so that no line is read twice and none is missed."""

import errno
import io
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from chiatea.chia.untrusted import integer, mapping, number, text

__all__ = ["MAX_LINE_BYTES", "LogReader", "LogText", "Position", "lines_of", "text_of"]

MAX_LINE_BYTES: Final = 64 * 1024
_HEAD_BYTES: Final = 96
"""A file is known again by its first bytes: the time of its first line is among them."""
_MAX_ROTATED: Final = 40


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is read: every byte before `offset` is. It can be saved and gone on from."""

    head: bytes = b""
    """The file's first bytes, of those before `offset`."""
    inode: int = 0
    offset: int = 0
    is_in_cut_line: bool = False
    """The rest of the line at `offset` is to be passed over."""
    modified_time: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the memory file."""
        return {
            "head": self.head.hex(),
            "inode": self.inode,
            "offset": self.offset,
            "is_in_cut_line": self.is_in_cut_line,
            "modified_time": self.modified_time,
        }

    @classmethod
    def from_json(cls, data: object) -> "Position | None":
        """The reverse of `as_json`; None of anything else."""
        told = mapping(data)
        offset, inode = integer(told.get("offset")), integer(told.get("inode"))
        try:
            head = bytes.fromhex(text(told.get("head")) or "")
        except ValueError:
            return None
        if offset is None or offset < 0 or inode is None:
            return None
        is_in_cut_line = told.get("is_in_cut_line") is True
        return cls(head, inode, offset, is_in_cut_line, number(told.get("modified_time")) or 0.0)


@dataclass(slots=True)
class LogText:
    """Whole lines as read, in blocks: the end of each block's last line is left out. Good until the read after next."""

    blocks: list[bytes | memoryview]
    n_bytes: int = 0

    @property
    def lines(self) -> list[str]:
        """The lines of all blocks as text."""
        return [line for block in self.blocks for line in lines_of(block)[0]]


def lines_of(block: bytes | memoryview) -> tuple[list[str], int]:
    """A block's lines as text, and how many of them were cut."""
    lines = bytes(block).split(b"\n")
    return [text_of(line) for line in lines], sum(len(line) > MAX_LINE_BYTES for line in lines)


def text_of(line: bytes) -> str:
    """One line as text; cut where it is too long."""
    # NUL bytes are what a crash of the machine leaves of a file's unwritten end.
    return line[:MAX_LINE_BYTES].replace(b"\0", b"").rstrip(b"\r").decode("utf-8", "replace")


class NotAFileError(OSError):
    """There is something else where the log should be."""


class LogReader:
    """Reads on where it stopped. One call at a time."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        """A reader of the log at `path`, from its start or from a saved position."""
        self.path = path
        self.position = position or Position()
        self._descriptor: int | None = None
        self._rest = b""
        self._room, self._other_room = bytearray(), bytearray()
        """What is read is read into these in turn: for each large piece new memory would cost as much as reading it."""

    def read(self, max_bytes: int) -> LogText:
        """The next whole lines, of about `max_bytes` at most; no bytes when all is read.

        Raises:
            FileNotFoundError: there is no log now.
            OSError: it cannot be read.
        """
        try:
            try:
                return self._read(max_bytes)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                # On a network mount another file has taken its place: what is open is there no more.
                self.close()
                return self._read(max_bytes)
        except OSError:
            self.close()
            raise

    def n_bytes_behind(self) -> int:
        """What is there and is not read yet: of the file that is open, and of those that were begun after it."""
        if self._descriptor is None:
            return 0
        try:
            status = os.fstat(self._descriptor)
            n_bytes = max(0, status.st_size - self.position.offset - len(self._rest))
            if self._is_rotated():
                n_bytes += sum(path.stat().st_size for path in (*self._begun_after(status), self.path))
        except OSError:  # a file that was rotated at this moment: the next look sees it
            return 0
        return n_bytes

    def _read(self, max_bytes: int) -> LogText:
        found = LogText([])
        for _ in range(_MAX_ROTATED + 2):
            if self._descriptor is None:
                self._open_where_it_stopped()
            chunk = self._next_chunk(max_bytes)
            if not chunk:
                if not self._is_rotated():
                    return found
                # The last lines may have come between the end that was seen and the rotation.
                chunk = self._next_chunk(max_bytes)
            if chunk:
                self._split(chunk, found)
                return found
            self._finish_file(found)
        return found

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._rest = b""

    def _open_where_it_stopped(self) -> None:
        position = self.position
        if position.offset == 0 and position.inode == 0:
            self._open(self.path, Position())
            return
        candidates = [self.path, *self._rotated()]
        same = [path for path in candidates if _continues(path, position)]
        same.sort(key=lambda path: _inode(path) != position.inode)
        if same:
            self._open(same[0], position)
        elif _is_shortened(self.path, position):
            self._open_at_end()
        else:
            self._open_next(self._newer_than(position.modified_time))

    def _open(self, path: Path, position: Position) -> None:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise NotAFileError(0, "is a folder" if stat.S_ISDIR(mode) else "is no file")
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotAFileError(0, "is no file")
        self.close()
        self._descriptor = descriptor
        self.position = replace(position, inode=os.fstat(descriptor).st_ino)

    def _open_at_end(self) -> None:
        """The log lost its end, as after a crash of the machine: what it has left is read already."""
        self._open(self.path, self.position)
        assert self._descriptor is not None
        size = os.fstat(self._descriptor).st_size
        is_in_line = _read_at(self._descriptor, max(0, size - 1), 1) != b"\n"
        self.position = replace(self.position, offset=size, is_in_cut_line=is_in_line)

    def _open_next(self, newer: list[Path]) -> None:
        self._open(newer[0] if newer else self.path, Position())

    def _next_chunk(self, max_bytes: int) -> memoryview:
        """The rest of the last time, and what came after it; nothing where nothing came."""
        assert self._descriptor is not None
        position = self.position
        size = os.fstat(self._descriptor).st_size
        if (
            size < position.offset + len(self._rest)
            or _read_at(self._descriptor, 0, len(position.head)) != position.head
        ):
            self._open_instead(position)
            size = os.fstat(self._descriptor).st_size
        n_bytes = len(self._rest) + min(max_bytes, size - self.position.offset - len(self._rest))
        if n_bytes <= len(self._rest):
            return memoryview(b"")
        self._room, self._other_room = self._other_room, self._room
        if len(self._room) < n_bytes or len(self._room) > 4 * n_bytes + 2 * MAX_LINE_BYTES:
            self._room = bytearray(n_bytes + MAX_LINE_BYTES)
        data = memoryview(self._room)[:n_bytes]
        os.lseek(self._descriptor, self.position.offset, os.SEEK_SET)
        with io.FileIO(self._descriptor, closefd=False) as file:
            n_read = file.readinto(data) or 0
        return data[: n_read if n_read > len(self._rest) else 0]

    def _open_instead(self, position: Position) -> None:
        """The file was emptied in place; perhaps after it was copied away: then the copy has what was not read yet."""
        if _is_shortened(self.path, position):
            self._open_at_end()
            return
        copies = [path for path in self._rotated() if position.head and _continues(path, position)]
        self._open(copies[0] if copies else self.path, position if copies else Position())

    def _is_rotated(self) -> bool:
        assert self._descriptor is not None
        try:
            return self.path.stat().st_ino != os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False

    def _finish_file(self, found: LogText) -> None:
        """Goes from a file that nothing is added to any more to the one that was begun after it."""
        assert self._descriptor is not None
        if self._rest:
            found.blocks.append(self._rest)
            self._rest = b""
        self._open_next(self._begun_after(os.fstat(self._descriptor)))

    def _begun_after(self, status: os.stat_result) -> list[Path]:
        """Rotated files that are newer than one, oldest first."""
        rotated = self._rotated()
        inodes = [_inode(path) for path in rotated]
        if status.st_ino in inodes:
            return rotated[: inodes.index(status.st_ino)][::-1]
        return self._newer_than(status.st_mtime)

    def _rotated(self) -> list[Path]:
        """debug.log.1, debug.log.2, ...: the newest first."""
        numbered = (self.path.with_name(f"{self.path.name}.{n}") for n in range(1, _MAX_ROTATED + 1))
        return [path for path in numbered if path.is_file()]

    def _newer_than(self, modified_time: float) -> list[Path]:
        """Rotated files that were written to since, oldest first."""
        return [path for path in self._rotated() if path.stat().st_mtime > modified_time][::-1]

    def _split(self, data: memoryview, found: LogText) -> None:
        found.n_bytes += len(data) - len(self._rest)
        room, n_bytes, consumed = self._room, len(data), 0
        is_in_cut_line = self.position.is_in_cut_line
        if is_in_cut_line:
            end = room.find(b"\n", 0, n_bytes)
            consumed = n_bytes if end < 0 else end + 1
            is_in_cut_line = end < 0
        end = room.rfind(b"\n", consumed, n_bytes)
        if end >= 0:
            found.blocks.append(data[consumed:end])
            consumed = end + 1
        if n_bytes - consumed > MAX_LINE_BYTES:
            found.blocks.append(data[consumed:])
            consumed, is_in_cut_line = n_bytes, True
        self._rest = bytes(data[consumed:])
        self._move_to(self.position.offset + consumed, is_in_cut_line=is_in_cut_line)

    def _move_to(self, offset: int, *, is_in_cut_line: bool) -> None:
        assert self._descriptor is not None
        status = os.fstat(self._descriptor)
        head = self.position.head
        if len(head) < min(_HEAD_BYTES, offset):
            head = _read_at(self._descriptor, 0, min(_HEAD_BYTES, offset))
        self.position = Position(head, status.st_ino, offset, is_in_cut_line, status.st_mtime)


def _read_at(descriptor: int, offset: int, n_bytes: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, n_bytes)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _continues(path: Path, position: Position) -> bool:
    """Whether a file is the one that a position is of: it begins alike and has that much."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size < position.offset:
            return False
        if not position.head:
            return status.st_ino == position.inode
        with path.open("rb") as file:
            return file.read(len(position.head)) == position.head
    except OSError:
        return False


def _is_shortened(path: Path, position: Position) -> bool:
    """Whether a file begins as the one that a position is of, and has less than was read of it."""
    if len(position.head) < _HEAD_BYTES:
        return False
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or not _HEAD_BYTES <= status.st_size < position.offset:
            return False
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES) == position.head
    except OSError:
        return False
