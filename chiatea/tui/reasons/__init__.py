"""Why something is yellow or red: for each topic a function from an entry to reasons. Pure."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

from chiatea.tui.reasons import copying, farming, hardware, services
from chiatea.tui.reasons.reason import Reason
from chiatea.tui.thresholds import STALE_AFTER_SECONDS, Thresholds
from chiatea.tui.view import Machine
from chiatea.units import short_duration

__all__ = ["JUDGES", "Reason", "reasons_of", "silence_of"]

JUDGES: Final = MappingProxyType[str, Callable[[Any, Machine, Thresholds, float], Iterator[Reason]]](
    {
        "system": hardware.system,
        "cpu": hardware.cpu,
        "ram": hardware.ram,
        "disk": hardware.disk,
        "sensor": hardware.sensor,
        "process": hardware.process,
        "farmer": farming.farmer,
        "farmer_harvester": farming.farmer_harvester,
        "missed_challenge": farming.missed_challenge,
        "pool": farming.pool,
        "harvester": farming.harvester,
        "harvester_plot": farming.harvester_plot,
        "plot_folder": farming.plot_folder,
        "wallet": services.wallet,
        "full_node": services.full_node,
        "plotting_plot": services.plotting_plot,
        "chia_notice": services.chia_notice,
        "source": services.source,
        "collector": services.collector,
        "copier": copying.copier,
        "copy_target": copying.copy_target,
        "copy_job": copying.copy_job,
        "copy_command": copying.copy_command,
        "scrub_finding": copying.scrub_finding,
    }
)
"""By topic: takes an entry, its machine as it is now, the thresholds, and the time at which it is judged."""


def reasons_of(topic: str, entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> list[Reason]:
    """Everything that is wrong with an entry at a time, red first; none where nothing is."""
    judge = JUDGES.get(topic)
    return sorted(judge(entry, machine, thresholds, now), key=lambda r: r.severity != "bad") if judge else []


def silence_of(machine: Machine, now: float) -> list[Reason]:
    """That a machine does not tell of itself any more: what is shown of it may not be true."""
    if not machine.is_stale:
        return []
    since = now - machine.age_seconds if machine.age_seconds is not None else None
    heard = f"nothing heard for {short_duration(machine.age_seconds or 0)}" if since is not None else "never heard of"
    advice = "What stands here is what it told last. Does it run, and does `chia-tea collect` on it?"
    state = "offline" if not machine.is_online else "silent"
    limit = f"something each {STALE_AFTER_SECONDS:.0f} s" if machine.is_online else "its collector should be connected"
    return [Reason("bad" if not machine.is_online else "warn", "machine", f"{state}, {heard}", limit, advice, since)]
