"""What an earlier run left of a job, and how to go on from there.

The journal says what should be at the target. What is there is read back from the device, block by block, before any of
it is relied upon; what does not match is written again. Nothing is removed here but what the journal owns, and no
temporary file goes while the source is not there: it may be all that is left of the plot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from chiatea.copier.failures import MoveFailedError
from chiatea.copier.journal import EntryState, JournalEntry, SourceIdentity
from chiatea.copier.shown import shown
from chiatea.copier.target_end import TargetEnd

__all__ = ["Anew", "GoOn", "Published", "Situation", "situation_of"]


@dataclass(frozen=True, slots=True)
class Anew:
    """Nothing of the job is at the target any more: it begins with the first step."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """The temporary file is open; its first blocks are right, and on the device."""

    blocks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The plot has its final name, and was read back whole."""


Situation: TypeAlias = Anew | GoOn | Published


def situation_of(
    entry: JournalEntry,
    source: SourceIdentity | None,
    target: TargetEnd,
    good_blocks: Callable[[], int],
) -> Situation:
    """Finds out what is at the target, and removes what cannot be gone on from.

    Args:
        entry: what the journal says; not VOID.
        source: what the source is now; None where it is gone.
        target: its folder, open, and the one that was chosen.
        good_blocks: makes the file that `target` has open durable, reads it back, and says how many of the entry's
            blocks are right, from the first on.

    Raises:
        MoveFailedError: the job cannot go on.
    """
    match entry.state:
        case EntryState.OPENING:
            return _after_opening(target)
        case EntryState.COPYING:
            return _after_copying(entry, source, target, good_blocks)
        case EntryState.VERIFIED:
            return _after_verified(entry, source, target, good_blocks)
        case EntryState.VOID:
            raise AssertionError("a void entry is settled before")


def _after_opening(target: TargetEnd) -> Situation:
    if target.temporary_status() is not None:
        # Ours was not written to yet. One that was is somebody else's, made while ours was about to be.
        if not target.is_unwritten():
            target.check_names_free()
        target.own_temporary()
        target.void()
    return Anew()


def _after_copying(
    entry: JournalEntry, source: SourceIdentity | None, target: TargetEnd, good_blocks: Callable[[], int]
) -> Situation:
    if target.temporary_status() is None:
        return Anew()
    target.own_temporary()
    if target.final_status() is not None:
        raise MoveFailedError("name_taken", f"{shown(entry.spec.target)}: is there already", "compare the two plots")
    if source is not None and source != entry.source:
        target.void()
        return Anew()
    target.reopen()
    return GoOn(entry.blocks[: good_blocks()])


def _after_verified(
    entry: JournalEntry, source: SourceIdentity | None, target: TargetEnd, good_blocks: Callable[[], int]
) -> Situation:
    temporary, final = target.temporary_status(), target.final_status()
    if temporary is not None:
        target.own_temporary()
    if final is None:
        if temporary is None and source is None:
            raise MoveFailedError(
                "target_lost",
                f"{shown(entry.spec.target)}: the plot was complete here, and is neither here nor at its source",
                "is the right disk mounted?",
            )
        return _after_copying(entry, source, target, good_blocks)
    if temporary is not None:
        if (temporary.st_dev, temporary.st_ino) != (final.st_dev, final.st_ino):
            raise MoveFailedError(
                "name_taken", f"{shown(entry.spec.target)}: is there already", "compare the two plots"
            )
        target.remove_second_name()
    target.reopen_final()
    if good_blocks() < len(entry.blocks):
        raise MoveFailedError(
            "name_taken", f"{shown(entry.spec.target)}: is not the plot that was copied", "compare it with the source"
        )
    return Published()
