"""Which of many events decide the state."""

from collections.abc import Iterable

from chiatea.protobuf.computer_info_pb2 import NONE, UpdateEvent
from chiatea.protobuf.descriptors import EntryId, entry_of, topic_of

__all__ = ["EventKey", "event_key", "latest"]

EventKey = tuple[str, str, EntryId]
"""Machine id, topic name and entry id: what an event is about."""


def event_key(event: UpdateEvent) -> EventKey | None:
    """What an event is about; None for an event that carries nothing."""
    topic = topic_of(event)
    if topic is None or event.event_type == NONE:
        return None
    return event.machine_id, topic.name, topic.id_of(entry_of(event, topic))


def latest(events: Iterable[UpdateEvent]) -> dict[EventKey, UpdateEvent]:
    """The newest event of each entry; of two at one time, the later in order."""
    newest: dict[EventKey, UpdateEvent] = {}
    for event in events:
        key = event_key(event)
        if key is None:
            continue
        held = newest.get(key)
        if held is None or event.timestamp >= held.timestamp:
            newest[key] = event
    return newest
