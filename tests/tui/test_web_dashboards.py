"""What happens to tabs whose dashboard hangs, and to pages that send nonsense: over a stand-in for the dashboard."""

import asyncio
import sys

import aiohttp
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chiatea.tui.web import dashboards
from chiatea.tui.web.dashboards import Dashboards

HANGS = r"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"__GANGLION__\nD\0\0\0\x0a%10d" % os.getpid())
time.sleep(1000)
"""
ECHOES = r"""
import os
os.write(1, b"__GANGLION__\n")
while (read := os.read(0, 65536)) and b'"quit"' not in read:
    os.write(1, b"D" + len(read).to_bytes(4, "big") + read)
"""
TELLS_SIZE = r"""
import os
os.write(1, b"__GANGLION__\nD\0\0\0\x0a%10s" % b" ".join((os.environb[b"COLUMNS"], os.environb[b"ROWS"])))
"""

DRAWS_ON = r"""
import os
os.write(1, b"__GANGLION__\nD\0\0\0\x0a%10d" % os.getpid())
os.read(0, 65536)
os.write(1, (b"D\0\x80\0\0" + bytes(2**23)) * 2)
"""

Browser = TestClient[web.Request, web.Application]


def browser(script: str) -> Browser:
    tabs = Dashboards([sys.executable, "-c", script])

    async def close(_: web.Application) -> None:
        await tabs.close()

    app = web.Application()
    app.router.add_get("/ws", tabs.connect)
    app.on_shutdown.append(close)
    return TestClient(TestServer(app))


async def process_of(websocket: aiohttp.ClientWebSocketResponse) -> psutil.Process:
    return psutil.Process(int(await websocket.receive_bytes(timeout=20)))


async def test_a_dashboard_that_hangs_is_killed_when_its_tab_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "END_SECONDS", 0.1)
    async with browser(HANGS) as client:
        async with client.ws_connect("/ws") as websocket:
            process = await process_of(websocket)
        await until_gone(process)


async def test_a_dashboard_ends_though_it_still_draws_for_a_tab_that_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with browser(DRAWS_ON) as client:
        async with client.ws_connect("/ws") as websocket:
            process = await process_of(websocket)
        await until_gone(process)
    assert "is killed" not in caplog.text


async def test_a_dashboard_that_hangs_is_killed_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "END_SECONDS", 0.1)
    async with browser(HANGS) as client:
        websocket = await client.ws_connect("/ws")
        process = await process_of(websocket)
    assert not process.is_running()


@pytest.mark.parametrize("text", ["{", "", "\ud800".encode("utf-8", "replace").decode()])
async def test_what_is_no_message_closes_the_tab(text: str) -> None:
    async with browser(ECHOES) as client, client.ws_connect("/ws") as websocket:
        await websocket.send_str(text)
        message = await websocket.receive(timeout=20)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.INVALID_TEXT


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ('["stdin", "/disk"]', b"D\0\0\0\x05/disk"),
        ('["stdin", "\\ud800"]', b"D\0\0\0\x01?"),
        (
            '["resize", {"width": 1000000000, "height": -1}]',
            b'M\0\0\0\x2e{"type": "resize", "width": 1000, "height": 1}',
        ),
        ('["focus"]', b'M\0\0\0\x11{"type": "focus"}'),
    ],
)
async def test_a_dashboard_gets_what_its_page_sends_within_bounds(sent: str, taken: bytes) -> None:
    async with browser(ECHOES) as client, client.ws_connect("/ws") as websocket:
        for nonsense in ("null", "[]", "{}", '["stdin"]', '["stdin", 7]', '["resize", {"width": 1}]', '["x", "y"]'):
            await websocket.send_str(nonsense)
        await websocket.send_str(sent)
        assert await websocket.receive_bytes(timeout=20) == taken


async def test_a_page_asks_for_no_size_that_costs_memory() -> None:
    async with browser(TELLS_SIZE) as client:
        for asked, told in (
            ("width=9999&height=0", b"1000 1"),
            ("width=x&height=-1", b"80 24"),
            ("width=" + "9" * 5000, b"80 24"),
        ):
            async with client.ws_connect(f"/ws?{asked}") as websocket:
                assert (await websocket.receive_bytes(timeout=20)).strip() == told


async def until_gone(process: psutil.Process) -> None:
    async with asyncio.timeout(20):
        while process.is_running():
            await asyncio.sleep(0.02)
