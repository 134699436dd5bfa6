"""Why a plot was not moved, told apart by whose fault it is: the source's, the target's, or the journal's."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from chiatea.copier.job_events import FailureKind
from chiatea.errors import ChiaTeaError

__all__ = ["MoveFailedError", "at_journal", "at_source", "at_target"]

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_NAME: Final = frozenset({errno.EEXIST, errno.ENAMETOOLONG, errno.EILSEQ})
"""Taken, too long, or of letters that the file system does not have."""


class MoveFailedError(ChiaTeaError):
    """One plot was not moved; `kind` says what to do about it."""

    def __init__(self, kind: FailureKind, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind: FailureKind = kind


@contextlib.contextmanager
def at_source(what: str) -> Iterator[None]:
    """Failures of the system in this part are the source's."""
    try:
        yield
    except OSError as error:
        raise MoveFailedError("source", f"{what}: {_reason(error)}") from error


@contextlib.contextmanager
def at_target(what: str) -> Iterator[None]:
    """Failures of the system in this part are the target's: full, taken, or lost."""
    try:
        yield
    except OSError as error:
        kind: FailureKind = "target_lost"
        if error.errno in _NO_SPACE:
            kind = "no_space"
        elif error.errno in _NO_NAME:
            kind = "name_taken"
        raise MoveFailedError(kind, f"{what}: {_reason(error)}") from error


@contextlib.contextmanager
def at_journal(what: str) -> Iterator[None]:
    """Failures of the system in this part are of our own folder."""
    try:
        yield
    except OSError as error:
        raise MoveFailedError(
            "internal", f"{what}: {_reason(error)}", "is there space where chia-tea keeps its state?"
        ) from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
