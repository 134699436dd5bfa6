"""Why a copier, a target folder, a job, an order or a moved plot is yellow or red."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.copy_pb2 import CopyCommand, CopyJob, CopyTarget, ScrubFinding
from chiatea.tui.drawing import count
from chiatea.tui.plain_text import plain
from chiatea.tui.reasons.reason import Reason
from chiatea.tui.thresholds import Thresholds
from chiatea.tui.view import Machine
from chiatea.units import short_duration

__all__ = ["copier", "copy_command", "copy_job", "copy_target", "scrub_finding"]

_TARGETS: Final = {
    CopyTarget.FULL: ("warn", "FULL", "It has no room for another plot beside `copy.reserve`."),
    CopyTarget.DRAINED: ("warn", "DRAINED", "It gets nothing new: `chia-tea jobs release` gives it plots again."),
    CopyTarget.QUARANTINED: ("bad", "QUARANTINED", "A copy to it failed: look at its disk."),
    CopyTarget.NOT_MOUNTED: ("bad", "NOT_MOUNTED", "Its disk is not mounted: it would fill the system's disk."),
}
_FINDINGS: Final = {
    ScrubFinding.ROTTEN: ("ROTTEN", "Its bytes changed by themselves: plot it anew, and look at its disk."),
    ScrubFinding.UNREADABLE: ("UNREADABLE", "Its disk cannot read it: look at S.M.A.R.T., plot it anew."),
    ScrubFinding.MISSING: ("MISSING", "Its file is gone: is the disk mounted, or was it deleted?"),
    ScrubFinding.CHANGED: ("CHANGED", "Something wrote it since it was moved."),
}


def copier(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Stopped, paused, slowed; jobs that failed; what lies about."""
    if not entry.is_running:
        yield Reason("bad", "is_running", "stopped", "should run", "No plot is moved: `chia-tea copy`.")
    if entry.is_paused:
        advice = "Somebody paused all copies: `chia-tea jobs resume --all` lets them go on."
        yield Reason("warn", "is_paused", "paused", "should move plots", advice)
    if entry.n_failed > 0:
        advice = "Each job says why; `chia-tea jobs retry` tries it again."
        yield Reason("bad", "n_failed", f"{count(entry.n_failed)} jobs failed", "should be 0", advice)
    if entry.slowed_by:
        advice = "It makes way by itself, and goes on at full speed when that ends."
        yield Reason("warn", "slowed_by", plain(entry.slowed_by), "as fast as the disks", advice)
    if entry.n_not_farming > 0:
        text = f"{count(entry.n_not_farming)} plots"
        advice = "They were moved, and no harvester has loaded them yet: does it know the target folder?"
        yield Reason("warn", "n_not_farming", text, "should be loaded", advice)
    if entry.n_unknown_temporary_files > 0:
        text = f"{count(entry.n_unknown_temporary_files)} .copying files"
        advice = "No journal knows them: look at them, and delete them by hand."
        yield Reason("warn", "n_unknown_temporary_files", text, "should be 0", advice)


def copy_target(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Why it takes nothing."""
    if entry.state in _TARGETS:
        severity, word, advice = _TARGETS[entry.state]
        told = [plain(entry.reason) or advice]
        if entry.HasField("retry_time") and entry.retry_time > now:
            told.append(f"It is tried again in {short_duration(entry.retry_time - now)}.")
        yield Reason(severity, "state", word, "should be READY", " ".join(told))


def copy_job(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Failed, paused, tried again, not loaded yet."""
    error = plain(entry.last_error)
    if entry.state == CopyJob.FAILED:
        text = f"failed after {count(entry.n_attempts)} attempts"
        advice = f"{error or 'No reason was told.'} The source is still there; `chia-tea jobs retry` tries again."
        yield Reason("bad", "state", text, "should be DONE", advice, entry.finished_time or None)
    elif entry.state == CopyJob.PAUSED:
        advice = "It stays where it is until it is resumed: `chia-tea jobs resume`."
        yield Reason("warn", "state", "PAUSED", "should go on", advice)
    elif error and entry.state not in (CopyJob.DONE, CopyJob.CANCELLED):
        again = entry.next_attempt_time - now if entry.HasField("next_attempt_time") else 0.0
        wait = f" It is tried again in {short_duration(again)}." if again > 0 else ""
        yield Reason("warn", "last_error", f"attempt {count(entry.n_attempts)}", "the first should do", error + wait)


def copy_command(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Refused, or too late."""
    if entry.state in (CopyCommand.REFUSED, CopyCommand.EXPIRED):
        word = CopyCommand.State.Name(entry.state)
        severity = "bad" if entry.state == CopyCommand.REFUSED else "warn"
        advice = plain(entry.result) or "Its copier was not there in time: it was not done, and will not be."
        yield Reason(severity, "state", word, "should be DONE", advice, entry.finished_time or None)


def scrub_finding(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """What is wrong with a moved plot."""
    word, advice = _FINDINGS.get(entry.state, ("UNKNOWN", "It is not what was moved."))
    severity = "warn" if entry.state == ScrubFinding.CHANGED else "bad"
    told = plain(entry.text)
    yield Reason(
        severity, "state", word, "should be what was moved", f"{told}. {advice}" if told else advice, entry.found_time
    )
