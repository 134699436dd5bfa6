"""Why a harvester, a farmer or a plot is yellow or red."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import HarvesterPlot, HarvesterViewedFromFarmer
from chiatea.tui.drawing import count, seconds
from chiatea.tui.plain_text import plain
from chiatea.tui.reasons.reason import Reason, over
from chiatea.tui.thresholds import Thresholds
from chiatea.tui.view import Machine
from chiatea.units import short_duration

__all__ = ["farmer", "farmer_harvester", "harvester", "harvester_plot", "missed_challenge", "plot_folder", "pool"]

SKIPPED_LATELY_SECONDS: Final = 3600.0
_FAILED: Final = "They cannot be opened and win nothing: `chia plots check` names what is wrong with each."
_NO_KEY: Final = "They belong to a key or a pool contract that this farmer does not have: `chia keys show`."
_TWICE: Final = "The same plot is there more than once: only one of them counts, the other takes its room."
_PLOT_STATES: Final = {
    HarvesterPlot.FAILED_TO_OPEN: ("bad", "FAILED_TO_OPEN", _FAILED),
    HarvesterPlot.NOT_FOUND: ("bad", "NOT_FOUND", "Its file was there and is not: look at its disk."),
    HarvesterPlot.NO_KEY: ("bad", "NO_KEY", _NO_KEY),
    HarvesterPlot.DUPLICATE: ("warn", "DUPLICATE", _TWICE),
}


def harvester(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:
    """Whether it runs, has a farmer and answers quickly; plots that did not load."""
    last = entry.last_challenge_time if entry.HasField("last_challenge_time") else None
    if not entry.is_running:
        advice = "Nothing on this machine farms: `chia start harvester`."
        yield Reason("bad", "is_running", "stopped", "should run", advice, last)
        return
    if not entry.is_connected_to_farmer:
        yield Reason(
            "warn",
            "is_connected_to_farmer",
            "no farmer",
            "should be connected",
            "Without a farmer it gets no challenges: see farmer_peers in Chia's config.yaml, the farmer's certificates "
            "and the network.",
        )
    quiet = now - last if last is not None else None
    yield from (
        reason._replace(since=last)
        for reason in over(
            thresholds,
            "quiet_seconds",
            quiet,
            field="last_challenge_time",
            text=f"no challenge for {short_duration(quiet or 0)}",
            advice="Challenges come each 9 s. Is the farmer connected and the full node synced?",
        )
    )
    yield from _lookups(entry, thresholds, f"An answer after about 28 s wins nothing. {_busiest(machine)}")
    yield from _plots_that_do_not_farm(entry)
    if entry.n_plots_lost > entry.n_plots_added:
        text = f"{count(entry.n_plots_lost)} lost, {count(entry.n_plots_added)} added"
        yield Reason("warn", "n_plots_lost", text, "none should be lost", "Was a disk unmounted, or were plots moved?")


def _lookups(entry: Any, thresholds: Thresholds, advice: str) -> Iterator[Reason]:
    """Each lookup time that is too long, red first; what to do is said once."""
    found: list[Reason] = []
    for word in ("last", "median", "p99", "worst"):
        name = f"{word}_lookup_seconds"
        value = getattr(entry, name) if entry.HasField(name) else None
        text = f"{'newest' if word == 'last' else word} lookup {seconds(value)}"
        found += over(thresholds, "lookup_seconds", value, field=name, text=text, advice="")
    found.sort(key=lambda reason: reason.severity != "bad")
    yield from (reason._replace(advice=advice if place == 0 else "") for place, reason in enumerate(found))


def _busiest(machine: Machine) -> str:
    disks = [disk for disk in machine.all("disk") if disk.HasField("busy_percent")]
    busiest = max(disks, key=lambda disk: disk.busy_percent, default=None)
    if busiest is None:
        return "Look for a disk that is busy or slow to wake."
    return f"The busiest disk now is {plain(busiest.id)}, {busiest.busy_percent:.0f} % busy."


def _plots_that_do_not_farm(entry: Any) -> Iterator[Reason]:
    for severity, name, word, advice in (
        ("bad", "n_failed_to_open", "failed to open", _FAILED),
        ("bad", "n_no_key", "without a key", _NO_KEY),
        ("warn", "n_duplicates", "twice", _TWICE),
    ):
        number = getattr(entry, name)
        if number > 0:
            yield Reason(severity, name, f"{count(number)} plots {word}", "should be 0", advice)


def farmer_harvester(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Whether it answers its farmer, what it missed, plots that did not load."""
    seen = HarvesterViewedFromFarmer
    answered = entry.last_answer_time if entry.HasField("last_answer_time") else None
    if entry.state == seen.TIMED_OUT:
        advice = "It is connected and answers no challenge: look for a disk that hangs on it, and at its log."
        yield Reason("bad", "state", "TIMED_OUT", "an answer each 60 s", advice, answered)
    elif entry.state == seen.DISCONNECTED:
        advice = "Its plots win nothing. Does its machine run, does the harvester, does the network?"
        yield Reason("bad", "state", "DISCONNECTED", "should be connected", advice)
    if entry.is_syncing:
        done = f", {count(entry.n_sync_processed)} of {count(entry.n_sync_total)}" if entry.n_sync_total else ""
        advice = "It tells the farmer of its plots; that ends by itself."
        yield Reason("warn", "is_syncing", f"syncing{done}", "should be done", advice)
    if entry.n_challenges_owed > 0 and entry.missed_challenges > 0:
        share = 100.0 * entry.missed_challenges / entry.n_challenges_owed
        level = thresholds.missed_level(share)
        if level in ("warn", "bad"):
            late = f" {count(entry.n_challenges_late)} of them were answered late." if entry.n_challenges_late else ""
            yield Reason(
                level,
                "missed_challenges",
                f"{count(entry.missed_challenges)} of {count(entry.n_challenges_owed)} missed ({share:.2g} %)",
                thresholds.told("missed_percent"),
                f"No answer came within 25 s.{late} The missed challenges' own screen shows when, and what else "
                "happened then.",
            )
    advice = "An answer after about 28 s wins nothing: look at the disks of that harvester."
    yield from _lookups(entry, thresholds, advice)
    yield from _plots_that_do_not_farm(entry)


def missed_challenge(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Late, or not at all."""
    if entry.HasField("late_answer_time"):
        value, severity = f"answered after {short_duration(entry.late_answer_time - entry.sent_time)}", "warn"
    else:
        value, severity = "no answer", "bad"
    advice = "A proof among its plots would have come too late."
    yield Reason(severity, "late_answer_time", value, "within 25 s", advice, entry.sent_time)


def farmer(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Whether it runs and hears of signage points; what the node skipped lately; partials that failed."""
    if not entry.is_running:
        since = entry.last_signage_point_time or None
        yield Reason("bad", "is_running", "stopped", "should run", "Nothing farms: `chia start farmer`.", since)
        return
    if entry.n_harvesters == 0:
        advice = "It has no plots to ask: does a harvester run, and does it know this farmer?"
        yield Reason("warn", "n_harvesters", "no harvester", "at least one", advice)
    ago = now - entry.last_skipped_time
    if 0 <= ago < SKIPPED_LATELY_SECONDS:
        yield Reason(
            "warn",
            "n_skipped_signage_points",
            f"{count(entry.n_skipped_signage_points)} skipped, the last {short_duration(ago)} ago",
            "none in an hour",
            "The full node never saw them: few peers, a slow network or a slow disk under its database.",
            entry.last_skipped_time,
        )


def harvester_plot(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Anything but loaded."""
    if entry.state in _PLOT_STATES:
        severity, word, advice = _PLOT_STATES[entry.state]
        yield Reason(severity, "state", word, "should be LOADED", advice)


def plot_folder(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Plots in it that did not load."""
    if entry.n_failed_to_open > 0:
        text = f"{count(entry.n_failed_to_open)} plots failed to open"
        yield Reason("bad", "n_failed_to_open", text, "should be 0", _FAILED)


def pool(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Errors that the pool told."""
    if entry.n_errors_24h > 0:
        text = f"{count(entry.n_errors_24h)} errors in 24 h"
        yield Reason("warn", "n_errors_24h", text, "should be 0", "The farmer's log has what the pool said.")
