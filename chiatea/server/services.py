"""The gRPC services: what arrives goes to ingest, what leaves comes from the farm's state, the hub and history."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import grpc

from chiatea.errors import ChiaTeaError, ProtocolError
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import (
    COPIER,
    BatchAck,
    EntryPage,
    EventPage,
    HistoryReply,
    HistoryRequest,
    ListEntriesRequest,
    MachineStateChunk,
    MachineStateRequest,
    QueryEventsRequest,
    Reporter,
    ReporterHello,
    ReporterMessage,
    SubscribeRequest,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringServicer
from chiatea.security.tokens import TokenEntry
from chiatea.server.hub import CHUNK_BYTES, Hub
from chiatea.server.ingest import Ingest, last_sequence
from chiatea.server.session import Acks, Session
from chiatea.server.storage import PastEvents
from chiatea.state.farm_state import FarmState
from chiatea.state.reporters import TOPICS_OF

__all__ = ["MonitoringService"]

_log = logging.getLogger(__name__)

SLOW_SUBSCRIBER_SECONDS: Final = 60.0
"""A subscriber that takes nothing for so long is gone, or as good as gone."""
MAX_NAME_LENGTH: Final = 100


class MonitoringService(MonitoringServicer):
    """The service of protocol/monitoring_service.proto."""

    def __init__(
        self,
        farm: FarmState,
        ingest: Ingest,
        hub: Hub,
        history: PastEvents,
        acks: Acks,
        *,
        caller: Callable[["grpc.aio.ServicerContext[Any, Any]"], TokenEntry | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Serves one farm. `caller` tells whose token a call came with."""
        self._acks = acks
        self._caller = caller
        self._farm = farm
        self._ingest = ingest
        self._hub = hub
        self._history = history
        self._clock = clock
        self._sessions: dict[tuple[str, Reporter.ValueType], asyncio.Event] = {}

    async def GetMachineState(  # noqa: N802 - gRPC's name
        self, request: MachineStateRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[MachineStateChunk]:
        """The last state of one machine, in chunks; one empty chunk where it is not known."""
        machine_id = await checked_machine_id(request.machine_id, context)
        info = self._farm.infos.get(machine_id)
        sequence = last_sequence(info, request.reporter) if info is not None else 0
        state = self._farm.machines.get(machine_id)
        is_empty = True
        topics = TOPICS_OF[request.reporter]
        if request.topics:
            topics = topics.intersection(request.topics)
        if state is not None:
            for part in state.copy(topics).parts(max_bytes=CHUNK_BYTES):
                is_empty = False
                yield MachineStateChunk(part=part, last_sequence=sequence)
        if is_empty:
            yield MachineStateChunk(last_sequence=sequence)

    async def SendMonitoringUpdate(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[ReporterMessage], context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[BatchAck]:
        """Takes the batches of one collector or copier and acks each once it is committed."""
        first = await anext(aiter(request_iterator), None)
        if first is None:
            return
        if first.WhichOneof("message") != "hello":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a hello")
        hello = first.hello
        machine_id = await checked_machine_id(hello.machine_id, context)
        if hello.reporter not in TOPICS_OF:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this server knows no such reporter")
        stopped = self._begin(machine_id, hello, context.peer())
        session = Session(self._ingest, self._acks, machine_id, hello.reporter, stopped)
        reader = asyncio.create_task(session.read(request_iterator))
        try:
            async for sequence in session.committed():
                yield BatchAck(sequence=sequence, server_time=self._clock())
            if stopped.is_set():
                await context.abort(grpc.StatusCode.ABORTED, "another one of this machine took over")
            if session.fault:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, session.fault)
        finally:
            reader.cancel()
            self._end(machine_id, hello.reporter, stopped)

    def _begin(self, machine_id: str, hello: ReporterHello, peer: str) -> asyncio.Event:
        previous = self._sessions.get((machine_id, hello.reporter))
        if previous is not None:
            previous.set()
        stopped = self._sessions[machine_id, hello.reporter] = asyncio.Event()
        now = self._clock()
        info = self._info(machine_id)
        info.name = hello.machine_name[:MAX_NAME_LENGTH] or machine_id
        info.ip_address = _address_of(peer)
        info.first_seen = info.first_seen or now
        info.last_seen = now
        _set_online(info, hello.reporter, is_online=True)
        info.chia_tea_version = hello.chia_tea_version[:MAX_NAME_LENGTH]
        self._ingest.touch(machine_id)
        _log.info("%s of %s connected from %s", Reporter.Name(hello.reporter), info.name, info.ip_address)
        return stopped

    def _end(self, machine_id: str, reporter: "Reporter.ValueType", stopped: asyncio.Event) -> None:
        if self._sessions.get((machine_id, reporter)) is not stopped:
            return
        del self._sessions[machine_id, reporter]
        info = self._info(machine_id)
        _set_online(info, reporter, is_online=False)
        self._ingest.touch(machine_id)
        _log.info("%s of %s disconnected", Reporter.Name(reporter), info.name)

    def _info(self, machine_id: str) -> MachineInfo:
        info = MachineInfo(machine_id=machine_id)
        held = self._farm.infos.get(machine_id)
        if held is not None:
            info.CopyFrom(held)
        self._farm.apply_info(info)
        return info

    async def Subscribe(  # type: ignore[override]  # noqa: N802 - gRPC's name; writes by itself, with a time limit
        self, request: SubscribeRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        """A snapshot, then deltas, until the subscriber goes."""
        _log.debug("subscriber %s", context.peer())
        caller, is_first = self._caller(context), True
        async for message in self._hub.messages(request):
            if is_first and caller is not None:
                # Its own message, as no later one is: frames are shared.
                message.role, is_first = caller.role, False
            try:
                await asyncio.wait_for(context.write(message), SLOW_SUBSCRIBER_SECONDS)
            except TimeoutError:
                _log.warning("subscriber %s reads nothing and is dropped", context.peer())
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "nothing was read for too long")

    async def ListEntries(  # noqa: N802 - gRPC's name
        self, request: ListEntriesRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> EntryPage:
        """One page of the entries of a topic."""
        try:
            counts = {machine_id: len(state.of(request.topic)) for machine_id, state in self._farm.machines.items()}
            return await self._history.entries(request, counts)
        except ChiaTeaError as error:
            return await _abort(error, context)

    async def QueryHistory(  # noqa: N802 - gRPC's name
        self, request: HistoryRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> HistoryReply:
        """How numbers of one topic went over time."""
        try:
            return await self._history.series(request)
        except ChiaTeaError as error:
            return await _abort(error, context)

    async def QueryEvents(  # noqa: N802 - gRPC's name
        self, request: QueryEventsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[EventPage]:
        """History in pages."""
        try:
            async for page in self._history.pages(request, self._hub.next_commit):
                yield page
        except ChiaTeaError as error:
            await _abort(error, context)


async def _abort(error: ChiaTeaError, context: "grpc.aio.ServicerContext[Any, Any]") -> NoReturn:
    """What is wrong with a question is told to who asked it; what is wrong with the server, to its log."""
    if isinstance(error, ProtocolError):
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    _log.error("the database cannot be read: %s", error)
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the database cannot be read now: see the server's log")


def _set_online(info: MachineInfo, reporter: "Reporter.ValueType", *, is_online: bool) -> None:
    if reporter == COPIER:
        info.copier_online = is_online
    else:
        info.online = is_online


async def checked_machine_id(machine_id: str, context: "grpc.aio.ServicerContext[Any, Any]") -> str:
    if not machine_id or len(machine_id) > MAX_NAME_LENGTH or not machine_id.isprintable():
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a machine id is 1 to 100 printable characters")
    return machine_id


def _address_of(peer: str) -> str:
    """The address in gRPC's name of a peer, as "ipv4:127.0.0.1:5000" or "ipv6:%5B::1%5D:5000"."""
    without_kind = unquote(peer).partition(":")[2]
    return without_kind.rpartition(":")[0].strip("[]") or peer
