"""Values out of JSON and text that others wrote: of the type we need, or None."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["boolean", "count", "integer", "items", "mapping", "number", "plain_hex", "printable", "text"]

_INT64_LIMIT: Final = 2**63
_MOST_COUNTED: Final = 10**17
"""100 PB: more than all of Chia's plots on one machine."""


def integer(value: object) -> int | None:
    """A whole number that fits 64 bits with a sign."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            return None
        value = int(value)
    if isinstance(value, int) and -_INT64_LIMIT <= value < _INT64_LIMIT:
        return value
    return None


def count(value: object) -> int:
    """A count or a size that sums of many still fit 64 bits with; 0 where there is none."""
    return min(max(0, integer(value) or 0), _MOST_COUNTED)


def number(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def text(value: object) -> str | None:
    """A text that is not empty, fit for a message."""
    return printable(value) if isinstance(value, str) and value else None


def boolean(value: object) -> bool | None:
    """True or False, not what merely looks like it."""
    return value if isinstance(value, bool) else None


def plain_hex(value: object) -> str:
    """A hash or node id without "0x", in small letters; "" where there is none."""
    return printable(value).lower().removeprefix("0x") if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one where there is something else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """A JSON list; an empty one where there is something else."""
    return value if isinstance(value, list | tuple) else ()


def printable(value: str) -> str:
    """A text that protobuf takes: file names that are no UTF-8 carry half surrogates, which it refuses."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape" if _is_escaped(value) else "replace").decode("utf-8", "replace")
    return value


def _is_escaped(value: str) -> bool:
    return all(not 0xD800 <= ord(letter) <= 0xDFFF or 0xDC80 <= ord(letter) <= 0xDCFF for letter in value)
