"""The plot where it lies: read, looked at again, and removed at the very end."""

import contextlib
import stat
from pathlib import Path

from chiatea.copier.failures import MoveFailedError, at_source
from chiatea.copier.journal import SourceIdentity
from chiatea.copier.plot_header import HEADER_BYTES, PlotHeader, name_fault, parse_plot_header
from chiatea.copier.shown import shown
from chiatea.copier.system_calls import System

__all__ = ["SourceEnd"]


class SourceEnd:
    """An open folder, and the file of that name in it."""

    def __init__(self, path: Path, system: System, stack: contextlib.ExitStack) -> None:
        """Opens the folder; `stack` closes what is opened.

        Raises:
            MoveFailedError: `source`; the folder is not there, or cannot be read.
        """
        self._path = path
        self._system = system
        self._stack = stack
        self.descriptor = -1
        with at_source(f"{shown(path.parent)}: cannot be opened"):
            self._folder = system.open_folder(path.parent)
        stack.callback(system.close, self._folder)

    def exists(self) -> bool:
        """Whether anything has the plot's name.

        Raises:
            MoveFailedError: `source`; that cannot be told.
        """
        with at_source(f"{shown(self._path)}: cannot be looked at"):
            try:
                self._system.status_of(self._path.name, self._folder)
            except FileNotFoundError:
                return False
        return True

    def open(self) -> SourceIdentity:
        """Opens the plot, and says what tells it from any other.

        Raises:
            MoveFailedError: `source`; it is gone, unreadable, a link, or no file.
        """
        with at_source(f"{shown(self._path)}: cannot be read"):
            named = self._system.status_of(self._path.name, self._folder)
            if not stat.S_ISREG(named.st_mode):
                kind = "a symbolic link" if stat.S_ISLNK(named.st_mode) else "no plain file"
                raise MoveFailedError("source", f"{shown(self._path)}: is {kind}", "only plot files are moved")
            self.descriptor = self._system.open_to_read(self._folder, self._path.name)
            self._stack.callback(self._system.close, self.descriptor)
            self._system.will_read_in_order(self.descriptor)
            status = self._system.status(self.descriptor)
        if SourceIdentity.of(status) != SourceIdentity.of(named):
            raise self._changed()
        self.status = status
        return SourceIdentity.of(status)

    def check_finished(self, settle_seconds: float, now: float) -> None:
        """Refuses a plot that may still be written, or that could not be removed once it is copied.

        Args:
            settle_seconds: as long ago it must have been written to last. A time further ahead than that is of a clock
                that was wrong, and says nothing.
            now: UTC, seconds since the epoch.

        Raises:
            MoveFailedError: `source_changed` or `source`.
        """
        if abs(now - self.status.st_mtime) < settle_seconds:
            raise MoveFailedError(
                "source_changed",
                f"{shown(self._path)}: was written to less than {settle_seconds:g} s ago",
                "it is taken when it has settled",
            )
        with at_source(f"{shown(self._path.parent)}: cannot be looked at"):
            may_remove = self._system.may_remove_from(self._folder)
        if not may_remove:
            raise MoveFailedError(
                "source", f"{shown(self._path)}: could not be removed after the copy", "make its folder writable"
            )

    def check_header(self) -> PlotHeader:
        """The plot's header, which must be whole and fit the file's name.

        Raises:
            MoveFailedError: `header`, or `source` where it cannot be read.
        """
        buffer = memoryview(bytearray(min(HEADER_BYTES, self.status.st_size)))
        with at_source(f"{shown(self._path)}: cannot be read"):
            n_bytes = self._system.read(self.descriptor, buffer, 0)
        header = parse_plot_header(bytes(buffer[:n_bytes]), self.status.st_size)
        fault = header if isinstance(header, str) else name_fault(header, self._path.name)
        if isinstance(header, str) or fault is not None:
            raise MoveFailedError("header", f"{shown(self._path)}: {fault}", "it is left where it is")
        return header

    def drop_pages(self, offset: int, n_bytes: int) -> None:
        """Drops from memory what was read."""
        with at_source(f"{shown(self._path)}: cannot be read"):
            self._system.drop_pages(self.descriptor, offset, n_bytes)

    def read(self, buffer: memoryview, offset: int) -> None:
        """Fills a buffer.

        Raises:
            MoveFailedError: `source`, or `source_changed` where the file became shorter.
        """
        filled = 0
        while filled < len(buffer):
            with at_source(f"{shown(self._path)}: cannot be read at byte {offset + filled}"):
                n_bytes = self._system.read(self.descriptor, buffer[filled:], offset + filled)
            if n_bytes == 0:
                raise self._changed()
            filled += n_bytes

    def check_unchanged(self, identity: SourceIdentity) -> None:
        """Refuses when the plot was written to, or its name leads to another file now. A name that is gone is no
        change: the open file was read to its end, and the copy is then the only one.

        Raises:
            MoveFailedError: `source_changed`, or `source` where that cannot be told.
        """
        with at_source(f"{shown(self._path)}: cannot be looked at"):
            if self.descriptor >= 0 and SourceIdentity.of(self._system.status(self.descriptor)) != identity:
                raise self._changed()
            try:
                named = self._system.status_of(self._path.name, self._folder)
            except FileNotFoundError:
                return
        if not stat.S_ISREG(named.st_mode) or SourceIdentity.of(named) != identity:
            raise self._changed()

    def remove(self, identity: SourceIdentity) -> None:
        """Removes the source, if it still is what was copied, and makes that durable. It may be gone already.

        Raises:
            MoveFailedError: `source_changed` or `source`.
        """
        if self.exists():
            self.check_unchanged(identity)
            with at_source(f"{shown(self._path)}: is copied, but cannot be removed"):
                self._system.remove(self._folder, self._path.name)
        with at_source(f"{shown(self._path.parent)}: cannot be made durable"):
            self._system.sync(self._folder)

    def _changed(self) -> MoveFailedError:
        return MoveFailedError(
            "source_changed", f"{shown(self._path)}: changed while it was copied", "it is taken when it has settled"
        )
