"""What a server needs before it can serve, made where it is missing."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from chiatea.security.certificates import create_certificate
from chiatea.security.private_files import locked, write_file
from chiatea.security.roles import Role
from chiatea.security.tokens import TokenStore

__all__ = ["create_missing", "create_missing_tokens"]


def create_missing(
    *,
    key_filepath: Path,
    cert_filepath: Path,
    token_hashes_filepath: Path,
    token_folder: Path,
    common_names: Iterable[str] = (),
) -> list[Path]:
    """Makes the key with its certificate, and a token of each role, where they are not there. Replaces nothing.

    Safe when two processes do it at once.

    Returns:
        The files that were made.

    Raises:
        CertificateError: when one of them cannot be made.
    """
    made = []
    with locked(key_filepath.with_name(".certs.lock")):
        if not key_filepath.exists() and not cert_filepath.exists():
            create_certificate(key_filepath, cert_filepath, common_names, now=datetime.now(UTC))
            made += [key_filepath, cert_filepath]
    return made + create_missing_tokens(token_hashes_filepath, token_folder)


def create_missing_tokens(token_hashes_filepath: Path, token_folder: Path) -> list[Path]:
    """Makes ROLE.token for each role that has none that the server accepts.

    Returns:
        The files that were made.

    Raises:
        CertificateError: when one of them cannot be made.
    """
    store = TokenStore(token_hashes_filepath)
    made = []
    for role in Role:
        filepath = token_folder / f"{role}.token"
        with locked(token_folder / ".first_use.lock"):
            if filepath.exists():
                continue
            token = store.create(role, now=time.time(), name="made on first use")
            write_file(filepath, token.encode() + b"\n", mode=0o600)
            made.append(filepath)
    return made
