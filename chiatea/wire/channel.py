"""A channel to the server: TLS with the pinned certificate, and the token that says who we are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import grpc

from chiatea.config import Config
from chiatea.errors import ConnectionFailedError, RefusedError
from chiatea.security.certificates import server_name_of
from chiatea.security.private_files import read_public_file, read_token

__all__ = ["Server", "as_connection_error", "open_channel", "server_of"]

_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's own back-off adds to ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Server:
    """Where a server is, how it is known, and the token for it."""

    def __init__(self, address: str, certificate: bytes, token: str) -> None:
        """Takes HOST:PORT, the server's certificate (PEM) and a token."""
        self.address = address
        self.certificate = certificate
        self.token = token


def server_of(config: Config, *, token_files: Sequence[str], address: str | None = None) -> Server:
    """The server that a configuration names.

    Args:
        config: the configuration.
        token_files: names beside the configuration to take the token from where none is configured: the first
            that is there.
        address: HOST:PORT instead of the configured one.

    Raises:
        CertificateError: when the certificate or the token cannot be read.
    """
    certificate = read_public_file(config.monitoring.auth.cert_filepath)
    token = read_token(_token_filepath(config, token_files))
    default = f"{config.monitoring.client.address}:{config.client_port}"
    return Server(address or default, certificate, token)


def _token_filepath(config: Config, names: Sequence[str]) -> Path:
    configured = config.monitoring.auth.token_filepath
    if configured is not None:
        return configured
    candidates = [config.folder / name for name in names]
    return next((path for path in candidates if path.exists()), candidates[0])


def open_channel(server: Server) -> grpc.aio.Channel:
    """A channel that connects by itself, and again when the server comes back.

    Raises:
        CertificateError: when the server's certificate is none.
    """
    name = server_name_of(server.certificate)
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", name)] if name else list(_OPTIONS)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=server.certificate),
        grpc.access_token_call_credentials(server.token),
    )
    return grpc.aio.secure_channel(server.address, credentials, options=options)


_REFUSALS: Final = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


def as_connection_error(error: grpc.aio.AioRpcError, address: str) -> ConnectionFailedError:
    """A failed call as an error for a person."""
    if error.code() in _REFUSALS:
        return RefusedError(
            f"the server at {address} refused us: {error.details()}", "see monitoring.auth.token_filepath"
        )
    details = " ".join((error.details() or error.code().name).split())
    if "CERTIFICATE_VERIFY_FAILED" in details or "Ssl handshake failed" in details or "SSL_ERROR_SSL" in details:
        return ConnectionFailedError(
            f"the server at {address} is not the one that monitoring.auth.cert_filepath knows",
            "copy server.cert from the server's machine",
        )
    if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
        return ConnectionFailedError(details)
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return ConnectionFailedError(f"no server answers at {address}", "start it with `chia-tea serve`")
    return ConnectionFailedError(f"the server at {address} failed: {details}")
