"""A real server on loopback: TLS, tokens, SQLite, in the test's own folder."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from chiatea.config import Config, load
from chiatea.security.first_use import SecurityFiles, create_missing
from chiatea.server.serving import Serving, serving
from chiatea.wire.channel import Server, server_of

Condition = Callable[[], object]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    filepath = tmp_path / "config.yml"
    filepath.write_text(
        "machine: {name: barn, state_folder: state}\n"
        "monitoring: {server: {db_filepath: farm.db}, client: {address: 127.0.0.1}}\n"
    )
    loaded = load(filepath)
    auth = loaded.monitoring.auth
    create_missing(
        SecurityFiles(auth.key_filepath, auth.cert_filepath, auth.token_hashes_filepath, loaded.folder), now=time.time()
    )
    return loaded


class Running:
    """A server that can be stopped and started again at the same port."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._context: AbstractAsyncContextManager[Serving] | None = None
        self._port = 0
        self.serving: Serving

    async def start(self) -> None:
        self._context = serving(self._config, port=self._port)
        self.serving = await self._context.__aenter__()
        self._port = self.serving.port

    async def stop(self) -> None:
        if self._context is not None:
            await self._context.__aexit__(None, None, None)
            self._context = None

    def as_seen_by(self, role: str) -> Server:
        return server_of(self._config, token_files=(f"{role}.token",), address=f"127.0.0.1:{self._port}")


@pytest.fixture
async def server(config: Config) -> AsyncIterator[Running]:
    running = Running(config)
    await running.start()
    yield running
    await running.stop()


@asynccontextmanager
async def task_of(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(condition: Condition, limit_seconds: float = 10.0) -> None:
    """Waits for a condition, looking at it whenever others had their turn."""
    async with asyncio.timeout(limit_seconds):
        while not condition():
            await asyncio.sleep(0.005)
