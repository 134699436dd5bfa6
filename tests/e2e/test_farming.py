"""A copier beside a harvester that answers over its RPC what the test says, and beside a log that tells of lookups."""

import asyncio
import datetime as dt
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.copier.small_plots import write_plot
from tests.fake_chia import FakeChia

from .conftest import Home
from .test_copy import Copies

MIB = 1 << 20
LOOKUP = (
    "{time} 2.7.5 harvester chia.harvester.harvester: INFO     challenge_hash: 37c5941d80 ...1 plots were eligible for "
    "farming challengeFound 0 V1 proofs and 0 V2 qualities. Time: {seconds:.5f} s. Total 5 plots\n"
)


class Farm(Copies):
    """A server, a copier and a harvester that farms the first target alone."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.chia = FakeChia(home.chia_root)
        self.chia.plot_folders = [str(self.targets[0])]
        self.chia.answers["harvester", "get_plot_directories"] = {
            "directories": self.chia.plot_folders, "success": True,
        }  # fmt: skip
        self.chia.answers["harvester", "get_harvester_config"] = {
            "recursive_plot_scan": False, "refresh_parameter_interval_seconds": 1, "success": True,
        }  # fmt: skip
        self.load()

    def load(self, *plots: Path) -> None:
        self.chia.answers["harvester", "get_plots"] = {
            "plots": [{"filename": str(plot)} for plot in plots],
            "failed_to_open_filenames": [],
            "not_found_filenames": [],
            "success": True,
        }

    async def start(self, *arguments: str, ready: str) -> "subprocess.Popen[str]":
        return await asyncio.to_thread(self.home.start, *arguments, ready=ready)

    async def until(self, condition: Callable[[], object]) -> None:
        await asyncio.to_thread(self.home.until, condition)

    def listed(self, what: str) -> dict[str, Any]:
        """The first of `jobs` or `copiers`."""
        entries = json.loads(self.home.run("jobs", "--json").stdout)[what]
        return entries[0] if entries else {}


@pytest.fixture
async def farm(home: Home) -> AsyncIterator[Farm]:
    made = Farm(home)
    await made.chia.start("harvester")
    await asyncio.to_thread(home.run, "certs", "create")
    await made.start("serve", ready="listening on")
    yield made
    # The copier first: it may just be asking.
    await asyncio.to_thread(home.end)
    await made.chia.stop()


async def test_a_moved_plot_is_not_farming_until_the_harvester_has_loaded_it_also_where_the_copier_was_killed(
    farm: Farm,
) -> None:
    farm.configure(targets=farm.targets[:1])
    copier = await farm.start("copy", ready="connected to the server")
    plot = farm.targets[0] / write_plot(farm.sources[0], 1, MIB).name
    await farm.until(lambda: farm.listed("copiers").get("n_not_farming") == 1)
    job = farm.listed("jobs")
    assert (job["state"], job["farming"], job["target_filepath"]) == ("DONE", "WAITING", str(plot))
    assert "1 moved (1.00 MiB), 0 failed, 1 not farming yet" in farm.home.run("jobs").stdout
    await farm.until(lambda: ("harvester", "get_plots") in farm.chia.asked)
    await farm.until((farm.home.folder / ".chia_tea/state/copy/not_farming.json").exists)
    copier.kill()
    copier.wait()

    farm.load(plot)
    await farm.start("copy", ready="connected to the server")
    await farm.until(lambda: farm.listed("jobs").get("farming") == "FARMING")
    await farm.until(lambda: farm.listed("copiers")["n_not_farming"] == 0)
    assert farm.listed("jobs") | {"farming": "WAITING"} == job
    told = json.loads(farm.home.run("events", "--topic", "copy_job", "--json").stdout)
    assert [event["entry"]["farming"] for event in told if event["entry"]["state"] == "DONE"] == ["WAITING", "FARMING"]


async def test_a_target_that_the_harvester_does_not_know_is_told_with_the_command_that_adds_it(farm: Farm) -> None:
    farm.configure(targets=farm.targets[1:])
    await farm.start("copy", ready="connected to the server")
    write_plot(farm.sources[0], 1, MIB)
    why = f"not in the harvester's plot directories: chia plots add -d {farm.targets[1]}"
    await farm.until(lambda: why in farm.home.run("jobs").stdout)
    assert farm.listed("jobs")["farming"] == "WAITING"
    assert ("harvester", "get_plots") not in farm.chia.asked


async def test_copies_are_slowed_down_by_slow_lookups_and_it_is_said(farm: Farm) -> None:
    log = farm.home.chia_root / "log" / "debug.log"
    log.parent.mkdir()

    def look_up(seconds: float) -> None:
        now = dt.datetime.now().isoformat(timespec="milliseconds")  # noqa: DTZ005 - as Chia writes it
        with log.open("a") as file:
            file.write(LOOKUP.format(time=now, seconds=seconds))

    farm.configure("  max_bandwidth: 1MB\n")
    look_up(0.1)
    await farm.start("collect", ready="connected to the server")
    await farm.start("copy", ready="connected to the server")
    write_plot(farm.sources[0], 1, 64 * MIB)
    await farm.until(lambda: farm.listed("copiers").get("n_active") == 1)
    assert "slowed_by" not in {key for key, value in farm.listed("copiers").items() if value}

    def is_slowed() -> bool:
        look_up(6.0)
        return bool(farm.listed("copiers").get("slowed_by"))

    await farm.until(is_slowed)
    assert farm.listed("copiers")["slowed_by"].startswith("a lookup took 6.0 s: each copy moves ")
    assert "slowed down: a lookup took 6.0 s" in farm.home.run("jobs").stdout
