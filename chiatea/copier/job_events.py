"""What a worker tells of its job: data on the service's side, one JSON object a line on the way."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from chiatea.copier.job_spec import JsonValue, Verification

__all__ = [
    "Cancelled",
    "Done",
    "Failed",
    "FailureKind",
    "JobEvent",
    "Progress",
    "ProgressState",
    "Replaced",
    "event_from_json",
    "event_to_json",
]

ProgressState: TypeAlias = Literal["COPYING", "VERIFYING", "PAUSED"]

FailureKind: TypeAlias = Literal[
    "source", "source_changed", "target_lost", "no_space", "name_taken", "header", "internal"
]
"""What to do about a failure:

    source          the plot cannot be read or removed, or is gone: a person looks at its disk
    source_changed  it was written to: it is taken again when it has settled
    target_lost     the target cannot be used (EIO, EROFS, another file system, unmounted): quarantine, the job goes elsewhere
    no_space        the target is full: the job goes elsewhere
    name_taken      the final or the temporary name is there already, or cannot be had there: a person decides
    header          it is no whole plot, or not the one that its name tells of: never moved as it is
    internal        the journal cannot be written, or a fault of our own
"""  # noqa: E501 - a table


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job is: at 2 Hz at most, and at once when its state changes. `verified_bytes` are of `to_verify_bytes`,
    which is less than the plot where only a sample is read back.
    """

    job_id: str
    state: ProgressState
    copied_bytes: int
    verified_bytes: int
    total_bytes: int
    to_verify_bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """The plot stands at its target, durable, and its source is gone.

    Attributes:
        target: The final path.
        hash: As `block_hashes` says.
        seconds: From the start of this worker's part.
        verification: What was read back.
        read_from_device: False where the target's pages could not be dropped (tmpfs, some network file systems), so
            that the verification may have read memory.
        kept_old: Why old plots stay that were to go for it, in one line; "" where none does.
    """

    job_id: str
    target: str
    hash: str
    seconds: float
    verification: Verification
    read_from_device: bool
    kept_old: str = ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """An old plot was deleted for the job's. Of one deletion it may be told more than once, after a crash.

    Attributes:
        path: Where it was.
        n_bytes: What it took of the disk.
        rule: By which rule of `copy.replace`.
    """

    job_id: str
    path: str
    n_bytes: int
    rule: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The temporary file is gone, the source stays."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The plot was not moved; `error` is one line for a person.

    Attributes:
        is_kept: The journal still holds the job: what is at the target is settled by going on from there (`recover`),
            when the target can be used again. False: nothing is left at the target.
    """

    job_id: str
    kind: FailureKind
    error: str
    is_kept: bool


JobEvent: TypeAlias = Progress | Replaced | Done | Cancelled | Failed

_NAMES: dict[type[JobEvent], str] = {
    Progress: "progress",
    Replaced: "replaced",
    Done: "done",
    Cancelled: "cancelled",
    Failed: "failed",
}
_TYPES: dict[object, type[JobEvent]] = {name: event_type for event_type, name in _NAMES.items()}


def event_to_json(event: JobEvent) -> dict[str, JsonValue]:
    """As fields of a JSON object, its `event` among them."""
    return {"event": _NAMES[type(event)], **asdict(event)}


def event_from_json(fields: Mapping[str, object]) -> JobEvent:
    """The way back: what our own worker of the same version wrote.

    Raises:
        ValueError: It is none of our events.
    """
    event_type = _TYPES.get(fields.get("event"))
    if event_type is None:
        raise ValueError(f"no event of a worker: {fields.get('event')!r}")
    try:
        return event_type(**{name: value for name, value in fields.items() if name != "event"})  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"a worker's {fields['event']} has other fields: {error}") from None
