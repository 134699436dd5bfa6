"""What a copier says in its log, each thing once."""

import logging
from collections.abc import Sequence
from pathlib import Path

from chiatea.copier.job_events import Done, Replaced
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.placement import Target, TargetState
from chiatea.copier.scheduler import Start
from chiatea.copier.shown import shown
from chiatea.copier.source_watch import SourceWatch
from chiatea.copier.sources import SourceLook
from chiatea.units import format_bytes, short_duration

__all__ = ["Notices"]

_log = logging.getLogger(__name__)


class Notices:
    """Says things, and remembers what stays true: files that are passed over, and `.copying` files that nobody owns."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.passed_over: dict[Path, str] = {}
        self.unfinished: dict[Path, str] = {}
        self.unknown_temporary_files: set[Path] = set()
        self._said: dict[Path, str] = {}

    def once(self, path: Path, text: str, level: int = logging.WARNING) -> None:
        """Says something of a path unless that was the last that was said of it."""
        if self._said.get(path) != text:
            self._said[path] = text
            _log.log(level, "%s", text)

    def source(self, source: SourceWatch) -> None:
        """A source folder that cannot be looked at, or can again."""
        if source.problem:
            self.once(source.folder, f"source folder {shown(source.folder)} {source.problem}: its plots wait")
        elif source.folder in self._said:
            self.once(source.folder, f"source folder {shown(source.folder)} is there", logging.INFO)

    def target(self, target: Target) -> None:
        """A target folder that takes nothing, or does again."""
        if target.state is not TargetState.READY:
            self.once(target.folder, f"target folder {shown(target.folder)} {target.reason}: it takes nothing")
        elif target.folder in self._said:
            self.once(target.folder, f"target folder {shown(target.folder)} takes plots", logging.INFO)

    def files(self, folder: Path, look: SourceLook) -> None:
        """Files that are no finished plots."""
        self.passed_over = {path: why for path, why in self.passed_over.items() if path.parent != folder}
        self.unfinished = {path: why for path, why in self.unfinished.items() if path.parent != folder}
        for name, why in look.passed_over.items():
            self.passed_over[folder / name] = why
            self.once(folder / name, f"{shown(folder / name)} {why}")
        for name, why in look.unfinished.items():
            self.unfinished[folder / name] = why
        for plot in look.plots:
            if plot.fault:
                self.once(folder / plot.name, f"{shown(folder / plot.name)} {plot.fault}")

    def temporary_files(self, folder: Path, paths: set[Path]) -> None:
        """Unfinished copies that no journal knows: another copier's, or what a lost journal left."""
        others = {path for path in self.unknown_temporary_files if path.parent != folder}
        for path in sorted(paths):
            self.once(path, f"{shown(path)}: no journal knows of this copy: it stays; delete it if nobody writes it")
        self.unknown_temporary_files = others | paths

    def begun(self, start: Start) -> None:
        """A copy begins, or what one left is settled."""
        if start.job.is_set_aside:
            _log.info(
                "%s is there again: what was left of %s is seen to", shown(start.target.folder), shown(start.job.name)
            )
            return
        _log.info("%s goes to %s: %s", shown(start.job.source), shown(start.target.folder), start.why)

    def done(self, job: Job, done: Done) -> None:
        """A plot was moved."""
        speed = f"{format_bytes(job.total_bytes / done.seconds)}/s" if done.seconds > 0 else "at once"
        doubt = "" if done.read_from_device or done.verification == "none" else ", verified from memory"
        _log.info(
            "moved %s to %s: %s in %s, %s, verification %s%s, hash %s",
            shown(job.source), shown(done.target), format_bytes(job.total_bytes), short_duration(done.seconds), speed,
            done.verification, doubt, done.hash,
        )  # fmt: skip
        if done.kept_old:
            _log.warning("%s: fewer old plots went for it than were to go: %s", shown(done.target), done.kept_old)

    def replaced(self, job: Job, replaced: Replaced) -> None:
        """An old plot was deleted."""
        _log.info(
            "deleted %s, %s, for %s, by rule %s of copy.replace",
            shown(replaced.path), format_bytes(replaced.n_bytes), shown(job.source), replaced.rule,
        )  # fmt: skip

    def failed(self, job: Job, now: float) -> None:
        """A plot was not moved, this time or for good."""
        then = "it waits for a target"
        if job.state is JobState.FAILED:
            then = "it stays where it is"
        elif job.next_attempt_time is not None:
            then = f"it is tried again in {short_duration(job.next_attempt_time - now)}"
        _log.warning("%s: %s: %s", shown(job.source), job.last_error, then)

    def given_up(self, jobs: Sequence[Job], why: str) -> None:
        """Plots that stay where they are, all for one reason."""
        if len(jobs) == 1:
            _log.warning("%s stays where it is: %s", shown(jobs[0].source), why)
        else:
            _log.warning("%d plots stay where they are, as %s: %s", len(jobs), shown(jobs[0].source), why)

    def farmed(self, jobs: Sequence[Job]) -> None:
        """The harvester has loaded what was moved."""
        plots = shown(jobs[0].name) if len(jobs) == 1 else f"{len(jobs)} moved plots, as {shown(jobs[0].name)}"
        _log.info("the harvester has loaded %s", plots)

    def not_farming(self, jobs: Sequence[Job], why: str, seconds: float) -> None:
        """Moved plots that it has not loaded, all for one reason, the oldest since so long."""
        name, folder, since = shown(jobs[0].name), shown(jobs[0].target_folder or ""), short_duration(seconds)
        if len(jobs) == 1:
            _log.warning("%s was moved to %s %s ago and is not farmed: %s", name, folder, since, why)
        else:
            _log.warning(
                "%d plots, as %s, were moved to %s up to %s ago and are not farmed: %s",
                len(jobs), name, folder, since, why,
            )  # fmt: skip

    def left_nothing(self, job: Job) -> None:
        """What an earlier attempt left at a target that was lost is gone from there."""
        _log.info("what was left of %s at %s is gone from there", shown(job.name), shown(job.target_folder or ""))
