"""When a change may be sent: not every value of what changes all the time is worth a row for years."""

from collections.abc import Iterable, Iterator, Mapping

from chiatea.protobuf.computer_info_pb2 import UPDATE
from chiatea.protobuf.descriptors import EntryId
from chiatea.state.diff import Change

__all__ = ["Throttle"]


class Throttle:
    """Lets an entry's updates pass at most once an interval; new and vanished entries pass at once.

    What is held back is not kept here: it stays a difference between what the server knows and what is true, so the
    next look finds it again, at its last value, until its time has come.
    """

    def __init__(self, interval_seconds: Mapping[str, float]) -> None:
        """Takes the least seconds between two updates of one entry, by topic; a topic not named is not held."""
        self._interval_seconds = interval_seconds
        self._passed: dict[tuple[str, EntryId], float] = {}

    def due(self, changes: Iterable[Change], now_seconds: float) -> Iterator[Change]:
        """The changes that may go now. What it yields counts as sent. The clock is any that does not jump."""
        for change in changes:
            key = (change.topic.name, change.entry_id)
            interval = self._interval_seconds.get(change.topic.name, 0.0)
            if change.event_type == UPDATE and now_seconds - self._passed.get(key, -1e300) < interval:
                continue
            if change.event_type == UPDATE and interval > 0:
                self._passed[key] = now_seconds
            elif change.event_type != UPDATE:
                self._passed.pop(key, None)
            yield change
