"""Orders to copiers, as whoever gives them sends them."""

import asyncio
import secrets
import time
from typing import Final

import grpc

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import ControlCopyRequest
from chiatea.protobuf.monitoring_service_pb2_grpc import CopyControlStub
from chiatea.wire.backoff import Backoff
from chiatea.wire.channel import Server, as_connection_error

__all__ = ["new_command_id", "send_command"]

LIMIT_SECONDS: Final = 20.0
"""The server answers within ten seconds, be it that the command still waits."""
RETRY_SECONDS: Final = 5.0
"""A server that is lost before it answered is asked again for so long: it may only be starting anew."""
_LOST: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def new_command_id() -> str:
    """An id that no other command has."""
    return secrets.token_hex(8)


async def send_command(channel: grpc.aio.Channel, server: Server, machine_id: str, command: CopyCommand) -> CopyCommand:
    """Gives a command to the copier of a machine, and tells what became of it.

    It is sent again where the server is lost meanwhile: it has an id, and is done once.

    Raises:
        ConnectionFailedError: when the server cannot be reached, refuses us, or finds the command wrong.
    """
    request = ControlCopyRequest(machine_id=machine_id, command=command)
    backoff, until = Backoff(), time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return await CopyControlStub(channel).ControlCopy(request, timeout=LIMIT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ConnectionFailedError(
                    f"the server at {server.address} did not answer within {LIMIT_SECONDS:g} s",
                    "`chia-tea events --topic copy_command` shows whether it took the command",
                ) from None
            if error.code() not in _LOST or time.monotonic() > until:
                raise as_connection_error(error, server.address) from None
        except asyncio.CancelledError:
            # A reset by the peer arrives as a cancelled call, which is not our own task's cancellation.
            task = asyncio.current_task()
            if (task is not None and task.cancelling()) or time.monotonic() > until:
                raise
        await asyncio.sleep(backoff.next_seconds())
