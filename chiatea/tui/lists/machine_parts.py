"""One machine in lists: its parts and what is wrong with them, sensors, network, what its collector looks at."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Sensor
from chiatea.tui.drawing import UNKNOWN, count
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item, ListColumn, ListContent, items_of, text_of
from chiatea.tui.panels.hardware import rate_cell
from chiatea.tui.panels.panel import state_cell
from chiatea.tui.plain_text import plain
from chiatea.tui.reasons import reasons_of
from chiatea.tui.view import FarmView, Machine
from chiatea.units import short_duration

__all__ = ["network_content", "of_machine", "parts_content", "sensors_content", "sources_content"]

_SOURCE_STATES: Final = {
    Source.OK: ("fine", "good"),
    Source.ABSENT: ("not there", "muted"),
    Source.FAILING: ("failing", "warn"),
    Source.STALE: ("stale", "warn"),
}


def of_machine(content: ListContent, machine_id: str) -> ListContent:
    """A list of all machines whose first column names them, for one machine and without that column."""
    topic_items = content.items
    return replace(
        content,
        id=f"machine-{content.id}",
        columns=content.columns[1:],
        items=lambda view: (item for item in topic_items(view) if item.machine_id == machine_id),
        row=lambda view, machine, entry: content.row(view, machine, entry)[1:],
    )


def _entries(machine_id: str, topic: str) -> Any:
    return lambda view: items_of(view, topic, machines=[view.machine(machine_id)])


def parts_content(machine_id: str) -> ListContent:
    """What the machine has once: processor, memory, Chia's services, collector, copier; and what is wrong with each."""
    topics = [name for name, topic in TOPICS.items() if not topic.is_repeated]

    def items(view: FarmView) -> Iterable[Item]:
        held = view.machine(machine_id).state
        return [Item(machine_id, name) for name in topics if held.of(name)]

    def entry(view: FarmView, item: Item) -> Any:
        message = view.message(machine_id, item.topic, "")
        return None if message is None else (item.topic, message)

    def row(view: FarmView, machine: Machine, told: tuple[str, Any]) -> Sequence[Cell]:
        topic, message = told
        reasons = reasons_of(topic, message, machine, view.thresholds, view.now)
        state = state_cell("fine", "good")
        if reasons:
            more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            state = state_cell(reasons[0].value + more, reasons[0].severity)
        return [Cell(topic.replace("_", " "), "strong"), state]

    return ListContent(
        "parts",
        "Parts",
        (ListColumn("PART"), ListColumn("STATE", least=12, flashes=True)),
        items,
        row,
        lambda _, told: text_of(told[0]),
        lambda _: "",
        lambda _: ["This machine has told nothing yet."],
        "What this machine has once, and the worst that is known of it. Enter says why, and all else.",
        entry,
    )


def sensors_content(machine_id: str) -> ListContent:
    """Temperatures and fans."""

    def row(view: FarmView, machine: Machine, sensor: Any) -> Sequence[Cell]:
        unit = {Sensor.TEMPERATURE_CELSIUS: " °C", Sensor.FAN_RPM: " rpm"}.get(sensor.kind, "")
        reasons = reasons_of("sensor", sensor, machine, view.thresholds, view.now)

        def limit(value: float) -> Cell:
            return Cell(f"{value:.0f}{unit}" if value > 0 else UNKNOWN, "muted")

        value = Cell(f"{sensor.value:.0f}{unit}", reasons[0].severity if reasons else "normal")
        return [Cell(plain(sensor.id)), value, limit(sensor.high_value), limit(sensor.critical_value)]

    return ListContent(
        "sensors",
        "Sensors",
        (
            ListColumn("SENSOR", least=12, sort=lambda _, sensor: sensor.id),
            ListColumn("VALUE", ">", sort=lambda _, sensor: sensor.value),
            ListColumn("HIGH", ">", 2),
            ListColumn("CRITICAL", ">", 1),
        ),
        _entries(machine_id, "sensor"),
        row,
        lambda _, sensor: text_of(sensor.id),
        lambda _: "",
        lambda _: ["No sensor is told of."],
        "Temperatures and fans, with the limits that they tell of themselves: yellow from HIGH, red from CRITICAL.",
    )


def network_content(machine_id: str) -> ListContent:
    """Network interfaces."""

    def row(view: FarmView, machine: Machine, interface: Any) -> Sequence[Cell]:  # noqa: ARG001
        speed = interface.speed_megabits_per_second
        return [
            Cell(plain(interface.id)),
            state_cell("up", "good") if interface.is_up else state_cell("down", "muted"),
            rate_cell(interface, "received_bytes_per_second"),
            rate_cell(interface, "sent_bytes_per_second"),
            Cell(f"{count(speed)} Mbit/s" if speed > 0 else UNKNOWN, "muted"),
        ]

    return ListContent(
        "network",
        "Network",
        (
            ListColumn("INTERFACE", least=8, sort=lambda _, interface: interface.id),
            ListColumn("STATE", sort=lambda _, interface: interface.is_up, flashes=True),
            ListColumn("RECEIVED/s", ">", sort=lambda _, interface: interface.received_bytes_per_second),
            ListColumn("SENT/s", ">", sort=lambda _, interface: interface.sent_bytes_per_second),
            ListColumn("SPEED", ">", 1, sort=lambda _, interface: interface.speed_megabits_per_second),
        ),
        _entries(machine_id, "network_interface"),
        row,
        lambda _, interface: text_of(interface.id),
        lambda _: "",
        lambda _: ["No network interface is told of."],
        "Network interfaces, and what goes through them. SPEED is what the interface could do.",
    )


def sources_content(machine_id: str) -> ListContent:
    """Where the machine's collector looks."""

    def row(view: FarmView, machine: Machine, source: Any) -> Sequence[Cell]:  # noqa: ARG001
        news = view.now - source.last_news_time if source.last_news_time > 0 else None
        odd = source.n_not_understood
        return [
            Cell(plain(source.id)),
            state_cell(*_SOURCE_STATES.get(source.state, ("unknown", "muted"))),
            Cell(f"{short_duration(news)} ago" if news is not None else UNKNOWN, "muted"),
            Cell(count(odd), "warn" if odd else "muted"),
            Cell(plain(source.error or source.location), "muted"),
        ]

    return ListContent(
        "sources",
        "Sources",
        (
            ListColumn("SOURCE", sort=lambda _, source: source.id),
            ListColumn("STATE", sort=lambda _, source: source.state, flashes=True),
            ListColumn("NEWS", ">", 1, sort=lambda _, source: source.last_news_time),
            ListColumn("ODD LINES", ">", 3, sort=lambda _, source: source.n_not_understood),
            ListColumn("WHERE", "<", 2, least=12),
        ),
        _entries(machine_id, "source"),
        row,
        lambda _, source: text_of(source.id, source.location, source.error),
        lambda _: "",
        lambda _: ["Its collector has not told where it looks."],
        "Where this machine's collector looks. NEWS is how long ago there was something new, ODD LINES are lines of a "
        "log that were not understood. A source that is not there is not on this machine. Enter says why.",
    )
