"""Why a disk, processor, memory, process, sensor or clock is yellow or red."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.hardware_pb2 import Disk, Sensor
from chiatea.tui.panels.hardware import ODD_STATUSES
from chiatea.tui.plain_text import plain
from chiatea.tui.reasons.reason import Reason, over
from chiatea.tui.shares import cpu_percent, disk_used_percent, ram_percent, swap_percent
from chiatea.tui.thresholds import Thresholds
from chiatea.tui.view import Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["cpu", "disk", "process", "ram", "sensor", "system"]

_HANGING: Final = (
    "The system does not answer within 2 s. Look at cable, power and the kernel's log (dmesg); processes that wait "
    "for it cannot be ended until it answers."
)
_LOST: Final = (
    "It was mounted before and is not now: its plots win nothing. Look whether the disk is still there (lsblk), "
    "then mount it again."
)
_FAILING: Final = (
    "It answers with an error. Look at the kernel's log (dmesg), unmount it and check its file system; move the "
    "plots away while they can be read."
)
_STATES: Final = {
    Disk.HANGING: ("HANGING", _HANGING),
    Disk.MOUNT_LOST: ("MOUNT_LOST", _LOST),
    Disk.FAILING: ("FAILING", _FAILING),
}
_ODD: Final = {
    "disk-sleep": "It waits for a disk. For a moment that is normal; for long, a disk hangs: look at the disks.",
    "stopped": "It was stopped (SIGSTOP) and does nothing: `kill -CONT` lets it go on.",
    "zombie": "It has ended, and the process that began it took no notice.",
}


def disk(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """State, health, read-only, pending sectors, space, busy time, temperature."""
    if entry.state in _STATES:
        word, advice = _STATES[entry.state]
        told = f" {plain(entry.error)}" if entry.error else ""
        yield Reason("bad", "state", word, "should be OK", advice + told)
    if entry.HasField("is_healthy") and not entry.is_healthy:
        told = plain(entry.health) or "not healthy"
        yield Reason(
            "bad", "is_healthy", told, "should pass S.M.A.R.T.", "It is about to fail: move its plots, replace it."
        )
    yield from over(
        thresholds,
        "disk_pending_sectors",
        entry.n_pending_sectors,
        field="n_pending_sectors",
        text=f"{entry.n_pending_sectors:,} sectors",
        advice="They could not be read and wait to be read again: plots on them may be broken. More of them each day "
        "mean that the disk is dying.",
    )
    if entry.is_read_only and entry.state == Disk.OK:
        yield Reason(
            "warn",
            "is_read_only",
            "read-only",
            "should be writable",
            "Nothing can be moved to it. Linux does that to a file system with errors: see dmesg, unmount, check it.",
        )
    if entry.state in (Disk.OK, Disk.UNKNOWN):
        used = disk_used_percent(entry)
        yield from over(
            thresholds,
            "disk_used_percent",
            used,
            field="used_bytes",
            text=f"{used or 0:.1f} % used, {format_bytes(entry.free_bytes)} free",
            advice="A disk full of plots is as it should be; one that a plotter or the system writes to needs room.",
        )
    if entry.HasField("busy_percent"):
        yield from over(
            thresholds,
            "disk_busy_percent",
            entry.busy_percent,
            field="busy_percent",
            text=f"{entry.busy_percent:.0f} % busy",
            advice="It has a request under way nearly all the time: lookups on its plots wait for copies and "
            "for what else reads it.",
        )
    if entry.HasField("temperature_celsius"):
        yield from over(
            thresholds,
            "disk_celsius",
            entry.temperature_celsius,
            field="temperature_celsius",
            text=f"{entry.temperature_celsius:.0f} °C",
            advice="Heat shortens a disk's life: give it air.",
        )


def cpu(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Load and temperature."""
    share = cpu_percent(entry)
    busiest = max(machine.all("process"), key=lambda process: process.cpu_percent, default=None)
    what = f" Of Chia's processes {plain(busiest.name)} takes most." if busiest is not None else ""
    yield from over(
        thresholds,
        "cpu_percent",
        share,
        field="usage_percent",
        text=f"{share or 0:.0f} %",
        advice=f"Lookups of compressed plots and a node that syncs need the processor too.{what}",
    )
    if entry.HasField("temperature_celsius"):
        yield from over(
            thresholds,
            "cpu_celsius",
            entry.temperature_celsius,
            field="temperature_celsius",
            text=f"{entry.temperature_celsius:.0f} °C",
            advice="It slows itself down when it grows hotter: look at fans and dust.",
        )


def ram(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Memory and swap."""
    largest = max(machine.all("process"), key=lambda process: process.resident_bytes, default=None)
    what = (
        f" Of Chia's processes {plain(largest.name)} holds most, {format_bytes(largest.resident_bytes)}."
        if largest is not None
        else ""
    )
    share = ram_percent(entry)
    yield from over(
        thresholds,
        "ram_percent",
        share,
        field="used_bytes",
        text=f"{share or 0:.0f} % of {format_bytes(entry.total_bytes)}",
        advice=f"When none is left, the system ends processes.{what}",
    )
    share = swap_percent(entry)
    yield from over(
        thresholds,
        "swap_percent",
        share,
        field="swap_used_bytes",
        text=f"{share or 0:.0f} % of {format_bytes(entry.swap_total_bytes)}",
        advice=f"Memory was short at some time; what lies in swap is slow.{what}",
    )


def process(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """A state in which it does nothing."""
    if entry.status in ODD_STATUSES:
        yield Reason("warn", "status", plain(entry.status), "should be running or sleeping", _ODD[entry.status])


def sensor(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """The limits that the sensor tells of itself."""
    if entry.kind != Sensor.TEMPERATURE_CELSIUS:
        return
    for severity, name, word in (("bad", "critical_value", "critical"), ("warn", "high_value", "high")):
        limit = getattr(entry, name)
        if limit > 0 and entry.value >= limit:
            yield Reason(
                severity, "value", f"{entry.value:.0f} °C", f"{word} from {limit:.0f} °C", "Look at fans and dust."
            )
            return


def system(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """The clock."""
    ahead = entry.clock_ahead_seconds
    yield from over(
        thresholds,
        "clock_seconds",
        abs(ahead),
        field="clock_ahead_seconds",
        text=f"{short_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's clock",
        advice="Times of this machine and of others do not compare, and a node whose clock is far off loses its peers: "
        "let NTP set both clocks.",
    )
