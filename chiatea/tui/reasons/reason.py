"""One reason why something is yellow or red, as plain data."""

from collections.abc import Iterator
from typing import NamedTuple

from chiatea.tui.thresholds import Thresholds

__all__ = ["Reason", "over"]


class Reason(NamedTuple):
    """One thing that is wrong with an entry.

    Attributes:
        severity: "warn" (yellow) or "bad" (red).
        field: the field of the entry that says so; "machine" where it is the whole machine.
        value: what it is, for a person.
        threshold: what it is measured by, or what it should be.
        advice: what that means and what to do.
        since: since when (UTC seconds), where the entry itself tells; else its past events may.
    """

    severity: str
    field: str
    value: str
    threshold: str
    advice: str
    since: float | None = None


def over(
    thresholds: Thresholds, name: str, value: float | None, *, field: str, text: str, advice: str
) -> Iterator[Reason]:
    """The reason that a number is over its thresholds, where it is."""
    level = getattr(thresholds, name).level(value)
    if level in ("warn", "bad"):
        yield Reason(level, field, text, thresholds.told(name), advice)
