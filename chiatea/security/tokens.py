"""The tokens that a server accepts: made, kept as hashes, found again, revoked.

A token is 32 random bytes, so its hash needs neither salt nor slowness: those protect passwords that people choose
and that can be guessed. 256 random bits can be guessed no faster than SHA-256 can be reversed, and a fast hash lets
the server look at every request.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from chiatea.errors import CertificateError
from chiatea.security.lock import locked
from chiatea.security.private_files import PRIVATE, TOKEN_PATTERN, read_private_file, read_token, write_file
from chiatea.security.roles import Role

__all__ = ["TokenEntry", "TokenStore", "new_token", "read_token"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """What a server knows of one token.

    Attributes:
        id: names it to people and in logs; says nothing of the token.
        role: what it lets its holder do.
        hash: SHA-256 of the token in hex.
        created: UTC seconds.
        name: what a person calls it.
        machine_id: the only machine whose data it may write; None: any.
        expires: UTC seconds from which on it is refused; None: never.
        revoked: UTC seconds at which it was revoked; None: it was not.
    """

    id: str
    role: Role
    hash: str
    created: float
    name: str | None = None
    machine_id: str | None = None
    expires: float | None = None
    revoked: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it is accepted at a time (UTC seconds)."""
        return self.revoked is None and (self.expires is None or now < self.expires)


def new_token() -> str:
    """A new token: random, without a word on what it is for."""
    return f"ct_{secrets.token_urlsafe(32)}"


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenStore:
    """The tokens in one tokens.json, read again when the file changes: a revoked token is refused at once.

    Every method raises CertificateError when the file cannot be read, is open to others or is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Takes the file; does not look at it yet."""
        self._path = path
        self._read_as: tuple[int, ...] | None = None
        self._entries: tuple[TokenEntry, ...] = ()

    def load(self) -> None:
        """Reads the file if it changed since it was last read."""
        try:
            status = self._path.stat()
        except OSError:
            self._read_as = None
            self._entries = _parsed(self._path, read_private_file(self._path))
            return
        read_as = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        if read_as != self._read_as:
            # Not kept if it cannot be read: what is damaged or gone accepts nobody.
            self._read_as = None
            self._entries = _parsed(self._path, read_private_file(self._path))
            self._read_as = read_as

    def entries(self) -> tuple[TokenEntry, ...]:
        """All tokens, oldest first, also those that are no longer accepted."""
        self.load()
        return self._entries

    def role_of(self, token: str, now: float) -> TokenEntry | None:
        """The entry of a token that is accepted at a time (UTC seconds); None for any other.

        Takes equally long for every token, however near it is to a right one.
        """
        self.load()
        given = _hash_of(token)
        found: TokenEntry | None = None
        for entry in self._entries:
            if hmac.compare_digest(entry.hash, given) and entry.is_valid(now):
                found = entry
        return found

    def create(
        self,
        role: Role,
        *,
        now: float,
        name: str | None = None,
        machine_id: str | None = None,
        expires: float | None = None,
    ) -> str:
        """Makes a new token, keeps its hash and hands out its text, which nothing can tell again."""
        token = new_token()
        self.add(token, role, now=now, name=name, machine_id=machine_id, expires=expires)
        return token

    def add(
        self,
        token: str,
        role: Role,
        *,
        now: float,
        name: str | None = None,
        machine_id: str | None = None,
        expires: float | None = None,
    ) -> TokenEntry:
        """Accepts a token from now on; the file is made where it is missing.

        Raises:
            CertificateError: also when the text is no token, or is known already.
        """
        if TOKEN_PATTERN.fullmatch(token) is None:
            raise CertificateError("that is no token", "a token is made by `chia-tea certs create`")
        with locked(self._path):
            entries = self.entries() if self._path.exists() else ()
            digest = _hash_of(token)
            if any(entry.hash == digest for entry in entries):
                raise CertificateError(f"{self._path}: that token is known already", "make a new one")
            entry = TokenEntry(secrets.token_hex(4), role, digest, now, name, machine_id, expires)
            self._write((*entries, entry))
        return entry

    def revoke(self, token_id: str, *, now: float) -> TokenEntry:
        """Refuses a token from now on.

        Raises:
            CertificateError: also when there is no token of that id.
        """
        with locked(self._path):
            entries = self.entries()
            found = next((entry for entry in entries if entry.id == token_id), None)
            if found is None:
                known = ", ".join(entry.id for entry in entries) or "none"
                raise CertificateError(f"{self._path}: there is no token {token_id}", f"known are {known}")
            revoked = found if found.revoked is not None else replace(found, revoked=now)
            self._write(revoked if entry is found else entry for entry in entries)
        return revoked

    def _write(self, entries: Iterable[TokenEntry]) -> None:
        document = {"version": _FORMAT_VERSION, "tokens": [asdict(entry) for entry in entries]}
        text = json.dumps(document, indent=2, ensure_ascii=True) + "\n"
        write_file(self._path, text.encode(), mode=PRIVATE, overwrite=True)


def _parsed(path: Path, content: bytes) -> tuple[TokenEntry, ...]:
    try:
        document = json.loads(content)
        version = document["version"]
        entries = tuple(_entry(item) for item in document["tokens"]) if version == _FORMAT_VERSION else None
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise CertificateError(
            f"{path}: is damaged: {type(error).__name__} {error}",
            "put a backup back, or delete it and run `chia-tea certs create`",
        ) from None
    if entries is None:
        raise CertificateError(
            f"{path}: is of version {version!r}, known is {_FORMAT_VERSION}", "use the chia-tea that wrote it"
        )
    return entries


def _entry(item: dict[str, Any]) -> TokenEntry:
    if not isinstance(item["id"], str) or not item["id"]:
        raise ValueError("a token without an id")
    if not isinstance(item["hash"], str) or _HASH.fullmatch(item["hash"]) is None:
        raise ValueError(f"the hash of {item['id']} is none")
    return TokenEntry(
        id=item["id"],
        role=Role(item["role"]),
        hash=item["hash"],
        created=float(item["created"]),
        name=_text(item, "name"),
        machine_id=_text(item, "machine_id"),
        expires=_seconds(item, "expires"),
        revoked=_seconds(item, "revoked"),
    )


def _text(item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} of {item['id']} is no text")
    return value


def _seconds(item: dict[str, Any], key: str) -> float | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{key} of {item['id']} is no time")
    return float(value)
