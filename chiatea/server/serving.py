"""`chia-tea serve`: the server's parts put together, from the configuration to a clean end."""

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from chiatea.config import Config
from chiatea.errors import CertificateError, ConfigurationError
from chiatea.protobuf.monitoring_service_pb2_grpc import (
    add_CopyControlServicer_to_server,
    add_MonitoringServicer_to_server,
)
from chiatea.security.certificates import check_pair
from chiatea.security.private_files import read_private_file, read_public_file
from chiatea.security.tokens import TokenStore
from chiatea.server.authorization import Authorization
from chiatea.server.commands import Commands
from chiatea.server.control import CopyControlService
from chiatea.server.database.database import Database
from chiatea.server.database.history import History
from chiatea.server.hub import Hub
from chiatea.server.ingest import Ingest
from chiatea.server.services import MonitoringService
from chiatea.server.session import Acks
from chiatea.server.storage import KeepRule
from chiatea.server.upkeep import keep_up
from chiatea.state.farm_state import FarmState

__all__ = ["Serving", "serve", "serving"]

_log = logging.getLogger(__name__)

MONITORING: Final = "chiatea.Monitoring"
COPY_CONTROL: Final = "chiatea.CopyControl"
GRACE_SECONDS: Final = 2.0
"""How long running calls may take to end when the server does."""

_OPTIONS: Final = (
    # Without it two servers share a port, and each gets half of the connections.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    # A busy server reads pings late and then many at once: that is no reason to cut a collector off.
    ("grpc.http2.max_ping_strikes", 0),
)


class Serving(NamedTuple):
    """A server that runs."""

    host: str
    port: int
    farm: FarmState
    ingest: Ingest
    hub: Hub

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return _address(self.host, self.port)


def _credentials(config: Config) -> grpc.ServerCredentials:
    auth = config.monitoring.auth
    key = read_private_file(auth.key_filepath)
    certificate = read_public_file(auth.cert_filepath)
    try:
        check_pair(certificate, key)
    except CertificateError as error:
        raise CertificateError(f"{auth.cert_filepath}, {auth.key_filepath}: {error.message}", error.hint) from None
    return grpc.ssl_server_credentials([(key, certificate)])


def _check_free(host: str, port: int) -> None:
    """Asks the system first: gRPC does not say why it cannot listen."""
    hint = "stop what listens there, or set another monitoring.server.port"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            hint = "set monitoring.server.host to an address of this machine, and a port that you may use"
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConfigurationError(f"cannot listen on {host}:{port}: {reason}", hint) from None


def _listen(server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials) -> int:
    _check_free(host, port)
    try:
        return server.add_secure_port(_address(host, port), credentials)
    except RuntimeError:
        raise ConfigurationError(f"cannot listen on {host}:{port}", "choose another port with --port") from None


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.asynccontextmanager
async def serving(config: Config, *, port: int | None = None) -> AsyncIterator[Serving]:
    """Runs a server for as long as the block lasts; then it drains, commits, acks and closes.

    Raises:
        ConfigurationError: when port, certificate, key, tokens or the database's path cannot be used.
        DatabaseError: when the database cannot be used.
    """
    settings = config.monitoring.server
    credentials = _credentials(config)
    tokens = TokenStore(config.monitoring.auth.token_hashes_filepath)
    tokens.load()
    authorization = Authorization(tokens)
    server = grpc.aio.server(interceptors=[authorization], options=_OPTIONS)
    bound = _listen(server, settings.host, settings.port if port is None else port, credentials)
    rule = KeepRule(settings.keep_events, settings.thin_events_after, settings.thin_events_to)
    with Database(settings.db_filepath, durability=settings.durability) as database:
        farm = database.load()
        for info in farm.infos.values():
            info.online = info.copier_online = False
        hub = Hub(farm)
        health = health_aio.HealthServicer()

        def tell_health(failure: str) -> None:
            status = HealthCheckResponse.NOT_SERVING if failure else HealthCheckResponse.SERVING
            background.add(asyncio.create_task(health.set(MONITORING, status)))

        background: set[asyncio.Task[None]] = set()
        ingest = Ingest(database, farm, hub, on_change=tell_health)
        acks = Acks()
        history = History(settings.db_filepath)
        service = MonitoringService(farm, ingest, hub, history, acks, caller=authorization.caller)
        add_MonitoringServicer_to_server(service, server)
        commands = Commands(farm, ingest)
        add_CopyControlServicer_to_server(CopyControlService(farm, commands, authorization.caller), server)
        add_HealthServicer_to_server(health, server)
        reflection.enable_server_reflection((MONITORING, COPY_CONTROL, HEALTH, reflection.SERVICE_NAME), server)
        writer = asyncio.create_task(ingest.run(), name="ingest")
        others = (
            asyncio.create_task(keep_up(database, rule), name="upkeep"),
            asyncio.create_task(acks.run(), name="acks"),
            asyncio.create_task(commands.run(), name="commands"),
        )
        await server.start()
        for name in ("", MONITORING):
            await health.set(name, HealthCheckResponse.SERVING)
        try:
            yield Serving(settings.host, bound, farm, ingest, hub)
        finally:
            await health.enter_graceful_shutdown()
            acks.send()
            await server.stop(GRACE_SECONDS)
            for task in others:
                task.cancel()
            ingest.close()
            await writer
            await history.close()


async def serve(config: Config, *, port: int | None, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, and says on stderr where it listens.

    Raises:
        ChiaTeaError: when it cannot begin.
    """
    async with serving(config, port=port) as running:
        sys.stderr.write(f"listening on {running.address}\n")
        sys.stderr.flush()
        await stop.wait()
        _log.info("stopping")
