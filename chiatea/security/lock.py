"""One writer at a time, among all processes of a machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chiatea.errors import CertificateError

__all__ = ["locked"]

_PAUSE_SECONDS: Final = 0.02


@contextlib.contextmanager
def locked(path: Path, *, limit_seconds: float = 10.0) -> Iterator[None]:
    """Holds the lock that belongs to a file: `.NAME.lock` beside it. The system frees it when the process dies.

    The lock file itself stays: removing it would let two processes lock two files of one name.

    Raises:
        CertificateError: when another process held it for all of `limit_seconds`, or it cannot be made.
    """
    lock_filepath = path.with_name(f".{path.name}.lock")
    try:
        lock_filepath.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock_filepath, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CertificateError(
            f"{lock_filepath}: cannot be made: {error.strerror}", f"is {lock_filepath.parent} yours?"
        ) from None
    try:
        _wait_for(descriptor, lock_filepath, limit_seconds)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, lock_filepath: Path, limit_seconds: float) -> None:
    deadline = time.monotonic() + limit_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise CertificateError(
                    f"{lock_filepath}: another chia-tea has held this lock for {limit_seconds:g} s",
                    "wait for it to end, or end it",
                ) from None
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            raise CertificateError(
                f"{lock_filepath}: cannot be locked: {error.strerror}", "keep this folder on a local disk"
            ) from None
        else:
            return
