"""What a row of the copies screen has no room for, in a line or two. Pure."""

from collections.abc import Iterator
from typing import Any

from chiatea.tui.drawing import count
from chiatea.tui.lines import Line, Span, facts, note
from chiatea.tui.list_model import Item, entry_of
from chiatea.tui.lists.copy_jobs import job_note
from chiatea.tui.lists.copy_targets import target_reason
from chiatea.tui.orders import Orders
from chiatea.tui.plain_text import plain, shortened
from chiatea.tui.view import FarmView
from chiatea.units import format_bytes, short_duration

__all__ = ["copy_detail"]


def copy_detail(item: Item | None, view: FarmView, orders: Orders, width: int) -> list[Line]:
    """Two lines on a job, a target or a copier: what it is, and what became of an order or is wrong."""
    entry = entry_of(view, item) if item is not None else None
    if item is None or entry is None:
        return []
    told = orders.note(item, view.now)
    if item.topic == "copy_job":
        first, wrong = _job(entry, width), job_note(entry, view.now)
        second = note(wrong.text, wrong.style) if wrong.text else facts("", _job_facts(entry, view.now), label_width=0)
    elif item.topic == "copy_target":
        first = facts("", _target_facts(entry), label_width=0)
        second = note(target_reason(entry, view.now), "warn")
    else:
        first = facts("", _copier_facts(entry, view.now), label_width=0)
        second = note(f"slowed: {plain(entry.slowed_by)}" if entry.slowed_by else "", "warn")
    return [first, note(told.text, told.style) if told is not None else second]


def _job(job: Any, width: int) -> Line:
    source, target = plain(job.source_filepath), plain(job.target_filepath or job.target_id)
    target = target or "no target folder yet"
    room = max(10, width - 3)
    # Each gets half, and what the other one does not need.
    head = shortened(source, max(room // 2, room - len(target)))
    return Line((Span(head), Span(" → ", "muted"), Span(shortened(target, room - len(head)), "strong")))


def _job_facts(job: Any, now: float) -> Iterator[Span]:
    yield Span(f"{format_bytes(job.copied_bytes)} of {format_bytes(job.total_bytes)} copied", "muted")
    if job.verified_bytes:
        yield Span(f"{format_bytes(job.verified_bytes)} verified", "muted")
    if job.HasField("finished_time"):
        yield Span(f"ended {short_duration(now - job.finished_time)} ago", "muted")
    elif job.HasField("started_time"):
        yield Span(f"begun {short_duration(now - job.started_time)} ago", "muted")
    if job.replaced_filepaths:
        yield Span(f"{count(len(job.replaced_filepaths))} old plots gave way to it", "muted")


def _target_facts(target: Any) -> Iterator[Span]:
    yield Span(plain(target.id), "strong")
    yield Span(f"{format_bytes(target.free_bytes)} free of {format_bytes(target.total_bytes)}")
    if target.reserved_bytes:
        yield Span(f"{format_bytes(target.reserved_bytes)} stay free", "muted")
    if target.replaceable_bytes:
        yield Span(f"{format_bytes(target.replaceable_bytes)} of old plots may be replaced", "muted")


def _copier_facts(copier: Any, now: float) -> Iterator[Span]:
    yield Span(f"copier {plain(copier.version)}", "strong")
    if copier.is_running and copier.start_time > 0:
        yield Span(f"running for {short_duration(now - copier.start_time)}", "muted")
    yield Span(f"{count(copier.n_done)} plots moved, {format_bytes(copier.bytes_done)}", "muted")
    if copier.n_unknown_temporary_files:
        yield Span(f"▲ {count(copier.n_unknown_temporary_files)} .copying files that no journal knows", "warn")
