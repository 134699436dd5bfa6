"""Bars, sparklines and numbers as characters. Pure."""

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["bar", "count", "level_of", "percent", "seconds", "sparkline"]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
UNKNOWN: Final = "-"


def bar(share: float, width: int) -> str:
    """A bar of `width` characters, `share` of it full; anything outside 0 to 1 is drawn as the nearer end."""
    if not math.isfinite(share):
        return " " * width
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest `width` values as heights from zero to the highest of them."""
    shown = [value if math.isfinite(value) and value > 0 else 0.0 for value in values[-width:]]
    top = max(shown, default=0.0)
    if top <= 0:
        return (_HEIGHTS[0] * len(shown)).rjust(width)
    return "".join(_HEIGHTS[min(7, int(value / top * 7.999))] for value in shown).rjust(width)


def percent(value: float | None) -> str:
    """A share of 100, as "7 %"."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    # What is not quite full must not be called full.
    whole = math.floor(value) if 99 < value < 100 else round(min(max(value, 0.0), 9999.0))
    return f"{whole} %"


def seconds(value: float | None) -> str:
    """A lookup time with three figures at most, as "0.08 s", "12.3 s"."""
    if value is None or not math.isfinite(value) or value < 0:
        return UNKNOWN
    if value < 10:
        return f"{value:.2f} s"
    return f"{value:.1f} s" if value < 100 else f"{min(value, 1e6):.0f} s"


def count(value: float | None) -> str:
    """A whole number, its thousands apart."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{int(value):,}"


def level_of(value: float | None, warn_from: float, bad_from: float) -> str:
    """The style of a value by two thresholds: "normal", "warn" or "bad"."""
    if value is None or not math.isfinite(value):
        return "muted"
    return "bad" if value >= bad_from else "warn" if value >= warn_from else "normal"
