"""All machines: whether they are heard of, and how busy they are."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chiatea.tui.drawing import UNKNOWN
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, text_of
from chiatea.tui.panels.hardware import n_not_fine
from chiatea.tui.panels.panel import bar_cell, state_cell
from chiatea.tui.shares import cpu_percent, ram_percent, swap_percent
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["MACHINES", "MACHINE_TOPIC"]

MACHINE_TOPIC: Final = "machine"
"""Of an item that is a whole machine: no topic of the protocol has that name."""


def _told(topic: str, name: str) -> Any:
    def value(machine: Machine, _: Any) -> Any:
        entry = machine.one(topic)
        return getattr(entry, name) if entry is not None and entry.HasField(name) else None

    return value


_celsius, _load = _told("cpu", "temperature_celsius"), _told("cpu", "load_1_minute")

_COLUMNS: Final = (
    ListColumn("MACHINE", least=8, sort=lambda machine, _: machine.name),
    ListColumn("STATE", sort=lambda machine, _: machine.is_online, flashes=True),
    ListColumn("HEARD", ">", 2, sort=lambda machine, _: machine.age_seconds),
    ListColumn("CPU", sort=lambda machine, _: cpu_percent(machine.one("cpu"))),
    ListColumn("RAM", sort=lambda machine, _: ram_percent(machine.one("ram"))),
    ListColumn("SWAP", ">", 5, sort=lambda machine, _: swap_percent(machine.one("ram"))),
    ListColumn("TEMP", ">", 3, sort=_celsius),
    ListColumn("LOAD", ">", 4, sort=_load),
    ListColumn("DISKS", "<", 1, sort=lambda machine, _: n_not_fine(machine.all("disk")), flashes=True),
)


def _items(view: FarmView) -> Iterable[Item]:
    return (Item(machine.id, MACHINE_TOPIC) for machine in view.machines())


def _row(view: FarmView, machine: Machine, _: Any) -> Sequence[Cell]:
    limits, ram = view.thresholds, machine.one("ram")
    celsius, load, swap = _celsius(machine, None), _load(machine, None), swap_percent(ram)
    return [
        Cell(machine.name, "strong"),
        _state(machine),
        Cell(short_duration(machine.age_seconds) if machine.age_seconds is not None else "never", "muted"),
        bar_cell(cpu_percent(machine.one("cpu")), limits.cpu_percent),
        bar_cell(ram_percent(ram), limits.ram_percent),
        Cell(f"{swap:.0f} %" if swap is not None else UNKNOWN, limits.swap_percent.quiet_level(swap)),
        Cell(f"{celsius:.0f} °C" if celsius is not None else UNKNOWN, limits.cpu_celsius.quiet_level(celsius)),
        Cell(f"{load:.2f}" if load is not None else UNKNOWN, "muted"),
        _disks(machine),
    ]


def _state(machine: Machine) -> Cell:
    if not machine.is_online:
        return state_cell("offline", "bad")
    return state_cell("silent", "warn") if machine.is_stale else state_cell("online", "good")


def _disks(machine: Machine) -> Cell:
    disks = machine.all("disk")
    odd = n_not_fine(disks)
    return state_cell(f"{odd} of {len(disks)} not fine", "bad") if odd else Cell(f"{len(disks)}", "muted")


def _text(machine: Machine, _: Any) -> str:
    cpu = machine.one("cpu")
    return text_of(machine.name, _state(machine).text, cpu.name if cpu is not None else "")


def _summary(view: FarmView) -> str:
    machines = list(view.machines())
    return f"{sum(machine.is_online for machine in machines)} of {len(machines)} online"


MACHINES: Final = ListContent(
    "machines",
    "Machines",
    _COLUMNS,
    _items,
    _row,
    _text,
    _summary,
    lambda _: ["No machine has reported yet.", "Run `chia-tea collect` on each machine of the farm."],
    "HEARD is how long ago a machine last told something. CPU: {cpu_percent}. RAM: {ram_percent}. SWAP: "
    "{swap_percent}. TEMP is the processor's hottest sensor: {cpu_celsius}. LOAD is how many processes wanted a core "
    "in the last minute. DISKS that hang, fail, are lost or unhealthy are not fine. Enter opens a machine.",
    lambda view, item: view.machine(item.machine_id),
)
