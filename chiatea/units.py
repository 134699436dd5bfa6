"""Sizes and durations as people write them, and back."""

import math
import re
from decimal import Decimal
from typing import Final

__all__ = ["exact_bytes", "format_bytes", "format_duration", "parse_bytes", "parse_duration", "short_duration"]

_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGTPE]?)(i?)[bB]?(?:/s)?\s*", re.ASCII)
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)?\s*", re.ASCII)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_LONGEST_SECONDS: Final = 99_999 * 86400.0
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_bytes(text: str) -> int:
    """Bytes in "2MB" (10^6), "10GiB" (2^30), "1.5 TiB" or "4096"; a rate may end in "/s".

    Raises:
        ValueError: when the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None or (match[3] and not match[2]):
        raise ValueError(f"{text!r} is no size: write it as 500MB, 10GiB or a number of bytes")
    base = 1024 if match[3] else 1000
    return round(float(match[1]) * float(base ** _POWERS[match[2].lower()]))


def exact_bytes(n_bytes: int) -> str:
    """A size that `parse_bytes` reads back to the byte, in the largest decimal unit that allows it: "256MB"."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if n_bytes and n_bytes % factor == 0:
            return f"{n_bytes // factor}{unit}"
    return str(n_bytes)


def parse_duration(text: str) -> float:
    """Seconds in "500ms", "30s", "5m" or "5min", "2h", "90d", "1w" or "12.5".

    Raises:
        ValueError: when the text is no duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write it as 30s, 5m, 2h, 90d or a number of seconds")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def format_bytes(n_bytes: float) -> str:
    """A size in four characters of number and a binary unit: "812 B", "1.50 TiB", "10.0 GiB"."""
    if not math.isfinite(n_bytes):
        return "?"
    sign = "-" if n_bytes < 0 else ""
    value = abs(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 999.5:
            return f"{sign}{_three_digits(value) if unit != 'B' else f'{value:.0f}'} {unit}"
        value /= 1024
    return f"{sign}{_three_digits(value)} EiB"


def _three_digits(value: float) -> str:
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}"


def format_duration(seconds: float) -> str:
    """A duration as a configuration takes it, exactly: "90d", "1h", "1.5s"; whole units but for seconds."""
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    # Never as 1e-05, which is no duration to `parse_duration`.
    plain = f"{Decimal(repr(float(seconds))):f}"
    return f"{plain.removesuffix('.0')}s"


def short_duration(seconds: float) -> str:
    """A duration for a person, in its two largest units: "4.2 s", "3 min 20 s", "2 h 5 min", "12 d"; "?" for NaN."""
    if math.isnan(seconds):
        return "?"
    value = min(max(0.0, seconds), _LONGEST_SECONDS)
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    for large, name, small, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {name} {rest} {small_name}" if rest else f"{whole // large} {name}"
    return f"{whole} s"
