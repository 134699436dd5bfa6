"""The tokens that a server accepts, kept as hashes."""

import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chiatea.errors import CertificateError
from chiatea.security.private_files import locked, read_private_file, write_file
from chiatea.security.roles import Role

__all__ = ["TokenEntry", "TokenStore"]

PREFIX: Final = "ct_"
"""Lets people, and programs that look for leaked secrets, see what it is."""


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """What is known of one token; times are UTC seconds since the epoch."""

    id: str
    role: Role
    hash: str
    created: float
    name: str = ""
    expires: float | None = None
    revoked: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it may be used now."""
        return self.revoked is None and (self.expires is None or now < self.expires)


def _hash(token: str) -> str:
    # A token is 256 random bits: unlike a password it cannot be guessed, so a slow hash would only slow the server.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenStore:
    """One file of tokens. It is read again whenever it changed, so a revoked token ends without a restart."""

    def __init__(self, filepath: Path) -> None:
        """Reads the file when it is asked something."""
        self._filepath = filepath
        self._lock_filepath = filepath.with_name(f".{filepath.name}.lock")
        self._seen: tuple[int, int, int] | None = None
        self._by_hash: dict[str, TokenEntry] = {}

    def list(self) -> "list[TokenEntry]":
        """All tokens, the oldest first; none where there is no file.

        Raises:
            CertificateError: when the file cannot be used.
        """
        self._refresh()
        return sorted(self._by_hash.values(), key=lambda entry: entry.created)

    def role_of(self, token: str, now: float) -> TokenEntry | None:
        """The entry of a token that may be used now; None for any other.

        Raises:
            CertificateError: when the file cannot be used.
        """
        self._refresh()
        digest = _hash(token)
        entry = self._by_hash.get(digest)
        if entry is None or not hmac.compare_digest(entry.hash, digest) or not entry.is_valid(now):
            return None
        return entry

    def create(self, role: Role, *, now: float, name: str = "", expires: float | None = None) -> str:
        """Makes a token and stores its hash. The token itself is told here and never again.

        Raises:
            CertificateError: when the file cannot be used.
        """
        token = PREFIX + secrets.token_urlsafe(32)
        entry = TokenEntry(secrets.token_hex(4), role, _hash(token), now, name, expires)
        with locked(self._lock_filepath):
            self._refresh()
            self._store([*self._by_hash.values(), entry])
        return token

    def revoke(self, token_id: str, *, now: float) -> bool:
        """Ends a token; False when there is none of that id.

        Raises:
            CertificateError: when the file cannot be used.
        """
        with locked(self._lock_filepath):
            self._refresh()
            if not any(entry.id == token_id for entry in self._by_hash.values()):
                return False
            self._store(
                dataclasses.replace(entry, revoked=now) if entry.id == token_id else entry
                for entry in self._by_hash.values()
            )
        return True

    def _store(self, entries: "Iterable[TokenEntry]") -> None:
        document = {"version": 1, "tokens": [dataclasses.asdict(entry) for entry in entries]}
        write_file(self._filepath, json.dumps(document, indent=1).encode(), mode=0o600)
        self._refresh()

    def _refresh(self) -> None:
        try:
            status = self._filepath.stat()
        except FileNotFoundError:
            self._seen, self._by_hash = None, {}
            return
        except OSError as error:
            raise CertificateError(f"{self._filepath}: {error.strerror}", "see its owner and mode") from None
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        content = read_private_file(self._filepath)
        try:
            document = json.loads(content)
            entries = [TokenEntry(**{**item, "role": Role(item["role"])}) for item in document["tokens"]]
        except (ValueError, TypeError, KeyError):
            raise CertificateError(
                f"{self._filepath}: is damaged", "put a backup in its place, or delete it and make new tokens"
            ) from None
        self._by_hash = {entry.hash: entry for entry in entries}
        self._seen = seen
