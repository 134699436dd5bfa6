"""The dashboards of a browser's tabs: each a process of its own, which lives as long as its tab."""

import asyncio
import contextlib
import json
import logging
import shlex
from collections.abc import Sequence
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

__all__ = ["Dashboards"]

_log = logging.getLogger(__name__)

END_SECONDS: Final = 8.0
"""How long a dashboard may take to end before it is killed."""
CLOSE_SECONDS: Final = 2.0
"""How long a browser may take to answer that its websocket is closed."""
HEARTBEAT_SECONDS: Final = 15.0
"""How often a tab is asked whether it is still there."""
MAX_CELLS: Final = 1000
"""Wider and higher than any screen: what a page asks for beyond it would only cost memory."""


class Dashboards:
    """The tabs that are open, and what they send."""

    def __init__(self, command: Sequence[str]) -> None:
        """`command` starts one dashboard."""
        # Without the shell that the library starts it with: what ends is the dashboard itself.
        self._command = f"exec {shlex.join(command)}"
        self._tabs: dict[web.WebSocketResponse, _Dashboard] = {}

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Runs a dashboard for one websocket, until one of the two ends."""
        websocket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS)
        await websocket.prepare(request)
        dashboard = self._tabs[websocket] = _Dashboard(self._command, websocket)
        try:
            await dashboard.start(_cells(request.query.get("width"), 80), _cells(request.query.get("height"), 24))
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    await dashboard.take(message.data)
        except ValueError as error:
            _log.warning("a page sent what is no message: %s", error)
            await websocket.close(code=WSCloseCode.INVALID_TEXT)
        finally:
            # Also when this handler is cancelled, as when the connection is lost.
            await asyncio.shield(self._end(websocket, dashboard))
        return websocket

    async def close(self) -> None:
        """Closes all tabs and ends their dashboards."""
        await asyncio.gather(*(self._end(*tab) for tab in list(self._tabs.items())))

    async def _end(self, websocket: web.WebSocketResponse, dashboard: "_Dashboard") -> None:
        await websocket.close(code=WSCloseCode.GOING_AWAY)
        await dashboard.stop()
        self._tabs.pop(websocket, None)


class _Dashboard(AppService):
    """textual-serve's process of one app, made to end: with its websocket, and its websocket with it."""

    def __init__(self, command: str, websocket: web.WebSocketResponse) -> None:
        async def close() -> None:
            await websocket.close()

        super().__init__(
            command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            # The dashboard hands no files to browsers: what it exports it writes on its own machine.
            download_manager=DownloadManager(),
        )

    async def take(self, text: str) -> None:
        """What a page sent, in textual-serve's form: `[kind, data]` as JSON.

        Raises:
            ValueError: when it is no JSON.
        """
        match json.loads(text):
            case ["stdin", str(typed)]:
                await self.send_bytes(typed.encode("utf-8", "replace"))
            case ["resize", {"width": width, "height": height}]:
                await self.set_terminal_size(_cells(width, 80), _cells(height, 24))
            case ["ping", str(sent)]:
                await self.remote_write_str(json.dumps(["pong", sent]))
            case ["focus", *_]:
                await self.focus()
            case ["blur", *_]:
                await self.blur()
            case _:
                _log.debug("a page sent something else")

    async def run(self) -> None:
        """Hands on what the dashboard draws; says that it ended, however it did: nobody looks at a dead one."""
        await super().run()
        await self.remote_close()
        # What it still draws is for nobody, but unread it would keep it from ending.
        while self._process and self._process.stdout and await self._process.stdout.read(2**16):
            pass

    async def stop(self) -> None:
        """Ends the process and waits for that; kills it when it takes too long."""
        ending = asyncio.ensure_future(self._end())
        await asyncio.wait([ending], timeout=END_SECONDS)
        if not ending.done() and self._process is not None:
            _log.warning("a dashboard did not end in %g s and is killed", END_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await ending

    async def _end(self) -> None:
        await super().stop()
        if self._process is not None:
            await self._process.wait()


def _cells(told: object, default: int) -> int:
    """A width or height in cells, from 1 to MAX_CELLS."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 10:
        told = int(told)
    return min(max(told, 1), MAX_CELLS) if isinstance(told, int) else default
