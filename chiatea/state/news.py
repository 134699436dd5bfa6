"""What is news, and what is only another reading. Pure."""

from typing import Final

from chiatea.protobuf.computer_info_pb2 import UPDATE
from chiatea.protobuf.descriptors import TOPICS, ColumnKind
from chiatea.state.diff import Change

__all__ = ["READINGS", "has_switched", "is_news"]

READINGS: Final = frozenset(
    {
        "system", "cpu", "cpu_core", "ram", "disk", "sensor", "network_interface", "process", "source", "collector",
    }
)  # fmt: skip
"""Topics whose numbers are read again and again: a later one tells all that an earlier one did."""

_SWITCHES: Final = {
    name: tuple(
        column.name
        for column in topic.columns
        if column.kind in {ColumnKind.ENUM, ColumnKind.BOOLEAN} and len(column.path) == 1
    )
    for name, topic in TOPICS.items()
}
"""Of each topic the fields that are states, not numbers."""


def has_switched(change: Change) -> bool:
    """Whether an entry came, went, or took another state: a disk that hangs, a service that stopped."""
    if change.event_type != UPDATE or change.before is None:
        return True
    before, after = change.before, change.message
    return any(getattr(before, name) != getattr(after, name) for name in _SWITCHES[change.topic.name])


def is_news(change: Change) -> bool:
    """Whether somebody waits for it: all but the mere numbers of what is read again and again."""
    return change.topic.name not in READINGS or has_switched(change)
