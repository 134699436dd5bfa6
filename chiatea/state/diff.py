"""What changed between two states of one machine."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from google.protobuf.message import Message

from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, EventType
from chiatea.protobuf.descriptors import TOPICS, EntryId, Topic
from chiatea.state.machine_state import MachineState
from chiatea.state.packed import PackedEntries

__all__ = ["Change", "diff"]


class Change(NamedTuple):
    """One entry that is new, different or gone.

    `message` is the entry as it is now, or as it last was; `before` as it was, where it is only different.
    """

    topic: Topic
    entry_id: EntryId
    event_type: "EventType.ValueType"
    message: Message
    before: Message | None = None


def diff(old: MachineState, new: MachineState, topics: Container[str] = TOPICS) -> Iterator[Change]:
    """Every entry of some topics in which two states differ; applied to `old`, the changes make `new`.

    What was given out already may be taken over into `old` while the rest is still to come.
    """
    for topic in TOPICS.values():
        if topic.name not in topics:
            continue
        before, after = old.of(topic.name), new.of(topic.name)
        if before is after:
            continue
        if isinstance(before, PackedEntries) and isinstance(after, PackedEntries):
            yield from _packed_diff(topic, before, after)
            continue
        n_before, n_added = len(before), 0
        for identity, entry in after.items():
            held = before.get(identity)
            if held is entry:
                continue
            if held is None:
                n_added += 1
                yield Change(topic, identity, ADD, entry.message)
            elif held.message is not entry.message and held.message != entry.message:
                yield Change(topic, identity, UPDATE, entry.message, held.message)
        if n_before + n_added > len(after):
            for identity in before.keys() - after.keys():
                yield Change(topic, identity, DELETE, before[identity].message)


def _packed_diff(topic: Topic, before: PackedEntries, after: PackedEntries) -> Iterator[Change]:
    n_before, n_added = len(before), 0
    for identity in after.messages.changed_since(before.messages):
        if identity in before:
            yield Change(topic, identity, UPDATE, after[identity].message, before[identity].message)
        else:
            n_added += 1
            yield Change(topic, identity, ADD, after[identity].message)
    if n_before + n_added > len(after):
        for identity in before.keys() - after.keys():
            yield Change(topic, identity, DELETE, before[identity].message)
