from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chiatea.collector.log_watch import LogWatch
from chiatea.collector.observations import Observation
from chiatea.protobuf.chia_pb2 import Source

Clock = Any


def line(time: float, level: str, text: str) -> str:
    at = datetime.fromtimestamp(time, UTC).astimezone().replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{at} 2.7.5 harvester chia.harvester.harvester: {level:<8} {text}\n"


@pytest.fixture
async def watched(tmp_path: Path, clock: Clock) -> AsyncIterator[LogWatch]:
    told: list[Observation] = []
    watch = LogWatch(tmp_path / "debug.log", told.append, clock)
    yield watch
    watch.close()


def state(watch: LogWatch) -> tuple[int, str]:
    entry = watch.health.aged()
    return entry.state, entry.error


async def test_a_log_of_warnings_only_says_how_to_make_it_tell_more(watched: LogWatch, clock: Clock) -> None:
    begun = clock.now
    watched.path.write_text(line(begun, "WARNING", "something"))
    await watched.look()
    assert state(watched) == (Source.OK, "")
    for n in range(1, 12):
        clock.now = begun + 30 * n
        with watched.path.open("a") as file:
            file.write(line(clock.now, "ERROR", "something else"))
        await watched.look()
    assert state(watched)[0] == Source.STALE
    assert "chia configure --log-level INFO" in state(watched)[1]
    again = LogWatch(watched.path, lambda _: None, clock)
    assert again.restore(watched.as_json())
    await again.look()
    assert state(again)[0] == Source.STALE
    again.close()
    with watched.path.open("a") as file:
        file.write(line(clock.now, "INFO", "_plot_refresh_callback: event started"))
    await watched.look()
    assert state(watched) == (Source.OK, "")


async def test_warnings_among_lines_of_level_info_are_no_sign_of_anything(watched: LogWatch, clock: Clock) -> None:
    begun = clock.now
    for n in range(60):
        clock.now = begun + 10 * n
        with watched.path.open("a") as file:
            file.write(line(clock.now, "INFO" if n % 5 == 0 else "WARNING", "something"))
        await watched.look()
        assert state(watched) == (Source.OK, "")


async def test_a_log_without_new_lines_is_stale_after_two_minutes(watched: LogWatch, clock: Clock) -> None:
    watched.path.write_text(line(clock.now, "INFO", "something"))
    await watched.look()
    for seconds, expected in ((119, Source.OK), (2, Source.STALE)):
        clock.now += seconds
        await watched.look()
        assert state(watched) == (expected, "")
