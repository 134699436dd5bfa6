"""Why full node, wallet, a source, a notice or a plot in progress is yellow or red."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import ChiaNotice, PlotInProgress, Source
from chiatea.tui.drawing import count
from chiatea.tui.plain_text import plain
from chiatea.tui.reasons.reason import Reason
from chiatea.tui.thresholds import Thresholds
from chiatea.tui.view import Machine
from chiatea.units import short_duration

__all__ = ["chia_notice", "collector", "full_node", "plotting_plot", "source", "wallet"]

_BAD_NOTICES: Final = frozenset(
    {ChiaNotice.PLOT_ERROR, ChiaNotice.HARVESTER_TIMED_OUT, ChiaNotice.SERVICE_ERROR, ChiaNotice.PARTIAL_FAILED}
)
_ODD_NOTICES: Final = frozenset(
    {ChiaNotice.SLOW_LOOKUP, ChiaNotice.SKIPPED_SIGNAGE_POINTS, ChiaNotice.PEER_LOST, ChiaNotice.NODE_WARNING}
)


def full_node(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Whether it runs and is synced."""
    if not entry.is_running:
        yield Reason("bad", "is_running", "stopped", "should run", "Nothing can be won: `chia start node`.")
    elif not entry.is_synced:
        peers = f" It has {count(entry.n_peers)} peers." if entry.HasField("n_peers") else ""
        if entry.is_syncing:
            left = entry.sync_tip_height - entry.sync_progress_height
            text = f"syncing, {count(left)} blocks to go" if left > 0 else "syncing"
            advice = f"Nothing is won until it is synced; that ends by itself.{peers}"
            yield Reason("warn", "is_synced", text, "should be synced", advice, entry.peak_time or None)
        else:
            advice = f"Nothing can be won. Look at its peers, its network and its disk.{peers}"
            yield Reason("bad", "is_synced", "not synced", "should be synced", advice, entry.peak_time or None)


def wallet(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Whether it runs and is synced."""
    if not entry.is_running:
        yield Reason("bad", "is_running", "stopped", "should run", "Farming goes on without it: `chia start wallet`.")
    elif not entry.is_synced:
        text = "syncing" if entry.is_syncing else "not synced"
        yield Reason("warn", "is_synced", text, "should be synced", "Its balances are those of some time ago.")


def source(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """What the collector cannot read, or what says nothing new."""
    news = entry.last_news_time or None
    if entry.state == Source.FAILING:
        advice = plain(entry.error) or "It cannot be asked or read."
        yield Reason("warn", "state", "FAILING", "should be OK", advice, entry.last_success_time or None)
    elif entry.state == Source.STALE:
        quiet = f"nothing new for {short_duration(now - news)}" if news else "nothing new"
        advice = plain(entry.error) or "Does what writes it still run?"
        yield Reason("warn", "state", quiet, "news within its usual time", advice, news)
    if entry.n_not_understood > 0:
        yield Reason(
            "warn",
            "n_not_understood",
            f"{count(entry.n_not_understood)} of {count(entry.n_not_understood + entry.n_understood)} lines",
            "all should be understood",
            f"`chia-tea collect --explain {plain(entry.location) or 'FILE'}` shows which. The last one: "
            f"{plain(entry.last_not_understood) or 'not told'}",
        )


def plotting_plot(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """Stalled."""
    if entry.state == PlotInProgress.STALLED:
        since = entry.last_progress_time or None
        quiet = f"no progress for {short_duration(now - since)}" if since else "no progress"
        yield Reason(
            "bad",
            "state",
            quiet,
            "a step in its usual time",
            "Its plotter writes nothing new for far longer than a step takes here: is its temporary disk full, is it "
            "stopped, or does it wait for a disk?",
            since,
        )


def chia_notice(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """What Chia itself says is wrong."""
    severity = "bad" if entry.kind in _BAD_NOTICES else "warn" if entry.kind in _ODD_NOTICES else ""
    if severity:
        word = ChiaNotice.Kind.Name(entry.kind)
        yield Reason(severity, "kind", word, "Chia's own warning", plain(entry.text) or "It says no more.", entry.time)


def collector(entry: Any, machine: Machine, thresholds: Thresholds, now: float) -> Iterator[Reason]:  # noqa: ARG001
    """What waits for the server, and what found no room."""
    if entry.is_spooling:
        since = entry.spooling_since or None
        text = f"{count(entry.n_spooled_events)} events wait"
        advice = "The server could not be reached; they arrive when it is back, in order."
        yield Reason("warn", "is_spooling", text, "the server should be there", advice, since)
    if entry.n_dropped_events > 0:
        text = f"{count(entry.n_dropped_events)} events dropped"
        advice = "The spool was full: history has a gap, the state has not. See monitoring.client.spool_size."
        yield Reason("warn", "n_dropped_events", text, "should be 0", advice)
