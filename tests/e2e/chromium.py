"""A headless Chromium with one tab, driven through its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_CATCH_TERMINAL = """
Object.defineProperty(Object.prototype, "terminal", {
  configurable: true,
  set(terminal) {
    window.caught = terminal;
    Object.defineProperty(this, "terminal", { value: terminal, writable: true });
  },
});
"""
"""Keeps hold of the page's xterm.js, which is drawn on a canvas and known to nothing but its own script."""

_TEXT = """
(() => {
  const buffer = window.caught?.buffer.active;
  const lines = Array.from({ length: buffer?.length ?? 0 }, (_, y) => buffer.getLine(y).translateToString(true));
  return lines.join("\\n");
})()
"""


class Tab:
    """What one tab asked of the network, what stands in its terminal, keys for it, pictures of it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            match told.get("method"):
                case "Network.requestWillBeSent":
                    self.requested.append(told["params"]["request"]["url"])
                case "Network.webSocketCreated":
                    self.requested.append(told["params"]["url"])
                case "Runtime.exceptionThrown" | "Log.entryAdded":
                    self.complaints.append(str(told["params"]))

    async def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, 20)
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def open(self, address: str) -> None:
        for domain in ("Network", "Runtime", "Log", "Page"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.addScriptToEvaluateOnNewDocument", source=_CATCH_TERMINAL)
        await self.ask("Page.navigate", url=address)

    async def evaluate(self, script: str) -> Any:
        told = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    async def text(self) -> str:
        """What stands in the terminal."""
        text: str = await self.evaluate(_TEXT)
        return text

    async def text_when(self, is_there: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + 30
        while not is_there(text := await self.text()):
            assert time.monotonic() < deadline, f"it never came to be there:\n{text}\n{self.complaints}"
            await asyncio.sleep(0.05)
        return text

    async def picture(self) -> bytes:
        """What is seen, as a PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot"))["data"])


@contextlib.asynccontextmanager
async def chromium(folder: Path, *, width: int = 1280, height: int = 800) -> AsyncIterator[Tab]:
    """Runs it with a new profile in a folder, for as long as the block lasts."""
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={folder}",
        f"--window-size={width},{height}", "about:blank",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told = folder / "DevToolsActivePort"
        deadline = time.monotonic() + 30
        while not told.exists() or "\n" not in told.read_text():
            assert process.returncode is None, "Chromium ended at once"
            assert time.monotonic() < deadline, "Chromium did not begin"
            await asyncio.sleep(0.05)
        port = told.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                page = next(each for each in await response.json() if each["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                listening = asyncio.create_task(tab.listen())
                yield tab
                with contextlib.suppress(TimeoutError, ConnectionError):
                    await tab.ask("Browser.close")
            listening.cancel()
            await asyncio.wait([listening])
    finally:
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
