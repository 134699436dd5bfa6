"""Jobs, targets and copiers as tables, and as plain data."""

import time
from collections.abc import Sequence
from typing import Any, Final

from chiatea.cli.job_choice import Farm, plain
from chiatea.protobuf.copy_pb2 import Copier, CopyJob, CopyTarget, ScrubFinding
from chiatea.protobuf.descriptors import as_dict
from chiatea.units import format_bytes, short_duration

__all__ = ["document", "lines", "target_lines"]

_HEAD: Final[tuple[str, ...]] = (
    "MACHINE", "JOB", "STATE", "PROGRESS", "SPEED", "LEFT", "SOURCE -> TARGET", "ERROR",
)  # fmt: skip
_TARGET_HEAD: Final = ("MACHINE", "TARGET", "GROUP", "STATE", "FREE", "PROMISED", "COPIES", "WHY")
_ID_LENGTH: Final = 8
_OVER: Final = frozenset({CopyJob.DONE, CopyJob.CANCELLED})
_ORDER: Final = {
    state: place
    for place, state in enumerate(
        (CopyJob.COPYING, CopyJob.VERIFYING, CopyJob.PAUSED, CopyJob.FAILED, CopyJob.QUEUED, CopyJob.DONE)
    )
}


def document(farm: Farm) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        name: [farm.named(machine_id, as_dict(entry)) for machine_id, entry in farm.entries(topic)]
        for name, topic in (
            ("jobs", "copy_job"),
            ("targets", "copy_target"),
            ("copiers", "copier"),
            ("scrub_findings", "scrub_finding"),
        )
    }


def lines(farm: Farm, *, is_all: bool) -> list[str]:
    """The jobs as a table, then a line for each copier, and for each plot that is not any more what was moved."""
    copiers = [_copier_line(farm, machine_id, copier) for machine_id, copier in farm.entries("copier")]
    if not copiers:
        return ["no copier has reported yet: run `chia-tea copy` where plots are to be moved"]
    copiers += [_finding_line(farm, machine_id, finding) for machine_id, finding in farm.entries("scrub_finding")]
    jobs = [
        (machine_id, job)
        for machine_id, job in farm.entries("copy_job")
        if is_all or job.state not in _OVER or (job.farming == CopyJob.WAITING and job.last_error)
    ]
    jobs.sort(key=lambda pair: (farm.name_of(pair[0]), _ORDER.get(pair[1].state, 9), -pair[1].priority, pair[1].id))
    table = _table([_HEAD, *(_row(farm.name_of(machine_id), job) for machine_id, job in jobs)])
    return [plain(line) for line in ([*table, "", *copiers] if jobs else copiers)]


def target_lines(farm: Farm) -> list[str]:
    """The target folders as a table, in the order in which they are filled."""
    targets = sorted(
        farm.entries("copy_target"), key=lambda pair: (farm.name_of(pair[0]), pair[1].group_rank, pair[1].id)
    )
    if not targets:
        return ["no copier has reported a target yet: run `chia-tea copy` where plots are to be moved"]
    rows = [_TARGET_HEAD, *(_target_row(farm.name_of(machine_id), target) for machine_id, target in targets)]
    return [plain(line) for line in _table(rows)]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _target_row(machine: str, target: CopyTarget) -> tuple[str, ...]:
    states = CopyTarget.State
    return (
        machine,
        target.id,
        target.group or "-",
        states.Name(target.state).lower() if target.state in states.values() else str(target.state),
        format_bytes(target.free_bytes),
        format_bytes(target.promised_bytes),
        str(target.n_active),
        target.reason,
    )


def _row(machine: str, job: CopyJob) -> tuple[str, ...]:
    done = job.verified_bytes if job.state == CopyJob.VERIFYING else job.copied_bytes
    share = f"{100 * min(1.0, done / job.total_bytes):.0f} %" if job.total_bytes else "-"
    limit = f" (at most {format_bytes(job.max_bytes_per_second)}/s)" if job.max_bytes_per_second else ""
    is_waiting = job.state == CopyJob.QUEUED and not job.copied_bytes
    return (
        machine,
        job.id[:_ID_LENGTH],
        CopyJob.State.Name(job.state).lower() if job.state in CopyJob.State.values() else str(job.state),
        "-" if is_waiting else f"{share} of {format_bytes(job.total_bytes)}",
        f"{format_bytes(job.bytes_per_second)}/s{limit}" if job.bytes_per_second > 0 else limit.strip() or "-",
        short_duration(job.remaining_seconds) if job.HasField("remaining_seconds") else "-",
        f"{job.source_filepath} -> {job.target_id or '?'}",
        job.last_error,
    )


def _copier_line(farm: Farm, machine_id: str, copier: Copier) -> str:
    if not copier.is_running or not farm.is_online(machine_id):
        return f"{farm.name_of(machine_id)}: its copier is not there; {copier.n_queued} waited"
    limit = f", at most {format_bytes(copier.max_bytes_per_second)}/s" if copier.max_bytes_per_second else ""
    paused = "all is paused; " if copier.is_paused else ""
    not_farming = f", {copier.n_not_farming} not farming yet" if copier.n_not_farming else ""
    slowed = f"; slowed down: {copier.slowed_by}" if copier.slowed_by else ""
    return (
        f"{farm.name_of(machine_id)}: {paused}{copier.n_active} under way at {format_bytes(copier.bytes_per_second)}/s"
        f"{limit}, {copier.n_queued} wait, {copier.n_done} moved ({format_bytes(copier.bytes_done)}), "
        f"{copier.n_failed} failed{not_farming}{_scrubs(copier)}{slowed}"
    )


def _scrubs(copier: Copier) -> str:
    if not copier.n_known_hashes:
        return ""
    last = f", last {short_duration(time.time() - copier.last_scrub_time)} ago" if copier.n_scrubbed else ""
    return f"; {copier.n_scrubbed} of {copier.n_known_hashes} known plots scrubbed{last}"


def _finding_line(farm: Farm, machine_id: str, finding: ScrubFinding) -> str:
    states = ScrubFinding.State
    word = states.Name(finding.state).lower() if finding.state in states.values() else str(finding.state)
    ago = short_duration(time.time() - finding.found_time)
    return f"{farm.name_of(machine_id)}: {finding.id} is {word}, found {ago} ago: {finding.text}"
