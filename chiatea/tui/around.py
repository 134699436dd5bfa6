"""What may have kept a harvester from answering: which events around a missed challenge matter, and why. Pure."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chiatea.protobuf.chia_pb2 import ChiaNotice, HarvesterViewedFromFarmer, Source
from chiatea.protobuf.computer_info_pb2 import DELETE, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyJob
from chiatea.protobuf.descriptors import entry_of, topic_of
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.tui.drawing import percent, seconds
from chiatea.tui.plain_text import plain
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS, Thresholds

__all__ = ["AROUND_SECONDS", "Reason", "Scene", "reason_of"]

AROUND_SECONDS: Final = 90.0
"""A harvester is timed out after 60 s, and what kept it from answering began before."""
LEAST_FREE_RAM_PERCENT: Final = 5.0

_NOTICES: Final = {
    ChiaNotice.SLOW_LOOKUP: "warn",
    ChiaNotice.PLOT_ERROR: "warn",
    ChiaNotice.SKIPPED_SIGNAGE_POINTS: "warn",
    ChiaNotice.PEER_LOST: "bad",
    ChiaNotice.NODE_WARNING: "warn",
    ChiaNotice.HARVESTER_TIMED_OUT: "bad",
    ChiaNotice.SERVICE_ERROR: "bad",
}
_ACTIVE: Final = {CopyJob.COPYING: "is written to", CopyJob.VERIFYING: "is read back from"}
_STUCK: Final = {"disk-sleep": "waits for a disk", "stopped": "is stopped", "zombie": "has ended"}


class Scene(NamedTuple):
    """Which miss it is about: on whose machines, of which harvester.

    Attributes:
        machine_id: the harvester's; "" where no collector tells of it.
        farmer_id: the farmer's.
        harvester_id: the node id.
        miss_id: the missed challenge's own.
        thresholds: from where on a number is worth a word.
    """

    machine_id: str
    farmer_id: str
    harvester_id: str
    miss_id: str
    thresholds: Thresholds = DEFAULT_THRESHOLDS


class Reason(NamedTuple):
    """Why an event matters: what it is of, in words, and how bad that is."""

    text: str
    style: str


def reason_of(event: UpdateEvent, scene: Scene) -> Reason | None:
    """Why an event may have to do with a miss; None where it has not."""
    topic = topic_of(event)
    if topic is None or event.event_type == DELETE:
        return None
    entry: Any = entry_of(event, topic)
    if event.machine_id == scene.farmer_id and topic.name in _OF_FARMER:
        found = _OF_FARMER[topic.name](entry, scene)
        if found is not None:
            return found
    if event.machine_id == scene.machine_id and topic.name in _OF_HARVESTER:
        return _OF_HARVESTER[topic.name](entry, scene)
    return None


def _seen(entry: Any, scene: Scene) -> Reason | None:
    if entry.id != scene.harvester_id:
        return None
    words = {
        HarvesterViewedFromFarmer.TIMED_OUT: "the farmer had no answer for 60 s",
        HarvesterViewedFromFarmer.DISCONNECTED: "it was not connected to its farmer",
    }
    word = words.get(entry.state)
    return Reason(word, "bad") if word is not None else None


def _missed(entry: Any, scene: Scene) -> Reason | None:
    if entry.id == scene.miss_id:
        return None
    if entry.harvester_id == scene.harvester_id:
        return Reason("it missed other challenges too", "warn")
    return Reason("other harvesters missed challenges too", "warn")


def _notice_of_farmer(entry: Any, scene: Scene) -> Reason | None:
    is_of_it = not entry.harvester_id or entry.harvester_id == scene.harvester_id
    return _notice(entry) if is_of_it else None


def _notice(entry: Any) -> Reason | None:
    style = _NOTICES.get(entry.kind)
    return Reason(plain(entry.text) or "a warning without a text", style) if style is not None else None


def _source(entry: Any) -> Reason | None:
    return Reason(f"{plain(entry.id)} could not be read", "warn") if entry.state == Source.FAILING else None


def _node(entry: Any) -> Reason | None:
    if not entry.is_running:
        return Reason("the full node did not run", "bad")
    is_behind = entry.HasField("is_synced") and not entry.is_synced
    return Reason("the full node was not synced", "bad") if is_behind else None


def _farmer(entry: Any) -> Reason | None:
    return None if entry.is_running else Reason("the farmer did not run", "bad")


def _harvester(entry: Any, scene: Scene) -> Reason | None:
    if not entry.is_running:
        return Reason("the harvester did not run", "bad")
    if not entry.is_connected_to_farmer:
        return Reason("the harvester was not connected to a farmer", "bad")
    if entry.HasField("last_lookup_seconds") and entry.last_lookup_seconds >= scene.thresholds.lookup_seconds.warn:
        return Reason(f"a lookup took {seconds(entry.last_lookup_seconds)}", "warn")
    return None


def _disk(entry: Any, scene: Scene) -> Reason | None:
    words = {
        Disk.HANGING: "did not answer",
        Disk.MOUNT_LOST: "was not mounted any more",
        Disk.FAILING: "answered with errors",
    }
    if entry.state in words:
        return Reason(f"{plain(entry.id)} {words[entry.state]}", "bad")
    if entry.HasField("busy_percent") and entry.busy_percent >= scene.thresholds.disk_busy_percent.warn:
        return Reason(f"{plain(entry.id)} was {percent(entry.busy_percent)} busy", "warn")
    return None


def _copy(entry: Any) -> Reason | None:
    word = _ACTIVE.get(entry.state)
    if word is None:
        return None
    target = plain(entry.target_id) or "a target"
    return Reason(f"a copy: {target} {word}", "warn")


def _cpu(entry: Any, scene: Scene) -> Reason | None:
    is_full = entry.HasField("usage_percent") and entry.usage_percent >= scene.thresholds.cpu_percent.bad
    return Reason(f"the processor was {percent(entry.usage_percent)} busy", "warn") if is_full else None


def _ram(entry: Any) -> Reason | None:
    is_short = entry.total_bytes > 0 and entry.available_bytes < LEAST_FREE_RAM_PERCENT / 100 * entry.total_bytes
    return Reason("there was hardly any memory left", "warn") if is_short else None


def _process(entry: Any) -> Reason | None:
    word = _STUCK.get(entry.status)
    return Reason(f"{plain(entry.name)} {word}", "warn") if word is not None else None


def _collector(entry: Any) -> Reason | None:
    return Reason("its collector did not reach the server", "warn") if entry.is_spooling else None


_OF_FARMER: Final[dict[str, Callable[[Any, Scene], Reason | None]]] = {
    "farmer_harvester": _seen,
    "missed_challenge": _missed,
    "chia_notice": _notice_of_farmer,
    "full_node": lambda entry, _: _node(entry),
    "farmer": lambda entry, _: _farmer(entry),
    "source": lambda entry, _: _source(entry),
}
_OF_HARVESTER: Final[dict[str, Callable[[Any, Scene], Reason | None]]] = {
    "harvester": _harvester,
    "chia_notice": lambda entry, _: _notice(entry),
    "disk": _disk,
    "copy_job": lambda entry, _: _copy(entry),
    "cpu": _cpu,
    "ram": lambda entry, _: _ram(entry),
    "process": lambda entry, _: _process(entry),
    "collector": lambda entry, _: _collector(entry),
    "source": lambda entry, _: _source(entry),
}
