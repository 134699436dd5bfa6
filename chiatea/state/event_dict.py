"""An event as plain data, for JSON and CSV. Pure."""

from collections.abc import Callable
from typing import Any

from chiatea.protobuf.computer_info_pb2 import EventType, UpdateEvent
from chiatea.protobuf.descriptors import as_dict, entry_of, topic_of

__all__ = ["event_as_dict"]


def event_as_dict(event: UpdateEvent, name_of: Callable[[str], str]) -> dict[str, Any]:
    """{"time", "machine", "machine_id", "topic", "event_type", "entry"}; the entry under the protocol's names.

    Args:
        event: one event of history.
        name_of: the name of a machine by its id.
    """
    topic = topic_of(event)
    known = event.event_type in EventType.values()
    return {
        "time": event.timestamp,
        "machine": name_of(event.machine_id),
        "machine_id": event.machine_id,
        "topic": topic.name if topic is not None else None,
        "event_type": EventType.Name(event.event_type) if known else event.event_type,
        "entry": as_dict(entry_of(event, topic)) if topic is not None else None,
    }
