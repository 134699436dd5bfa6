"""Who may see and steer the dashboard in a browser: whoever was shown its address, and nobody else."""

import logging
import secrets
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["HOST", "Guard"]

_log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
"""The only address that is listened at."""
_HTTP_PORT: Final = 80
_COOKIE: Final = "chia-tea"
_SECRET: Final = "secret"  # noqa: S105 - the name of it in the address
_REFUSAL: Final = "403: open the whole address that `chia-tea tui --web` printed when it began.\n"


class Guard:
    """Refuses every request that does not prove to come from a browser that was given the printed address.

    Every program and every user of this machine can connect to loopback, and every page that a browser shows can send
    requests there. So:

    - the address holds a secret; the first page takes a cookie for it, which no script can read and which no other
      site's page makes a browser send (HttpOnly, SameSite=Strict);
    - everything is below a folder that has a random name, and so has the cookie: browsers send cookies to all ports of
      a machine, and this keeps it from what others serve there;
    - the Host must be this server's: a name that somebody else made to mean 127.0.0.1 is refused;
    - the Origin must be this server's where there is one, and a websocket must have one: SameSite takes no notice of
      ports.
    """

    def __init__(self, port: int) -> None:
        """Makes the secrets of a server at `port`; they are void when the process ends."""
        # In hexadecimal: what terminals take for an address ends before a "-" at its end.
        self._secret, self._cookie = secrets.token_hex(16), secrets.token_hex(16)
        self.home = f"/{secrets.token_hex(8)}/"
        self.hosts = tuple(name if port == _HTTP_PORT else f"{name}:{port}" for name in (HOST, "localhost"))

    @property
    def address(self) -> str:
        """What a person opens in a browser: whoever knows it may do what the dashboard may."""
        return f"http://{self.hosts[0]}{self.home}?{_SECRET}={self._secret}"

    def has_secret(self, request: web.Request) -> bool:
        """Whether a request is the first one, with the printed address."""
        return request.path == self.home and _is_same(request.query.get(_SECRET, ""), self._secret)

    def give_cookie(self, response: web.Response) -> None:
        """Lets the browser that gets this response in from now on."""
        response.set_cookie(_COOKIE, self._cookie, path=self.home, httponly=True, samesite="Strict")

    def reason_against(self, request: web.Request) -> str:
        """Why a request is refused; "" lets it in."""
        hosts = request.headers.getall(hdrs.HOST, [])
        origins = request.headers.getall(hdrs.ORIGIN, [])
        has_cookie = _is_same(request.cookies.get(_COOKIE, ""), self._cookie)
        checks = (
            (request.method == hdrs.METH_GET, "its method is not GET"),
            (len(hosts) == 1 and hosts[0] in self.hosts, "its Host is another one"),
            (origins in ([], [f"http://{host}" for host in hosts]), "it comes from another site's page"),
            (bool(origins) or hdrs.UPGRADE not in request.headers, "it is a websocket without an Origin"),
            (request.path.startswith(self.home), "its path is another one"),
            (has_cookie or self.has_secret(request), "it has no secret, or a wrong one"),
        )
        return next((reason for is_right, reason in checks if not is_right), "")

    @property
    def middleware(self) -> Middleware:
        """Stands before every handler, also before that of paths that there are not."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            reason = self.reason_against(request)
            if reason:
                _log.warning("a request from %s was refused: %s", request.remote, reason)
                raise web.HTTPForbidden(text=_REFUSAL)
            return await handler(request)

        return check


def _is_same(told: str, known: str) -> bool:
    return secrets.compare_digest(told.encode("utf-8", "replace"), known.encode())
