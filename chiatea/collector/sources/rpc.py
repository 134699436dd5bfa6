"""Asks one service's RPC over mutual TLS."""

import asyncio
import json
from typing import Any, Final

import aiohttp

from chiatea.collector.sources.chia_config import ChiaPlace, Credentials
from chiatea.collector.sources.untrusted import mapping, printable, text

__all__ = ["NoServiceError", "RpcClient", "RpcFailedError", "RpcRefusedError"]

_LIMIT_SECONDS: Final = 8.0
_PARSED_ELSEWHERE_BYTES: Final = 256 * 1024


class RpcFailedError(Exception):
    """The service could not be asked; the text is one line for a person."""


class NoServiceError(RpcFailedError):
    """Nothing listens there, or there are no certificates to ask with."""


class RpcRefusedError(RpcFailedError):
    """It answered that it will not or cannot: a release that does not know the call does so too."""


class RpcClient:
    """One service."""

    def __init__(self, service: str, *, limit_seconds: float = _LIMIT_SECONDS) -> None:
        """A client that connects when it is first asked."""
        self.service = service
        self._limit_seconds = limit_seconds
        self._session: aiohttp.ClientSession | None = None
        self._made_for: object = None

    async def ask(self, place: ChiaPlace, call: str, **arguments: Any) -> dict[str, Any]:
        """One call's answer.

        Raises:
            RpcFailedError: or one of its kinds.
        """
        body, _ = await self.ask_raw(place, call, **arguments)
        return await parsed(body)

    async def ask_raw(self, place: ChiaPlace, call: str, **arguments: Any) -> tuple[bytes, str]:
        """One call's answer as it came, and the call's address.

        Raises:
            RpcFailedError: or one of its kinds.
        """
        url = f"https://{place.address(self.service)}/{call}"
        try:
            session = await self._session_for(place.credentials[self.service])
            async with asyncio.timeout(self._limit_seconds), session.post(url, json=arguments) as response:
                body = await response.read()
                if response.status != 200:
                    raise RpcRefusedError(f"{call} was answered with HTTP status {response.status}")
        except TimeoutError:
            raise RpcFailedError(f"{call} got no answer within {self._limit_seconds:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise RpcFailedError(f"its certificate is not of Chia's own authority: {_reason(error)}") from None
        except aiohttp.ClientConnectorSSLError as error:
            raise RpcFailedError(f"no secure connection: {_reason(error)}") from None
        except aiohttp.ClientConnectorError as error:
            raise NoServiceError(f"nothing answers there: {_reason(error)}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise RpcFailedError(f"{call} failed: {_reason(error)}") from None
        return body, url

    async def _session_for(self, credentials: Credentials) -> aiohttp.ClientSession:
        try:
            made_for = (credentials, credentials.modified_times())
            if self._session is None or made_for != self._made_for:
                context = credentials.context()
                await self.close()
                connector = aiohttp.TCPConnector(ssl=context, limit=2, keepalive_timeout=60)
                self._session = aiohttp.ClientSession(connector=connector)
                self._made_for = made_for
        except FileNotFoundError as error:
            raise NoServiceError(f"{error.filename or credentials.certificate}: there is no such file") from None
        except OSError as error:
            raise RpcFailedError(f"{error.filename or credentials.certificate}: {error.strerror or error}") from None
        return self._session

    async def close(self) -> None:
        """Ends the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _reason(error: BaseException) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    words = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or type(cause).__name__
    return printable(" ".join(words.split())[:200])


async def parsed(body: bytes) -> dict[str, Any]:
    """An answer's JSON; a large one is parsed in a thread.

    Raises:
        RpcFailedError: it is no JSON object.
        RpcRefusedError: it says that the call failed. Its traceback is not for the user.
    """
    try:
        answer = await asyncio.to_thread(json.loads, body) if len(body) > _PARSED_ELSEWHERE_BYTES else json.loads(body)
    except (ValueError, RecursionError):
        raise RpcFailedError("the answer is no JSON") from None
    if not isinstance(answer, dict):
        raise RpcFailedError("the answer is no JSON object")
    if answer.get("success") is False:
        reason = text(answer.get("error")) or text(mapping(answer.get("structuredError")).get("message"))
        raise RpcRefusedError(" ".join((reason or "it said that the call failed").split())[:200])
    return answer
