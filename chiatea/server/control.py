"""The service by which people steer copiers: orders come from them, go to the copier, and its answers come back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from chiatea.errors import ChiaTeaError, ProtocolError
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import COPIER, ControlCopyRequest, CopierMessage
from chiatea.protobuf.monitoring_service_pb2_grpc import CopyControlServicer
from chiatea.security.tokens import TokenEntry
from chiatea.server.commands import Commands, Order
from chiatea.server.services import MAX_NAME_LENGTH, checked_machine_id
from chiatea.state.farm_state import FarmState

__all__ = ["CopyControlService"]

_log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 10.0
"""How long a command waits for what its copier answers."""
ABSENT_SECONDS: Final = 2.0
"""How long where there is no copier: one that lost the server for a moment is back by then."""
_MAX_JOBS: Final = 1000
_MAX_PATH_LENGTH: Final = 4096
_NEEDS: Final = {
    CopyCommand.PAUSE: ("job_ids",),
    CopyCommand.RESUME: ("job_ids",),
    CopyCommand.CANCEL: ("job_ids",),
    CopyCommand.RETRY: ("job_ids",),
    CopyCommand.SET_PRIORITY: ("job_ids", "priority"),
    CopyCommand.MOVE: ("job_ids", "target_id"),
    CopyCommand.PAUSE_ALL: (),
    CopyCommand.RESUME_ALL: (),
    CopyCommand.DRAIN_TARGET: ("target_id",),
    CopyCommand.RELEASE_TARGET: ("target_id",),
    CopyCommand.SET_BANDWIDTH: ("max_bytes_per_second",),
}
"""The fields that each action cannot do without."""


class CopyControlService(CopyControlServicer):
    """CopyControl of protocol/chiatea/protobuf/monitoring_service.proto."""

    def __init__(
        self,
        farm: FarmState,
        commands: Commands,
        caller: Callable[["grpc.aio.ServicerContext[Any, Any]"], TokenEntry | None],
    ) -> None:
        """`caller` tells whose token a call came with."""
        self._farm = farm
        self._commands = commands
        self._caller = caller

    async def CopierSession(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[CopierMessage], context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[CopyCommand]:
        """A copier is there: it gets commands and says what became of them."""
        first = await anext(aiter(request_iterator), None)
        if first is None:
            return
        if first.WhichOneof("message") != "hello" or first.hello.reporter != COPIER:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a copier's hello")
        machine_id = await checked_machine_id(first.hello.machine_id, context)
        caller = self._caller(context)
        if caller is None or caller.machine_id not in {None, machine_id}:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this token is for another machine")
        orders: asyncio.Queue[CopyCommand | None] = asyncio.Queue()
        deliver = orders.put_nowait
        reader = asyncio.create_task(self._read(machine_id, request_iterator, orders))
        self._commands.connect(machine_id, deliver)
        try:
            while (command := await orders.get()) is not None:
                yield command
            if not reader.done():
                await context.abort(grpc.StatusCode.ABORTED, "another copier of this machine took over")
        finally:
            reader.cancel()
            self._commands.disconnect(machine_id, deliver)

    async def _read(
        self, machine_id: str, messages: AsyncIterator[CopierMessage], orders: "asyncio.Queue[CopyCommand | None]"
    ) -> None:
        try:
            async for message in messages:
                if message.WhichOneof("message") == "answer":
                    self._commands.answer(machine_id, message.answer)
        finally:
            orders.put_nowait(None)

    async def ControlCopy(  # noqa: N802 - gRPC's name
        self, request: ControlCopyRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> CopyCommand:
        """One command, answered when it is done or refused, or as PENDING when that takes too long."""
        machine_id = await checked_machine_id(request.machine_id, context)
        known = machine_id in self._farm.machines
        fault = _fault_of(request.command) if known else f"there is no machine {machine_id}"
        if fault:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, fault)
        try:
            given = self._commands.give(machine_id, request.command, _named(self._caller(context)))
        except ProtocolError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        except ChiaTeaError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, error.message)
        return given if isinstance(given, CopyCommand) else await self._answer_to(given)

    async def _answer_to(self, order: Order) -> CopyCommand:
        try:
            async with asyncio.timeout(ABSENT_SECONDS):
                await order.finished.wait()
        except TimeoutError:
            if not self._commands.has_copier(order.machine_id):
                return order.command
        try:
            async with asyncio.timeout(ANSWER_SECONDS - ABSENT_SECONDS):
                await order.finished.wait()
        except TimeoutError:
            _log.warning("the copier of %s does not answer", self._farm.name_of(order.machine_id))
        return order.command


def _fault_of(command: CopyCommand) -> str:
    """Why a command cannot be one; "" where it can."""
    if not _is_name(command.id) or not all(map(_is_name, command.job_ids)):
        return f"the id of a command, and of a job, is 1 to {MAX_NAME_LENGTH} printable characters"
    if command.action not in _NEEDS:
        return "this server knows no such action"
    for needed in _NEEDS[command.action]:
        if not (command.job_ids if needed == "job_ids" else command.HasField(needed)):  # type: ignore[arg-type]
            return f"{CopyCommand.Action.Name(command.action)} needs {needed}"
    if len(command.job_ids) > _MAX_JOBS or len(command.target_id) > _MAX_PATH_LENGTH:
        return f"a command is for {_MAX_JOBS} jobs at most, and a path has {_MAX_PATH_LENGTH} characters at most"
    if command.max_bytes_per_second < 0:
        return "max_bytes_per_second is 0 or more: 0 is no limit"
    return ""


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()


def _named(caller: TokenEntry | None) -> str:
    """Who sent a command, as it stands in the history."""
    return f"{caller.name or caller.id} ({caller.role})" if caller is not None else "nobody"
