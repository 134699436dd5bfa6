"""How far copies are held back for the lookups of this machine's harvester. Pure.

A lookup that is slow holds back the copies on its disk, where Chia named the plot, else all of them: step by step, with
each slow one by one step more, and with each minute without one by one step less. Where lookups stay slow though copies
hardly move any more, it is not the copies that slow them down: they are let go on for an hour.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from chiatea.units import format_bytes

__all__ = ["EVERY_DISK", "Lookup", "LookupsTold", "Protection", "SlowPlot", "protected"]

EVERY_DISK: Final = ""
"""Where it is not known on which disk the slow plot is."""
_RATES: Final = (0, 40 << 20, 10 << 20, 1 << 20)
"""What one copy may move in a second, by level; 0 is no limit. The last leaves a disk free for lookups."""
_LOWEST: Final = len(_RATES) - 1
_WORKS_AFTER_SECONDS: Final = 10.0
"""One signage point comes each 9.4 s: before that long nobody knows whether a step helped."""
_CALM_SECONDS: Final = 60.0
_TRIED_SECONDS: Final = 600.0
_IN_VAIN_SECONDS: Final = 3600.0
_CHIA_NAMES_FROM_SECONDS: Final = 8.0
"""Chia 2.7.5 names the plot of a lookup that takes so long (harvester.py), in its log, which is read a little later
than its daemon tells the time.
"""
_SAME_LOOKUP_SECONDS: Final = 5.0
_NEWS_SECONDS: Final = 60.0
"""What is told of longer ago, by a collector that catches up, says nothing of the copies of now."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup of the harvester: when it ended (UTC seconds since the epoch), and how long it took."""

    time: float
    seconds: float


@dataclass(frozen=True, slots=True)
class SlowPlot:
    """A plot that Chia named as slow: when, how long it took, and the disk; EVERY_DISK where that is not known."""

    time: float
    seconds: float
    disk: str


@dataclass(frozen=True, slots=True)
class LookupsTold:
    """What was heard since the last time.

    Attributes:
        lookups: new ones.
        slow_plots: new ones.
        median_seconds: of the lookups of the last hour; None where none is known.
    """

    lookups: tuple[Lookup, ...] = ()
    slow_plots: tuple[SlowPlot, ...] = ()
    median_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Restraint:
    """Of the copies on one disk, or of all. Times are UTC seconds since the epoch.

    Attributes:
        level: which of the rates holds; 0: none.
        seconds: how long the lookup took that was the reason.
        changed_time: when the level was last another one.
        slow_time: when a lookup was last not clearly fast.
        lowest_time: since when the level is the lowest rate; None where it is not.
        in_vain_until: until then nothing is held back: it did not help.
    """

    level: int = 0
    seconds: float = 0.0
    changed_time: float = float("-inf")
    slow_time: float = float("-inf")
    lowest_time: float | None = None
    in_vain_until: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Protection:
    """What holds now, by disk."""

    restraints: Mapping[str, Restraint] = field(default_factory=dict)
    unnamed: tuple[Lookup, ...] = ()
    """Slow lookups whose plot Chia is about to name."""
    named: tuple[SlowPlot, ...] = ()
    """The plots that it named a short while ago."""

    def max_bytes_per_second(self, disks: Iterable[str]) -> int:
        """What a copy between some disks may move in a second; 0 is no limit."""
        restraints = (self.restraints.get(disk) for disk in {EVERY_DISK, *disks})
        return _RATES[max((restraint.level for restraint in restraints if restraint is not None), default=0)]

    @property
    def levels(self) -> dict[str, int]:
        """The level of each disk that is held back."""
        return {disk: restraint.level for disk, restraint in self.restraints.items() if restraint.level}

    @property
    def slowed_by(self) -> str:
        """Why copies go slower than they could, in words; "" where nothing holds them back."""
        return "; ".join(
            f"a lookup{f' on {disk}' if disk else ''} took {restraint.seconds:.1f} s: "
            f"{f'each copy on {disk}' if disk else 'each copy'} moves {format_bytes(_RATES[restraint.level])}/s at most"
            for disk, restraint in sorted(self.restraints.items())
            if restraint.level
        )

    @property
    def in_vain(self) -> set[str]:
        """The disks whose copies were held back as far as can be, which did not help."""
        return {disk for disk, restraint in self.restraints.items() if restraint.in_vain_until > float("-inf")}


def protected(
    before: Protection, told: LookupsTold, *, slow_seconds: float, copying_disks: Collection[str], now: float
) -> Protection:
    """What holds after something was heard, or after some time.

    Args:
        before: what held until now.
        told: what was heard meanwhile.
        slow_seconds: a lookup that takes so long is slow.
        copying_disks: those that copies read and write now. No other is slow because of copies.
        now: UTC seconds since the epoch.
    """
    new_plots = [plot for plot in told.slow_plots if now - plot.time < _NEWS_SECONDS]
    lookups = [lookup for lookup in told.lookups if now - lookup.time < _NEWS_SECONDS]
    named = (*(plot for plot in before.named if now - plot.time < _NEWS_SECONDS), *new_plots)
    slow: dict[str, float] = {}
    for plot in new_plots:
        if plot.seconds >= slow_seconds and (plot.disk in copying_disks or plot.disk == EVERY_DISK):
            slow[plot.disk] = max(plot.seconds, slow.get(plot.disk, 0.0))
    unnamed: list[Lookup] = []
    waited = [(lookup, True) for lookup in before.unnamed] + [(lookup, False) for lookup in lookups]
    for lookup, has_waited in waited:
        is_named = any(abs(plot.time - lookup.time) < _SAME_LOOKUP_SECONDS for plot in named)
        if lookup.seconds < slow_seconds or is_named:
            continue
        if lookup.seconds >= _CHIA_NAMES_FROM_SECONDS and not has_waited:
            unnamed.append(lookup)
        else:
            slow[EVERY_DISK] = max(lookup.seconds, slow.get(EVERY_DISK, 0.0))
    if not copying_disks:
        slow = {}
    usual = 1.5 * (told.median_seconds or 0.0)
    calm_seconds = min(slow_seconds, max(slow_seconds / 2, usual))
    is_calm = all(lookup.seconds < calm_seconds for lookup in lookups)
    restraints = {}
    for disk in {*before.restraints, *slow}:
        restraint = before.restraints.get(disk, Restraint())
        if disk in slow:
            restraint = _raised(restraint, slow[disk], is_very_slow=slow[disk] >= 2 * slow_seconds, now=now)
        elif not is_calm:
            restraint = replace(restraint, slow_time=now)
        restraint = _lowered(restraint, now)
        if restraint.level or restraint.in_vain_until > now:
            restraints[disk] = restraint
    return Protection(restraints, tuple(unnamed), named)


def _raised(restraint: Restraint, seconds: float, *, is_very_slow: bool, now: float) -> Restraint:
    if restraint.in_vain_until > now:
        return restraint
    restraint = replace(restraint, slow_time=now, in_vain_until=float("-inf"))
    if now - restraint.changed_time < _WORKS_AFTER_SECONDS:
        return restraint
    if restraint.lowest_time is not None:
        if now - restraint.lowest_time >= _TRIED_SECONDS:
            return Restraint(in_vain_until=now + _IN_VAIN_SECONDS, seconds=seconds, changed_time=now)
        return replace(restraint, seconds=seconds)
    level = min(_LOWEST, restraint.level + (2 if is_very_slow else 1))
    lowest_time = now if level == _LOWEST else None
    return replace(restraint, level=level, seconds=seconds, changed_time=now, lowest_time=lowest_time)


def _lowered(restraint: Restraint, now: float) -> Restraint:
    # A clock that was set back counts as calm: nothing may be held back for hours.
    if not restraint.level or abs(now - max(restraint.slow_time, restraint.changed_time)) < _CALM_SECONDS:
        return restraint
    return replace(restraint, level=restraint.level - 1, changed_time=now, lowest_time=None)
