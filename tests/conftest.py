"""What every test has: a home of its own, conditions to wait for, and hypothesis without a stopwatch."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "chia-tea",
    deadline=None,  # a machine busy with something else is no fault
    max_examples=int(os.environ.get("CHIA_TEA_EXAMPLES", "50")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("chia-tea")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no test reads or writes what belongs to the person who runs it."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("CHIA_TEA_CONFIG", "CHIA_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for a condition, ten seconds at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "the condition did not come true within 10 s"
            await asyncio.sleep(0.01)

    return wait
