"""What a person is asked before an order is given, and how the answer is read. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from chiatea.errors import ChiaTeaError
from chiatea.protobuf.copy_pb2 import CopyTarget
from chiatea.tui.drawing import count
from chiatea.tui.list_model import Item, entry_of
from chiatea.tui.panels.copy_cells import plot_name
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView
from chiatea.units import exact_bytes, format_bytes, parse_bytes

__all__ = ["bandwidth_of", "cancel_lines", "counted", "limit_now", "release_lines"]

MOST_NAMED: Final = 8
FASTEST: Final = 2**63 - 1
_WORDS: Final = {
    "copy_job": ("copy", "copies"),
    "copy_target": ("target folder", "target folders"),
    "copier": ("copier", "copiers"),
}


def counted(items: Sequence[Item]) -> str:
    """How many of what: "1 copy", "3 target folders"."""
    one, many = _WORDS[items[0].topic] if items else ("row", "rows")
    return f"{count(len(items))} {one if len(items) == 1 else many}"


def cancel_lines(jobs: Sequence[Any]) -> list[str]:
    """What goes when jobs are cancelled, and what stays."""
    lost = sum(max(0, job.copied_bytes) for job in jobs)
    lines = [f"{plot_name(job)}: {_copied(job)}" for job in jobs[:MOST_NAMED]]
    if len(jobs) > MOST_NAMED:
        lines.append(f"and {count(len(jobs) - MOST_NAMED)} more")
    stays = "The source stays where it is; R puts it"
    if len(jobs) != 1:
        stays = "The sources stay where they are; R puts them"
    if lost:
        lines += ["", f"Lost is what was copied so far: {format_bytes(lost)} are thrown away."]
    else:
        lines += ["", "Nothing is copied yet, so nothing is lost."]
    return [*lines, f"{stays} in the queue again."]


def _copied(job: Any) -> str:
    if job.copied_bytes <= 0:
        return "waits"
    where = f" to {plain(job.target_id)}" if job.target_id else ""
    return f"{format_bytes(job.copied_bytes)} of {format_bytes(job.total_bytes)} copied{where}"


def release_lines(targets: Sequence[Item], view: FarmView) -> list[str]:
    """What is asked before a target is released whose disk is not the one that belongs there; nothing for others."""
    lines = list(_unmounted(targets, view))
    if not lines:
        return []
    return [*lines, "", "Released, it takes plots again: on another disk too, if one is mounted there now."]


def _unmounted(targets: Sequence[Item], view: FarmView) -> Iterator[str]:
    for item in targets:
        target = entry_of(view, item)
        if target is not None and target.state == CopyTarget.NOT_MOUNTED:
            yield f"{plain(target.id)} {plain(target.reason) or 'is not mounted'}"


def limit_now(entries: Sequence[Any]) -> str:
    """The limit that jobs or copiers have, as it is written; "" for none, or where they differ."""
    limits = {entry.max_bytes_per_second for entry in entries}
    limit = limits.pop() if len(limits) == 1 else 0
    return exact_bytes(limit) if limit > 0 else ""


def bandwidth_of(text: str) -> int:
    """Bytes a second; 0 for "", which is no limit.

    Raises:
        ChiaTeaError: when the text is no rate.
    """
    if not text.strip():
        return 0
    try:
        rate = parse_bytes(text)
    except ValueError as error:
        raise ChiaTeaError(str(error)) from None
    if rate > FASTEST:
        raise ChiaTeaError(f"{text} is more than any disk can", "leave it empty for no limit")
    return rate
