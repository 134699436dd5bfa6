"""The copier's line to the server: commands come, and what became of them goes back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from chiatea import __version__
from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import COPIER, CopierMessage, ReporterHello
from chiatea.protobuf.monitoring_service_pb2_grpc import CopyControlStub
from chiatea.wire.backoff import Backoff
from chiatea.wire.channel import Server, as_connection_error, open_channel

__all__ = ["Session"]

_log = logging.getLogger(__name__)


class Session:
    """One copier's side of `CopierSession`."""

    def __init__(
        self,
        server: Server,
        machine_id: str,
        machine_name: str,
        obey: Callable[[CopyCommand], Awaitable[CopyCommand]],
        answers: Callable[[], list[CopyCommand]],
    ) -> None:
        """`obey` does a command and tells what became of it; `answers` are those that a server may have missed."""
        self._server = server
        self._machine_id = machine_id
        self._machine_name = machine_name
        self._obey = obey
        self._answers = answers
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Takes commands for ever, through every loss of the connection. That one is lost the reports say already."""
        backoff = Backoff()
        try:
            while True:
                failure = await self._follow(backoff)
                _log.debug("no commands come: %s", failure)
                await asyncio.sleep(backoff.next_seconds())
        finally:
            for task in self._under_way:
                task.cancel()

    async def _follow(self, backoff: Backoff) -> ConnectionFailedError:
        """One connection, from its beginning to its end; returns why it ended."""
        says: asyncio.Queue[CopyCommand] = asyncio.Queue()
        for answer in self._answers():
            says.put_nowait(answer)
        try:
            async with open_channel(self._server) as channel:
                async for command in CopyControlStub(channel).CopierSession(self._messages(says)):
                    backoff.succeeded()
                    # In the order in which they came: each begins before the next is looked at.
                    task = asyncio.create_task(self._answer(command, says))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
        except grpc.aio.AioRpcError as error:
            return as_connection_error(error, self._server.address)
        except asyncio.CancelledError:
            # A reset by the peer arrives as a cancelled call, which is not our own task's cancellation.
            task_now = asyncio.current_task()
            if task_now is not None and task_now.cancelling():
                raise
            return ConnectionFailedError(f"the server at {self._server.address} cut the connection")
        return ConnectionFailedError(f"the server at {self._server.address} ended the connection")

    async def _answer(self, command: CopyCommand, says: "asyncio.Queue[CopyCommand]") -> None:
        answer = await self._obey(command)
        _log.info("%s ordered %s: %s", command.sender, CopyCommand.Action.Name(command.action), answer.result or "done")
        says.put_nowait(answer)

    async def _messages(self, says: "asyncio.Queue[CopyCommand]") -> AsyncIterator[CopierMessage]:
        yield CopierMessage(
            hello=ReporterHello(
                machine_id=self._machine_id,
                machine_name=self._machine_name,
                chia_tea_version=__version__,
                reporter=COPIER,
            )
        )
        while True:
            yield CopierMessage(answer=await says.get())
