"""Old plots that are given up for a new one, as data: what is there, what was chosen, how far that has come."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from chiatea.copier.replace_rules import ReplaceRule

__all__ = [
    "Candidate",
    "Chosen",
    "GivingUp",
    "OldPlot",
    "Phase",
    "Replacement",
    "bytes_to_write",
    "giving_up_from_json",
    "replacement_from_json",
]

_PHASES: Final = ("", "before", "after")
Phase: TypeAlias = str
"""before: as many go as the new plot needs to be written. after: the new one stands, and the reserve is made good.
"": none has gone yet."""


@dataclass(frozen=True, slots=True)
class OldPlot:
    """A plot in a target folder, as it was when it was looked at.

    Attributes:
        name: its file's name in the folder.
        file_bytes, mtime_ns, inode: what tells it from any other of that name.
        taken_bytes: what its removal gives back.
        plot_id: as its header says.
        made_time: UTC seconds since the epoch.
    """

    name: str
    file_bytes: int
    mtime_ns: int
    inode: int
    taken_bytes: int
    plot_id: str
    made_time: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """An old plot, and the rules by which it may go, the first one first."""

    plot: OldPlot
    rules: tuple[ReplaceRule, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An old plot that is to go, and by which rule. `may_go_first`: before the new one is written, if it must."""

    plot: OldPlot
    rule: str
    may_go_first: bool


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is given up for one new plot: of `chosen`, in this order, as few as leave `reserve_bytes` free.

    `deletes_first`: the new plot cannot be written before some of them have gone.
    """

    chosen: tuple[Chosen, ...]
    reserve_bytes: int
    deletes_first: bool

    @property
    def n_bytes(self) -> int:
        """What all of them take."""
        return sum(chosen.plot.taken_bytes for chosen in self.chosen)

    def to_json(self) -> dict[str, Any]:
        """As fields of a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GivingUp:
    """How far a replacement has come, as the journal has it.

    Attributes:
        replacement: what was chosen.
        phase: as `Phase` says.
        base_free_bytes: what was free in this phase, less what `gone` gave back: file systems are slow to count that.
        gone: by name, those that were removed for certain, in order.
        intended: the one that may be removed by now; "": none is about to be.
    """

    replacement: Replacement
    phase: Phase = ""
    base_free_bytes: int = 0
    gone: tuple[str, ...] = ()
    intended: str = ""

    @property
    def gone_bytes(self) -> int:
        """What those that are gone gave back."""
        return sum(chosen.plot.taken_bytes for chosen in self.replacement.chosen if chosen.plot.name in self.gone)

    def began(self, phase: Phase, free_bytes: int, new_bytes: int) -> "GivingUp":
        """Another phase begins, with so much free. What went in an earlier one may not be counted yet: then there is
        what that one began with, without the new plot's bytes.
        """
        base = free_bytes - self.gone_bytes
        if self.gone:
            base = max(base, self.base_free_bytes - new_bytes)
        return replace(self, phase=phase, base_free_bytes=base)

    def removed(self, name: str) -> "GivingUp":
        """One was removed."""
        return replace(self, gone=(*self.gone, name), intended="")

    def paths_of(self, folder: Path) -> tuple[Path, ...]:
        """Where those that are gone were."""
        return tuple(folder / name for name in self.gone)

    def to_json(self) -> dict[str, Any]:
        """As fields of a JSON object."""
        return asdict(self)


def bytes_to_write(plot_bytes: int) -> int:
    """What must be free before a plot is written: its file system needs some for itself, to find the pieces."""
    return plot_bytes + plot_bytes // 1000 + (64 << 10)


def replacement_from_json(data: object) -> Replacement:
    """The way back from `Replacement.to_json`.

    Raises:
        ValueError: it is none.
    """
    fields = _object(data)
    chosen = tuple(_chosen(_object(entry)) for entry in _list(fields.get("chosen")))
    return Replacement(chosen, _number(fields.get("reserve_bytes")), _flag(fields.get("deletes_first")))


def giving_up_from_json(data: object) -> GivingUp:
    """The way back from `GivingUp.to_json`.

    Raises:
        ValueError: it is none.
    """
    fields = _object(data)
    replacement = replacement_from_json(fields.get("replacement"))
    gone = tuple(_text(name) for name in _list(fields.get("gone")))
    intended, phase = _text(fields.get("intended")), _text(fields.get("phase"))
    names = {each.plot.name for each in replacement.chosen}
    if phase not in _PHASES or not {*gone, *filter(None, [intended])} <= names:
        raise ValueError("it tells of old plots that nobody chose")
    return GivingUp(replacement, phase, _number(fields.get("base_free_bytes")), gone, intended)


def _chosen(fields: Mapping[str, object]) -> Chosen:
    plot = _object(fields.get("plot"))
    name, made_time = _text(plot.get("name")), plot.get("made_time")
    if not name or "/" in name or "\0" in name or name in {".", ".."} or not isinstance(made_time, int | float):
        raise ValueError(f"{name!r} is no old plot")
    old_plot = OldPlot(
        name=name,
        file_bytes=_number(plot.get("file_bytes")),
        mtime_ns=_number(plot.get("mtime_ns")),
        inode=_number(plot.get("inode")),
        taken_bytes=_number(plot.get("taken_bytes")),
        plot_id=_text(plot.get("plot_id")),
        made_time=float(made_time),
    )
    return Chosen(old_plot, _text(fields.get("rule")), _flag(fields.get("may_go_first")))


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("what is to be given up is no object")  # noqa: TRY004 - one kind of error for the caller
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError("what is to be given up is no list")  # noqa: TRY004 - one kind of error for the caller
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - one kind of error for the caller
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no whole number")  # noqa: TRY004 - one kind of error for the caller
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")  # noqa: TRY004 - one kind of error for the caller
    return value
