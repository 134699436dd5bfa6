"""A server that has a past for the sample farm: waves, growth and counters, the same each time; for pictures."""

import math
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from chiatea.protobuf.chia_pb2 import ChiaNotice, HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyJob
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import (
    EventPage,
    HistoryReply,
    HistoryRequest,
    QueryEventsRequest,
    Series,
)
from chiatea.state.farm_state import FarmState

from .plot_server import PlotServer
from .sample_farm import GIB, NOW, TIB

__all__ = ["PastServer"]

LAST_HEARD = {"c": NOW - 3 * 3600}
"""Machine c is away."""
COUNTERS = ("n_challenges_owed", "n_challenges_answered")
SECONDS_PER_POINT = 9.375


class PastServer(PlotServer):
    """Answers from what the farm is now."""

    def __init__(self, farm: FarmState) -> None:
        super().__init__(699)
        self._farm = farm
        self.past = list(_events())

    async def history(self, request: HistoryRequest) -> HistoryReply:
        self._ask(request)
        state = self._farm.machines.get(request.machine_id)
        held = state.of(request.topic) if state is not None else {}
        wanted = [identity for identity in held if not request.entry_ids or str(identity) in request.entry_ids]
        return HistoryReply(
            series=[
                _series(request, str(identity), field, held[identity].message)
                for identity in sorted(wanted, key=str)
                for field in request.fields
            ]
        )

    async def event_page(self, request: QueryEventsRequest) -> EventPage:
        self._ask(request)
        return EventPage(events=reversed([] if request.page_token else list(self._found(request))))

    async def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        self._ask(request)
        found = [] if request.follow else list(self._found(request))
        for event in reversed(found) if request.newest_first else found:
            yield event
        while request.follow:
            yield await self.coming.get()

    def _found(self, request: QueryEventsRequest) -> Iterator[UpdateEvent]:
        for event in self.past:
            topic = event.WhichOneof("event_data") or ""
            text = str(event).lower()
            if (
                (not request.topics or topic in request.topics)
                and (not request.machine_ids or event.machine_id in request.machine_ids)
                and (not request.HasField("since") or event.timestamp >= request.since)
                and all(word in text for word in request.text.lower().split())
            ):
                yield event


def _series(request: HistoryRequest, identity: str, field: str, message: Any) -> Series:
    series = Series(entry_id=identity, field=field)
    if message.DESCRIPTOR.fields_by_name[field].has_presence and not message.HasField(field):
        return series
    now = float(getattr(message, field))
    step_seconds = (request.until - request.since) / request.n_steps
    phase = zlib.crc32(f"{request.machine_id}{identity}{field}".encode()) % 100
    for index in range(request.n_steps):
        time = request.since + (index + 0.5) * step_seconds
        if time > LAST_HEARD.get(request.machine_id, math.inf):
            break
        value = _value(field, now, time, phase)
        spread = 0.0 if field.startswith(("n_", "missed", "used", "state")) else value * 0.08
        series.steps.add(index=index, least=value - spread, mean=value, greatest=value + spread, last=value, n_events=3)
    return series


def _value(field: str, now: float, time: float, phase: int) -> float:
    ago = NOW - time
    if field == "state":
        return now
    if field in COUNTERS:
        return max(0.0, now - ago // SECONDS_PER_POINT)
    if field.startswith("n_") or field == "missed_challenges":
        # One every two hours or so, and the newest ones close together.
        return max(0.0, now - ago // 7000 - (5 if ago > 80 else 0) * (now > 5))
    if field == "used_bytes":
        return max(0.0, now - ago / 86400 * 0.04 * TIB)
    hours = time / 3600 + phase
    return max(0.0, now * (0.82 + 0.14 * math.sin(hours * 2.1) + 0.08 * math.sin(hours * 17)))


def _event(machine_id: str, seconds_ago: float, message: Any, kind: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(machine_id=machine_id, timestamp=NOW - seconds_ago, event_type=kind)  # type: ignore[arg-type]
    name = next(name for name, topic in TOPICS.items() if topic.message_name == type(message).__name__)
    getattr(event, name).CopyFrom(message)
    return event


def _events() -> Iterator[UpdateEvent]:
    """The oldest first."""
    usb = {"device": "/dev/sdb1", "filesystem_type": "xfs"}
    yield _event("c", 10_800, Disk(id="/srv/plots", state=Disk.OK, total_bytes=14 * TIB, free_bytes=2 * TIB))
    yield _event("a", 5400, ChiaNotice(id="p", kind=ChiaNotice.PROOF_FOUND, time=NOW - 5400, text="found 1 proof"), ADD)
    yield _event("b", 3600, Disk(id="/mnt/usb-b", state=Disk.OK, total_bytes=7 * TIB, free_bytes=GIB, **usb))  # type: ignore[arg-type]
    for minutes, state in ((48, CopyJob.COPYING), (21, CopyJob.VERIFYING), (12, CopyJob.DONE)):
        yield _event(
            "a",
            minutes * 60,
            CopyJob(
                id="j7",
                state=state,
                source_filepath="/mnt/plotting/plot-k32-c05-2026-11-23-17-10-5e30bb21.plot",
                target_id="/mnt/plots2",
                total_bytes=87 * GIB,
            ),
            ADD if minutes == 48 else UPDATE,
        )
    slow = "slow lookup of 12.40 s on /mnt/usb-b/plot-k32-2021-08-01-11-12-77aa.plot"
    yield _event("b", 118, ChiaNotice(id="s", kind=ChiaNotice.SLOW_LOOKUP, time=NOW - 118, text=slow), ADD)
    yield _event("b", 102, Disk(id="/mnt/usb-b", state=Disk.HANGING, **usb))  # type: ignore[arg-type]
    yield _event("b", 20, HarvesterPlot(id="/mnt/usb-b/plot-k32-2021-08-01-11-12-77aa.plot"), DELETE)
