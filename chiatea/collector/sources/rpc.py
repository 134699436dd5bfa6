"""Chia's RPC: one service, asked over HTTPS with Chia's own certificates."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any, Final

import aiohttp

from chiatea.collector.sources.chia_settings import ChiaSettings
from chiatea.collector.sources.chia_tls import ClientCertificates

__all__ = ["RpcAbsentError", "RpcFailedError", "RpcService"]

LIMIT_SECONDS: Final = 10.0
"""A farmer that verifies proofs answers late, but not that late."""
MAX_ANSWER_BYTES: Final = 512 * 1024 * 1024
"""`get_plots` of 500,000 plots is some 300 MB."""


class RpcAbsentError(Exception):
    """This machine has no such service, or it does not run."""


class RpcFailedError(Exception):
    """The service is there and did not answer as it should; the text is one line for a person."""


class RpcService:
    """One of Chia's services."""

    def __init__(self, service: str, chia_root: Path) -> None:
        """`service` is a name of SERVICES: "farmer", "harvester", "full_node" or "wallet"."""
        self.service = service
        self._certificates = ClientCertificates(chia_root, service)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, settings: ChiaSettings, arguments: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Asks one question.

        Returns:
            The answer, whose "success" is true.

        Raises:
            RpcAbsentError: when nothing listens, or Chia has no certificates for it here.
            RpcFailedError: for every other failure.
        """
        try:
            context = self._certificates.context()
        except OSError as error:
            raise RpcFailedError(f"Chia's certificates cannot be used: {error}") from None
        if context is None:
            raise RpcAbsentError
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_SECONDS))
        url = f"https://{settings.hostname}:{settings.rpc_ports[self.service]}/{method}"
        try:
            async with self._session.post(url, json=arguments or {}, ssl=context) as response:
                body = await response.content.read(MAX_ANSWER_BYTES)
                answer = await _parsed(body)
        except aiohttp.ClientSSLError as error:
            raise RpcFailedError(f"TLS with Chia failed: {_plain(error)}") from None
        except aiohttp.ClientConnectorError:
            raise RpcAbsentError from None
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise RpcFailedError(f"{method}: no answer within {LIMIT_SECONDS:g} s") from None
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise RpcFailedError(f"{method}: {_plain(error)}") from None
        except (ValueError, RecursionError):
            raise RpcFailedError(f"{method}: the answer is no JSON") from None
        if not isinstance(answer, dict):
            raise RpcFailedError(f"{method}: the answer is no JSON object")
        if answer.get("success") is not True:
            raise RpcFailedError(f"{method}: {_plain(answer.get('error', 'it failed without a reason'))}")
        return answer

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _parsed(body: bytes) -> Any:
    # A list of 100,000 plots takes half a second to parse: not on the event loop.
    return json.loads(body) if len(body) < 1 << 18 else await asyncio.to_thread(json.loads, body)


def _plain(error: object) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
