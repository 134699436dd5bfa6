"""What a panel is, apart from how it is drawn."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from chiatea.tui.drawing import bar, percent
from chiatea.tui.lines import Cell, Line
from chiatea.tui.thresholds import Limits
from chiatea.tui.view import FarmView

__all__ = ["PanelContent", "bar_cell", "state_cell"]

_NO_LIMITS: Final = Limits(math.inf, math.inf)


class PanelContent(NamedTuple):
    """One panel.

    Attributes:
        id: of its widget, and of what is remembered of it.
        title: on its border.
        lines: all that it shows in a width.
        digest: one line that stands for all of it where there is no room for more.
        summary: a few words for its border's other end.
        help: what its words and colours mean, for `?`; thresholds are named in braces.
    """

    id: str
    title: str
    lines: Callable[[FarmView, int], list[Line]]
    digest: Callable[[FarmView], Line]
    summary: Callable[[FarmView], str]
    help: str


def bar_cell(share_percent: float | None, limits: Limits | None = None, *, width: int = 6) -> Cell:
    """A bar with its number, coloured by its thresholds where it has some."""
    style = (limits or _NO_LIMITS).level(share_percent)
    drawn = bar((share_percent or 0.0) / 100, width)
    return Cell(f"{drawn} {percent(share_percent):>5}", "accent" if style == "normal" else style)


def state_cell(word: str, style: str) -> Cell:
    """A state as glyph, word and colour."""
    glyphs = {"good": "●", "warn": "▲", "bad": "✗", "muted": "○"}
    return Cell(f"{glyphs.get(style, '·')} {word}", style)
