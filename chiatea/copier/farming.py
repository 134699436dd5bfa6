"""Whether a moved plot is farmed: what the harvester's own answers say of it. Pure."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chiatea.copier.shown import shown

__all__ = ["HarvesterTold", "Verdict", "ask_every_seconds", "is_loaded_from", "judged"]

_MOST_OFTEN_SECONDS: Final = 5.0
_LEAST_OFTEN_SECONDS: Final = 30.0
_SHARE_OF_LIST: Final = 100.0
"""A list that takes long is asked for so seldom that it costs the harvester one per cent of its time at most."""


@dataclass(frozen=True, slots=True)
class HarvesterTold:
    """What the harvester said of the plots that it was asked for, by their resolved paths.

    Attributes:
        folders: its plot directories, resolved as it resolves them.
        is_recursive: whether it looks into their sub-folders.
        loaded: those that it farms.
        failed: those that it cannot open.
        no_key: those that it has no key for.
    """

    folders: tuple[str, ...]
    is_recursive: bool
    loaded: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    no_key: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one moved plot.

    Attributes:
        is_farming: the harvester has loaded it.
        reason: why it has not; "" where that is only a matter of time.
    """

    is_farming: bool
    reason: str = ""


def judged(filepath: str, folder: Path, told: HarvesterTold) -> Verdict:
    """What the harvester's word means for one plot.

    Args:
        filepath: the plot's, resolved.
        folder: its target folder as it was configured, which a person knows.
        told: what the harvester said.
    """
    if filepath in told.loaded:
        return Verdict(is_farming=True)
    if filepath in told.failed:
        return Verdict(is_farming=False, reason="the harvester cannot open it: its log says why")
    if filepath in told.no_key:
        return Verdict(is_farming=False, reason="the harvester has no key for it: see that the farmer has its keys")
    if not is_loaded_from(filepath, told):
        command = f"chia plots add -d {shown(shlex.quote(str(folder)))}"
        return Verdict(is_farming=False, reason=f"not in the harvester's plot directories: {command}")
    return Verdict(is_farming=False)


def is_loaded_from(filepath: str, told: HarvesterTold) -> bool:
    """Whether the harvester looks for plots where this one is (chia/plotting/util.py, get_plot_filenames)."""
    parents = [str(parent) for parent in Path(filepath).parents]
    return any(parent in told.folders for parent in (parents if told.is_recursive else parents[:1]))


def ask_every_seconds(refresh_seconds: float, list_seconds: float) -> float:
    """How often to ask for the list of plots while one waits.

    Args:
        refresh_seconds: how often the harvester looks for new plots: 120 unless it is configured otherwise.
        list_seconds: how long it took to answer with the list; 0 before it did.
    """
    often = min(max(refresh_seconds / 2, _MOST_OFTEN_SECONDS), _LEAST_OFTEN_SECONDS)
    return max(often, _SHARE_OF_LIST * list_seconds)
