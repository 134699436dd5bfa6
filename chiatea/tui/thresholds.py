"""From where on a number is yellow, and from where on red: the same for panels, lists and for what says why. Pure."""

import re
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from chiatea.config import ThresholdsConfig
from chiatea.tui.drawing import level_of
from chiatea.units import short_duration

__all__ = ["DEFAULT_THRESHOLDS", "STALE_AFTER_SECONDS", "Limits", "Thresholds", "thresholds_of"]

STALE_AFTER_SECONDS: Final = 60.0
"""A machine sends its CPU every few seconds: a minute of silence is no accident."""
_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_UNITS: Final = {"percent": " %", "celsius": " °C", "sectors": ""}


class Limits(NamedTuple):
    """One number's thresholds; each belongs to what it begins."""

    warn: float
    bad: float

    def level(self, value: float | None) -> str:
        """The style of a value: "normal", "warn", "bad"; "muted" where it is not known."""
        return level_of(value, *self)

    def quiet_level(self, value: float | None) -> str:
        """The same, for what is of no interest while it is fine: "muted" then."""
        style = self.level(value)
        return "muted" if style == "normal" else style


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Those of `tui.thresholds`, under the same names."""

    disk_used_percent: Limits
    disk_busy_percent: Limits
    disk_celsius: Limits
    disk_pending_sectors: Limits
    cpu_percent: Limits
    cpu_celsius: Limits
    ram_percent: Limits
    swap_percent: Limits
    lookup_seconds: Limits
    quiet_seconds: Limits
    missed_percent: Limits
    clock_seconds: Limits

    def missed_level(self, share_percent: float) -> str:
        """The style of a share of missed challenges: none at all is never yellow."""
        return self.missed_percent.level(share_percent) if share_percent > 0 else "normal"

    def told(self, name: str) -> str:
        """A number's thresholds in words: "yellow from 90 %, red from 98 %"."""
        limits: Limits = getattr(self, name)
        if limits.warn == limits.bad:
            return f"red from {_with_unit(name, limits.bad)}"
        return f"yellow from {_with_unit(name, limits.warn)}, red from {_with_unit(name, limits.bad)}"

    def told_in(self, text: str) -> str:
        """A text with the thresholds that it names in braces told; other braces stay."""
        known = {field.name for field in fields(self)}
        return _NAME.sub(lambda match: self.told(match[1]) if match[1] in known else match[0], text)


def _with_unit(name: str, value: float) -> str:
    unit = name.rpartition("_")[2]
    return short_duration(value) if unit == "seconds" else f"{value:g}{_UNITS[unit]}"


def thresholds_of(config: ThresholdsConfig) -> Thresholds:
    """The thresholds as they are configured."""
    return Thresholds(**{field.name: Limits(*getattr(config, field.name)) for field in fields(Thresholds)})


DEFAULT_THRESHOLDS: Final = thresholds_of(ThresholdsConfig())
"""Where nothing is configured."""
