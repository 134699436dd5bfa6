"""Any message, made from its descriptor: what hypothesis feeds to every test of messages."""

import math
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.descriptors import TOPICS, Topic
from chiatea.state.machine_state import MachineState

__all__ = ["computer_infos", "entries", "machine_states", "messages"]

_INT32 = st.integers(-(2**31), 2**31 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_UINT32 = st.integers(0, 2**32 - 1)
_UINT64 = st.integers(0, 2**64 - 1)
# (Protobuf's own JSON takes the very largest float for too large.)
# One of its many bit patterns: through JSON it comes back as this one.
_NAN = st.just(math.nan)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

_VALUES: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: _NAN | st.floats(allow_nan=False),
    FieldDescriptor.TYPE_FLOAT: _NAN | st.floats(-(2.0**127), 2.0**127, width=32),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: _TEXT,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
}


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        # Numbers without a name too: a newer chia-tea may send them.
        return st.sampled_from([value.number for value in field.enum_type.values]) | st.integers(0, 99)
    return _VALUES[field.type]


@st.composite
def messages(draw: st.DrawFn, message_class: Callable[[], Message]) -> Any:
    """Any message of a class, its maps left empty, with enum numbers of no name, NaN, and optional fields untold."""
    message: Any = message_class()
    _fill(draw, message)
    return message


def _fill(draw: st.DrawFn, message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not draw(st.booleans()):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for _ in range(draw(st.integers(0, 3))):
                if field.message_type is not None:
                    _fill(draw, getattr(message, field.name).add())
                else:
                    getattr(message, field.name).append(draw(_value(field)))
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            _fill(draw, getattr(message, field.name))
        else:
            setattr(message, field.name, draw(_value(field)))


@st.composite
def entries(draw: st.DrawFn, topic: Topic, n_ids: int = 4) -> Any:
    """Any entry of a topic, of few ids so that two of them meet."""
    # Most of an entry is noise to what handles whole entries: a few of its fields are enough.
    entry: Any = topic.message_class()
    for field in draw(st.lists(st.sampled_from(list(entry.DESCRIPTOR.fields)), max_size=3)):
        if not field.is_repeated:
            setattr(entry, field.name, draw(_value(field)))
    if topic.is_repeated:
        number = draw(st.integers(0, n_ids - 1))
        entry.id = str(number) if topic.id_is_text else number
    return entry


@st.composite
def computer_infos(draw: st.DrawFn, timestamp: float = 0.0) -> ComputerInfo:
    """Any part of a machine: entries of some topics."""
    info = ComputerInfo(timestamp=timestamp)
    for topic in draw(st.lists(st.sampled_from(sorted(TOPICS)), max_size=5, unique=True)):
        for entry in draw(st.lists(entries(TOPICS[topic]), max_size=4 if TOPICS[topic].is_repeated else 1)):
            field = getattr(info, TOPICS[topic].state_field)
            if TOPICS[topic].is_repeated:
                field.append(entry)
            else:
                field.CopyFrom(entry)
                field.SetInParent()
    return info


def machine_states(timestamp: float = 0.0) -> st.SearchStrategy[MachineState]:
    """Any state of one machine, all of it told at one time."""
    return computer_infos(timestamp).map(MachineState.from_computer_info)
