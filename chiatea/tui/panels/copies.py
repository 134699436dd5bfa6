"""Active copies: jobs under way, and the folders that they fill."""

from typing import Any

from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell, Column, Line, Span, facts, note, table
from chiatea.tui.panels.copy_cells import (
    ENDED,
    job_order,
    job_state_cell,
    left_cell,
    plot_name,
    progress_cell,
    speed_cell,
    target_state_cell,
)
from chiatea.tui.panels.panel import PanelContent
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes

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


def lines(view: FarmView, width: int) -> list[Line]:
    """Each copier with its jobs in their natural order, and its targets."""
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
        jobs = sorted((job for job in machine.all("copy_job") if job.state not in ENDED), key=job_order)
        rows = [(f"{machine.id}/{job.id}", _job_row(job), machine.is_copier_stale) for job in jobs]
        if rows:
            shown += table(_JOBS, rows, width)
        targets = _target_rows(machine)
        if targets:
            shown += table(_TARGETS, targets, width)
    return shown


def _job_row(job: Any) -> list[Cell]:
    return [
        Cell(plot_name(job)),
        Cell(plain(job.target_id) or UNKNOWN, "muted"),
        job_state_cell(job),
        progress_cell(job),
        speed_cell(job.bytes_per_second),
        left_cell(job),
    ]


def _target_rows(machine: Machine) -> list[tuple[str, list[Cell], bool]]:
    rows = []
    for target in machine.all("copy_target"):
        cells = [
            Cell(plain(target.id)),
            target_state_cell(target),
            Cell(format_bytes(target.free_bytes)),
            Cell(format_bytes(target.promised_bytes), "muted"),
            Cell(str(target.n_active)),
        ]
        rows.append((f"{machine.id}/{target.id}", cells, machine.is_copier_stale))
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
