"""Files that only their owner may read, and files that are either whole or not there."""

import contextlib
import os
import re
import secrets
import shlex
import stat
from pathlib import Path
from typing import Final

from chiatea.errors import CertificateError

__all__ = ["PRIVATE", "PUBLIC", "TOKEN_PATTERN", "read_private_file", "read_public_file", "read_token", "write_file"]

PRIVATE: Final = 0o600
"""The mode of keys and tokens."""
PUBLIC: Final = 0o644
"""The mode of certificates."""

TOKEN_PATTERN: Final = re.compile(r"ct_[A-Za-z0-9_-]{43}")
"""What a token looks like: "ct_" and 32 random bytes in URL-safe base64."""

_MAX_BYTES: Final = 16 * 2**20
_MAKES_IT: Final = "`chia-tea certs create` on the server's machine makes it"


def read_private_file(path: Path) -> bytes:
    """The content of a key or token file.

    Raises:
        CertificateError: when it is not there, no file, empty, cannot be read, or when group or others can read or
            write it (where there are such permissions: not on Windows).
    """
    return _content(path, is_private=True)


def read_public_file(path: Path) -> bytes:
    """The content of a certificate file, which everybody may read.

    Raises:
        CertificateError: when it is not there, no file, empty or cannot be read.
    """
    return _content(path, is_private=False)


def read_token(path: Path) -> str:
    """The token in a token file.

    Raises:
        CertificateError: as `read_private_file`, and when what the file holds is no token.
    """
    text = read_private_file(path).decode("ascii", "replace").strip()
    if TOKEN_PATTERN.fullmatch(text) is None:
        raise CertificateError(f"{path}: holds no token", "copy the .token file from the server's machine again")
    return text


def _content(path: Path, *, is_private: bool) -> bytes:
    try:
        # Without waiting: a named pipe would hold us until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            # Asked of the open file: what is checked is what is read.
            status = os.fstat(file.fileno())
            _check_status(path, status, is_private=is_private)
            content = file.read(_MAX_BYTES)
    except FileNotFoundError:
        raise CertificateError(f"{path}: there is no such file", _MAKES_IT) from None
    except IsADirectoryError:
        raise CertificateError(f"{path}: is a folder, not a file", "name the file in it") from None
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read: {error.strerror}", "run as the user who owns it") from None
    if not content.strip():
        raise CertificateError(f"{path}: is empty", f"delete it; {_MAKES_IT}")
    return content


def _check_status(path: Path, status: os.stat_result, *, is_private: bool) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise CertificateError(f"{path}: is a folder, not a file", "name the file in it")
    if not stat.S_ISREG(status.st_mode):
        raise CertificateError(f"{path}: is no ordinary file", _MAKES_IT)
    if is_private and os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise CertificateError(
            f"{path}: others than its owner can read or write it (mode {mode})",
            f"chmod 600 {shlex.quote(str(path))}",
        )


def write_file(path: Path, content: bytes, *, mode: int, overwrite: bool = False) -> None:
    """Writes a file so that it is there whole or not at all, even when power fails.

    It has its mode before it has its name: a private file is never open to others for a moment. The folder is made,
    for its owner only, where it is missing.

    Raises:
        CertificateError: when it is there already and `overwrite` is not set, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            _write_new(temporary, content, mode)
            if overwrite:
                temporary.replace(path)
            else:
                _take_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise CertificateError(
            f"{path}: is there already", "move it away first; whoever uses the old one needs the new one then"
        ) from None
    except OSError as error:
        raise CertificateError(
            f"{path}: cannot be written: {error.strerror}", f"is {path.parent} yours, and is there space?"
        ) from None


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _take_name(temporary: Path, path: Path) -> None:
    try:
        # Fails where the name is taken, which a rename would not.
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (exFAT, some network shares).
        if path.exists():
            raise FileExistsError from None
        temporary.rename(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems cannot sync a folder: the file itself is synced all the same.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
