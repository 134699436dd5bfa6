"""Copies of all machines: those under way, those that wait, and on demand those that are finished."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from chiatea.protobuf.copy_pb2 import CopyJob
from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, text_of
from chiatea.tui.order_words import rate_text
from chiatea.tui.orders import Orders
from chiatea.tui.panels.copy_cells import (
    ENDED,
    job_order,
    job_share,
    job_state_cell,
    job_word,
    left_cell,
    plot_name,
    progress_cell,
    speed_cell,
)
from chiatea.tui.panels.panel import state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["copy_jobs_content", "job_note"]


def _told(name: str) -> Callable[[Machine, Any], Any]:
    return lambda _, job: getattr(job, name) if job.HasField(name) else None


_COLUMNS: Final = (
    ListColumn("MACHINE", rank=3, least=8, sort=lambda machine, _: machine.name),
    ListColumn("PLOT", least=20, sort=lambda _, job: plot_name(job)),
    ListColumn("STATE", sort=lambda _, job: job_word(job), flashes=True),
    ListColumn("PROGRESS", sort=lambda _, job: job_share(job)),
    ListColumn("SPEED", ">", 1, sort=lambda _, job: job.bytes_per_second),
    ListColumn("LEFT", ">", 1, sort=_told("remaining_seconds")),
    ListColumn("SOURCE", "<", 8, least=10, sort=lambda _, job: job.source_filepath),
    ListColumn("TO", "<", 2, least=10, sort=lambda _, job: job.target_id),
    ListColumn("TRIES", ">", 6, sort=lambda _, job: job.n_attempts, flashes=True),
    ListColumn("PRIO", ">", 4, sort=lambda _, job: job.priority, flashes=True),
    ListColumn("LOADED", "<", 7, sort=lambda _, job: job.farming, flashes=True),
    ListColumn("NOTE", "<", 5, least=16),
)
_FARMING: Final = {
    CopyJob.WAITING: ("not yet", "warn"),
    CopyJob.FARMING: ("farming", "good"),
}


def job_note(job: Any, now: float) -> Cell:
    """What is to be said of a job beside its state: its error and next attempt, else its own limit."""
    error = plain(job.last_error)
    if job.HasField("next_attempt_time") and job.next_attempt_time > now and job.state == CopyJob.QUEUED:
        error = f"{error or 'failed'}; tried again in {short_duration(job.next_attempt_time - now)}"
    if error:
        return Cell(error, "bad" if job.state == CopyJob.FAILED else "warn")
    if job.max_bytes_per_second > 0 and job.state not in ENDED:
        return Cell(f"at most {rate_text(job.max_bytes_per_second)}", "muted")
    return Cell("")


def _farming_cell(job: Any) -> Cell:
    if job.state != CopyJob.DONE:
        return Cell(UNKNOWN, "muted")
    return state_cell(*_FARMING[job.farming]) if job.farming in _FARMING else Cell("not watched", "muted")


def copy_jobs_content(orders: Orders, shows_finished: Callable[[], bool]) -> ListContent:
    """One row for each job; `orders` tells what was ordered of it, and done and cancelled ones are there on demand."""

    def items(view: FarmView) -> Iterable[Item]:
        is_all = shows_finished()
        found = [
            (job_order(job), machine.name, Item(machine.id, "copy_job", job.id))
            for machine in view.machines()
            for job in machine.all("copy_job")
            if is_all or job.state not in ENDED or orders.waiting(Item(machine.id, "copy_job", job.id)) is not None
        ]
        # Over all machines first what is under way, then what waits.
        found.sort(key=lambda one: (one[0][0], one[1], one[0], one[2].id))
        return [item for _, _, item in found]

    def row(view: FarmView, machine: Machine, job: Any) -> Sequence[Cell]:
        item = Item(machine.id, "copy_job", job.id)
        state, note = orders.cells(item, view.now, job_state_cell(job), job_note(job, view.now))
        return [
            Cell(machine.name, "muted"),
            Cell(plot_name(job), "strong"),
            state,
            progress_cell(job),
            speed_cell(job.bytes_per_second),
            left_cell(job),
            Cell(plain(job.source_filepath.rpartition("/")[0]) or UNKNOWN, "muted"),
            Cell(plain(job.target_id) or UNKNOWN, "muted"),
            Cell(count(job.n_attempts), "warn" if job.n_attempts > 1 else "muted"),
            Cell(str(job.priority), "normal" if job.priority else "muted"),
            _farming_cell(job),
            note,
        ]

    def text(machine: Machine, job: Any) -> str:
        return text_of(machine.name, job.id, job.source_filepath, job.target_id, job_word(job), job.last_error)

    def nothing(view: FarmView) -> Sequence[str]:
        n_finished = sum(len(machine.state.of("copy_job")) for machine in view.machines())
        if n_finished:
            return ["No copy is under way or waits.", f"f shows the {count(n_finished)} that are finished."]
        return [
            "No plot is to be moved.",
            "`chia-tea copy` moves what comes into copy.source_folders to copy.target_folders.",
        ]

    return ListContent(
        "copy-jobs",
        "Copies",
        _COLUMNS,
        items,
        row,
        text,
        lambda view: f"{count(len(list(items(view))))} copies",
        nothing,
        "Plots on their way: those under way first, then those that are paused, that failed, that wait in the order in "
        "which they begin. PROGRESS is what is copied, and while it verifies, what was read back. What a key orders "
        "shows as … until the copier of that machine confirms it; what it refuses shows with the reason. Space marks "
        "copies: a key then works on all marked ones. LOADED: whether the harvester has a moved plot. A higher PRIO "
        "begins sooner. f shows done and cancelled ones too, b limits one copy, d drains the target that it goes to.",
        is_stale=lambda machine, _: machine.is_copier_stale,
    )
