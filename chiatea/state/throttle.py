"""When a change may be sent: not every value of what changes all the time is worth a row for years."""

import math
from collections.abc import Iterable, Iterator, Mapping

from chiatea.protobuf.computer_info_pb2 import UPDATE
from chiatea.protobuf.descriptors import EntryId
from chiatea.state.diff import Change
from chiatea.state.news import has_switched

__all__ = ["Throttle"]


class Throttle:
    """Lets an entry's updates pass at most once an interval; what came, went or took another state passes at once.

    What is held back is not kept here: it stays a difference between what the server knows and what is true, so the
    next look finds it again, at its last value, until its time has come.
    """

    def __init__(self, interval_seconds: Mapping[str, float]) -> None:
        """Takes the least seconds between two updates of one entry, by topic; a topic not named is not held."""
        self._interval_seconds = interval_seconds
        self._passed: dict[tuple[str, EntryId], float] = {}
        self.next_seconds = math.inf
        """When the first of the changes that were held back last may go."""

    def due(self, changes: Iterable[Change], now_seconds: float) -> Iterator[Change]:
        """The changes that may go now. What it yields counts as sent. The clock is any that does not jump."""
        self.next_seconds = math.inf
        for change in changes:
            key = (change.topic.name, change.entry_id)
            interval = self._interval_seconds.get(change.topic.name, 0.0)
            due = self._passed.get(key, -math.inf) + interval
            if change.event_type == UPDATE and now_seconds < due and not has_switched(change):
                self.next_seconds = min(self.next_seconds, due)
                continue
            if change.event_type == UPDATE and interval > 0:
                self._passed[key] = now_seconds
            elif change.event_type != UPDATE:
                self._passed.pop(key, None)
            yield change
