"""What becomes of a stored value when its field gets another type. Pure."""

import math
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor as Field

from chiatea.protobuf.descriptors import REPEATED

__all__ = ["converted", "keeps_every_value", "sql_type"]

_SIGNED_32: Final = frozenset({Field.TYPE_INT32, Field.TYPE_SINT32, Field.TYPE_SFIXED32, Field.TYPE_ENUM})
_SIGNED_64: Final = frozenset({Field.TYPE_INT64, Field.TYPE_SINT64, Field.TYPE_SFIXED64})
_UNSIGNED_32: Final = frozenset({Field.TYPE_UINT32, Field.TYPE_FIXED32})
_UNSIGNED_64: Final = frozenset({Field.TYPE_UINT64, Field.TYPE_FIXED64})
_REALS: Final = frozenset({Field.TYPE_DOUBLE, Field.TYPE_FLOAT})


def _bounds(kind: int) -> tuple[int, int] | None:
    """The least and the greatest integer of a type; None for a type that is none."""
    if kind in _SIGNED_32:
        return -(2**31), 2**31 - 1
    if kind in _SIGNED_64:
        return -(2**63), 2**63 - 1
    if kind in _UNSIGNED_32:
        return 0, 2**32 - 1
    if kind in _UNSIGNED_64:
        return 0, 2**64 - 1
    return (0, 1) if kind == Field.TYPE_BOOL else None


def sql_type(kind: int) -> str:
    """SQLite's type for protobuf's, in STRICT tables."""
    if kind in _REALS:
        return "REAL"
    if kind in _UNSIGNED_64:
        # Over 2^63 - 1 it is kept whole as text: SQLite's integers have a sign.
        return "ANY"
    if _bounds(kind) is not None:
        return "INTEGER"
    return "BLOB" if kind == Field.TYPE_BYTES else "TEXT"


def keeps_every_value(old: int, new: int) -> bool:
    """Whether a column may stay as it is: the same storage, and no value that the new type cannot hold."""
    if old == new or (old in _REALS and new in _REALS):
        return True
    before, after = _bounds(old), _bounds(new)
    if before is None or after is None or sql_type(old) != sql_type(new):
        return False
    return after[0] <= before[0] and before[1] <= after[1]


def converted(value: Any, old: int, new: int) -> Any:
    """The value as the new type holds it; None, which is "not told", where it cannot hold just that value."""
    if value is None or old == new:
        return value
    if old >= REPEATED or new >= REPEATED:
        return None
    bounds = _bounds(new)
    if bounds is not None:
        number = _as_integer(value)
        if number is None or not bounds[0] <= number <= bounds[1]:
            return None
        return number if number < 2**63 else str(number)
    if new == Field.TYPE_BYTES:
        return value.encode() if isinstance(value, str) and sql_type(old) == "TEXT" else None
    return _as_real(value) if new in _REALS else _as_text(value)


def _as_integer(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    try:
        number = int(value) if isinstance(value, str) and len(value) < 25 else None
    except ValueError:
        return None
    # "007" is text that no number gives back.
    return number if number is not None and str(number) == value else None


def _as_real(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    whole = _as_integer(value)
    if whole is not None:
        return float(whole) if int(float(whole)) == whole else None
    try:
        number = float(value) if isinstance(value, str) and len(value) < 30 else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) and repr(number) == value else None


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return repr(value) if isinstance(value, float) else str(value)
