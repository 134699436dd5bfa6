"""Asks one service's RPC over mutual TLS."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp

from chiatea.chia.place import ChiaPlace, Credentials
from chiatea.chia.untrusted import mapping, printable, text

__all__ = ["NoServiceError", "RpcClient", "RpcFailedError", "RpcRefusedError", "checked"]

_LIMIT_SECONDS: Final = 8.0
_LONG_ANSWER: Final = 15.0
"""Times as long as any other answer may take: a harvester makes one of 100,000 plots in several seconds, while it looks
up challenges."""
_PIECE_BYTES: Final = 64 * 1024
"""Of a list of plots it is read in about 2 ms."""
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
        async with self._asked(place, call, arguments, self._limit_seconds) as response:
            body = await response.read()
        return await parsed(body)

    async def ask_long(self, place: ChiaPlace, call: str, feed: Callable[[bytes], None]) -> None:
        """One call's answer piece by piece, as long and as slow as Chia may be about one.

        Raises:
            RpcFailedError: or one of its kinds; or whatever `feed` raises.
        """
        async with self._asked(place, call, {}, self._limit_seconds * _LONG_ANSWER) as response:
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                feed(piece)
                # Where the next piece is there already, nothing else would have its turn.
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def _asked(
        self, place: ChiaPlace, call: str, arguments: dict[str, Any], limit_seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = f"https://{place.address(self.service)}/{call}"
        try:
            session = await self._session_for(place.credentials[self.service])
            async with asyncio.timeout(limit_seconds), session.post(url, json=arguments) as response:
                if response.status != 200:
                    raise RpcRefusedError(f"{call} was answered with HTTP status {response.status}")
                yield response
        except TimeoutError:
            raise RpcFailedError(f"{call} got no answer within {limit_seconds:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise RpcFailedError(f"its certificate is not of Chia's own authority: {_reason(error)}") from None
        except aiohttp.ClientConnectorSSLError as error:
            raise RpcFailedError(f"no secure connection: {_reason(error)}") from None
        except aiohttp.ClientConnectorError as error:
            raise NoServiceError(f"nothing answers there: {_reason(error)}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise RpcFailedError(f"{call} failed: {_reason(error)}") from None

    async def _session_for(self, credentials: Credentials) -> aiohttp.ClientSession:
        try:
            made_for = (credentials, credentials.versions())
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
    checked(answer)
    return answer


def checked(answer: Mapping[str, Any]) -> None:
    """Sees to it that the call did not fail.

    Raises:
        RpcRefusedError: it says so. Its traceback is not for the user.
    """
    if answer.get("success") is False:
        reason = text(answer.get("error")) or text(mapping(answer.get("structuredError")).get("message"))
        raise RpcRefusedError(" ".join((reason or "it said that the call failed").split())[:200])
