"""A lock that one process has at a time and that its death releases."""

import os
import sys
from pathlib import Path

from chiatea.errors import ConfigurationError, DatabaseError

if sys.platform != "win32":
    import fcntl

__all__ = ["FileLock"]


class FileLock:
    """Held from its making until `release`."""

    def __init__(self, filepath: Path) -> None:
        """Takes the lock.

        Raises:
            DatabaseError: when another process has it.
            ConfigurationError: when its file cannot be made.
        """
        try:
            self._descriptor = os.open(filepath, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{filepath}: cannot be made: {error.strerror}",
                "set monitoring.server.db_filepath to a folder you own",
            ) from None
        # Elsewhere SQLite's own locks are all there is.
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            database = filepath.with_suffix("")
            raise DatabaseError(
                f"{database}: another chia-tea server has it open",
                "stop that one, or set monitoring.server.db_filepath to another path",
            ) from None

    def release(self) -> None:
        """Gives the lock back; the file stays, so that two processes never lock two files of one name."""
        os.close(self._descriptor)
