"""What a database was made from, kept in it: what a later protocol is compared with."""

import json
from typing import Any, NamedTuple

from chiatea.errors import DatabaseError
from chiatea.protobuf.descriptors import Column, Topic, enum_tables

__all__ = ["StoredColumn", "StoredSchema", "StoredTopic", "from_json", "schema_of", "to_json"]


class StoredColumn(NamedTuple):
    """One column: its name, protobuf's number of its type, and the field numbers that identify it."""

    name: str
    type: int
    numbers: tuple[int, ...]


class StoredTopic(NamedTuple):
    """One topic: the number of its case in UpdateEvent identifies it, 0 is MachineInfo."""

    number: int
    name: str
    is_repeated: bool
    id_is_text: bool
    columns: tuple[StoredColumn, ...]


class StoredSchema(NamedTuple):
    """All topics, and the enums that have tables."""

    topics: tuple[StoredTopic, ...]
    enums: tuple[str, ...]


def _columns(columns: tuple[Column, ...]) -> tuple[StoredColumn, ...]:
    return tuple(StoredColumn(column.name, column.type, column.field_numbers) for column in columns)


def schema_of(topics: tuple[Topic, ...], machine_info: tuple[Column, ...]) -> StoredSchema:
    """The schema that a protocol makes."""
    stored = [StoredTopic(0, "MachineInfo", is_repeated=False, id_is_text=False, columns=_columns(machine_info))]
    stored += [
        StoredTopic(topic.number, topic.message_name, topic.is_repeated, topic.id_is_text, _columns(topic.columns))
        for topic in topics
    ]
    return StoredSchema(tuple(stored), tuple(sorted(enum_tables(topics))))


def to_json(schema: StoredSchema) -> str:
    """As it is kept; equal schemas give equal texts."""
    return json.dumps({"topics": [topic._asdict() for topic in schema.topics], "enums": schema.enums}, sort_keys=True)


def from_json(text: str) -> StoredSchema:
    """What `to_json` gave.

    Raises:
        DatabaseError: when it is something else.
    """
    try:
        document: Any = json.loads(text)
        return StoredSchema(
            tuple(
                StoredTopic(
                    int(topic["number"]),
                    str(topic["name"]),
                    bool(topic["is_repeated"]),
                    bool(topic["id_is_text"]),
                    tuple(
                        StoredColumn(str(name), int(kind), tuple(int(number) for number in numbers))
                        for name, kind, numbers in topic["columns"]
                    ),
                )
                for topic in document["topics"]
            ),
            tuple(str(name) for name in document["enums"]),
        )
    except (ValueError, TypeError, KeyError):
        raise DatabaseError(
            "what the database says of its own tables is damaged", "put a backup in its place"
        ) from None
