"""What a machine's collector told the server, for another part of chia-tea on the same machine."""

from collections.abc import Sequence

import grpc

from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, MachineStateRequest
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.state.machine_state import MachineState
from chiatea.wire.channel import Server, as_connection_error, open_channel

__all__ = ["MachineFacts"]


class MachineFacts:
    """Asks now and then, over one connection. A collector's token is enough."""

    def __init__(self, server: Server, machine_id: str, topics: Sequence[str]) -> None:
        """Connects when it is first asked; `topics` are few, and short."""
        self._server = server
        self._request = MachineStateRequest(machine_id=machine_id, reporter=COLLECTOR, topics=topics)
        self._channel: grpc.aio.Channel | None = None

    async def ask(self, *, limit_seconds: float) -> MachineState:
        """Those topics as they are now; empty where the server knows nothing of them.

        Raises:
            ConnectionFailedError: the server cannot be reached, refuses us or takes longer than the limit.
        """
        state = MachineState()
        channel = self._channel = self._channel or open_channel(self._server)
        try:
            async for chunk in MonitoringStub(channel).GetMachineState(self._request, timeout=limit_seconds):
                state.merge(chunk.part)
        except grpc.aio.AioRpcError as error:
            raise as_connection_error(error, self._server.address) from None
        return state

    async def close(self) -> None:
        """Ends the connection."""
        if self._channel is not None:
            await self._channel.close()
