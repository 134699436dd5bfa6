"""Files that only their owner may read."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from chiatea.errors import CertificateError

if sys.platform != "win32":
    import fcntl

__all__ = ["locked", "read_private_file", "write_file"]


def read_private_file(filepath: Path) -> bytes:
    """A key's or token's bytes.

    Raises:
        CertificateError: when it is not there, cannot be read, is empty, or others may read it.
    """
    try:
        descriptor = os.open(filepath, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CertificateError(f"{filepath}: is no file", "name a file")
            if os.name == "posix" and status.st_mode & 0o077:
                raise CertificateError(f"{filepath}: others than its owner can read it", f"chmod 600 {filepath}")
            content = file.read(1 << 20)
    except FileNotFoundError:
        raise CertificateError(
            f"{filepath}: there is no such file",
            "`chia-tea certs create` makes it on the server's machine; `chia-tea up` does so by itself",
        ) from None
    except OSError as error:
        raise CertificateError(f"{filepath}: cannot be read: {error.strerror}", "see its owner and mode") from None
    if not content.strip():
        raise CertificateError(f"{filepath}: is empty", "delete it and run `chia-tea certs create`")
    return content


def write_file(filepath: Path, content: bytes, *, mode: int, overwrite: bool = True) -> None:
    """Writes a whole file or nothing, durably; its mode is right from the first byte on.

    Raises:
        FileExistsError: when it is there and may not be overwritten.
        CertificateError: when it cannot be written.
    """
    temporary = filepath.with_name(f".{filepath.name}.{os.getpid()}")
    try:
        filepath.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            temporary.chmod(mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            if overwrite:
                temporary.replace(filepath)
            else:
                filepath.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(filepath.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise CertificateError(
            f"{filepath}: cannot be written: {error.strerror}", "see whether its folder may be written"
        ) from None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time has a lock file; waits for the one before.

    Raises:
        CertificateError: when its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CertificateError(
            f"{path.parent}: cannot be written: {error.strerror}", "certificates and tokens are kept there"
        ) from None
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
