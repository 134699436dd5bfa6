"""Copies that are held, and lookups as a collector tells them: who goes slower, and what is said of it."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from chiatea.copier.lookups_watch import LookupsNews, LookupsWatch
from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.chia_pb2 import ChiaNotice, Harvester
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.state.machine_state import MachineState

from .small_plots import write_plot
from .test_service import SMALL, Workshop, until
from .test_steering import Steered

MIB = 1 << 20


def slow_plot(number: int, seconds: float = 9.0, disk_id: str = "") -> ChiaNotice:
    notice = ChiaNotice(id=f"slow{number}", kind=ChiaNotice.SLOW_LOOKUP, time=number, lookup_seconds=seconds)
    if disk_id:
        notice.disk_id = disk_id
    return notice


def told(number: int, seconds: float, *notices: ChiaNotice) -> MachineState:
    harvester = Harvester(last_challenge_time=number, last_lookup_seconds=seconds, median_lookup_seconds=0.1)
    return MachineState.from_computer_info(ComputerInfo(harvester=harvester, chia_notices=notices))


def test_what_was_told_before_the_first_look_is_old_and_each_thing_is_new_once() -> None:
    news, proof = LookupsNews(), ChiaNotice(id="p", kind=ChiaNotice.PROOF_FOUND)
    assert news.of(told(1, 9.0, slow_plot(1), proof)) == ([], [], 0.1)
    lookups, plots, _ = news.of(told(2, 7.0, slow_plot(1), slow_plot(2), proof))
    assert [(lookup.time, lookup.seconds) for lookup in lookups] == [(2, 7.0)]
    assert [plot.id for plot in plots] == ["slow2"]
    assert news.of(told(2, 7.0, slow_plot(1), slow_plot(2)))[:2] == ([], [])
    assert news.of(MachineState()) == ([], [], None)


class Slowed(Steered):
    """A copier with two copies that are held, and a collector that tells what the test says."""

    def __init__(self, shop: Workshop) -> None:
        super().__init__(shop, "  max_per_target: 3\n  max_per_source: 3\n")
        self.shop = shop
        self.answer: MachineState | ConnectionFailedError = MachineState()
        self.disks = {"/mnt/a": "no disk of ours"}
        self.watch = LookupsWatch(self.copying, self._ask, slow_seconds=5.0, clock=lambda: 10.0, disk_at=self._disk_at)

    async def _ask(self) -> MachineState:
        if isinstance(self.answer, ConnectionFailedError):
            raise self.answer
        return self.answer

    def _disk_at(self, mount_point: str) -> str:
        if mount_point not in self.disks:
            raise FileNotFoundError(mount_point)
        return self.disks[mount_point]

    async def hear(self, answer: MachineState | ConnectionFailedError) -> None:
        self.answer = answer
        await self.watch.look()


@pytest.fixture
async def slowed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slowed]:
    shop = Workshop(tmp_path_factory.mktemp("shop"))
    shop.hold = asyncio.Event()
    for number in range(2):
        write_plot(shop.sources[0], number, SMALL)
    made = Slowed(shop)
    async with made.running():
        await until(lambda: shop.n_active == 2)
        await made.hear(told(1, 0.1))
        yield made


async def test_a_slow_lookup_slows_down_every_copy_at_once_and_is_said(
    slowed: Slowed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await slowed.hear(told(2, 6.0))
    assert slowed.shop.limits == [40 * MIB] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "a lookup took 6.0 s: each copy moves 40.0 MiB/s at most"
    ]
    assert slowed.copying.protection.slowed_by


async def test_a_copy_that_begins_while_lookups_are_slow_begins_slowly(slowed: Slowed) -> None:
    await slowed.hear(told(2, 6.0))
    write_plot(slowed.shop.sources[1], 2, SMALL)
    await until(lambda: len(slowed.shop.begun) == 3)
    assert slowed.shop.begun[2].max_bytes_per_second == 40 * MIB


async def test_a_job_that_is_forgotten_before_its_worker_has_ended_is_no_copy(slowed: Slowed) -> None:
    first, second = slowed.copying.running
    slowed.copying.list.remove(first)
    await slowed.hear(told(2, 6.0))
    assert slowed.shop.rates == {first: 0, second: 40 * MIB}


async def test_a_slow_plot_on_a_disk_without_copies_slows_down_nothing(slowed: Slowed) -> None:
    await slowed.hear(told(2, 9.0, slow_plot(2, disk_id="/mnt/a")))
    await slowed.hear(told(3, 0.1, slow_plot(2, disk_id="/mnt/a")))
    assert slowed.shop.limits == []


async def test_a_slow_plot_on_the_disk_of_a_copy_or_on_one_that_nobody_knows_slows_it_down(slowed: Slowed) -> None:
    job_id = next(iter(slowed.copying.running))
    slowed.disks["/mnt/a"] = slowed.copying.list.jobs[job_id].target_disk
    await slowed.hear(told(2, 9.0, slow_plot(2, disk_id="/mnt/a")))
    assert slowed.copying.protection.levels == {slowed.disks["/mnt/a"]: 1}
    await slowed.hear(told(3, 9.0, slow_plot(3, disk_id="/mnt/gone")))
    assert slowed.copying.protection.levels[""] == 1
    assert set(slowed.shop.limits) == {40 * MIB}


async def test_a_server_that_is_away_is_said_once_and_slows_down_nothing(
    slowed: Slowed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await slowed.hear(ConnectionFailedError("no server answers"))
    assert slowed.shop.limits == []
    assert sum("nobody tells of lookups" in record.getMessage() for record in caplog.records) == 1
