import json
import math
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.chia_pb2 import HarvesterPlot, PlotInProgress
from chiatea.protobuf.computer_info_pb2 import ADD, ComputerInfo, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.descriptors import (
    EVENT_TYPES,
    TOPICS,
    ColumnKind,
    Topic,
    as_dict,
    columns_of,
    entry_of,
    enum_tables,
    filled_from_row,
    row_of,
    topic_of,
    topics_between,
)
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram
from tests.protobuf.dynamic import Field, class_of, enum, field, message, new_file, pool_of
from tests.strategies import messages

every_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())


def test_every_field_of_a_machine_is_a_topic_and_has_its_case_in_an_event() -> None:
    of_state = {f.name for f in ComputerInfo.DESCRIPTOR.fields if f.message_type}
    of_event = {f.name for f in UpdateEvent.DESCRIPTOR.oneofs_by_name["event_data"].fields}
    assert {topic.state_field for topic in TOPICS.values()} == of_state
    assert set(TOPICS) == of_event


@every_topic
def test_a_topic_has_the_same_numbers_in_state_and_event(topic: Topic) -> None:
    state, event = ComputerInfo.DESCRIPTOR.fields_by_name, UpdateEvent.DESCRIPTOR.fields_by_name
    assert state[topic.state_field].number == event[topic.name].number
    assert state[topic.state_field].message_type is event[topic.name].message_type
    assert topic.is_repeated == state[topic.state_field].is_repeated
    assert type(topic.message_class()) is type(getattr(UpdateEvent(), topic.name))


@every_topic
def test_a_topics_columns_are_its_fields(topic: Topic) -> None:
    names = [column.name for column in topic.columns]
    assert names == [f.name for f in topic.message_class().DESCRIPTOR.fields]
    assert ("id" in names) == topic.is_repeated


@every_topic
def test_no_column_is_called_what_every_table_has(topic: Topic) -> None:
    assert not {"machine_id", "timestamp", "event_type"} & {column.name for column in topic.columns}


def test_no_two_topics_share_a_message() -> None:
    assert len({topic.message_name for topic in TOPICS.values()}) == len(TOPICS)


def test_the_id_of_a_topic_that_a_machine_has_once_is_empty() -> None:
    assert TOPICS["cpu"].id_of(Cpu()) == ""
    assert TOPICS["disk"].id_of(Disk(id="/mnt")) == "/mnt"
    assert TOPICS["disk"].id_is_text
    assert not TOPICS["cpu_core"].id_is_text


def _columns(name: str) -> dict[str, ColumnKind]:
    return {column.name: column.kind for column in TOPICS[name].columns}


def test_kinds_of_columns() -> None:
    disk = _columns("disk")
    assert disk["id"] is ColumnKind.TEXT
    assert disk["state"] is ColumnKind.ENUM
    assert disk["is_read_only"] is ColumnKind.BOOLEAN
    assert disk["total_bytes"] is ColumnKind.INTEGER
    assert disk["busy_percent"] is ColumnKind.REAL
    assert _columns("copy_command")["job_ids"] is ColumnKind.JSON


def test_optional_columns_are_those_that_may_be_untold() -> None:
    optional = {column.name for column in TOPICS["cpu"].columns if column.is_optional}
    assert "usage_percent" in optional
    assert not {"name", "n_logical_cores"} & optional


def test_every_enum_has_a_table_of_its_own() -> None:
    tables = enum_tables(TOPICS.values())
    assert tables["EventType"] is EVENT_TYPES
    assert dict(tables["DiskState"].values)[3] == "MOUNT_LOST"
    used = {column.enum for topic in TOPICS.values() for column in topic.columns if column.enum}
    assert len({table.name for table in used}) == len(used)
    assert not set(tables) & {topic.message_name for topic in TOPICS.values()}


def test_an_event_says_its_topic_and_carries_its_entry() -> None:
    event = UpdateEvent(event_type=ADD, ram=Ram(total_bytes=3))
    topic = topic_of(event)
    assert topic is TOPICS["ram"]
    assert entry_of(event, topic) == Ram(total_bytes=3)
    assert topic_of(UpdateEvent()) is None


@every_topic
@given(data=st.data())
def test_a_row_makes_the_entry_again(topic: Topic, data: st.DataObject) -> None:
    entry = data.draw(messages(topic.message_class))
    again = topic.message_class()
    row = row_of(entry, topic.columns)
    filled_from_row(again, topic.columns, row)
    assert again == entry
    assert len(row) == len(topic.columns)


@every_topic
@given(data=st.data())
def test_an_untold_value_is_none_and_zero_is_zero(topic: Topic, data: st.DataObject) -> None:
    entry = data.draw(messages(topic.message_class))
    for column, value in zip(topic.columns, row_of(entry, topic.columns), strict=True):
        told = not column.is_optional or entry.HasField(column.name)
        assert (value is not None) == told


def test_zero_and_untold_are_not_the_same() -> None:
    columns = TOPICS["cpu"].columns
    at = [column.name for column in columns].index("usage_percent")
    assert row_of(Cpu(), columns)[at] is None
    assert row_of(Cpu(usage_percent=0.0), columns)[at] == 0.0
    assert math.isnan(row_of(Cpu(usage_percent=math.nan), columns)[at])


def test_a_row_with_too_few_values_is_no_row() -> None:
    with pytest.raises(ValueError, match="shorter"):
        filled_from_row(Ram(), TOPICS["ram"].columns, [1])


@pytest.mark.parametrize("value", ["x", 2**63, 1.5])
def test_a_value_that_does_not_fit_its_field_is_not_swallowed(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        filled_from_row(Ram(), TOPICS["ram"].columns, [value, 0, 0, 0, 0])


# --- what the protocol may hold one day: nested messages, repeated fields, uint64, bytes, maps


def _nested_file() -> FileDescriptorProto:
    proto = new_file()
    enum(proto, "Colour", {"GREY": 0, "RED": 7})
    message(
        proto,
        "Inner",
        [
            field("plain", 1, Field.TYPE_INT32),
            field("maybe", 2, Field.TYPE_STRING, proto3_optional=True),
            field("colour", 3, Field.TYPE_ENUM, "Colour"),
        ],
    )
    message(proto, "Outer", [field("inner", 1, Field.TYPE_MESSAGE, "Inner"), field("big", 2, Field.TYPE_UINT64)])
    every_type = [kind for kind in Field.Type.values() if kind not in {10, 11, 14}]
    scalars = [field(f"f{kind}", kind, kind) for kind in every_type]
    maybes = [field(f"m{kind}", 20 + kind, kind, proto3_optional=True) for kind in every_type]
    lists = [field(f"l{kind}", 40 + kind, kind) for kind in every_type]
    for one in lists:
        one.label = Field.LABEL_REPEATED
    outers = field("outers", 62, Field.TYPE_MESSAGE, "Outer")
    colours = field("colours", 63, Field.TYPE_ENUM, "Colour")
    outers.label = colours.label = Field.LABEL_REPEATED
    whole = message(
        proto,
        "Whole",
        [
            *scalars,
            *maybes,
            *lists,
            field("colour", 60, Field.TYPE_ENUM, "Colour"),
            field("outer", 61, Field.TYPE_MESSAGE, "Outer"),
            outers,
            colours,
        ],
    )
    pair = whole.nested_type.add(name="SizesEntry")
    pair.options.map_entry = True
    pair.field.extend([field("key", 1, Field.TYPE_STRING), field("value", 2, Field.TYPE_INT64)])
    sizes = field("sizes", 64, Field.TYPE_MESSAGE, "Whole.SizesEntry")
    sizes.label = Field.LABEL_REPEATED
    whole.field.append(sizes)
    return proto


_FIND = pool_of(_nested_file())
Whole = class_of(_FIND("Whole"))
WHOLE_COLUMNS = columns_of(_FIND("Whole"))


def test_nested_messages_become_columns_named_outer_inner() -> None:
    by_name = {column.name: column for column in WHOLE_COLUMNS}
    assert by_name["outer_inner_plain"].path == ("outer", "inner", "plain")
    assert by_name["outer_inner_plain"].field_numbers == (61, 1, 1)
    assert by_name["outer_inner_plain"].is_optional
    assert by_name["outer_big"].kind is ColumnKind.UNSIGNED
    assert by_name["outer_inner_colour"].kind is ColumnKind.ENUM
    assert by_name["outer_inner_colour"].enum is not None
    assert by_name["outer_inner_colour"].enum.name == "Colour"
    assert by_name["outers"].kind is ColumnKind.JSON
    assert by_name["f12"].kind is ColumnKind.BYTES


@given(entry=messages(Whole))
def test_a_row_makes_any_message_again(entry: Any) -> None:
    again = Whole()
    filled_from_row(again, WHOLE_COLUMNS, row_of(entry, WHOLE_COLUMNS))
    assert again == entry


@given(sizes=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1)))
def test_a_row_makes_a_map_again(sizes: dict[str, int]) -> None:
    entry, again = Whole(), Whole()
    entry.sizes.update(sizes)
    filled_from_row(again, WHOLE_COLUMNS, row_of(entry, WHOLE_COLUMNS))
    assert again == entry
    assert as_dict(entry)["sizes"] == sizes


def test_a_nested_message_that_is_not_there_is_untold_in_all_its_columns() -> None:
    row = dict(zip((c.name for c in WHOLE_COLUMNS), row_of(Whole(), WHOLE_COLUMNS), strict=True))
    assert row["outer_big"] is None
    assert row["outer_inner_plain"] is None
    entry = Whole()
    entry.outer.inner.SetInParent()
    row = dict(zip((c.name for c in WHOLE_COLUMNS), row_of(entry, WHOLE_COLUMNS), strict=True))
    assert row["outer_big"] == 0
    assert row["outer_inner_plain"] == 0
    assert row["outer_inner_maybe"] is None


def test_columns_of_one_name_are_refused_whatever_their_case() -> None:
    for name in ("inner_plain", "Inner_Plain"):
        proto = _nested_file()
        message(proto, "Clash", [field(name, 1, Field.TYPE_INT32), field("inner", 2, Field.TYPE_MESSAGE, "Inner")])
        with pytest.raises(ValueError, match="same column"):
            columns_of(pool_of(proto)("Clash"))


def test_a_message_that_contains_itself_is_refused() -> None:
    proto = new_file()
    message(proto, "Loop", [field("loop", 1, Field.TYPE_MESSAGE, "Loop")])
    with pytest.raises(ValueError, match="contains itself"):
        columns_of(pool_of(proto)("Loop"))


def _topics(state: list[Field], event: list[Field], id_field: Field | None = None) -> dict[str, Topic]:
    proto = new_file()
    message(proto, "Thing", [id_field or field("id", 1, Field.TYPE_STRING)])
    message(proto, "Other", [field("x", 1, Field.TYPE_STRING)])
    message(proto, "State", state)
    made = message(proto, "Event", [])
    made.oneof_decl.add(name="event_data")
    for case in event:
        case.oneof_index = 0
        made.field.append(case)
    find = pool_of(proto)
    return topics_between(find("State"), find("Event"))


def _things(name: str = "things", number: int = 1) -> Field:
    made = field(name, number, Field.TYPE_MESSAGE, "Thing")
    made.label = Field.LABEL_REPEATED
    return made


def _thing(name: str = "thing", number: int = 1) -> Field:
    return field(name, number, Field.TYPE_MESSAGE, "Thing")


def _other(name: str = "other", number: int = 2) -> Field:
    return field(name, number, Field.TYPE_MESSAGE, "Other")


def test_cases_and_fields_are_joined_by_their_type() -> None:
    topics = _topics([_things(), _other()], [_thing(), _other()])
    assert list(topics) == ["thing", "other"]
    assert topics["thing"].is_repeated
    assert not topics["other"].is_repeated


@pytest.mark.parametrize(
    ("state", "event", "fault"),
    [
        ([_things()], [_thing(), _other()], "Event.other has no field of its own in State"),
        ([_things(), _other()], [_thing()], "have no case in Event"),
        ([_things()], [field("n", 1, Field.TYPE_INT32)], "Event.n is no message"),
        ([_things(), _things("more", 2)], [_thing()], "two fields of State are of type dynamic.Thing"),
        ([_things()], [_thing(), _thing("more", 2)], "Event.more has no field of its own"),
    ],
)
def test_what_does_not_pair_off_is_refused(state: list[Field], event: list[Field], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        _topics(state, event)


@pytest.mark.parametrize(
    "id_field",
    [
        field("name", 1, Field.TYPE_STRING),
        field("id", 1, Field.TYPE_DOUBLE),
        field("id", 1, Field.TYPE_BOOL),
        field("id", 1, Field.TYPE_BYTES),
        field("id", 1, Field.TYPE_MESSAGE, "Other"),
        field("id", 1, Field.TYPE_STRING, proto3_optional=True),
    ],
    ids=lambda one: f"{one.name}-{one.type}-{one.proto3_optional}",
)
def test_a_repeated_topic_needs_an_id_that_is_text_or_a_whole_number(id_field: Field) -> None:
    with pytest.raises(ValueError, match="needs an `id`"):
        _topics([_things()], [_thing()], id_field)


# --- as plain data


@every_topic
@given(data=st.data())
def test_an_entry_as_plain_data_is_json_with_every_field(topic: Topic, data: st.DataObject) -> None:
    entry: Message = data.draw(messages(topic.message_class))
    plain = as_dict(entry)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert list(plain) == [f.name for f in entry.DESCRIPTOR.fields]


def test_plain_data_has_names_for_enums_and_numbers_for_integers() -> None:
    plain = as_dict(HarvesterPlot(id="/a.plot", state=HarvesterPlot.LOADED, file_bytes=2**60))
    assert plain["state"] == "LOADED"
    assert plain["file_bytes"] == 2**60
    assert plain["k"] is None
    assert as_dict(PlotInProgress(state=99))["state"] == 99  # type: ignore[arg-type]


def test_plain_data_has_lists_and_what_json_cannot_hold_as_none() -> None:
    assert as_dict(CopyCommand(job_ids=["a", "b"]))["job_ids"] == ["a", "b"]
    for value in (math.nan, math.inf, -math.inf):
        assert as_dict(Cpu(usage_percent=value))["usage_percent"] is None


def test_plain_data_of_nested_messages_and_of_enums_in_lists() -> None:
    entry = Whole()
    entry.outer.inner.colour = 7
    entry.outers.add().big = 2**64 - 1
    entry.colours.extend([7, 5])
    entry.f12 = b"\x00\xff"
    plain = as_dict(entry)
    assert plain["outer"] == {"inner": {"plain": 0, "maybe": None, "colour": "RED"}, "big": 0}
    assert plain["outers"] == [{"inner": None, "big": 2**64 - 1}]
    assert plain["colours"] == ["RED", 5]
    assert plain["f12"] == "00ff"
