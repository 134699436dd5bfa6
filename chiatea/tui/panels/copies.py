"""Active copies: jobs under way, and the folders that they fill."""

from typing import Any

from chiatea.protobuf.copy_pb2 import CopyJob, CopyTarget
from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell, Column, Line, Span, facts, note, table
from chiatea.tui.panels.panel import PanelContent, bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["PANEL"]

_JOBS = (
    Column("PLOT", least=16),
    Column("TO", rank=3, least=12),
    Column("STATE"),
    Column("PROGRESS", rank=1),
    Column("SPEED", ">", 2),
    Column("LEFT", ">", 2),
)
_TARGETS = (
    Column("TARGET", least=12),
    Column("STATE"),
    Column("FREE", ">"),
    Column("PROMISED", ">", 2),
    Column("ACTIVE", ">", 1),
)
_JOB_STATES = {
    CopyJob.QUEUED: ("queued", "muted"),
    CopyJob.COPYING: ("copying", "good"),
    CopyJob.VERIFYING: ("verifying", "good"),
    CopyJob.PAUSED: ("paused", "warn"),
    CopyJob.DONE: ("done", "muted"),
    CopyJob.FAILED: ("failed", "bad"),
    CopyJob.CANCELLED: ("cancelled", "muted"),
}
_TARGET_STATES = {
    CopyTarget.READY: ("ready", "good"),
    CopyTarget.FULL: ("full", "warn"),
    CopyTarget.DRAINED: ("drained", "warn"),
    CopyTarget.QUARANTINED: ("quarantined", "bad"),
    CopyTarget.NOT_MOUNTED: ("not mounted", "bad"),
}
_ENDED = (CopyJob.DONE, CopyJob.CANCELLED)


def lines(view: FarmView, width: int) -> list[Line]:
    """Each copier with its jobs, those under way first, and its targets."""
    copiers = [machine for machine in view.machines() if machine.one("copier") is not None]
    if not copiers:
        return [note("No copier reports from these machines.")]
    shown: list[Line] = []
    for machine in copiers:
        copier = machine.one("copier")
        told = [Span(f"{copier.n_active} active"), Span(f"{copier.n_queued} queued"), Span(f"{copier.n_done} done")]
        if copier.n_failed:
            told.append(Span(f"✗ {copier.n_failed} failed", "bad"))
        told.append(Span(f"{format_bytes(copier.bytes_per_second)}/s", "accent"))
        shown.append(facts(machine.name, told))
        jobs = sorted(machine.all("copy_job"), key=lambda job: (job.state == CopyJob.QUEUED, -job.priority, job.id))
        rows = [(f"{machine.id}/{j.id}", _job_row(j), machine.is_stale) for j in jobs if j.state not in _ENDED]
        if rows:
            shown += table(_JOBS, rows, width)
        targets = _target_rows(machine)
        if targets:
            shown += table(_TARGETS, targets, width)
    return shown


def _job_row(job: Any) -> list[Cell]:
    word, style = _JOB_STATES.get(job.state, ("unknown", "muted"))
    done = job.verified_bytes if job.state == CopyJob.VERIFYING else job.copied_bytes
    share = 100.0 * done / job.total_bytes if job.total_bytes > 0 else None
    return [
        Cell(plain(job.source_filepath).rpartition("/")[2]),
        Cell(plain(job.target_id) or UNKNOWN, "muted"),
        state_cell(word, style),
        bar_cell(share),
        Cell(f"{format_bytes(job.bytes_per_second)}/s" if job.bytes_per_second > 0 else UNKNOWN),
        Cell(short_duration(job.remaining_seconds) if job.HasField("remaining_seconds") else UNKNOWN),
    ]


def _target_rows(machine: Machine) -> list[tuple[str, list[Cell], bool]]:
    rows = []
    for target in machine.all("copy_target"):
        word, style = _TARGET_STATES.get(target.state, ("unknown", "muted"))
        cells = [
            Cell(plain(target.id)),
            state_cell(word, style),
            Cell(format_bytes(target.free_bytes)),
            Cell(format_bytes(target.promised_bytes), "muted"),
            Cell(str(target.n_active)),
        ]
        rows.append((f"{machine.id}/{target.id}", cells, machine.is_stale))
    return rows


def digest(view: FarmView) -> Line:
    """The first copier's counts, or that there is none."""
    return lines(view, 80)[0]


def summary(view: FarmView) -> str:
    """How many copies are under way."""
    copiers = [copier for machine in view.machines() if (copier := machine.one("copier")) is not None]
    return f"{sum(copier.n_active for copier in copiers)} active" if copiers else "no copier"


PANEL = PanelContent(
    "copies",
    "Active copies",
    lines,
    digest,
    summary,
    "Plots on their way from source to target folders. FREE is what a target has now, PROMISED what copies under way "
    "will still take of it.",
)
