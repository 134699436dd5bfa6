"""Moved plots and a harvester that answers what the test says, over real TLS: from the move until it is farmed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chiatea.copier import farming, farming_watch, service
from chiatea.copier.jobs import Farming, Job, JobState
from tests.fake_chia import FakeChia

from .small_plots import plot_name, write_plot
from .test_service import SMALL, Workshop, until, where


class Farm:
    """A copier, its harvester, and what the copier tells."""

    def __init__(self, folder: Path) -> None:
        self.shop = Workshop(folder)
        self.root = folder / "chia"
        self.chia = FakeChia(self.root)
        self.jobs: dict[str, Job] = {}
        self.told: list[Farming] = []
        self.tell_folders(*self.shop.targets)
        self.chia.answers["harvester", "get_harvester_config"] = {
            "recursive_plot_scan": False, "refresh_parameter_interval_seconds": 0, "success": True,
        }  # fmt: skip
        self.load()

    def tell_folders(self, *folders: Path) -> None:
        self.chia.plot_folders = [str(folder) for folder in folders]
        self.chia.answers["harvester", "get_plot_directories"] = {
            "directories": self.chia.plot_folders, "success": True,
        }  # fmt: skip

    def load(self, *loaded: Path, failed: tuple[Path, ...] = (), no_key: tuple[Path, ...] = ()) -> None:
        self.chia.answers["harvester", "get_plots"] = {
            "plots": [{"filename": str(path.parent.resolve() / path.name)} for path in loaded],
            "failed_to_open_filenames": [str(path) for path in failed],
            "not_found_filenames": [str(path) for path in no_key],
            "success": True,
        }

    def moved(self) -> list[Path]:
        return [folder / name for folder in self.shop.targets for name in where(self.shop) if (folder / name).exists()]

    def tell(self, job: Job) -> None:
        self.jobs[job.id] = job
        if job.finished_time is not None:
            self.told.append(job.farming)

    def job(self) -> Job:
        (job,) = self.jobs.values()
        return job

    @asynccontextmanager
    async def copying(self, more: str = "") -> AsyncIterator[None]:
        stop = asyncio.Event()
        config = self.shop.config(f"{more}chia: {{root: {self.root}}}\n")
        task = asyncio.create_task(service.copy(config, stop=stop, worker=self.shop.start, tell=self.tell))
        try:
            yield
        finally:
            stop.set()
            await task


@pytest.fixture
async def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Farm]:
    monkeypatch.setattr(farming, "_MOST_OFTEN_SECONDS", 0.05)
    monkeypatch.setattr(farming, "_LEAST_OFTEN_SECONDS", 0.05)
    monkeypatch.setattr(farming, "_SHARE_OF_LIST", 0.0)
    made = Farm(tmp_path)
    await made.chia.start("harvester")
    yield made
    await made.chia.stop()


async def test_a_moved_plot_waits_until_the_harvester_has_loaded_it(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.chia.asked.count(("harvester", "get_plots")) >= 2)
        assert farm.told == [Farming.WAITING]
        farm.load(*farm.moved())
        await until(lambda: farm.told[-1] is Farming.FARMING)
        assert farm.job().last_error == ""
        n_asked = len(farm.chia.asked)
        write_plot(farm.shop.sources[0], 2, SMALL)
        await until(lambda: len(farm.chia.asked) > n_asked)
    assert farm.told.count(Farming.FARMING) == 1


async def test_nothing_is_asked_of_the_harvester_while_nothing_waits(farm: Farm) -> None:
    farm.shop.hold = asyncio.Event()
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.shop.n_active == 1)
    assert farm.chia.asked == []


async def test_a_target_that_the_harvester_does_not_look_into_is_told_at_once_and_costs_it_no_list(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    farm.tell_folders(farm.root)
    farm.chia.write_config()
    for number in (1, 2):
        write_plot(farm.shop.sources[0], number, SMALL)
    with caplog.at_level(logging.WARNING):
        async with farm.copying("  max_per_target: 2\n"):
            await until(lambda: len(farm.jobs) == 2 and all(job.last_error for job in farm.jobs.values()))
            await until(lambda: farm.chia.asked.count(("harvester", "get_plot_directories")) >= 4)
    folder = farm.job().target_folder if len(farm.jobs) == 1 else next(iter(farm.jobs.values())).target_folder
    assert next(iter(farm.jobs.values())).last_error == (
        f"not in the harvester's plot directories: chia plots add -d {folder}"
    )
    assert ("harvester", "get_plots") not in farm.chia.asked
    said = [record.getMessage() for record in caplog.records if "not farmed" in record.getMessage()]
    assert 1 <= len(said) <= 2


@pytest.mark.parametrize(("answer", "reason"), [("failed", "cannot open it"), ("no_key", "has no key for it")])
async def test_what_the_harvester_cannot_farm_is_told_with_the_reason(farm: Farm, answer: Any, reason: str) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(farm.moved)
        farm.load(**{answer: tuple(farm.moved())})
        await until(lambda: reason in farm.job().last_error)
        assert farm.job().farming is Farming.WAITING


async def test_a_plot_that_waits_for_long_is_warned_of_once(farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    with caplog.at_level(logging.WARNING):
        async with farm.copying("  farming_within: 0.1s\n"):
            await until(lambda: "has not loaded it yet" in farm.job().last_error if farm.jobs else False)
            await until(lambda: farm.chia.asked.count(("harvester", "get_plots")) >= 8)
    said = [record.getMessage() for record in caplog.records if "not farmed" in record.getMessage()]
    assert len(said) == 1
    assert plot_name(1) in said[0]


async def test_a_plot_that_waits_when_the_copier_ends_is_asked_for_by_the_next_one(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told == [Farming.WAITING])
    before = farm.job()
    farm.load(*farm.moved())
    farm.told.clear()
    async with farm.copying():
        await until(lambda: farm.told == [Farming.FARMING])
    after = farm.job()
    assert (after.id, after.source, after.target_folder, after.hash, after.finished_time) == (
        before.id, before.source, before.target_folder, before.hash, before.finished_time,
    )  # fmt: skip
    farm.told.clear()
    farm.chia.asked.clear()
    farm.shop.hold = asyncio.Event()
    write_plot(farm.shop.sources[0], 2, SMALL)
    async with farm.copying():
        await until(lambda: farm.shop.n_active == 1)
    assert (farm.told, farm.chia.asked) == ([], [])


async def test_a_plot_that_waited_and_was_put_back_to_its_source_meanwhile_is_moved_again(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told == [Farming.WAITING])
    (plot,) = farm.moved()
    plot.rename(farm.shop.sources[0] / plot.name)
    async with farm.copying():
        await until(farm.moved)
        farm.load(*farm.moved())
        await until(lambda: farm.told[-1] is Farming.FARMING)


async def test_what_is_found_out_of_a_move_changes_nothing_of_a_new_move_of_the_same_plot(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told == [Farming.WAITING])
    (plot,) = farm.moved()
    plot.rename(farm.shop.sources[0] / plot.name)
    farm.shop.hold = asyncio.Event()
    look, n_looks = farming_watch._TargetLook.paths, 0

    async def paths_when_it_is_copied(self: Any, names: list[str]) -> dict[str, str | None]:
        nonlocal n_looks
        seen = await look(self, names)
        await until(lambda: farm.shop.n_active == 1)
        n_looks += 1
        return seen

    monkeypatch.setattr(farming_watch._TargetLook, "paths", paths_when_it_is_copied)
    async with farm.copying("  max_per_target: 2\n"):
        await until(lambda: n_looks)
        write_plot(farm.shop.sources[1], 2, SMALL)
        await until(lambda: farm.shop.n_active == 2)
        assert {job.state for job in farm.jobs.values()} == {JobState.COPYING}


async def test_a_damaged_list_of_what_waits_stops_nothing(farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    kept = farm.shop.folder / "state" / "copy" / "not_farming.json"
    kept.parent.mkdir(parents=True)
    for text in ("{", '[{"id": 1}]', '[{"id": "a", "name": []}]', "3", "\0"):
        kept.write_text(text)
        write_plot(farm.shop.sources[0], ord(text[0]), SMALL)
        async with farm.copying():
            await until(lambda: not any(farm.shop.sources[0].iterdir()))
    assert sum("is damaged" in record.getMessage() for record in caplog.records) == 5


async def test_a_harvester_that_is_away_is_the_reason_until_it_is_back(farm: Farm) -> None:
    await farm.chia.stop_one("harvester")
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: "the harvester does not answer" in farm.job().last_error if farm.jobs else False)
        assert farm.job().farming is Farming.WAITING
        await farm.chia.start_one("harvester")
        farm.load(*farm.moved())
        await until(lambda: farm.told[-1] is Farming.FARMING)


async def test_without_a_harvester_on_this_machine_nothing_is_watched(farm: Farm) -> None:
    farm.tell_folders()
    farm.chia.write_config()
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told)
    assert farm.told == [Farming.NOT_WATCHED]
    assert farm.chia.asked == []


async def test_where_it_is_switched_off_nothing_is_watched(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying("  farming_within: 0\n"):
        await until(lambda: farm.told)
    assert (farm.told, farm.chia.asked) == ([Farming.NOT_WATCHED], [])


async def test_when_chia_goes_from_this_machine_what_waits_is_watched_no_more(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told == [Farming.WAITING])
        (farm.root / "config" / "config.yaml").unlink()
        await until(lambda: farm.told[-1] is Farming.NOT_WATCHED)


async def test_a_plot_that_was_taken_away_again_is_watched_no_more(farm: Farm) -> None:
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.told == [Farming.WAITING])
        for path in farm.moved():
            path.unlink()
        await until(lambda: farm.told[-1] is Farming.NOT_WATCHED)


async def test_a_target_behind_a_link_is_asked_for_as_the_harvester_names_it(farm: Farm) -> None:
    for folder in farm.shop.targets:
        real = folder.with_name(f"{folder.name}-real")
        folder.rename(real)
        folder.symlink_to(real)
    farm.tell_folders(*farm.shop.targets)
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: farm.chia.asked.count(("harvester", "get_plots")))
        farm.load(*farm.moved())
        await until(lambda: farm.told[-1] is Farming.FARMING)


async def test_a_defect_of_the_watch_stops_no_copy(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def judged(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(farming_watch, "judged", judged)
    write_plot(farm.shop.sources[0], 1, SMALL)
    async with farm.copying():
        await until(lambda: any("a defect in chia-tea" in record.getMessage() for record in caplog.records))
        write_plot(farm.shop.sources[0], 2, SMALL)
        await until(lambda: len(where(farm.shop)) == 2)
