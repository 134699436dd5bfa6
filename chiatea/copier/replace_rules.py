"""Which old plots may be given up for which new ones: the rules of `copy.replace` as functions of plain data."""

import calendar
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Final, Literal, TypeAlias

__all__ = ["PlotFacts", "ReplaceRule", "WhenFull", "plot_facts", "rule_from_json", "rule_that_gives_up"]

WhenFull: TypeAlias = Literal["write_first", "delete_first"]

_DATE_IN_NAME: Final = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[0-9a-f]{64}", re.IGNORECASE)
"""As all plotters name plots: plot-k32-2024-01-31-18-05-ID.plot."""


@dataclass(frozen=True, slots=True)
class PlotFacts:
    """What rules ask of a plot. Times are UTC seconds since the epoch.

    Attributes:
        name: its file's name.
        version: 1 or 2, as its header tells; 0: nobody looked.
        made_time: when it was made.
        placed_time: since when it stands where it is, unchanged.
    """

    name: str
    version: int
    made_time: float
    placed_time: float


def plot_facts(name: str, version: int, mtime_ns: int, ctime_ns: int | None = None) -> PlotFacts:
    """The facts of a plot of that name.

    A plot was made at the time of its file or at that in its name, whichever is later: either may be wrong, and the
    younger a plot is held to be, the longer it stays. The name tells the plotter's own time, which is some hours off.
    `ctime_ns` is when the file was last renamed, put there or given to somebody else; None: it need not stay there.
    """
    made_time = mtime_ns / 1e9
    for date in _DATE_IN_NAME.findall(name):
        year, month, day, hour, minute = (int(number) for number in date)
        if year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31:
            made_time = max(made_time, calendar.timegm((year, month, day, hour, minute, 0)))
    return PlotFacts(name, version, made_time, max(made_time, ctime_ns / 1e9) if ctime_ns is not None else made_time)


@dataclass(frozen=True, slots=True)
class ReplaceRule:
    """One rule: an old plot of which all of this holds may be given up for a new one.

    Attributes:
        name: what people call it.
        suffixes: the old plot's name ends in one of them.
        version: its version; 0: any.
        pattern: its name is like that, with * and ?; "": any.
        made_before: UTC seconds since the epoch; None: whenever it was made.
        older_than: so many seconds ago it was made, and came to stand where it is; None: however young it is.
        new_suffixes: the new plot's name ends in one of them; none: any.
        when_full: delete_first: where the new plot cannot be written beside it, the old one goes first.
    """

    name: str
    suffixes: tuple[str, ...]
    version: int = 0
    pattern: str = ""
    made_before: float | None = None
    older_than: float | None = None
    new_suffixes: tuple[str, ...] = ()
    when_full: WhenFull = "write_first"

    def gives_up(self, old: PlotFacts, new: PlotFacts, now: float) -> bool:
        """Whether an old plot goes for a new one. None goes for one that the rule would give up as well: nothing would
        be gained, and each new plot would drive out the one before.
        """
        return self.is_for(new, now) and self.matches(old, now)

    def is_for(self, new: PlotFacts, now: float) -> bool:
        """Whether it gives up anything for this new plot."""
        has_suffix = not self.new_suffixes or new.name.endswith(self.new_suffixes)
        return has_suffix and (new.version != 0 or not self.version) and not self.matches(new, now)

    def matches(self, old: PlotFacts, now: float) -> bool:
        """Whether it gives up this plot for some new one."""
        return (
            self.version in {0, old.version}
            and old.name.endswith(self.suffixes)
            and (not self.pattern or fnmatch.fnmatchcase(old.name, self.pattern))
            and (self.made_before is None or old.made_time < self.made_before)
            and (self.older_than is None or old.placed_time < now - self.older_than)
        )

    def to_json(self) -> dict[str, str | int | float | list[str] | None]:
        """As fields of a JSON object."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def rule_from_json(data: object) -> ReplaceRule:
    """The way back from `ReplaceRule.to_json`: what our own service of the same version wrote.

    Raises:
        ValueError: it is no rule.
    """
    if not isinstance(data, dict) or set(data) != {field.name for field in fields(ReplaceRule)}:
        raise ValueError("a rule of copy.replace has other fields")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return ReplaceRule(**values)  # type: ignore[arg-type]


def rule_that_gives_up(old: PlotFacts, new: PlotFacts, rules: Iterable[ReplaceRule], now: float) -> ReplaceRule | None:
    """The first rule by which an old plot goes for a new one."""
    return next((rule for rule in rules if rule.gives_up(old, new, now)), None)
