"""What a server needs before its first client can come: its key, its certificate, and a token for each role."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chiatea.errors import CertificateError
from chiatea.security.certificates import certificate_for, check_pair, create_certificate
from chiatea.security.lock import locked
from chiatea.security.private_files import (
    PRIVATE,
    PUBLIC,
    read_private_file,
    read_public_file,
    read_token,
    write_file,
)
from chiatea.security.roles import Role
from chiatea.security.tokens import TokenStore

__all__ = ["SecurityFiles", "create_missing"]


@dataclass(frozen=True, slots=True)
class SecurityFiles:
    """Where the server's key, certificate and token hashes are, and the folder of the token files."""

    key_filepath: Path
    cert_filepath: Path
    token_hashes_filepath: Path
    token_folder: Path

    def token_filepath(self, role: Role) -> Path:
        """The file of the token of a role: "viewer.token"."""
        return self.token_folder / f"{role}.token"


def create_missing(files: SecurityFiles, *, now: float, common_names: Iterable[str] = ()) -> tuple[Path, ...]:
    """Makes those of the files that are missing and leaves all others as they are.

    Any number of processes may do it at once. It can be done again at any time: a process that died half-way leaves
    nothing that the next one does not finish. A key is never replaced: where only its certificate is missing, the key
    gets a new one. Where only tokens.json is missing, the tokens in the token files are accepted again.

    Args:
        files: where they are.
        now: UTC seconds since the epoch.
        common_names: further host names and IP addresses for a certificate that is made now.

    Returns:
        The files that were made.

    Raises:
        CertificateError: when a file that is there cannot be used, as a certificate without its key.
    """
    names = tuple(common_names)
    with locked(files.token_hashes_filepath.with_name("first_use")):
        made = _certificate_made(files, now, names)
        return (*made, *_tokens_made(files, now))


def _certificate_made(files: SecurityFiles, now: float, names: tuple[str, ...]) -> tuple[Path, ...]:
    key_filepath, cert_filepath = files.key_filepath, files.cert_filepath
    if key_filepath.exists():
        key = read_private_file(key_filepath)
        if cert_filepath.exists():
            check_pair(read_public_file(cert_filepath), key, now=now)
            return ()
        write_file(cert_filepath, certificate_for(key, names, now=now), mode=PUBLIC)
        return (cert_filepath,)
    if cert_filepath.exists():
        raise CertificateError(
            f"{cert_filepath}: its key {key_filepath} is not there",
            "put the key back; or, if it is the certificate of a server elsewhere, move it away to run one here",
        )
    create_certificate(key_filepath, cert_filepath, names, now=now)
    return key_filepath, cert_filepath


def _tokens_made(files: SecurityFiles, now: float) -> tuple[Path, ...]:
    made: list[Path] = []
    store = TokenStore(files.token_hashes_filepath)
    is_new = not files.token_hashes_filepath.exists()
    if is_new:
        made.append(files.token_hashes_filepath)
    for role in Role:
        path = files.token_filepath(role)
        if not path.exists():
            # Accepted before it is handed out: a token file that is there is a token that works.
            token = store.create(role, now=now, name=path.name)
            write_file(path, f"{token}\n".encode(), mode=PRIVATE)
            made.append(path)
        elif is_new:
            store.add(read_token(path), role, now=now, name=path.name)
    return tuple(made)
