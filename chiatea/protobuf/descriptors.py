"""What the protocol's descriptors say: topics, their columns, their enums, and messages as plain data.

The only module that reads descriptors. Tables, events, diffs and JSON are made from what stands here, so a field
added to a .proto file needs no other line of code.

A *topic* is one case of `UpdateEvent`: one kind of thing that machines report.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chiatea.protobuf.computer_info_pb2 import ComputerInfo, EventType, UpdateEvent

__all__ = [
    "EVENT_TYPES",
    "REPEATED",
    "TOPICS",
    "Column",
    "ColumnKind",
    "EntryId",
    "EnumTable",
    "Topic",
    "as_dict",
    "columns_of",
    "entry_of",
    "enum_tables",
    "filled_from_row",
    "row_of",
    "row_reader",
    "topic_of",
    "topics_between",
]

EntryId = str | int
"""What tells entries of one topic on one machine apart; "" for a topic that a machine has once."""


class ColumnKind(Enum):
    """How a field is stored and shown."""

    INTEGER = "integer"
    UNSIGNED = "unsigned"
    """64 bits without a sign: may be over what SQLite's integers hold."""
    REAL = "real"
    BOOLEAN = "boolean"
    ENUM = "enum"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    """A repeated field or a map inside an entry."""


_KINDS: Final = {
    FieldDescriptor.TYPE_DOUBLE: ColumnKind.REAL,
    FieldDescriptor.TYPE_FLOAT: ColumnKind.REAL,
    FieldDescriptor.TYPE_UINT64: ColumnKind.UNSIGNED,
    FieldDescriptor.TYPE_FIXED64: ColumnKind.UNSIGNED,
    FieldDescriptor.TYPE_BOOL: ColumnKind.BOOLEAN,
    FieldDescriptor.TYPE_ENUM: ColumnKind.ENUM,
    FieldDescriptor.TYPE_STRING: ColumnKind.TEXT,
    FieldDescriptor.TYPE_BYTES: ColumnKind.BYTES,
}


REPEATED: Final = 100
"""Added to a type's number for a repeated field of it."""

_ID_TYPES: Final = frozenset(
    {
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32,
        FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32,
    }
)  # fmt: skip
"""What an `id` may be: all that SQLite's signed integers hold, or text."""


@dataclass(frozen=True, slots=True)
class EnumTable:
    """One enum: the name of its table, and what its numbers mean."""

    name: str
    values: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One scalar of a message; of a nested message under the name `outer_inner`.

    `type` is protobuf's number of the field's type, REPEATED more for a repeated field; `field_numbers` are what stays
    when a field is renamed.
    """

    name: str
    kind: ColumnKind
    type: int
    is_optional: bool
    path: tuple[str, ...]
    field_numbers: tuple[int, ...]
    enum: EnumTable | None


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of thing that machines report.

    Attributes:
        name: its case in UpdateEvent, as "disk".
        number: the case's field number, which stays when it is renamed.
        message_name: the message's name and so the table's, as "Disk".
        state_field: its field in ComputerInfo, as "disks".
        is_repeated: whether a machine has many of it, told apart by `id`.
        id_is_text: whether that `id` is a string; False where it is an integer.
        columns: every column, `id` included.
        message_class: makes an empty entry.
    """

    name: str
    number: int
    message_name: str
    state_field: str
    is_repeated: bool
    id_is_text: bool
    columns: tuple[Column, ...]
    message_class: Callable[[], Message]

    def id_of(self, entry: Message) -> EntryId:
        """The entry's id; "" for a topic that a machine has once."""
        identity: EntryId = entry.id if self.is_repeated else ""  # type: ignore[attr-defined]
        return identity


def _enum_table(enum: EnumDescriptor) -> EnumTable:
    owner = enum.containing_type
    name = f"{owner.name}{enum.name}" if owner is not None else enum.name
    return EnumTable(name, tuple((value.number, value.name) for value in enum.values))


def columns_of(descriptor: Descriptor, path: tuple[str, ...] = (), numbers: tuple[int, ...] = ()) -> tuple[Column, ...]:
    """Every scalar of a message in the order of its fields, nested messages flattened.

    Raises:
        ValueError: when two columns would have one name, or a message contains itself.
    """
    columns: list[Column] = []
    for field in descriptor.fields:
        field_path = (*path, field.name)
        field_numbers = (*numbers, field.number)
        if len(field_path) > 8:
            raise ValueError(f"{descriptor.full_name} contains itself, which no table can hold")
        if field.is_repeated:
            kind = ColumnKind.JSON
        elif field.message_type is not None:
            columns.extend(columns_of(field.message_type, field_path, field_numbers))
            continue
        else:
            kind = _KINDS.get(field.type, ColumnKind.INTEGER)
        enum = _enum_table(field.enum_type) if field.enum_type is not None else None
        is_optional = field.has_presence or len(path) > 0
        type_number = field.type + (REPEATED if field.is_repeated else 0)
        columns.append(Column("_".join(field_path), kind, type_number, is_optional, field_path, field_numbers, enum))
    # SQLite does not tell "Name" from "name".
    names = Counter(column.name.lower() for column in columns)
    twice = sorted(name for name, count in names.items() if count > 1)
    if not path and twice:
        raise ValueError(f"two fields of {descriptor.full_name} make the same column: {twice}")
    return tuple(columns)


def topics_between(state: Descriptor, event: Descriptor) -> dict[str, Topic]:
    """Every topic, by its name: the cases of `event` joined to the fields of `state` of the same type.

    Raises:
        ValueError: when a case and a field do not pair off, or a repeated topic has no usable `id`.
    """
    fields: dict[str, FieldDescriptor] = {}
    for field in state.fields:
        if field.message_type is not None:
            name = field.message_type.full_name
            if fields.setdefault(name, field) is not field:
                raise ValueError(f"two fields of {state.name} are of type {name}: which case is whose?")
    topics: dict[str, Topic] = {}
    for case in event.oneofs[0].fields:
        message = case.message_type
        if message is None:
            raise ValueError(f"{event.name}.{case.name} is no message")
        state_field = fields.pop(message.full_name, None)
        if state_field is None:
            raise ValueError(f"{event.name}.{case.name} has no field of its own in {state.name}")
        identity = message.fields_by_name.get("id")
        if state_field.is_repeated and not _is_usable_id(identity):
            raise ValueError(
                f"{message.name} is repeated in {state.name} and needs an `id`: text or an integer, never untold"
            )
        topics[case.name] = Topic(
            name=case.name,
            number=case.number,
            message_name=message.name,
            state_field=state_field.name,
            is_repeated=state_field.is_repeated,
            id_is_text=identity is not None and identity.type == FieldDescriptor.TYPE_STRING,
            columns=columns_of(message),
            message_class=GetMessageClass(message),
        )
    if fields:
        raise ValueError(f"{sorted(fields)} of {state.name} have no case in {event.name}")
    return topics


def _is_usable_id(field: FieldDescriptor | None) -> bool:
    return field is not None and field.type in _ID_TYPES and not field.is_repeated and not field.has_presence


TOPICS: Final = MappingProxyType(topics_between(ComputerInfo.DESCRIPTOR, UpdateEvent.DESCRIPTOR))
"""Every topic by its name."""

EVENT_TYPES: Final = _enum_table(EventType.DESCRIPTOR)


def enum_tables(topics: Iterable[Topic]) -> dict[str, EnumTable]:
    """Every enum that the columns of some topics use, and the event types, by name."""
    tables = {EVENT_TYPES.name: EVENT_TYPES}
    for topic in topics:
        tables.update({column.enum.name: column.enum for column in topic.columns if column.enum})
    return tables


def topic_of(event: UpdateEvent) -> Topic | None:
    """The topic of an event; None for an event that carries nothing (or what only a newer chia-tea knows)."""
    name = event.WhichOneof("event_data")
    return TOPICS[name] if name else None


def entry_of(event: UpdateEvent, topic: Topic) -> Message:
    """The entry that an event of that topic carries."""
    entry: Message = getattr(event, topic.name)
    return entry


def _list_as_json(message: Any, field_name: str) -> str:
    alone = type(message)()
    getattr(alone, field_name).MergeFrom(getattr(message, field_name))
    as_json = MessageToDict(alone, preserving_proto_field_name=True)
    return json.dumps(as_json.get(field_name, []), ensure_ascii=False)


def _value(message: Any, column: Column) -> Any:
    for step in column.path[:-1]:
        if not message.HasField(step):
            return None
        message = getattr(message, step)
    leaf = column.path[-1]
    if column.kind is ColumnKind.JSON:
        return _list_as_json(message, leaf)
    # A nested message that is there tells all of its plain fields.
    if message.DESCRIPTOR.fields_by_name[leaf].has_presence and not message.HasField(leaf):
        return None
    return getattr(message, leaf)


def row_of(message: Message, columns: Iterable[Column]) -> list[Any]:
    """A message's values in the order of the columns; None is "not told"."""
    return row_reader(tuple(columns))(message)


@cache
def row_reader(columns: tuple[Column, ...]) -> Callable[[Any], list[Any]]:
    """`row_of` for columns that many messages are read by: which way each is read is found out once."""
    direct = [column.name for column in columns if len(column.path) == 1]
    if direct != [column.name for column in columns] or any(column.kind is ColumnKind.JSON for column in columns):
        return lambda message: [_value(message, column) for column in columns]
    optional = [(index, column.name) for index, column in enumerate(columns) if column.is_optional]
    # Of one name attrgetter gives the value itself, of several a tuple.
    plain = attrgetter(*direct) if len(direct) > 1 else lambda message: (getattr(message, direct[0]),)

    def read(message: Any) -> list[Any]:
        row = [*plain(message)]
        is_told = message.HasField
        for index, name in optional:
            if not is_told(name):
                row[index] = None
        return row

    return read


def filled_from_row(message: Any, columns: Iterable[Column], row: Iterable[Any]) -> None:
    """Sets a message's fields from values in the order of the columns: the reverse of `row_of`."""
    for column, value in zip(columns, row, strict=True):
        if value is None:
            continue
        target = message
        for step in column.path[:-1]:
            target = getattr(target, step)
            target.SetInParent()
        leaf = column.path[-1]
        if column.kind is ColumnKind.JSON:
            if told := json.loads(value):
                ParseDict({leaf: told}, target, ignore_unknown_fields=True)
        elif column.kind is ColumnKind.BOOLEAN:
            setattr(target, leaf, bool(value))
        else:
            setattr(target, leaf, value)


def _plain(value: Any, enum: Any) -> Any:
    if isinstance(value, Message):
        return as_dict(value)
    if enum is not None:
        named = enum.values_by_number.get(value)
        return named.name if named is not None else value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def as_dict(message: Message) -> dict[str, Any]:
    """A message as plain data for JSON, under the names of the .proto file.

    Every field is there: an untold one is None. Integers stay numbers, enums become their names (a number that this
    chia-tea has no name for stays a number), bytes become hex, and what JSON cannot hold (NaN, infinity) None.
    """
    plain: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of_value = field.message_type.fields_by_name["value"].enum_type
            plain[field.name] = {str(key): _plain(value[key], of_value) for key in value}
        elif field.is_repeated:
            plain[field.name] = [_plain(item, field.enum_type) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            plain[field.name] = None
        else:
            plain[field.name] = _plain(value, field.enum_type)
    return plain
