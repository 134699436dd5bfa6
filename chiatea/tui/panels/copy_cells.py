"""Cells of copiers, their jobs and target folders, the same in panels and lists. Pure."""

from typing import Any, Final

from chiatea.protobuf.copy_pb2 import CopyJob, CopyTarget
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.panels.panel import bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.units import format_bytes, short_duration

__all__ = [
    "ENDED", "UNDER_WAY", "job_order", "job_share", "job_state_cell", "job_word", "left_cell", "plot_name",
    "progress_cell", "speed_cell", "target_state_cell", "target_word",
]  # fmt: skip

_JOB_STATES: Final = {
    CopyJob.QUEUED: ("queued", "muted"),
    CopyJob.COPYING: ("copying", "good"),
    CopyJob.VERIFYING: ("verifying", "good"),
    CopyJob.PAUSED: ("paused", "warn"),
    CopyJob.DONE: ("done", "muted"),
    CopyJob.FAILED: ("failed", "bad"),
    CopyJob.CANCELLED: ("cancelled", "muted"),
}
_TARGET_STATES: Final = {
    CopyTarget.READY: ("ready", "good"),
    CopyTarget.FULL: ("full", "warn"),
    CopyTarget.DRAINED: ("drained", "warn"),
    CopyTarget.QUARANTINED: ("quarantined", "bad"),
    CopyTarget.NOT_MOUNTED: ("not mounted", "bad"),
}
UNDER_WAY: Final = frozenset({CopyJob.COPYING, CopyJob.VERIFYING})
ENDED: Final = frozenset({CopyJob.DONE, CopyJob.CANCELLED})
"""Finished, and nobody has to do anything; a failed job is not."""
_PLACES: Final = {CopyJob.COPYING: 0, CopyJob.VERIFYING: 0, CopyJob.PAUSED: 1, CopyJob.FAILED: 2, CopyJob.QUEUED: 3}


def job_order(job: Any) -> tuple[int, int, float, str]:
    """Where a job stands by nature: those under way, paused, failed, those that wait in the order in which they begin,
    then what is finished, the newest first.
    """
    place = _PLACES.get(job.state, 4)
    if place == 4:
        return place, 0, -job.finished_time, job.id
    if place == 3:
        return place, -job.priority, job.created_time, job.source_filepath
    return place, 0, job.created_time, job.id


def job_word(job: Any) -> str:
    """A job's state as a word."""
    return _JOB_STATES.get(job.state, ("unknown", "muted"))[0]


def job_state_cell(job: Any) -> Cell:
    """A job's state."""
    return state_cell(*_JOB_STATES.get(job.state, ("unknown", "muted")))


def target_word(target: Any) -> str:
    """A target folder's state as a word."""
    return _TARGET_STATES.get(target.state, ("unknown", "muted"))[0]


def target_state_cell(target: Any) -> Cell:
    """A target folder's state."""
    return state_cell(*_TARGET_STATES.get(target.state, ("unknown", "muted")))


def job_share(job: Any) -> float | None:
    """How much of a job's step is done, in percent: copied, or while it verifies, verified."""
    done = job.verified_bytes if job.state == CopyJob.VERIFYING else job.copied_bytes
    return 100.0 * done / job.total_bytes if job.total_bytes > 0 else None


def progress_cell(job: Any) -> Cell:
    """A job's progress as a bar; of one that has not begun there is none."""
    if job.copied_bytes <= 0 and job.state not in UNDER_WAY:
        return Cell(UNKNOWN, "muted")
    return bar_cell(job_share(job))


def plot_name(job: Any) -> str:
    """The name of the plot's file."""
    return plain(job.source_filepath.rpartition("/")[2])


def speed_cell(bytes_per_second: float) -> Cell:
    """A speed; where nothing moves, none."""
    return Cell(f"{format_bytes(bytes_per_second)}/s" if bytes_per_second > 0 else UNKNOWN)


def left_cell(entry: Any) -> Cell:
    """How long it still takes, where that is told."""
    return Cell(short_duration(entry.remaining_seconds) if entry.HasField("remaining_seconds") else UNKNOWN)
