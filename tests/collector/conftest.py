"""A recorded farm, and a Chia that serves it."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chiatea.collector.observations import Observation
from chiatea.collector.sources.daemon_messages import observation_of_message
from tests.fake_chia import FakeChia

DATA = Path(__file__).parent.parent / "data" / "chia"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 1_795_463_720.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return DATA


def _messages(name: str) -> list[tuple[float, dict[str, Any]]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        recorded = [json.loads(line) for line in file]
    return [(entry["at"], entry["message"]) for entry in recorded]


@pytest.fixture(scope="session")
def metrics_messages() -> list[tuple[float, dict[str, Any]]]:
    return _messages("daemon_metrics.jsonl.gz")


@pytest.fixture(scope="session")
def wallet_ui_messages() -> list[tuple[float, dict[str, Any]]]:
    return _messages("daemon_wallet_ui.jsonl.gz")


@pytest.fixture(scope="session")
def metrics_observations(metrics_messages: list[tuple[float, dict[str, Any]]]) -> list[Observation]:
    told = (observation_of_message(message, "metrics", at) for at, message in metrics_messages)
    return [observation for observation in told if observation is not None]


@pytest.fixture(scope="session")
def rpc_answers() -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((DATA / "rpc_answers.json").read_text())
    return answers


@pytest.fixture
async def chia(tmp_path: Path) -> AsyncIterator[FakeChia]:
    fake = FakeChia(tmp_path / "chia")
    yield fake
    await fake.stop()
