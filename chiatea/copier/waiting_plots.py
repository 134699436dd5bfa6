"""Moved plots that the harvester has not loaded yet, as they outlive the copier: one file, replaced whole."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final

from chiatea.copier.jobs import Farming, Job, JobState
from chiatea.security.private_files import PRIVATE, write_file

__all__ = ["read_waiting_plots", "write_waiting_plots"]

_log = logging.getLogger(__name__)

MOST_KEPT: Final = 10_000
_TEXTS: Final = ("id", "name", "source_disk", "target_disk", "hash", "last_error")
_NUMBERS: Final = (
    "total_bytes",
    "created_time",
    "finished_time",
    "started_time",
    "verified_bytes",
    "n_attempts",
)


def write_waiting_plots(path: Path, jobs: Iterable[Job]) -> None:
    """Keeps the newest jobs. When this returns, they are durable.

    Raises:
        ChiaTeaError: they cannot be written; what was there before stands.
    """
    entries = [
        {name: getattr(job, name) for name in (*_TEXTS, *_NUMBERS)}
        | {"folder": str(job.folder), "target_folder": str(job.target_folder)}
        for job in jobs
    ]
    # Names that are no UTF-8 travel as lone surrogates, which JSON's own escapes carry whole.
    write_file(path, json.dumps(entries[-MOST_KEPT:]).encode("ascii"), mode=PRIVATE, overwrite=True)


def read_waiting_plots(path: Path) -> list[Job]:
    """What was last written, each moved and not farmed yet. What cannot be used is told, and forgotten."""
    try:
        entries = json.loads(path.read_bytes())
        return [_job_of(entry) for entry in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except (ValueError, TypeError, KeyError, RecursionError):
        reason = "is damaged"
    _log.warning("%s %s: whether the plots in it are farmed is not watched any more", path, reason)
    return []


def _job_of(entry: Mapping[str, Any]) -> Job:
    texts = {name: _checked(entry[name], str) for name in _TEXTS}
    numbers = {name: _checked(entry[name], int | float) for name in _NUMBERS if entry[name] is not None}
    return Job(
        **texts,
        **numbers,
        folder=Path(_checked(entry["folder"], str)),
        target_folder=Path(_checked(entry["target_folder"], str)),
        copied_bytes=numbers["total_bytes"],
        state=JobState.DONE,
        farming=Farming.WAITING,
    )


def _checked(value: object, kind: type | UnionType) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{value!r} is of another kind")
    return value
