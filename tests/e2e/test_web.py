"""`chia-tea tui --web`: shown to whoever has its address, refused to everybody else, gone without a trace."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from yarl import URL

from .chromium import PROGRAM, chromium
from .conftest import Home


class Web:
    """A server for browsers that runs."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process = home.start("tui", "--web", ready="listening on")
        self.log = home.folder / f"{len(home.processes) - 1}.stderr"
        line = next(line for line in self.log.read_text().splitlines() if line.startswith("listening on "))
        self.address = URL(line.removeprefix("listening on "), encoded=True)
        self.origin = str(self.address.origin())
        self.page = self.address.with_query(None)
        self.secret = self.address.query["secret"]

    async def until(self, condition: Callable[[], object]) -> None:
        await asyncio.to_thread(self.home.until, condition)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[aiohttp.ClientSession]:
        """With the cookie, as after the address was opened."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(self.address) as response:
                assert response.status == 200
            yield session

    @contextlib.asynccontextmanager
    async def dashboard(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A tab whose dashboard has begun to draw."""
        async with self.browser() as session:
            url = self.page / "ws" % {"width": 120, "height": 40}
            async with session.ws_connect(url, origin=self.origin) as websocket:
                await drawn(websocket, b"1 Farm")
                yield websocket


async def drawn(websocket: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    """Waits until a dashboard drew a text."""
    seen = b""
    async with asyncio.timeout(30):
        while text not in seen:
            message = await websocket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, message
            seen += message.data


async def closed(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Reads what a dashboard still draws, until its websocket is closed."""
    async with asyncio.timeout(20):
        async for _ in websocket:
            pass


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One for all tests that leave it as it was."""
    home = Home(tmp_path_factory.mktemp("web"))
    home.run("certs", "create")
    yield Web(home)
    home.end()


@pytest.fixture
def own_home(home: Home) -> Home:
    home.run("certs", "create")
    return home


async def test_the_printed_address_opens_the_page_and_its_parts(web: Web) -> None:
    assert web.address.host == "127.0.0.1"
    async with web.browser() as session:
        for part in ("", "page/page.js", "page/page.css", "static/js/textual.js", "static/css/xterm.css"):
            async with session.get(web.page.join(URL(part))) as response:
                assert response.status == 200
                assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


async def test_the_cookie_is_kept_from_scripts_from_other_sites_and_from_other_ports(web: Web) -> None:
    async with aiohttp.ClientSession() as session, session.get(web.address) as response:
        cookie = response.headers["Set-Cookie"]
        text = await response.text()
    assert {"HttpOnly", "SameSite=Strict", f"Path={web.page.path}"} <= set(cookie.split("; "))
    assert len(web.page.path) > 16
    assert web.secret not in cookie + text


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/0123456789abcdef/", {}),
        ("GET", "../", {}),
        ("GET", "", {"Host": "evil.example"}),
        ("GET", "", {"Host": "127.0.0.1:1"}),
        ("GET", "", {"Origin": "https://evil.example"}),
        ("GET", "", {"Origin": "http://127.0.0.1:1"}),
        ("GET", "", {"Origin": "null"}),
        ("POST", "", {}),
        ("POST", "?secret={secret}", {}),
        ("GET", "?secret={secret}", {"Host": "evil.example"}),
    ],
)
async def test_a_browser_that_has_the_cookie_is_refused_what_another_page_asks_of_it(
    web: Web, method: str, path: str, headers: dict[str, str]
) -> None:
    async with web.browser() as session:
        await refused(web, session, method, path, headers)


@pytest.mark.parametrize(
    ("path", "cookie"),
    [
        ("", ""),
        ("", "chia-tea=0"),
        ("", "chia-tea=\udcff\udcfe"),
        ("page/page.js", ""),
        ("static/js/textual.js", ""),
        ("?secret=0", ""),
        ("?secret=%FF", ""),
        ("ws?secret={secret}", ""),
        ("/?secret={secret}", ""),
    ],
)
async def test_without_the_secret_or_the_cookie_nothing_is_shown(web: Web, path: str, cookie: str) -> None:
    async with aiohttp.ClientSession() as session:
        await refused(web, session, "GET", path, {"Cookie": cookie})


async def refused(web: Web, session: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str]) -> None:
    url = web.page.join(URL(path.format(secret=web.secret)))
    async with session.request(method, url, headers=headers) as response:
        assert response.status == 403
        assert "Set-Cookie" not in response.headers
        assert web.secret not in await response.text()


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\1\2\r\n\r\n",
        b"GET {path} HTTP/1.1\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
        b"GET {path}\0 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_nothing_and_at_most_one_line_of_log_without_it(web: Web, sent: bytes) -> None:
    filled = sent.replace(b"{path}", web.address.path_qs.encode()).replace(b"{host}", web.address.authority.encode())
    before = web.log.read_text()
    with socket.create_connection(("127.0.0.1", web.address.port or 0), 10) as connection:
        connection.sendall(filled)
        assert connection.recv(10_000).startswith(b"HTTP/1.0 400 ")
    # It is logged before it is answered.
    logged = web.log.read_text().removeprefix(before)
    assert logged.count("\n") <= 1
    assert "Traceback" not in logged
    assert web.secret not in logged


@pytest.mark.parametrize(
    ("headers", "has_cookie"),
    [
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "http://localhost:1"}, True),
        ({"Origin": "null"}, True),
        ({}, True),
        ({"Origin": "{origin}", "Host": "evil.example"}, True),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, True),
        ({"Origin": "{origin}"}, False),
    ],
)
async def test_a_websocket_of_another_page_starts_no_dashboard(
    web: Web, headers: dict[str, str], has_cookie: bool
) -> None:
    told = {name: value.format(origin=web.origin) for name, value in headers.items()}
    async with web.browser() as session, aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await (session if has_cookie else stranger).ws_connect(web.page / "ws", headers=told)
    assert refused.value.status == 403
    assert not web.children()


async def test_a_tab_has_a_dashboard_that_takes_keys_and_ends_with_it(web: Web) -> None:
    async with web.dashboard() as websocket:
        (child,) = web.children()
        assert "tui" in child.cmdline()
        told = " ".join(child.cmdline()) + " ".join(child.environ().values())
        assert web.secret not in told
        assert web.page.path.strip("/") not in told
        await websocket.send_str(json.dumps(["focus"]))
        await websocket.send_str(json.dumps(["stdin", "7"]))
        await drawn(websocket, b"Follow")
    await web.until(lambda: not child.is_running())


async def test_a_dashboard_that_is_left_or_dies_closes_its_tab(web: Web) -> None:
    async with web.dashboard() as websocket:
        await websocket.send_str(json.dumps(["stdin", "q"]))
        await closed(websocket)
    async with web.dashboard() as websocket:
        web.children()[0].kill()
        await closed(websocket)
    await web.until(lambda: not web.children())


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
async def test_the_server_ends_with_all_its_dashboards(own_home: Home, number: signal.Signals, code: int) -> None:
    web = Web(own_home)
    async with web.dashboard(), web.dashboard():
        children = web.children()
        assert len(children) == 2
        os.kill(web.process.pid, number)
        await web.until(lambda: web.process.poll() is not None)
        assert web.process.returncode == code
        if number != signal.SIGKILL:
            assert not any(child.is_running() for child in children)
        await web.until(lambda: not any(child.is_running() for child in children))


def refusal(home: Home, *arguments: str, code: int) -> str:
    done = home.run("tui", *arguments, check=False)
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_what_cannot_be_served_is_said_in_one_line(own_home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}: the port is in use" in refusal(
            own_home, "--web", "--port", port, code=2
        )
    assert "--port goes with --web" in refusal(own_home, "--port", "8000", code=2)
    (own_home.config.parent / "server.cert").unlink()
    assert "server.cert: there is no such file" in refusal(own_home, "--web", code=2)


def test_without_textual_serve_it_is_said_what_to_install(own_home: Home) -> None:
    script = (
        "import sys; sys.modules['textual_serve'] = None; sys.argv[1:] = ['tui', '--web']\n"
        "from chiatea.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=own_home.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "chia-tea: the dashboard in a browser needs textual-serve: install it: pip install 'chia-tea[web]'"
    ]


@pytest.mark.timeout(150)
@pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")
async def test_a_browser_shows_the_dashboard_takes_its_keys_and_loads_nothing_from_elsewhere(
    own_home: Home, tmp_path: Path
) -> None:
    own_home.start("serve")
    own_home.start("collect", ready="")
    web = Web(own_home)
    async with chromium(tmp_path / "chromium") as tab:
        await tab.open(str(web.address))
        text = await tab.text_when(lambda text: "● online" in text)
        assert "1 Farm" in text
        assert "barn" in text
        before = await tab.picture()
        await tab.press("4")
        text = await tab.text_when(lambda text: "Machines" in text)
        assert "Chia's processes" in text
        after = await tab.picture()
        (tmp_path / "hardware.png").write_bytes(after)
        assert min(len(before), len(after)) > 10_000  # a page that shows nothing takes 4 KB
        assert before != after
        assert await tab.evaluate("location.href") == str(web.page)
        assert await tab.evaluate("document.cookie") == ""
        assert {URL(url).authority for url in tab.requested} == {web.address.authority}
        await tab.press("q")
        ended = "getComputedStyle(document.querySelector('.ended')).display"
        while await tab.evaluate(ended) == "none":
            await asyncio.sleep(0.05)
    assert not [complaint for complaint in tab.complaints if "WebGL" not in complaint]
