"""A chart of braille dots: what a number was over time. Pure.

One character is two steps wide and four dots high; the dots of a step reach from its least to its greatest value, and
on to the step before, so that a line is seen. Steps of which nothing is known stay empty.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len

from chiatea.tui.lines import Line, Span
from chiatea.tui.timeline import Band

__all__ = ["LABEL_WIDTH", "braille", "chart_lines", "scale_of", "time_axis"]

LABEL_WIDTH: Final = 11
"""The values of top and bottom, left of the chart, and its edge."""
_DOTS: Final = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Of a character's left and right column, from the bottom to the top (Unicode, U+2800)."""


def braille(bands: Sequence[Band | None], height: int, low: float, high: float) -> list[str]:
    """Rows from the top to the bottom, half as many characters wide as there are steps."""
    n_dots, span = height * 4, high - low
    columns = (len(bands) + 1) // 2
    cells = [[0] * columns for _ in range(height)]

    def dot(value: float) -> int:
        return min(n_dots - 1, max(0, round((value - low) / span * (n_dots - 1)))) if span > 0 else 0

    before: int | None = None
    for index, band in enumerate(bands):
        if band is None:
            before = None
            continue
        bottom, top = dot(band.least), dot(band.greatest)
        if before is not None:
            # Up to the step before, not over it: a line, not stairs.
            bottom, top = min(bottom, max(before + 1, 0)) if before < bottom else bottom, max(top, before - 1)
        for y in range(bottom, top + 1):
            cells[height - 1 - y // 4][index // 2] |= _DOTS[index % 2][y % 4]
        before = dot(band.last)
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells]


def scale_of(
    bands: Sequence[Band | None], *, least: float | None = None, most: float | None = None
) -> tuple[float, float]:
    """From where to where a chart goes: over all values, and over `least` and `most` where they are given."""
    known = [band for band in bands if band is not None]
    lows = [band.least for band in known] + ([least] if least is not None else [])
    highs = [band.greatest for band in known] + ([most] if most is not None else [])
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    if low == high:
        return (low, low + 1.0) if low == 0 else (low - abs(low) * 0.05, high + abs(high) * 0.05)
    return low, high


def chart_lines(
    title: str,
    bands: Sequence[Band | None],
    text: Callable[[float], str],
    *,
    height: int,
    least: float | None = None,
    most: float | None = None,
    style: str = "accent",
) -> list[Line]:
    """A heading with the number now, its least and its greatest, and the chart.

    Args:
        title: what the number is.
        bands: what is known of each step, the newest last.
        text: a value for a person.
        height: rows of the chart, without its heading.
        least: a value that the chart reaches down to, as 0.
        most: a value that it reaches up to, as 100.
        style: of the dots.
    """
    known = [band for band in bands if band is not None]
    if not known:
        return [Line((Span(title, "strong"), Span("  nothing is known of this time", "muted")))]
    now = text(bands[-1].last) if bands and bands[-1] is not None else "not known"
    told = f"least {text(min(b.least for b in known))} · greatest {text(max(b.greatest for b in known))}"
    low, high = scale_of(bands, least=least, most=most)
    rows = braille(bands, height, low, high)
    labels = {0: text(high), height - 1: text(low)} if height > 1 else {0: text(high)}
    head = Line((Span(title, "strong"), Span(f"  now {now}", "normal"), Span(f" · {told}", "muted")))
    return [head, *(_row(labels.get(place, ""), row, style) for place, row in enumerate(rows))]


def _row(label: str, dots: str, style: str) -> Line:
    room = LABEL_WIDTH - 2 - cell_len(label)
    return Line((Span(f"{' ' * room}{label} │", "muted"), Span(dots, style)))


def time_axis(since: float, until: float, width: int) -> Line:
    """Local times below a chart that is `width` characters wide: where it begins, at each quarter, and now."""
    is_long = until - since > 36 * 3600
    marks = [" "] * (width + 6)
    for quarter in range(4):
        place = round(quarter * width / 4)
        if quarter and width < 40 and quarter != 2:
            continue
        label = _axis_time(since + (until - since) * quarter / 4, is_long=is_long)
        marks[place : place + len(label)] = label
    marks[max(0, width - 3) : width] = "now"
    return Line((Span(" " * LABEL_WIDTH + "".join(marks)[:width], "muted"),))


def _axis_time(moment: float, *, is_long: bool) -> str:
    try:
        local = datetime.fromtimestamp(moment, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{local:%a %H:%M}" if is_long else f"{local:%H:%M}"
