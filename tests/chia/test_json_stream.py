import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.chia.json_stream import JsonStream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes, sizes: list[int]) -> tuple[list[tuple[str, Any]], bool]:
    stream = JsonStream()
    told: list[tuple[str, Any]] = []
    for size in sizes:
        told += stream.feed(body[:size])
        body = body[size:]
    told += stream.feed(body)
    return told, stream.is_complete


@given(
    st.dictionaries(st.text(max_size=4), VALUES, max_size=4),
    st.lists(st.integers(0, 20), max_size=12),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_an_object_cut_anywhere_is_told_as_it_is(
    whole: dict[str, Any], sizes: list[int], indent: int | None, is_ascii: bool
) -> None:
    told, is_complete = read(json.dumps(whole, indent=indent, ensure_ascii=is_ascii).encode(), sizes)
    expected: list[tuple[str, Any]] = []
    for key, value in whole.items():
        expected += [(key, item) for item in value] if isinstance(value, list) else [(key, value)]
    assert (told, is_complete) == (expected, True)


@given(st.binary(max_size=60) | st.text('{}[]",:0 tru', max_size=30).map(str.encode), st.integers(0, 30))
def test_what_is_no_object_is_a_value_error_or_never_complete(body: bytes, size: int) -> None:
    try:
        _, is_complete = read(body, [size])
    except ValueError:
        is_complete = False
    try:
        is_object = isinstance(json.loads(body.decode("utf-8", "surrogateescape")), dict)
    except ValueError:
        is_object = False
    assert is_complete == is_object


def test_names_that_are_no_utf_8_are_read_as_chia_writes_them() -> None:
    assert read(b'{"a": ["/mnt/\\udcff"]}', []) == ([("a", "/mnt/\udcff")], True)


def test_an_item_without_end_is_not_waited_for() -> None:
    stream = JsonStream()
    list(stream.feed(b'{"a": "' + b"x" * 1_000_000))
    with pytest.raises(ValueError, match="too long"):
        list(stream.feed(b"x" * 65536))


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises((RecursionError, ValueError)):
        list(JsonStream().feed(b'{"a": ' + b"[" * 200_000))
