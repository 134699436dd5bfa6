"""What an event is about."""

from chiatea.protobuf.descriptors import EntryId

__all__ = ["EventKey"]

EventKey = tuple[str, str, EntryId]
"""Machine id, topic name and entry id: of the events of one key the newest decides the state."""
