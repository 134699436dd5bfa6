"""Many entries of one topic in little memory: kept as bytes, made into messages when they are asked for.

A plot's message takes 1250 bytes by itself and 170 packed: serialized, without the id that is its key, and deflated
with the id as what came before, as a plot's id stands in the name of its file (measured: 100,000 plots, protobuf 7.35).
"""

import zlib
from collections.abc import Iterator, KeysView, Mapping, MutableMapping
from typing import Any, Generic, NamedTuple, TypeVar, cast

from google.protobuf.message import Message

from chiatea.protobuf.descriptors import EntryId, Topic

__all__ = ["Entry", "PackedEntries", "PackedMessages", "packed_messages"]

M = TypeVar("M", bound=Message)


class Entry(NamedTuple):
    """One entry of a topic, and when its machine told it (UTC seconds)."""

    message: Message
    timestamp: float


class PackedMessages(MutableMapping[EntryId, M], Generic[M]):
    """Messages of one repeated topic by their id.

    What is got out is a message of one's own. A copy costs nothing till one of the two is changed, and then one dict.
    """

    __slots__ = ("_is_shared", "packed", "topic")

    def __init__(self, topic: Topic) -> None:
        """No messages yet, of a topic whose `id` is a text.

        Raises:
            ValueError: the topic's `id` is not its field number 1, or no text.
        """
        if not topic.is_repeated or not topic.id_is_text or topic.columns[0].field_numbers != (1,):
            raise ValueError(f"{topic.name} cannot be packed: its id is no text, or not its first field")
        self.topic = topic
        self.packed: dict[EntryId, bytes] = {}
        """What is kept, by id. It may be another's too: never changed from outside."""
        self._is_shared = False

    def __getitem__(self, identity: EntryId) -> M:
        """The message; KeyError where there is none."""
        return self._unpacked(identity, self.packed[identity])

    def __setitem__(self, identity: EntryId, message: M) -> None:
        """Takes a message over, under its own id; one that is there alike stays."""
        encoded = str(identity).encode()
        serialized = _without_id(message.SerializeToString(deterministic=True), len(encoded))
        held = self.packed.get(identity)
        # To inflate takes a third of the time.
        if held is None or _inflated(held, encoded) != serialized:
            self._own()[identity] = _deflated(serialized, encoded)

    def __delitem__(self, identity: EntryId) -> None:
        """Forgets a message; KeyError where there is none."""
        if identity not in self.packed:
            raise KeyError(identity)
        del self._own()[identity]

    def __iter__(self) -> Iterator[EntryId]:
        """The ids."""
        return iter(self.packed)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.packed)

    def __contains__(self, identity: object) -> bool:
        """Whether there is one of that id: makes no message."""
        return identity in self.packed

    def keys(self) -> KeysView[EntryId]:
        """The ids."""
        return self.packed.keys()

    def copy(self) -> "PackedMessages[M]":
        """The same messages, to be changed without changing these."""
        other = PackedMessages[M](self.topic)
        other.packed = self.packed
        other._is_shared = self._is_shared = True
        return other

    def take(self, identity: EntryId, other: "PackedMessages[M]") -> None:
        """Holds a message of another in common with it; `identity` should be the other's own key.

        Raises:
            KeyError: the other has none of that id.
        """
        self._own()[identity] = other.packed[identity]

    def is_same(self, other: "PackedMessages[Any]") -> bool:
        """Whether the two are copies of which neither was changed since. Takes no time; False says nothing."""
        return self.packed is other.packed

    def changed_since(self, before: "PackedMessages[Any]") -> Iterator[EntryId]:
        """Ids of messages that are new here or differ."""
        if self.is_same(before):
            return
        held = before.packed.get
        for identity, packed in self.packed.items():
            earlier = held(identity)
            if earlier is not packed and earlier != packed:
                yield identity

    def _own(self) -> dict[EntryId, bytes]:
        if self._is_shared:
            self.packed = dict(self.packed)
            self._is_shared = False
        return self.packed

    def _unpacked(self, identity: EntryId, packed: bytes) -> M:
        message = self.topic.message_class()
        message.MergeFromString(_inflated(packed, str(identity).encode()))
        message.id = identity  # type: ignore[attr-defined]
        return cast("M", message)


def _without_id(serialized: bytes, length: int) -> bytes:
    """As field number 1 the id stands first: a tag, its length in sevens of bits, itself."""
    return serialized[1 + (length.bit_length() + 6) // 7 + length :] if length else serialized


_WINDOW_BITS = -12
"""No header or checksum, 4 KiB looked back: several messages' size."""


def _deflated(data: bytes, before: bytes) -> bytes:
    deflate = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, 5, zlib.Z_DEFAULT_STRATEGY, b"/" + before)
    return deflate.compress(data) + deflate.flush()


def _inflated(data: bytes, before: bytes) -> bytes:
    return zlib.decompressobj(_WINDOW_BITS, b"/" + before).decompress(data)


class PackedEntries(MutableMapping[EntryId, Entry]):
    """Packed messages as the entries of a state. All have the time of the one told last."""

    __slots__ = ("messages", "timestamp")

    def __init__(self, messages: PackedMessages[Any], timestamp: float = 0.0) -> None:
        """Takes the messages over."""
        self.messages = messages
        self.timestamp = timestamp

    def __getitem__(self, identity: EntryId) -> Entry:
        """The entry; KeyError where there is none."""
        return Entry(self.messages[identity], self.timestamp)

    def __setitem__(self, identity: EntryId, entry: Entry) -> None:
        """Takes an entry over."""
        self.messages[identity] = entry.message
        self.timestamp = max(self.timestamp, entry.timestamp)

    def __delitem__(self, identity: EntryId) -> None:
        """Forgets an entry; KeyError where there is none."""
        del self.messages[identity]

    def __iter__(self) -> Iterator[EntryId]:
        """The ids."""
        return iter(self.messages)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.messages)

    def __contains__(self, identity: object) -> bool:
        """Whether there is one of that id: makes no message."""
        return identity in self.messages

    def keys(self) -> KeysView[EntryId]:
        """The ids."""
        return self.messages.keys()

    def is_equal(self, other: "PackedEntries") -> bool:
        """Whether both have the same messages, whenever they were told."""
        return len(self) == len(other) and next(self.messages.changed_since(other.messages), None) is None

    def copy(self) -> "PackedEntries":
        """The same entries, to be changed without changing these."""
        return PackedEntries(self.messages.copy(), self.timestamp)


def packed_messages(entries: Mapping[EntryId, Entry], topic: Topic) -> PackedMessages[Any]:
    """The messages of a state's topic, packed: shared with it where it holds them so."""
    if isinstance(entries, PackedEntries):
        return entries.messages.copy()
    messages = PackedMessages[Any](topic)
    for identity, entry in entries.items():
        messages[identity] = entry.message
    return messages
