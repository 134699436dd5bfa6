"""What is known for certain about each job, on the disk: enough to go on after a crash at any step.

One file for each job, `JOB_ID.json`: written new, made durable, renamed over the old one, its folder made durable. What
is read back is checked field by field, and against a checksum of its own; what the target holds is never taken on trust
from here, only what it should hold.
"""

import contextlib
import enum
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import xxhash

from chiatea.copier.block_hashes import HASH_BYTES
from chiatea.copier.failures import MoveFailedError, at_journal
from chiatea.copier.job_spec import JobSpec, job_spec_from_json
from chiatea.copier.locks import name_locked
from chiatea.copier.replacing import GivingUp, giving_up_from_json
from chiatea.copier.shown import shown

__all__ = ["EntryState", "Journal", "JournalEntry", "SourceIdentity"]

_SUFFIX: Final = ".json"
_NEW_SUFFIX: Final = ".json.new"
_LOCK_NAME: Final = "lock"


class EntryState(enum.StrEnum):
    """How far a job is for certain."""

    OPENING = enum.auto()
    """The temporary file may be there; nothing was written to it."""
    COPYING = enum.auto()
    """It is there; the blocks whose hashes stand here are on the disk."""
    VERIFIED = enum.auto()
    """It is complete; it may have its final name, and the source may be gone."""
    VOID = enum.auto()
    """It is to be removed, whatever it holds; the source stays."""


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What tells a source from another, or from itself after it was written to."""

    file_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "SourceIdentity":
        """Of a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One job. `blocks` are the hashes of the blocks, from the first on, that were durable when this was written;
    `giving_up` what the target gives up for it, and how far that is.
    """

    spec: JobSpec
    state: EntryState
    source: SourceIdentity
    plot_id: str
    blocks: tuple[bytes, ...] = field(default=(), repr=False)
    giving_up: GivingUp | None = None


class Journal:
    """The entries of one folder."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is first written to it."""
        self._folder = folder

    def write(self, entry: JournalEntry) -> None:
        """Keeps an entry, instead of an earlier one of the same job. When this returns, it is durable.

        Raises:
            MoveFailedError: `internal`; the earlier entry still stands, or this one does.
        """
        path = self._path(entry.spec.job_id)
        new = path.with_name(f"{entry.spec.job_id}{_NEW_SUFFIX}")
        with at_journal(f"{shown(path)}: cannot be written"):
            self._make_folder()
            with new.open("wb") as file:
                file.write(_encoded(entry))
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
            self._sync_folder()

    def read(self, job_id: str) -> JournalEntry | None:
        """A job's entry; None where there is none.

        Raises:
            MoveFailedError: `internal`; it cannot be read, or is damaged.
        """
        path = self._path(job_id)
        with at_journal(f"{shown(path)}: cannot be read"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            entry = _decoded(data)
        except ValueError as error:
            raise MoveFailedError(
                "internal",
                f"{shown(path)}: the journal's entry is damaged: {error}",
                "see that the plot is whole at its source, then remove this file and the plot's .copying file",
            ) from None
        # The file's name counts: an entry that was set aside still says the name it had.
        return replace(entry, spec=replace(entry.spec, job_id=job_id))

    def job_ids(self) -> list[str]:
        """The jobs that have an entry, by name."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))

    def forget(self, job_id: str) -> None:
        """Removes a job's entry, durably; it need not be there.

        Raises:
            MoveFailedError: `internal`.
        """
        path = self._path(job_id)
        with at_journal(f"{shown(path)}: cannot be removed"):
            path.with_name(f"{job_id}{_NEW_SUFFIX}").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            if self._folder.is_dir():
                self._sync_folder()

    def set_aside(self, entry: JournalEntry) -> None:
        """Makes an entry a job of its own, to be settled apart: its job now goes to another target.

        Raises:
            MoveFailedError: `internal`.
        """
        job_id = entry.spec.job_id
        number = next(n for n in range(1, 1 << 30) if not self._path(f"{job_id}~{n}").exists())
        with at_journal(f"{shown(self._path(job_id))}: cannot be renamed"):
            self._path(job_id).rename(self._path(f"{job_id}~{number}"))
            self._sync_folder()

    @contextlib.contextmanager
    def locked(self, spec: JobSpec) -> Iterator[None]:
        """Holds the lock of one job at one target. The system frees it when the process ends; a worker that hangs on a
        lost target does not keep its job from going to another one. A process holds one at a time.

        Raises:
            MoveFailedError: `internal`; another worker is at it.
        """
        with contextlib.ExitStack() as stack:
            with at_journal(f"{shown(self._folder)}: cannot be locked"):
                self._make_folder()
                name = os.fsencode(spec.job_id) + b"\0" + os.fsencode(spec.target_folder)
                if not stack.enter_context(name_locked(self._folder / _LOCK_NAME, name)):
                    raise MoveFailedError(
                        "internal", f"{shown(spec.source)}: another worker is at it", "it is tried again when that ends"
                    )
            yield

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{_SUFFIX}"

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _encoded(entry: JournalEntry) -> bytes:
    text = json.dumps(
        {
            "spec": entry.spec.to_json(),
            "state": entry.state,
            "file_bytes": entry.source.file_bytes,
            "mtime_ns": entry.source.mtime_ns,
            "inode": entry.source.inode,
            "plot_id": entry.plot_id,
            "blocks": b"".join(entry.blocks).hex(),
            "giving_up": entry.giving_up.to_json() if entry.giving_up is not None else None,
        }
    )
    return f"{text}\n{_checksum(text)}\n".encode("ascii")


def _decoded(data: bytes) -> JournalEntry:
    lines = data.decode("ascii").splitlines()
    if len(lines) != 2 or lines[1] != _checksum(lines[0]):
        raise ValueError("its checksum is another")
    fields = json.loads(lines[0])
    if not isinstance(fields, dict) or not isinstance(fields.get("spec"), dict):
        raise ValueError("it is no entry")  # noqa: TRY004 - one kind of error for the caller
    identity = SourceIdentity(*(_count(fields, name) for name in ("file_bytes", "mtime_ns", "inode")))
    blocks = bytes.fromhex(str(fields.get("blocks")))
    if len(blocks) % HASH_BYTES:
        raise ValueError("its blocks are no hashes")
    giving_up = fields.get("giving_up")
    return JournalEntry(
        spec=job_spec_from_json(fields["spec"]),
        state=EntryState(str(fields.get("state"))),
        source=identity,
        plot_id=str(fields.get("plot_id")),
        blocks=tuple(blocks[place : place + HASH_BYTES] for place in range(0, len(blocks), HASH_BYTES)),
        giving_up=giving_up_from_json(giving_up) if giving_up is not None else None,
    )


def _count(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int):
        raise ValueError(f"{name} is no number")  # noqa: TRY004 - one kind of error for the caller
    return value


def _checksum(text: str) -> str:
    return xxhash.xxh3_128(text.encode()).hexdigest()
