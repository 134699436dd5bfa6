"""Every field of an entry as lines. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.descriptors import Topic, row_of
from chiatea.tui.changes import field_text
from chiatea.tui.lines import Line, Span
from chiatea.tui.plain_text import plain

__all__ = ["LABEL_WIDTH", "field_lines"]

LABEL_WIDTH: Final = 28


def field_lines(topic: Topic, entry: Any) -> Iterator[Line]:
    """A line for each field: its name, as SQL has it, and its value in the unit that the name says."""
    for column, value in zip(topic.columns, row_of(entry, topic.columns), strict=True):
        style = "muted" if value is None else "normal"
        yield Line(
            (Span(f"{column.name:<{LABEL_WIDTH}}", "muted"), Span(plain(field_text(column, value)), style)),
            column.name,
        )
