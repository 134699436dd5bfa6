"""A plot's file where it should be: is it there, and what is in the way of reading it?"""

import contextlib
import errno
import stat
from pathlib import Path
from typing import Final

from chiatea.copier.disks import is_on_root, unmounted_point
from chiatea.copier.journal import SourceIdentity
from chiatea.copier.known_plot import FindingState
from chiatea.copier.system_calls import System
from chiatea.errors import ChiaTeaError

__all__ = ["FaultError", "NotReadError", "PlotFile"]

_OURS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that say nothing of the disk."""


class NotReadError(ChiaTeaError):
    """A plot cannot be looked at now, which says nothing of the plot."""

    def __init__(self, message: str, hint: str = "", *, is_away: bool = False) -> None:
        """`is_away`: its folder is not there, or its disk is not mounted."""
        super().__init__(message, hint)
        self.is_away = is_away


class FaultError(ChiaTeaError):
    """What is wrong with a plot, seen without reading it to its end."""

    def __init__(self, state: FindingState, message: str) -> None:
        super().__init__(message)
        self.state = state


class PlotFile:
    """An open plot."""

    def __init__(self, path: Path, system: System, stack: contextlib.ExitStack, *, may_be_on_root: bool) -> None:
        """Opens it; `stack` closes it.

        Args:
            path: the plot's.
            system: the system.
            stack: of whoever reads the plot.
            may_be_on_root: where it lies on the system's own disk, it always did.

        Raises:
            NotReadError: nothing can be said of it now.
            FaultError: MISSING, UNREADABLE, or CHANGED: it is no plain file.
        """
        self.path = path
        self._system = system
        self._folder = self._opened_folder(stack, may_be_on_root=may_be_on_root)
        try:
            named = system.status_of(path.name, self._folder)
            if not stat.S_ISREG(named.st_mode):
                raise FaultError(FindingState.CHANGED, "is no plain file any more")
            self.descriptor = system.open_to_read(self._folder, path.name)
            stack.callback(system.close, self.descriptor)
            self.status = system.status(self.descriptor)
        except FileNotFoundError:
            raise FaultError(FindingState.MISSING, "is not there any more") from None
        except OSError as error:
            if error.errno in _OURS:
                raise NotReadError(f"cannot be opened: {error.strerror}", "run as the user who may read it") from None
            raise FaultError(FindingState.UNREADABLE, f"cannot be opened: {error.strerror}") from None

    def _opened_folder(self, stack: contextlib.ExitStack, *, may_be_on_root: bool) -> int:
        try:
            folder = self._system.open_folder(self.path.parent)
            stack.callback(self._system.close, folder)
            device = self._system.status(folder).st_dev
        except OSError as error:
            is_away = error.errno not in _OURS
            raise NotReadError(f"its folder cannot be opened: {error.strerror}", is_away=is_away) from None
        missing = unmounted_point(self.path.parent)
        if missing is not None:
            raise NotReadError(f"its disk is not mounted: nothing is at {missing}, which fstab names", is_away=True)
        if not may_be_on_root and is_on_root(device):
            raise NotReadError("its disk is not mounted: its folder is on the system's own", is_away=True)
        return folder

    @property
    def is_on_root(self) -> bool:
        """Whether it lies on the system's own disk."""
        return is_on_root(self.status.st_dev)

    def first_bytes(self, n_bytes: int) -> bytes:
        """Raises FaultError, UNREADABLE."""
        buffer = memoryview(bytearray(min(n_bytes, self.status.st_size)))
        try:
            return bytes(buffer[: self._system.read(self.descriptor, buffer, 0)])
        except OSError as error:
            raise FaultError(FindingState.UNREADABLE, f"cannot be read: {error.strerror}") from None

    def check_size(self, file_bytes: int) -> None:
        """Raises FaultError, CHANGED, where it has another one."""
        if self.status.st_size != file_bytes:
            raise FaultError(FindingState.CHANGED, f"has {self.status.st_size} bytes, and had {file_bytes}")

    def check_unchanged(self) -> None:
        """Refuses what was read of it when it was written to meanwhile, or its name leads elsewhere now.

        Raises:
            NotReadError: so it is.
        """
        try:
            statuses = (self._system.status(self.descriptor), self._system.status_of(self.path.name, self._folder))
        except OSError as error:
            raise NotReadError(f"could not be looked at after it was read: {error.strerror}") from None
        if any(SourceIdentity.of(status) != SourceIdentity.of(self.status) for status in statuses):
            raise NotReadError("was written to while it was read")
