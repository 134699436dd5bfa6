"""What an event changed, in words. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UpdateEvent
from chiatea.protobuf.descriptors import Column, Topic, entry_of, row_of, topic_of
from chiatea.tui.field_text import field_text
from chiatea.tui.plain_text import plain

__all__ = ["NOTHING_CHANGED", "change_text", "changed_fields", "telling_change"]

NOTHING_CHANGED: Final = "told again"
_TOLD_OF_THE_NEW: Final = 4
"""Fields that are told of an entry of which nothing earlier is known."""
_SELDOM_TELLING: Final = ("_time", "_percent", "_per_second", "_celsius")
"""Ends of the names of what moves all the time: told only where nothing else changed."""
_MOVING: Final = frozenset(
    {
        "used_bytes", "free_bytes", "available_bytes", "free_inodes", "swap_used_bytes", "resident_bytes",
        "virtual_bytes", "clock_mhz", "value", "power_on_hours", "clock_ahead_seconds",
        "n_challenges", "n_challenges_owed", "n_challenges_answered", "n_eligible_plots", "n_signage_points",
        "n_v2_qualities", "n_sync_processed", "seconds_between_challenges", "share_of_netspace",
        "expected_seconds_to_win", "peak_height", "height", "sync_tip_height", "sync_progress_height",
        "netspace_bytes", "average_block_seconds", "n_peers", "mempool_size", "n_understood", "n_bytes_behind",
        "n_spooled_events", "spooled_bytes", "bytes_done", "copied_bytes", "verified_bytes", "promised_bytes",
        "remaining_seconds", "n_scrubbed",
    }
)  # fmt: skip
_MOVING_BEGINS: Final = ("last_", "median_", "p99_", "worst_", "load_")
_TELLING_ALL_THE_SAME: Final = frozenset(
    {"last_error", "late_answer_time", "last_proof_time", "last_block_farmed_time", "last_skipped_time", "boot_time"}
)


def change_text(event: UpdateEvent, before: UpdateEvent | None) -> str:
    """What an event says that the one before it of the same entry did not: "state OK → HANGING"."""
    topic = topic_of(event)
    if topic is None:
        return "what only a newer chia-tea knows"
    entry = entry_of(event, topic)
    if event.event_type == DELETE:
        return "gone"
    told = getattr(entry, "text", "") or getattr(entry, "error", "")
    if before is None or event.event_type == ADD or before.event_type == DELETE:
        new = "new: " if event.event_type == ADD else ""
        return new + (plain(told) or ", ".join(_telling(topic, entry)) or "no more is told")
    changes = list(changed_fields(topic, entry_of(before, topic), entry))
    return _in_words(_telling_of(changes) or changes) or NOTHING_CHANGED


def telling_change(event: UpdateEvent, before: UpdateEvent) -> str:
    """The same without numbers that move all the time: "" where nothing else changed."""
    topic = topic_of(event)
    if topic is None or DELETE in (event.event_type, before.event_type):
        return change_text(event, before)
    changes = changed_fields(topic, entry_of(before, topic), entry_of(event, topic))
    return _in_words(change for change in changes if not _moves_always(change[0].name))


def _moves_always(name: str) -> bool:
    """Whether a number is a reading or a counter that moves with each look or each challenge."""
    if name in _TELLING_ALL_THE_SAME:
        return False
    return name in _MOVING or name.startswith(_MOVING_BEGINS) or name.endswith(_SELDOM_TELLING)


def _telling_of(changes: Iterable[tuple[Column, str, str]]) -> list[tuple[Column, str, str]]:
    return [change for change in changes if not change[0].name.endswith(_SELDOM_TELLING)]


def _in_words(changes: Iterable[tuple[Column, str, str]]) -> str:
    return ", ".join(f"{_label(column)} {old} → {new}" for column, old, new in changes)


def changed_fields(topic: Topic, before: Any, after: Any) -> Iterator[tuple[Column, str, str]]:
    """Every field that differs, as it was and as it is."""
    for column, old, new in zip(
        topic.columns, row_of(before, topic.columns), row_of(after, topic.columns), strict=True
    ):
        if old != new:
            yield column, field_text(column, old), field_text(column, new)


def _telling(topic: Topic, entry: Any) -> Iterator[str]:
    """The first few fields of an entry that say something."""
    told = 0
    for column, value in zip(topic.columns, row_of(entry, topic.columns), strict=True):
        if column.name == "id" or value in (None, "", 0, "[]") or told == _TOLD_OF_THE_NEW:
            continue
        told += 1
        yield f"{_label(column)} {field_text(column, value)}"


def _label(column: Column) -> str:
    return column.name.removeprefix("n_").removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")
