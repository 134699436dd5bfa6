"""Every field of an entry as lines. Pure."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final

from chiatea.protobuf.descriptors import Topic, row_of
from chiatea.tui.field_text import field_text, is_time
from chiatea.tui.lines import Line, Span
from chiatea.tui.plain_text import plain
from chiatea.units import short_duration

__all__ = ["LABEL_WIDTH", "field_lines"]

LABEL_WIDTH: Final = 28
MOJO_PER_XCH: Final = 10**12
_OWN_COINS: Final = frozenset({"wallet_balance"})
"""Their mojo may be those of a token."""


def field_lines(topic: Topic, entry: Any, *, now: float | None = None, width: int = 100) -> Iterator[Line]:
    """A line for each field: its name, as SQL has it, and its value in the unit that the name says.

    Times are told with their age where `now` is known. What was not told comes last, by its names alone.
    """
    untold = []
    for column, value in zip(topic.columns, row_of(entry, topic.columns), strict=True):
        if value is None:
            untold.append(column.name)
            continue
        spans = [Span(f"{column.name:<{LABEL_WIDTH}}", "muted"), Span(plain(field_text(column, value)))]
        if now is not None and is_time(column.name) and value > 0:
            spans.append(Span(f"  {_distance(value, now)}", "muted"))
        elif column.name.endswith("_mojo") and topic.name not in _OWN_COINS:
            spans.append(Span(f"  {value / MOJO_PER_XCH:,.6f} XCH", "muted"))
        yield Line(tuple(spans), column.name)
    for place, text in enumerate(wrap(", ".join(untold), max(20, width - LABEL_WIDTH))):
        label = "" if place else "not told"
        yield Line((Span(f"{label:<{LABEL_WIDTH}}", "muted"), Span(text, "muted")), f"not told {place}")


def _distance(moment: float, now: float) -> str:
    return f"{short_duration(now - moment)} ago" if moment <= now else f"in {short_duration(moment - now)}"
