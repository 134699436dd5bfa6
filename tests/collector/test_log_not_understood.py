import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chiatea.collector.log_watch import LogWatch
from chiatea.collector.observations import Complaint, Lookup, Observation
from chiatea.collector.sources.log.chia_log import ChiaLog, LogPart
from chiatea.protobuf.chia_pb2 import Source

Clock = Any
NOW = 1_795_463_720.0
"""The clock's time."""
FORM = datetime.fromtimestamp(NOW - 20, UTC).astimezone().strftime("%Y-%m-%dT%H:%M:")
FORM += "{second:02}.000 2.7.5 harvester chia.harvester.harvester: INFO     {text}\n"


class Watched:
    """A log watched, and what it told."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.told: list[Observation] = []
        self.watch = LogWatch(path, self.told.append, clock)

    def add(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def look(self) -> Source:
        await self.watch.look()
        return self.watch.health.aged()

    def restart(self) -> None:
        memory = self.watch.as_json()
        self.watch.close()
        self.watch = LogWatch(self.path, self.told.append, self.clock)
        assert self.watch.restore(memory)


@pytest.fixture
def watched(tmp_path: Path, clock: Clock) -> Watched:
    return Watched(tmp_path / "debug.log", clock)


def with_another_prefix(line: str) -> str:
    if not line.startswith("2026-"):
        return line
    time, version, service, rest = line.split(" ", 3)
    return f"[{time}] {service}/{version} {rest}"


async def test_a_log_whose_every_line_has_a_new_prefix_is_failing_and_says_why(
    watched: Watched, data_folder: Path
) -> None:
    lines = (data_folder / "debug_farmer.log").read_text().splitlines(keepends=True)
    watched.add("".join(map(with_another_prefix, lines)) + "\n")
    source = await watched.look()
    assert source.n_not_understood == sum(line.startswith("2026-") for line in lines)
    assert source.state == Source.FAILING
    assert "100 % of the newest lines were not understood" in source.error
    assert "this Chia may be newer than this chia-tea" in source.error
    assert 1 <= len(source.samples_not_understood) <= 5
    source = await watched.look()
    assert source.state == Source.FAILING, "also while nothing is added"


async def test_a_log_that_changes_at_an_update_of_chia_is_failing_and_recovers_with_chia_tea(
    watched: Watched, data_folder: Path
) -> None:
    lines = (data_folder / "debug_farmer.log").read_text().splitlines(keepends=True)
    watched.add("".join(lines))
    assert (await watched.look()).state != Source.FAILING
    watched.add("".join(map(with_another_prefix, lines)))
    assert (await watched.look()).state == Source.FAILING
    watched.add("".join(lines) * 2)
    assert (await watched.look()).state != Source.FAILING


async def test_a_changed_wording_of_known_columns_is_failing_too(watched: Watched) -> None:
    for second in range(30):
        watched.add(FORM.format(second=second, text=f"{second} plots passed the filter, 0 proofs"))
    source = await watched.look()
    assert (source.n_understood, source.n_not_understood, source.state) == (0, 30, Source.FAILING)
    assert source.last_not_understood.endswith("29 plots passed the filter, 0 proofs")


async def test_some_unknown_lines_are_counted_and_the_source_is_fine(watched: Watched, data_folder: Path) -> None:
    watched.add((data_folder / "debug_farmer.log").read_text())
    for second in range(12):
        watched.add(FORM.format(second=second, text=f"a new thing of {second}"))
    watched.add(FORM.format(second=13, text="another new thing\x1b[31m\x07"))
    source = await watched.look()
    assert (source.n_not_understood, source.state) == (13, Source.OK)
    assert [sample.rpartition("INFO     ")[2] for sample in source.samples_not_understood] == [
        "a new thing of 11",
        "another new thing ",
    ]


async def test_unknown_errors_alone_are_told_and_counted_and_do_not_make_the_source_failing(watched: Watched) -> None:
    for second in range(30):
        line = FORM.format(second=second, text=f"the disk melted {second}")
        watched.add(line.replace("INFO    ", "ERROR   ") + "Traceback (most recent call last):\nValueError: 5\n")
    source = await watched.look()
    assert (source.n_not_understood, source.state) == (30, Source.OK)
    assert sum(isinstance(told, Complaint) for told in watched.told) == 30


async def test_counters_samples_and_context_survive_a_restart(watched: Watched) -> None:
    error = FORM.format(second=1, text="Unknown error: x").replace("INFO    ", "ERROR   ")
    watched.add(FORM.format(second=0, text="a new thing") + error + "Traceback (most recent call last):\n")
    watched.add("x" * 70_000 + "\n")
    before = await watched.look()
    told = (before.n_understood, before.n_not_understood, before.n_lines_cut, list(before.samples_not_understood))
    assert told[:3] == (1, 1, 1)
    watched.restart()
    watched.add("ValueError: 5\n")
    after = await watched.look()
    assert (after.n_understood, after.n_not_understood, after.n_lines_cut, list(after.samples_not_understood)) == told


async def test_what_is_not_read_yet_is_told_while_it_is(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    line = FORM.format(second=1, text="Loaded 5 bytes of cached data")
    watched.add(line * 100)
    monkeypatch.setattr("chiatea.collector.log_watch._FIRST_SECONDS", 0)
    monkeypatch.setattr("chiatea.collector.log_watch._QUESTION_SECONDS", 0)
    monkeypatch.setattr("chiatea.collector.log_watch._SLICE_BYTES", 1000)
    source = await watched.look()
    assert 0 < source.n_bytes_behind < 100 * len(line)
    while source.HasField("n_bytes_behind"):
        source = await watched.look()
    assert source.n_understood == 100


async def test_a_log_that_cannot_be_opened_is_failing_and_is_read_once_it_can(watched: Watched) -> None:
    watched.path.symlink_to(watched.path)  # as root, a permission refuses nothing
    source = await watched.look()
    assert source.state == Source.FAILING
    assert source.error.endswith(os.strerror(40))
    watched.path.unlink()
    watched.add(FORM.format(second=1, text="Loaded 5 bytes of cached data"))
    source = await watched.look()
    assert (source.state, source.n_understood) == (Source.OK, 1)


async def test_a_refused_log_says_so_in_one_line(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.add("x\n")

    def refused(path: object, flags: int) -> int:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "open", refused)
    source = await watched.look()
    assert (source.state, source.error) == (Source.FAILING, f"{watched.path}: Permission denied")


def parts_of(path: Path) -> list[LogPart]:
    log = ChiaLog(path)
    parts = [log.read_part(1000, NOW)]
    while parts[-1].n_bytes:
        parts.append(log.read_part(1000, NOW))
    log.close()
    return parts


def test_a_log_in_slices_tells_the_same_as_in_one_piece(data_folder: Path) -> None:
    path = data_folder / "debug_harvester2.log"
    parts = parts_of(path)
    whole = ChiaLog(path).read_part(10_000_000, NOW)
    assert [told for part in parts for told in part.observations] == whole.observations
    assert sum(part.n_understood for part in parts) == whole.n_understood
    assert sum(isinstance(told, Lookup) for told in whole.observations) > 40
