"""The farm at a glance: its machines, and what they have in all."""

from collections.abc import Iterator
from typing import Any

from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.totals import totals_of
from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell, Column, Line, Span, facts, note, table
from chiatea.tui.panels.panel import PanelContent, bar_cell, state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.shares import cpu_percent, disk_used_percent, ram_percent
from chiatea.tui.view import FarmView, Machine
from chiatea.units import format_bytes, short_duration

__all__ = ["PANEL"]

MOJO_PER_XCH = 10**12
MOST_WARNINGS = 4
"""Lines above the machines: more of them would hide what they are about."""
SKIPPED_WORTH_SAYING_SECONDS = 24 * 3600.0
SKIPPED_LATELY_SECONDS = 3600.0

_COLUMNS = (
    Column("MACHINE", least=10),
    Column("STATE"),
    Column("HEARD", ">", 2),
    Column("CPU", rank=3),
    Column("RAM", rank=4),
    Column("FULLEST DISK", rank=1),
    Column("PLOTS", ">"),
)


def lines(view: FarmView, width: int) -> list[Line]:
    """Warnings first, then machines, then totals."""
    machines = list(view.machines())
    if not machines:
        return [note("No machine has reported yet."), note("Run `chia-tea collect` on each machine of the farm.")]
    shown = [*_warnings(machines, view)]
    shown += table(_COLUMNS, ((m.id, _row(view, m), m.is_stale) for m in machines), width)
    shown.append(note(""))
    shown += _totals(view, machines)
    return shown


def _row(view: FarmView, machine: Machine) -> list[Cell]:
    cpu, ram, harvester = machine.one("cpu"), machine.one("ram"), machine.one("harvester")
    state = state_cell("online", "good") if machine.is_online else state_cell("offline", "bad")
    fullest = max((_used_percent(disk) for disk in machine.all("disk")), default=None)
    limits = view.thresholds
    return [
        Cell(machine.name, "strong"),
        state,
        Cell(short_duration(machine.age_seconds) if machine.age_seconds is not None else "never", "muted"),
        bar_cell(cpu_percent(cpu), limits.cpu_percent),
        bar_cell(ram_percent(ram), limits.ram_percent),
        bar_cell(fullest, limits.disk_used_percent),
        Cell(count(harvester.n_plots) if harvester is not None else UNKNOWN),
    ]


def _used_percent(disk: Any) -> float:
    """How full a disk is that can be written to."""
    used = disk_used_percent(disk)
    return used if used is not None and disk.state == Disk.OK else 0.0


def _warnings(machines: list[Machine], view: FarmView) -> Iterator[Line]:
    """The worst first, and a word on how many more there are."""
    told = [text for machine in machines for text in _silences(machine, view.now)]
    told += [text for machine in machines if (text := _doubts(machine, view))]
    shown = told if len(told) <= MOST_WARNINGS else told[: MOST_WARNINGS - 1]
    for text in shown:
        yield note(f"▲ {text}", "warn")
    if len(shown) < len(told):
        yield note(f"▲ and {len(told) - len(shown)} more; `chia-tea status --json` names them all", "warn")


def _silences(machine: Machine, now: float) -> Iterator[str]:
    for source in machine.all("source"):
        if source.state == Source.FAILING or (source.state == Source.STALE and source.error):
            yield f"{machine.name}: {plain(source.id)}: {plain(source.error)}"
        elif source.state == Source.STALE:
            since = f" for {short_duration(now - source.last_news_time)}" if source.last_news_time > 0 else ""
            yield f"{machine.name}: {plain(source.id)}: nothing new{since}"


def _doubts(machine: Machine, view: FarmView) -> str:
    """What is heard, and not to be relied upon in all: in one line for each machine."""
    told = []
    farmer, system = machine.one("farmer"), machine.one("system")
    if farmer is not None and view.now - farmer.last_skipped_time < SKIPPED_LATELY_SECONDS:
        told.append(_skipped(farmer, view.now))
    ahead = system.clock_ahead_seconds if system is not None else 0.0
    if view.thresholds.clock_seconds.level(abs(ahead)) in ("warn", "bad"):
        told.append(f"clock {short_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's")
    told += [
        f"{count(source.n_not_understood)} {plain(source.id).removeprefix('chia ')} lines not understood"
        for source in machine.all("source")
        if source.n_not_understood and source.state not in {Source.FAILING, Source.STALE}
    ]
    return f"{machine.name}: {', '.join(told)}" if told else ""


def _skipped(farmer: Any, now: float) -> str:
    since = short_duration(now - farmer.last_skipped_time)
    return f"{count(farmer.n_skipped_signage_points)} points skipped, last {since} ago"


def _totals(view: FarmView, machines: list[Machine]) -> Iterator[Line]:
    totals = totals_of(view.farm)
    if totals.n_harvesters:
        plots = [Span(f"{count(totals.n_plots)} plots", "strong")]
        if totals.n_plots_v2:
            plots.append(Span(f"{count(totals.n_plots_v1)} v1, {count(totals.n_plots_v2)} v2"))
        if totals.total_plot_bytes:
            plots.append(Span(format_bytes(totals.total_plot_bytes)))
            plots.append(Span(f"effective {format_bytes(totals.effective_plot_bytes)}"))
        if totals.n_plots_failed_to_open:
            plots.append(Span(f"✗ {count(totals.n_plots_failed_to_open)} failed to open", "bad"))
        yield facts("Plots", plots)
        proofs = Span(f"{count(totals.n_proofs)} proofs", "good" if totals.n_proofs else "normal")
        farming = [Span(f"{count(totals.n_eligible_plots)} eligible"), proofs]
        yield facts("Farming", [*farming, Span(f"{count(totals.n_challenges)} challenges", "muted")])
    yield from _node(machines, view.now)
    yield from _wallet(machines)
    if not totals.n_harvesters:
        yield facts("Chia", [Span("none seen on these machines", "muted")])
    free = f"{format_bytes(totals.disk_free_bytes)} free of {format_bytes(totals.disk_total_bytes)}"
    yield facts("Disks", [Span(count(totals.n_disks)), Span(free)])


def _node(machines: list[Machine], now: float) -> Iterator[Line]:
    for machine in machines:
        node, farmer = machine.one("full_node"), machine.one("farmer")
        if node is not None:
            synced = "✓ synced" if node.is_synced else "▲ syncing" if node.is_syncing else "✗ not synced"
            state = synced if node.is_running else "✗ not running"
            style = "good" if node.is_synced and node.is_running else "warn" if node.is_syncing else "bad"
            told = [Span(state, style), Span(f"height {count(node.peak_height)}")]
            if node.HasField("netspace_bytes"):
                told.append(Span(f"netspace {format_bytes(node.netspace_bytes)}"))
            yield facts("Full node", told)
        if farmer is not None:
            state, style = ("● running", "good") if farmer.is_running else ("✗ not running", "bad")
            told = [Span(state, style), Span(f"{farmer.n_harvesters} harvesters")]
            if farmer.HasField("expected_seconds_to_win"):
                told.append(Span(f"a win each {short_duration(farmer.expected_seconds_to_win)}"))
            if SKIPPED_LATELY_SECONDS <= now - farmer.last_skipped_time < SKIPPED_WORTH_SAYING_SECONDS:
                told.append(Span(_skipped(farmer, now), "muted"))
            yield facts("Farmer", told)


def _wallet(machines: list[Machine]) -> Iterator[Line]:
    for machine in machines:
        wallet = machine.one("wallet")
        if wallet is None:
            continue
        state, style = ("✓ synced", "good") if wallet.is_synced else ("▲ not synced", "warn")
        if not wallet.is_running:
            state, style = "✗ not running", "bad"
        told = [Span(state, style)]
        if wallet.HasField("confirmed_balance_mojo"):
            told.append(Span(f"{wallet.confirmed_balance_mojo / MOJO_PER_XCH:,.4f} XCH", "strong"))
        if wallet.farmed_mojo:
            told.append(Span(f"{wallet.farmed_mojo / MOJO_PER_XCH:,.4f} farmed"))
        yield facts("Wallet", told)


def digest(view: FarmView) -> Line:
    """Machines and plots."""
    totals = totals_of(view.farm)
    n_offline = totals.n_machines - totals.n_machines_online
    spans = [Span(f"● {totals.n_machines_online} online", "good")]
    if n_offline:
        spans.append(Span(f"  ✗ {n_offline} offline", "bad"))
    if totals.n_failing_sources:
        spans.append(Span(f"  ▲ {totals.n_failing_sources} not readable", "warn"))
    if totals.n_plots_failed_to_open:
        spans.append(Span(f"  ✗ {count(totals.n_plots_failed_to_open)} failed to open", "bad"))
    spans.append(Span(f"  {count(totals.n_plots)} plots"))
    return Line(tuple(spans))


def summary(view: FarmView) -> str:
    """How many machines are online."""
    totals = totals_of(view.farm)
    return f"{totals.n_machines_online} of {totals.n_machines} online"


PANEL = PanelContent(
    "farm",
    "Farm",
    lines,
    digest,
    summary,
    "Machines, and what the farm has in all. HEARD is how long ago a machine last told something; a machine that is "
    "offline or silent is dimmed. FULLEST DISK is {disk_used_percent}, CPU {cpu_percent}, RAM {ram_percent}. "
    "A yellow line on top names a source that a collector cannot read or that says nothing new, log lines that no "
    "pattern took, a clock that is off the server's ({clock_seconds}), or signage points that the full node never "
    'saw ("skipped") in the last hour.',
)
