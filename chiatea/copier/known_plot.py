"""A plot that was moved or adopted, as it should be, and what a scrub found of it. Plain data."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Finding", "FindingState", "KnownPlot"]


class FindingState(StrEnum):
    """Names as in ScrubFinding.State of copy.proto."""

    ROTTEN = "ROTTEN"
    UNREADABLE = "UNREADABLE"
    MISSING = "MISSING"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a plot since `found_time`, as one line. `found_hash` is "" where it was not read whole."""

    state: FindingState
    text: str
    found_time: float
    found_hash: str = ""


@dataclass(frozen=True, slots=True)
class KnownPlot:
    """A plot as it should be. Times are UTC seconds since the epoch.

    Attributes:
        path: Where it was moved to.
        file_bytes: Its size.
        mtime_ns: When it was last written to.
        is_on_root: It lies on the system's own disk. One that does not, and whose folder does now, has lost its mount.
        hash: As `block_hashes` says.
        kept_time: When it was moved, or taken as it is.
        read_time: When a scrub last looked at it, or all of it was read back as it was moved; 0 where neither was.
        scrubbed_time: When a scrub last looked at it.
        finding: What is wrong with it.
    """

    path: Path
    file_bytes: int
    mtime_ns: int
    is_on_root: bool
    hash: str
    kept_time: float
    read_time: float
    scrubbed_time: float | None = None
    finding: Finding | None = None
