from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier.jobs import Farming, Job, JobState, begun, finished
from chiatea.copier.speeds import Measuring, Speed, Speeds, read_speeds

from .jobs_and_targets import GIB, NOW, a_job

TARGET = Path("/t")


def unlimited(_: str) -> int:
    return 0


def moving(number: int = 0) -> Job:
    return begun(a_job(number, n_bytes=1000), target_folder=TARGET, target_device=1, target_disk="sda", now=NOW)


def moved(job: Job, seconds: float = 10.0) -> Job:
    return finished(job, plot_hash="ab", verified_bytes=1000, now=NOW + seconds)


async def test_the_speed_of_a_move_outlives_the_copier(tmp_path: Path) -> None:
    measuring = Measuring(tmp_path / "copy" / "speeds.json", unlimited)
    for number, seconds in enumerate((10.0, 20.0, 1000.0)):
        measuring.on_change(moving(number))
        measuring.on_change(moved(moving(number), seconds))
    await measuring.end()
    speeds = read_speeds(tmp_path / "copy" / "speeds.json")
    assert speeds.of(TARGET) == Speed(50.0, "measured")
    assert speeds.of(Path("/other")) == Speed(50.0, "other targets")


async def test_a_move_that_was_paused_or_went_on_from_an_earlier_run_tells_no_speed(tmp_path: Path) -> None:
    measuring = Measuring(tmp_path / "speeds.json", unlimited)
    for job in (replace(moving(), state=JobState.PAUSED), replace(moving(), must_recover=True)):
        measuring.on_change(job)
        measuring.on_change(replace(job, state=JobState.VERIFYING, must_recover=False))
        measuring.on_change(moved(job))
    await measuring.end()
    assert not (tmp_path / "speeds.json").exists()
    measuring.on_change(moving())
    measuring.on_change(moved(moving()))
    await measuring.end()
    assert read_speeds(tmp_path / "speeds.json").targets == {"/t": [100.0]}


@pytest.mark.parametrize(
    ("rates", "is_kept"), [([0, 0], True), ([0, 10_000], True), ([0, 150], False), ([220, 0], False)]
)
async def test_a_move_that_was_held_to_a_limit_tells_no_speed(tmp_path: Path, rates: list[int], is_kept: bool) -> None:
    left = list(rates)
    measuring = Measuring(tmp_path / "speeds.json", lambda _: left.pop())
    while left:
        measuring.on_change(moving())
    measuring.on_change(moved(moving()))
    await measuring.end()
    assert read_speeds(tmp_path / "speeds.json").of(TARGET).bytes_per_second == (100 if is_kept else 100e6)


async def test_a_move_is_measured_once_also_when_it_is_told_later_that_its_plot_is_farmed(tmp_path: Path) -> None:
    for rate, kept in ((0, {"/t": [100.0]}), (150, {})):
        filepath = tmp_path / f"{rate}.json"
        measuring = Measuring(filepath, lambda _, rate=rate: rate)  # type: ignore[misc]
        measuring.on_change(moving())
        for farming in (Farming.WAITING, Farming.FARMING):
            measuring.on_change(replace(moved(moving()), farming=farming))
        await measuring.end()
        assert read_speeds(filepath).targets == kept


def test_only_the_last_moves_count() -> None:
    speeds = Speeds()
    for _ in range(100):
        speeds.add(TARGET, 1.0)
    for _ in range(9):
        speeds.add(TARGET, 5.0)
    assert speeds.of(TARGET) == Speed(5.0, "measured")
    assert len(speeds.targets["/t"]) == 9


@pytest.mark.parametrize(
    "content", [None, "", "{", '{"targets": {"/t": "fast"}}', '{"targets": {"/t": [0, -1, 1e999]}}']
)
def test_without_anything_that_was_measured_a_speed_is_assumed(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "speeds.json").write_text(content)
    assert read_speeds(tmp_path / "speeds.json").of(TARGET) == Speed(100e6, "assumed")


async def test_what_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    measuring = Measuring(tmp_path / "file" / "speeds.json", unlimited)
    measuring.on_change(moving())
    measuring.on_change(moved(moving()))
    await measuring.end()


def test_a_limit_counts_twice_where_every_byte_is_read_back() -> None:
    speed = Speed(GIB, "measured")
    assert speed.limited([0, 0], "full") is speed
    assert speed.limited([1000, 0, 5000], "full") == Speed(500, "limited")
    assert speed.limited([1000], "none") == Speed(1000, "limited")
    assert speed.limited([4 * GIB], "full") is speed
