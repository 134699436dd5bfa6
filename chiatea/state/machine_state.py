"""The state of one machine: the latest entry of every topic."""

from collections.abc import Container, Iterator, MutableMapping

from google.protobuf.message import Message

from chiatea.protobuf.computer_info_pb2 import DELETE, NONE, ComputerInfo, EventType, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, EntryId, Topic, entry_of, topic_of
from chiatea.state.packed import Entry, PackedEntries, PackedMessages

__all__ = ["Entry", "MachineState", "event_of"]


class MachineState:
    """The latest entries of one machine, by topic and id.

    Entries are shared between states and never changed in place: a change replaces them.
    """

    __slots__ = ("_packed_topics", "entries")

    def __init__(self, *, packed_topics: Container[str] = ()) -> None:
        """An empty state: a machine that told nothing yet. Topics that are packed take little memory and more time."""
        self._packed_topics = packed_topics
        self.entries: dict[str, MutableMapping[EntryId, Entry]] = {}

    @classmethod
    def from_computer_info(cls, info: ComputerInfo) -> "MachineState":
        """The state that a ComputerInfo tells; all entries have its timestamp."""
        state = cls()
        state.merge(info)
        return state

    def merge(self, info: ComputerInfo) -> None:
        """Takes over every entry of a ComputerInfo, which may be a part of one."""
        for topic in TOPICS.values():
            if topic.is_repeated:
                messages = getattr(info, topic.state_field)
                if messages:
                    held = self._held(topic)
                    held.update((topic.id_of(m), Entry(m, info.timestamp)) for m in messages)
            elif info.HasField(topic.state_field):  # type: ignore[arg-type]
                self.entries[topic.name] = {"": Entry(getattr(info, topic.state_field), info.timestamp)}

    def apply(self, event: UpdateEvent) -> bool:
        """Takes over one event unless its entry is newer.

        Returns:
            Whether it touched the state: an event older than its entry, a DELETE of what is not there and an
            event that carries nothing do not.
        """
        topic = topic_of(event)
        return topic is not None and self.apply_known(topic, topic.id_of(entry_of(event, topic)), event)

    def apply_known(self, topic: Topic, entry_id: EntryId, event: UpdateEvent) -> bool:
        """As `apply`, of an event whose topic and id are known already."""
        before = self.of(topic.name).get(entry_id)
        if before is not None and event.timestamp < before.timestamp:
            return False
        return self._put(topic, entry_id, event)

    def put(self, event: UpdateEvent) -> bool:
        """Takes over one event whatever is there: for who is told what another state decided.

        Returns:
            Whether it touched the state.
        """
        topic = topic_of(event)
        return topic is not None and self._put(topic, topic.id_of(entry_of(event, topic)), event)

    def _put(self, topic: Topic, entry_id: EntryId, event: UpdateEvent) -> bool:
        is_gone = event.event_type == DELETE
        if event.event_type == NONE or (is_gone and entry_id not in self.of(topic.name)):
            return False
        self.hold(topic, entry_id, None if is_gone else Entry(entry_of(event, topic), event.timestamp))
        return True

    def hold(self, topic: Topic, entry_id: EntryId, entry: Entry | None) -> None:
        """Puts an entry in its place, or takes it away."""
        held = self.entries.get(topic.name)
        if entry is not None:
            self._held(topic)[entry_id] = entry
        elif held is not None and entry_id in held:
            del held[entry_id]
            if not held:
                del self.entries[topic.name]

    def take(self, topic: Topic, entry_id: EntryId, other: "MachineState") -> None:
        """Makes one entry what it is in another state, or gone as it is there, and shares it with that."""
        theirs = other.of(topic.name)
        if entry_id not in theirs:
            self.hold(topic, entry_id, None)
            return
        held = self._held(topic)
        if isinstance(held, PackedEntries) and isinstance(theirs, PackedEntries):
            held.messages.take(entry_id, theirs.messages)
        else:
            held[entry_id] = theirs[entry_id]

    def _held(self, topic: Topic) -> MutableMapping[EntryId, Entry]:
        held = self.entries.get(topic.name)
        if held is None:
            is_packed = topic.name in self._packed_topics
            held = self.entries[topic.name] = PackedEntries(PackedMessages(topic)) if is_packed else {}
        return held

    def share(self, other: "MachineState") -> None:
        """Puts the messages of another state in the place of equal ones of this: one in memory instead of two."""
        self.share_packed(other)
        for name, held in self.entries.items():
            theirs = other.of(name)
            if isinstance(held, PackedEntries):
                continue
            for identity, entry in held.items():
                same = theirs.get(identity)
                if same is not None and same.message is not entry.message and same.message == entry.message:
                    held[identity] = Entry(same.message, entry.timestamp)

    def share_packed(self, other: "MachineState") -> None:
        """Holds those packed topics in common with another state that are equal: comparing them again takes no time."""
        for name, held in self.entries.items():
            theirs = other.of(name)
            if isinstance(held, PackedEntries) and isinstance(theirs, PackedEntries) and held.is_equal(theirs):
                self.entries[name] = theirs.copy()

    def of(self, topic: str) -> MutableMapping[EntryId, Entry]:
        """All entries of a topic by id; empty where the machine has none."""
        return self.entries.get(topic, {})

    def copy(self, topics: Container[str] | None = None) -> "MachineState":
        """A state that can be changed without changing this one; of some topics only, where they are named."""
        other = MachineState(packed_topics=self._packed_topics)
        other.entries = {
            name: held.copy() if isinstance(held, PackedEntries) else dict(held)
            for name, held in self.entries.items()
            if topics is None or name in topics
        }
        return other

    def all_entries(self) -> Iterator[tuple[Topic, EntryId, Entry]]:
        """Every entry with its topic and id."""
        for name, held in self.entries.items():
            topic = TOPICS[name]
            for identity, entry in held.items():
                yield topic, identity, entry

    def as_computer_info(self, *, except_topics: frozenset[str] = frozenset()) -> ComputerInfo:
        """The whole state as one message: of any size, so not for the wire."""
        info = ComputerInfo()
        for topic, _, entry in self.all_entries():
            if topic.name not in except_topics:
                _put(info, topic, entry.message)
            info.timestamp = max(info.timestamp, entry.timestamp)
        return info

    def parts(self, *, max_bytes: int) -> Iterator[ComputerInfo]:
        """The state as ComputerInfos of one timestamp each, that merge to the whole.

        None is over `max_bytes`, but for one that holds a single entry which is.
        """
        by_time: dict[float, tuple[ComputerInfo, int]] = {}
        for topic, _, entry in self.all_entries():
            size = entry.message.ByteSize() + 8
            part, filled = by_time.get(entry.timestamp, (None, 0))
            if part is not None and filled + size > max_bytes:
                yield part
                part, filled = None, 0
            if part is None:
                part, filled = ComputerInfo(timestamp=entry.timestamp), 9
            _put(part, topic, entry.message)
            by_time[entry.timestamp] = (part, filled + size)
        for part, _ in by_time.values():
            yield part

    def __eq__(self, other: object) -> bool:
        """Equal entries at equal times."""
        return isinstance(other, MachineState) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]


def _put(info: ComputerInfo, topic: Topic, message: Message) -> None:
    field = getattr(info, topic.state_field)
    if topic.is_repeated:
        field.append(message)
    else:
        field.CopyFrom(message)


def event_of(
    topic: Topic, message: Message, event_type: "EventType.ValueType", timestamp: float, machine_id: str = ""
) -> UpdateEvent:
    """An event that carries an entry."""
    event = UpdateEvent(machine_id=machine_id, timestamp=timestamp, event_type=event_type)
    getattr(event, topic.name).CopyFrom(message)
    return event
