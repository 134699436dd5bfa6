"""What people ordered of a copier, as it outlives the copier: one file, replaced whole or not at all."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chiatea.copier.jobs import Job, JobState, cancelled
from chiatea.errors import ConfigurationError
from chiatea.security.private_files import PRIVATE, write_file

__all__ = ["Answer", "Bandwidth", "Drain", "Orders", "read_orders", "write_orders"]

_log = logging.getLogger(__name__)

_KEPT_ANSWERS: Final = 1000
"""So many commands are known again when they come a second time."""
_KEPT_JOBS: Final = 10_000
"""Of so many jobs each order is kept."""

Value = TypeVar("Value")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Answer(_Strict):
    """What became of a command. BEGUN: the copier ended while it was at it."""

    state: Literal["BEGUN", "DONE", "REFUSED"]
    result: str = ""
    finished_time: float = 0.0


class Bandwidth(_Strict):
    """A rate that was ordered; it holds for as long as the configuration says the same as then, `until` at most."""

    configured: int = Field(ge=0)
    periods: str = ""
    until: float | None = None
    ordered: int = Field(ge=0)


class Drain(_Strict):
    """Whether a target is drained; likewise."""

    configured: bool
    ordered: bool


class Orders(_Strict):
    """All orders in force. Jobs are named by their ids, targets as the protocol names them."""

    is_paused: bool = False
    held_jobs: dict[str, bool] = {}
    cancelled_jobs: dict[str, bool] = {}
    priorities: dict[str, int] = {}
    wanted_folders: dict[str, str] = {}
    rates: dict[str, int] = {}
    drains: dict[str, Drain] = {}
    bandwidth: Bandwidth | None = None
    answers: dict[str, Answer] = {}

    def applied(self, job: Job, folders: Mapping[str, Path]) -> Job:
        """A job that was found, with what was ordered of it before. `folders` are the targets' by their ids."""
        job = replace(
            job,
            is_held=job.id in self.held_jobs,
            priority=self.priorities.get(job.id, job.priority),
            wanted_folder=folders.get(self.wanted_folders.get(job.id, "")),
            max_bytes_per_second=self.rates.get(job.id),
        )
        if job.id in self.cancelled_jobs and not job.must_recover:
            return cancelled(job, now=job.created_time)
        return job

    def keep(self, job: Job, target_id: str) -> None:
        """Takes over what holds of a job. `target_id` is that of the folder it is to go to; "" where it may to any."""
        is_over = job.state in {JobState.DONE, JobState.CANCELLED}
        _keep(self.held_jobs, job.id, True if job.is_held and not is_over else None)
        _keep(self.cancelled_jobs, job.id, True if job.state is JobState.CANCELLED else None)
        _keep(self.priorities, job.id, job.priority if job.priority and not is_over else None)
        _keep(self.wanted_folders, job.id, target_id if target_id and not is_over else None)
        _keep(self.rates, job.id, job.max_bytes_per_second if not is_over else None)

    def answer(self, command_id: str, answer: Answer) -> None:
        """Takes over what became of a command."""
        _keep(self.answers, command_id, answer, most=_KEPT_ANSWERS)


def _keep(kept: dict[str, Value], key: str, value: Value | None, *, most: int = _KEPT_JOBS) -> None:
    """The newest stand last."""
    kept.pop(key, None)
    if value is not None:
        kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


def read_orders(path: Path) -> Orders:
    """What was last written; nothing where there is nothing that can be used. A damaged file is put aside.

    Raises:
        ConfigurationError: it is there and cannot be read: to forget that something is paused would not do.
    """
    try:
        return Orders.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Orders()
    except ValidationError as error:
        aside = path.with_name(f"{path.name}.damaged")
        _log.warning("%s is damaged (%s): nothing is paused or drained by it; kept as %s", path, error.title, aside)
        try:
            path.replace(aside)
        except OSError as failed:
            raise ConfigurationError(f"{path}: cannot be put aside: {failed.strerror}", "remove it") from None
        return Orders()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}", "set machine.state_folder") from None


def write_orders(path: Path, text: str) -> None:
    """Writes what `model_dump_json` gives. When this returns, it is durable.

    Raises:
        ChiaTeaError: it cannot be written; what was there before stands.
    """
    write_file(path, text.encode("utf-8", "replace"), mode=PRIVATE, overwrite=True)
