"""`chia-tea tui --web`: a page on loopback that shows a dashboard, from the listening socket to a clean end."""

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import textual_serve
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from chiatea.errors import ConfigurationError
from chiatea.tui.web.dashboards import Dashboards
from chiatea.tui.web.guard import HOST, Guard

__all__ = ["serve"]

_PAGE: Final = Path(__file__).with_name("page")
_TERMINAL: Final = Path(textual_serve.__file__).with_name("static")
"""textual-serve's terminal for browsers (xterm.js) and its font."""

_ENTRANCE: Final = """<!DOCTYPE html>
<html lang="en">
  <meta charset="utf-8">
  <title>chia-tea</title>
  <link rel="icon" href="data:,">
  <meta http-equiv="refresh" content="0; url=./">
</html>
"""
"""Goes on to the page without the secret: it does not stay in the address bar, nor in what is reloaded."""


async def serve(command: Sequence[str], *, port: int, stop: asyncio.Event) -> None:
    """Serves dashboards to browsers on this machine until `stop` is set; then it ends those it started.

    It says on stderr where it listens.

    Args:
        command: starts one dashboard, which draws for textual-serve.
        port: 0: any that is free.
        stop: ends it.

    Raises:
        ConfigurationError: when it cannot listen there.
    """
    with _listen(port) as listener:
        guard = Guard(listener.getsockname()[1])
        # No access log: the secret stands in the first address. What dashboards say last the library prints.
        logging.getLogger("aiohttp.server").addFilter(_tell_briefly)
        runner = web.AppRunner(_app(guard, command), access_log=None)
        with contextlib.redirect_stdout(sys.stderr):
            try:
                await runner.setup()
                await web.SockSite(runner, listener).start()
                sys.stderr.write(f"listening on {guard.address}\n")
                sys.stderr.flush()
                await stop.wait()
            finally:
                await runner.cleanup()


def _tell_briefly(record: logging.LogRecord) -> bool:
    """What is no HTTP is no defect of ours: no traceback, which would show what was sent."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
    return True


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConfigurationError(
            f"cannot listen on {HOST}:{port}: {reason}", "choose another --port, or none for a free one"
        ) from None
    return listener


def _app(guard: Guard, command: Sequence[str]) -> web.Application:
    dashboards = Dashboards(command)
    headers = _headers(guard)

    async def page(request: web.Request) -> web.StreamResponse:
        if not guard.has_secret(request):
            return web.FileResponse(_PAGE / "index.html")
        response = web.Response(text=_ENTRANCE, content_type="text/html")
        guard.give_cookie(response)
        return response

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    async def close(_: web.Application) -> None:
        await dashboards.close()

    app = web.Application(middlewares=[guard.middleware])
    app.router.add_get(guard.home, page, allow_head=False)
    app.router.add_get(f"{guard.home}ws", dashboards.connect, allow_head=False)
    app.router.add_static(f"{guard.home}page", _PAGE)
    app.router.add_static(f"{guard.home}static", _TERMINAL)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(close)
    return app


def _headers(guard: Guard) -> dict[str, str]:
    """What browsers are told: load nothing from elsewhere, show this in no other site's frame, tell nobody of it."""
    websockets = " ".join(f"ws://{host}" for host in guard.hosts)
    return {
        # The terminal makes its own style elements.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"font-src 'self'; img-src 'self' data:; connect-src {websockets}; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
