"""Listens to Chia's daemon: a websocket over mutual TLS that is opened anew whenever it closes."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

import aiohttp

from chiatea.chia.place import ChiaPlace, one_line
from chiatea.chia.untrusted import mapping
from chiatea.collector.observations import Observation, WatchingGap
from chiatea.collector.source_health import BackOff, SourceHealth
from chiatea.collector.sources.daemon_messages import (
    METRICS,
    WALLET_UI,
    may_tell,
    observation_of_message,
    registration,
)

__all__ = ["DaemonListener"]

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 64 * 1024 * 1024
"""Above Chia's own daemon_max_message_size, 50 MB."""
_CONNECT_LIMIT_SECONDS: Final = 10.0
_HEARTBEAT_SECONDS: Final = 30.0
_BEAT_SECONDS: Final = 1.0
_SLEPT_SECONDS: Final = 6.0
"""Whoever was not run for this long (a suspended machine) cannot judge how late an answer is."""
_SET_BACK_SECONDS: Final = 2.0
"""A clock that is set back by less is being corrected by its time server."""


class DaemonListener:
    """Both registrations: each tells nearly all, and each something that the other one does not."""

    def __init__(
        self,
        place: Callable[[], ChiaPlace | None],
        take: Callable[[Observation], None],
        health: SourceHealth,
        clock: Callable[[], float],
        *,
        first_wait_seconds: float = 1.0,
    ) -> None:
        """`place` says where Chia is now, `take` is called with each observation."""
        self._place = place
        self._take = take
        self._health = health
        self._clock = clock
        self._first_wait_seconds = first_wait_seconds
        self._tasks: list[asyncio.Task[None]] = []
        self._last_beat = clock()
        self._registered: set[str] = set()

    @property
    def is_listening(self) -> bool:
        """Whether lookups and answers are told now."""
        return bool(self._registered)

    def start(self) -> None:
        """Begins to listen, and goes on until `close`."""
        self._last_beat = self._clock()
        self._tasks = [
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._listen_for_good(METRICS)),
            asyncio.create_task(self._listen_for_good(WALLET_UI)),
        ]

        for task in self._tasks:
            task.add_done_callback(_report)

    async def close(self) -> None:
        """Stops listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _beat(self) -> None:
        while True:
            self.notice_gap()
            await asyncio.sleep(_BEAT_SECONDS)

    def notice_gap(self) -> None:
        """Tells where this process did not run for a while, or the clock was set.

        To be called before anything is judged by the clock, so that no silence is seen where nobody listened.
        """
        now = self._clock()
        last_beat, self._last_beat = self._last_beat, now
        if not -_SET_BACK_SECONDS <= now - last_beat <= _SLEPT_SECONDS:
            self._take(WatchingGap(now))

    async def _listen_for_good(self, name: str) -> None:
        back_off = BackOff(self._first_wait_seconds, 30.0)
        while True:
            place = self._place()
            if place is None:
                self._tell_health(name, self._health.absent)
                await asyncio.sleep(back_off.failed())
                continue
            try:
                await self._listen(place, name, back_off)
                reason = "the daemon closed the connection"
            except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
                reason = f"no secure connection: {one_line(error)}"
            except (aiohttp.ClientConnectorError, FileNotFoundError) as error:
                missing = one_line(error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error)
                self._tell_health(name, lambda reason=missing: self._health.absent(reason))  # type: ignore[misc]
                await asyncio.sleep(back_off.failed())
                continue
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                reason = one_line(error)
            finally:
                self._lost(name)
            self._tell_health(name, lambda reason=reason: self._health.failed(reason))  # type: ignore[misc]
            log.debug("daemon=%s registration=%s lost=%r", place.address("daemon"), name, reason)
            await asyncio.sleep(back_off.failed())

    def _tell_health(self, name: str, tell: Callable[[], None]) -> None:
        # The second registration adds little: what becomes of it is not the source's state.
        if name == METRICS:
            tell()

    def _lost(self, name: str) -> None:
        if name in self._registered:
            self._registered.discard(name)
            if not self._registered:
                self._take(WatchingGap(self._clock()))

    async def _listen(self, place: ChiaPlace, name: str, back_off: BackOff) -> None:
        address = place.address("daemon")
        self._health.located(address)
        connector = aiohttp.TCPConnector(ssl=place.credentials["daemon"].context())
        async with aiohttp.ClientSession(connector=connector) as session:
            async with asyncio.timeout(_CONNECT_LIMIT_SECONDS):
                socket = await session.ws_connect(
                    f"wss://{address}", heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MOST_BYTES
                )
            async with socket:
                await socket.send_str(json.dumps(registration(name)))
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._take_message(message.data, name, back_off)

    def _take_message(self, data: str, name: str, back_off: BackOff) -> None:
        self.notice_gap()
        if not may_tell(data, name):
            return
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return
        if mapping(message).get("command") == "register_service":
            self._registered.add(name)
            back_off.succeeded()
            self._tell_health(name, self._health.succeeded)
            return
        observation = observation_of_message(message, name, self._clock())
        if observation is not None:
            self._health.succeeded(n_understood=1)
            self._take(observation)


def _report(task: asyncio.Task[None]) -> None:
    """A task that ended by itself has a fault of ours: it is said, not swallowed."""
    if not task.cancelled() and task.exception() is not None:
        log.error("daemon listener ended", exc_info=task.exception())
