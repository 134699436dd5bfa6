"""Reasons as lines: what is wrong, by which threshold, since when, and what to do. Pure."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from chiatea.tui.entry_past import Since
from chiatea.tui.field_text import moment_text
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.reasons import Reason
from chiatea.units import short_duration

__all__ = ["GLYPHS", "reason_lines"]

GLYPHS: Final = {"bad": "✗", "warn": "▲"}
_INDENT: Final = "  "


def reason_lines(reasons: Sequence[tuple[Reason, Since | None]], now: float, width: int) -> Iterator[Line]:
    """A few lines for each reason, in their order; one where there is none."""
    if not reasons:
        yield note("✓ Nothing is wrong with it.", "good")
    for reason, since in reasons:
        spans = [Span(f"{GLYPHS[reason.severity]} {reason.value}", reason.severity)]
        told = f"{reason.field}: {reason.threshold}"
        room = width - len(spans[0].text) - 3
        if len(told) <= room:
            spans.append(Span(f"   {told}", "muted"))
        yield Line(tuple(spans), f"reason {reason.field}")
        if len(told) > room:
            yield note(_INDENT + told)
        if since is not None:
            yield note(_INDENT + _since_text(since, now), "normal")
        for text in wrap(reason.advice, max(20, width - len(_INDENT))):
            yield note(_INDENT + text)


def _since_text(since: Since, now: float) -> str:
    lasting = short_duration(now - since.time)
    if since.is_exact:
        return f"since {moment_text(since.time, now)}, for {lasting}"
    return f"since before {moment_text(since.time, now)}, for over {lasting}"
