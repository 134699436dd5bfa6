"""Old plots in a target's folder given up for a new one: one at a time, as few as are needed, none without a look.

Before each removal the journal says which one is about to go; after it, that it is gone. So a crash in between neither
forgets one nor makes another go in its place. What a removal gives back is counted by what the file took, too: file
systems count it late (XFS frees in the background, a file that somebody reads is freed when that ends), and another
plot must not go for what is only counted late.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace

from chiatea.copier.failures import MoveFailedError
from chiatea.copier.job_events import Replaced
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.journal import SourceIdentity
from chiatea.copier.plot_header import name_fault, parse_plot_header
from chiatea.copier.replace_rules import PlotFacts, plot_facts
from chiatea.copier.replacing import Chosen, GivingUp, Phase
from chiatea.copier.shown import shown
from chiatea.copier.target_end import TargetEnd

__all__ = ["NewPlot", "OldPlotsEnd"]


@dataclass(frozen=True, slots=True)
class NewPlot:
    """The plot that old ones are given up for."""

    facts: PlotFacts
    plot_id: str
    n_bytes: int


class OldPlotsEnd:
    """The old plots that were chosen, in the folder that the new one goes to."""

    def __init__(
        self,
        spec: JobSpec,
        target: TargetEnd,
        *,
        write: Callable[[GivingUp], None],
        tell: Callable[[Replaced], None],
        before_each: Callable[[], None],
        wall_clock: Callable[[], float],
    ) -> None:
        """`write` makes durable how far it has come; `before_each` waits, or raises, as the job's control says."""
        self._spec = spec
        self._target = target
        self._write = write
        self._tell = tell
        self._before_each = before_each
        self._wall_clock = wall_clock

    def tell_again(self, giving_up: GivingUp) -> GivingUp:
        """Tells of all that are gone by now, also of one that went in the moment of a crash."""
        if giving_up.intended and self._target.old_status(giving_up.intended) is None:
            self._target.sync_folder()
            giving_up = giving_up.removed(giving_up.intended)
            self._write(giving_up)
        for chosen in giving_up.replacement.chosen:
            if chosen.plot.name in giving_up.gone:
                self._tell_of(chosen)
        return giving_up

    def give_up(self, giving_up: GivingUp, phase: Phase, new: NewPlot, wanted_free_bytes: int) -> list[str]:
        """Removes old plots until so much is free.

        Args:
            giving_up: how far it has come.
            phase: before the new plot is written: then only those that may go first; or after.
            new: the plot that they go for.
            wanted_free_bytes: of the target's file system.

        Returns:
            Where that was not reached: for each that stays, why.

        Raises:
            MoveFailedError: the target or the journal cannot be used.
            CancelledError, LeftOffError: as the job's control says.
        """
        if giving_up.phase != phase:
            giving_up = giving_up.began(phase, self._target.free_bytes(), new.n_bytes)
        if phase == "before":
            self._check_that_it_is_enough(giving_up, new, wanted_free_bytes)
        faults: list[str] = []
        for chosen in giving_up.replacement.chosen:
            if chosen.plot.name in giving_up.gone or (phase == "before" and not chosen.may_go_first):
                continue
            self._before_each()
            # What another one takes meanwhile is not made good: that is for the next plot to come.
            if self._free_bytes(giving_up) >= wanted_free_bytes:
                break
            fault = self.why_it_stays(chosen, new, phase)
            if fault:
                faults.append(f"{shown(self._spec.target_folder / chosen.plot.name)} {fault}")
                continue
            giving_up = self._remove(chosen, giving_up)
        else:
            return faults
        return []

    def _remove(self, chosen: Chosen, giving_up: GivingUp) -> GivingUp:
        giving_up = replace(giving_up, intended=chosen.plot.name)
        self._write(giving_up)
        self._target.check_place()
        self._target.remove_old(chosen.plot.name)
        self._tell_of(chosen)
        self._target.sync_folder()
        giving_up = giving_up.removed(chosen.plot.name)
        self._write(giving_up)
        return giving_up

    def _free_bytes(self, giving_up: GivingUp) -> int:
        return max(self._target.free_bytes(), giving_up.base_free_bytes + giving_up.gone_bytes)

    def _check_that_it_is_enough(self, giving_up: GivingUp, new: NewPlot, wanted_free_bytes: int) -> None:
        """Refuses before the first one goes, where all that may go would not make the room."""
        n_bytes = self._free_bytes(giving_up)
        for chosen in giving_up.replacement.chosen:
            if n_bytes >= wanted_free_bytes:
                return
            is_left = chosen.may_go_first and chosen.plot.name not in giving_up.gone
            if is_left and not self.why_it_stays(chosen, new, "before"):
                n_bytes += chosen.plot.taken_bytes
        if n_bytes < wanted_free_bytes:
            raise MoveFailedError(
                "no_space",
                f"{shown(self._spec.target_folder)}: the old plots that were to go for {shown(self._spec.source.name)} "
                "are not there any more, or may not go",
            )

    def why_it_stays(self, chosen: Chosen, new: NewPlot, phase: Phase) -> str:
        """Looks at an old plot once more: why it may not go, or "".

        Raises:
            MoveFailedError: `target_lost`; it cannot be looked at.
        """
        plot, now = chosen.plot, self._wall_clock()
        status = self._target.old_status(plot.name)
        if status is None:
            return "is gone"
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return "is no plain file of one name"
        if SourceIdentity.of(status) != SourceIdentity(plot.file_bytes, plot.mtime_ns, plot.inode):
            return "is not what it was when it was chosen"
        if abs(now - status.st_mtime) < self._spec.settle_seconds:
            return "was written to a moment ago"
        return self._why_no_rule_holds(chosen, status, new, phase, now)

    def _why_no_rule_holds(self, chosen: Chosen, status: os.stat_result, new: NewPlot, phase: Phase, now: float) -> str:
        name = chosen.plot.name
        try:
            header = parse_plot_header(self._target.first_bytes_of(name), status.st_size)
        except MoveFailedError as error:
            return error.message
        fault = header if isinstance(header, str) else name_fault(header, name)
        if isinstance(header, str) or fault:
            return f"is no plot to be sure of: {fault}"
        if header.plot_id == new.plot_id or header.plot_id != chosen.plot.plot_id:
            return "is another plot, or the new one"
        facts = plot_facts(name, header.version, status.st_mtime_ns, status.st_ctime_ns)
        rule = next((rule for rule in self._spec.replace_rules if rule.name == chosen.rule), None)
        if rule is None or not rule.gives_up(facts, new.facts, now):
            return f"does not go by rule {chosen.rule} any more"
        if phase == "before" and rule.when_full != "delete_first":
            return f"may not go first by rule {chosen.rule} any more"
        return ""

    def _tell_of(self, chosen: Chosen) -> None:
        path = str(self._spec.target_folder / chosen.plot.name)
        self._tell(Replaced(self._spec.job_id, path, chosen.plot.taken_bytes, chosen.rule))
