"""What a copier makes of orders, whatever comes in between: workers that do what the test says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier import known_disks, service, steering
from chiatea.copier.bandwidth import TotalRate
from chiatea.copier.copying import Copying
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.known_disks import KnownDisks
from chiatea.copier.mounts import Mounted
from chiatea.copier.orders import Answer, Orders, read_orders, write_orders
from chiatea.copier.placement import TargetState
from chiatea.copier.steering import Steering
from chiatea.errors import CertificateError, ConfigurationError
from chiatea.protobuf.copy_pb2 import CopyCommand

from .small_plots import write_plot
from .test_service import SMALL, Workshop


class Steered:
    """A copier that runs, its workers held, and what steers it."""

    def __init__(self, shop: Workshop, more: str = "") -> None:
        config = shop.config(more)
        self.orders = config.machine.state_folder / "copy" / "orders.json"
        self.copying: Copying = service._copying(config, None, once=False, tell=lambda _: None, worker=shop.start)
        self.steering = Steering(self.copying, self.orders)
        self._n = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Steered"]:
        stop = asyncio.Event()
        await self.steering.begin()
        task = asyncio.create_task(self.copying.run(stop, once=False))
        try:
            yield self
        finally:
            stop.set()
            await task

    async def order(self, action: str, *jobs: Job, command_id: str = "", **fields: object) -> tuple[str, str]:
        self._n += 1
        command = CopyCommand(
            id=command_id or f"c{self._n}",
            action=CopyCommand.Action.Value(action),
            job_ids=[job.id for job in jobs],
            **fields,  # type: ignore[arg-type]
        )
        answer = await self.steering.obey(command)
        return CopyCommand.State.Name(answer.state), answer.result

    def now(self, job: Job) -> Job:
        return self.copying.list.jobs[job.id]

    async def until_jobs(self, n: int, state: JobState = JobState.COPYING) -> list[Job]:
        def jobs() -> list[Job]:
            return [job for job in self.copying.list.jobs.values() if job.state is state]

        async with asyncio.timeout(10):
            while len(jobs()) < n:
                await asyncio.sleep(0.005)
        return jobs()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(steering, "CONFIRM_SECONDS", 0.05)
    made = Workshop(tmp_path)
    made.hold = asyncio.Event()
    write_plot(made.sources[0], 1, SMALL)
    return made


async def test_an_order_that_comes_again_gets_its_answer_and_is_not_done_again(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        first, second = await asyncio.gather(
            steered.order("PAUSE", job, command_id="same"), steered.order("PAUSE", job, command_id="same")
        )
        assert first == second
        assert await steered.order("PAUSE", job, command_id="same") == first
    assert [order for order in shop.orders if order.startswith("pause")] == [f"pause {job.id}"]
    again = Steered(shop)
    async with again.running():
        assert await again.order("PAUSE", job, command_id="same") == first
    assert len(shop.orders) == 1


async def test_an_order_that_a_killed_copier_was_at_is_not_done_again(shop: Workshop) -> None:
    steered = Steered(shop)
    write_orders(steered.orders, Orders(answers={"c9": Answer(state="BEGUN")}).model_dump_json())
    steered = Steered(shop)
    async with steered.running():
        (job,) = await steered.until_jobs(1)
        state, result = await steered.order("PAUSE", job, command_id="c9")
    assert state == "REFUSED"
    assert "the copier ended while it was at it" in result
    assert shop.orders == []


async def test_nothing_is_done_that_cannot_be_written_down(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path, __: str) -> None:
        raise CertificateError("orders.json: cannot be written: No space left on device")

    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        monkeypatch.setattr(steering, "write_orders", fail)
        state, result = await steered.order("PAUSE", job)
        assert (state, result) == ("REFUSED", "orders.json: cannot be written: No space left on device")
        assert not steered.now(job).is_held
    assert shop.orders == []


async def test_one_of_several_jobs_that_cannot_be_is_refused_and_none_is_touched(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        command = CopyCommand(id="c", action=CopyCommand.PAUSE, job_ids=[job.id, "unknown"])
        answer = await steered.steering.obey(command)
        assert answer.state == CopyCommand.REFUSED
        assert answer.result.startswith("there is no job unknown")
        assert not steered.now(job).is_held


async def test_an_order_for_a_plot_that_is_found_a_moment_later_is_done(shop: Workshop) -> None:
    steered = Steered(shop)
    async with steered.running():
        (job,) = await steered.until_jobs(1)
    again = Steered(shop)
    await again.steering.begin()
    ordered = asyncio.create_task(again.order("SET_PRIORITY", job, priority=4))
    await asyncio.sleep(0)
    async with again.running():
        assert await ordered == ("DONE", "has priority 4")


async def test_a_job_that_waits_is_held_and_let_go(shop: Workshop) -> None:
    write_plot(shop.sources[0], 2, SMALL)
    async with Steered(shop, "  max_active: 1\n").running() as steered:
        await steered.until_jobs(1)
        (waiting,) = await steered.until_jobs(1, JobState.QUEUED)
        assert await steered.order("PAUSE", waiting) == ("DONE", "paused")
        assert await steered.order("RESUME", waiting) == ("DONE", "is in the queue again")
        assert await steered.order("RESUME", waiting) == ("REFUSED", f"{waiting.id} is not paused")
        assert await steered.order("CANCEL", waiting) == (
            "DONE",
            "cancelled: its temporary copy is gone, the source stays",
        )
        assert await steered.order("CANCEL", waiting) == ("REFUSED", f"{waiting.id} is cancelled already")
        assert await steered.order("RETRY", waiting) == ("DONE", "is in the queue again")
    assert (waiting.folder / waiting.name).exists()


async def test_a_held_job_is_not_begun_and_another_one_is(shop: Workshop) -> None:
    write_plot(shop.sources[0], 2, SMALL)
    async with Steered(shop, "  max_active: 1\n").running() as steered:
        (running,) = await steered.until_jobs(1)
        (waiting,) = await steered.until_jobs(1, JobState.QUEUED)
        await steered.order("PAUSE", waiting)
        assert shop.hold is not None
        shop.hold.set()
        await steered.until_jobs(1, JobState.DONE)
        assert steered.now(running).state is JobState.DONE
        assert steered.now(waiting).state is JobState.QUEUED
        await steered.order("RESUME", waiting)
        await steered.until_jobs(2, JobState.DONE)


async def test_a_copy_that_is_over_before_its_order_acts_is_told_as_it_is(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        assert shop.hold is not None
        shop.hold.set()
        state, result = await steered.order("CANCEL", job)
        await steered.until_jobs(1, JobState.DONE)
        assert (state, result) in {
            ("REFUSED", "it was done by then"),
            ("REFUSED", f"{job.id} is done already"),
        }


async def test_a_target_that_cannot_take_a_plot_gets_none_by_order(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        other = str(next(folder for folder in shop.targets if folder != job.target_folder))
        assert (await steered.order("MOVE", job, target_id="/nowhere"))[1].startswith("/nowhere is no target folder")
        await steered.order("DRAIN_TARGET", target_id=other)
        async with asyncio.timeout(10):
            while not (refused := await steered.order("MOVE", job, target_id=other))[1].endswith("is drained"):
                assert refused[0] == "REFUSED"
        assert steered.now(job).wanted_folder is None
    assert shop.orders == []


async def test_a_bandwidth_reaches_all_workers_and_holds_until_the_configuration_says_another(shop: Workshop) -> None:
    async with Steered(shop, "  max_bandwidth: 100\n").running() as steered:
        await steered.until_jobs(1)
        assert await steered.order("SET_BANDWIDTH", max_bytes_per_second=50) == ("DONE", "50 B/s for all together")
        assert shop.limits[-1] == 50
        assert await steered.order("SET_BANDWIDTH", max_bytes_per_second=0) == ("DONE", "no limit")
        assert shop.limits[-1] == 0
    for more, expected in (("  max_bandwidth: 100\n", 0), ("  max_bandwidth: 200\n", 200)):
        again = Steered(shop, more)
        await again.steering.begin()
        assert again.copying.running.max_bytes_per_second == expected


async def test_a_job_gets_a_limit_of_its_own_and_the_others_what_it_leaves(shop: Workshop) -> None:
    write_plot(shop.sources[1], 2, SMALL)
    async with Steered(shop, "  max_bandwidth: 1000\n  max_per_target: 2\n").running() as steered:
        one, other = await steered.until_jobs(2)
        answer = await steered.order("SET_BANDWIDTH", one, max_bytes_per_second=100)
        assert answer == ("DONE", "at most 100 B/s")
        assert shop.rates == {one.id: 100, other.id: 900}
        assert read_orders(steered.orders).rates == {one.id: 100}
        await steered.order("PAUSE", other)
        await steered.order("SET_BANDWIDTH", one, max_bytes_per_second=0)
        assert shop.rates[one.id] == 1000
        await steered.order("RESUME", other)
        assert shop.rates == {one.id: 500, other.id: 500}
    again = Steered(shop, "  max_bandwidth: 1000\n")
    await again.steering.begin()
    assert again.copying.list.as_ordered(replace(one, max_bytes_per_second=None)).max_bytes_per_second == 0


async def test_a_limit_by_hand_holds_until_the_next_time_of_the_configuration_also_after_a_restart(
    shop: Workshop,
) -> None:
    now = 12 * 3600.0
    more = "  bandwidth_by_time: [{from: 08:00, until: 23:00, max: 50}]\n"

    def steered_at_utc(more: str = more) -> Steered:
        made = Steered(shop, more)
        rate = made.copying.rate
        made.copying.rate = TotalRate(rate.always, rate.periods, clock=lambda: now, local=time.gmtime)
        return made

    async with steered_at_utc().running() as steered:
        await steered.until_jobs(1)
        assert steered.copying.running.max_bytes_per_second == 50
        answer = await steered.order("SET_BANDWIDTH", max_bytes_per_second=5)
        assert answer == ("DONE", "5 B/s for all together, until copy.bandwidth_by_time says another at 23:00")
        assert shop.limits[-1] == 5
    again = steered_at_utc()
    await again.steering.begin()
    assert again.copying.running.max_bytes_per_second == 5
    other = steered_at_utc(more.replace("max: 50", "max: 60"))
    await other.steering.begin()
    assert other.copying.rate.now() == 60
    now = 23 * 3600.0
    assert again.copying.rate.now() == 0


async def test_a_release_takes_a_disk_that_was_replaced_and_never_an_empty_mount_point(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Mounted(shop.folder, "uuid:one")
    monkeypatch.setattr(known_disks, "mounted_at", lambda _: now)
    folder = shop.targets[0]
    KnownDisks(shop.folder / "state" / "copy" / "disks.json").fault(folder)
    now = Mounted(shop.folder, "uuid:two")
    async with Steered(shop).running() as steered:
        target = steered.copying.targets[0]

        async def until_state(state: TargetState) -> None:
            async with asyncio.timeout(10):
                while target.now().state is not state:
                    await asyncio.sleep(0.005)

        await until_state(TargetState.NOT_MOUNTED)
        assert f"`chia-tea jobs release {folder}` takes it" in target.now().reason
        now = Mounted(shop.folder.parent, "uuid:zero")
        assert await steered.order("RELEASE_TARGET", target_id=str(folder)) == ("DONE", "gets plots again")
        await until_state(TargetState.NOT_MOUNTED)
        now = Mounted(shop.folder, "uuid:two")
        answer = await steered.order("RELEASE_TARGET", target_id=str(folder))
        assert answer == ("DONE", f"gets plots again, from now on uuid:two at {shop.folder}")
        await until_state(TargetState.READY)


async def test_an_action_of_a_newer_server_is_refused(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        answer = await steered.steering.obey(CopyCommand(id="c", action=99))  # type: ignore[arg-type]
    assert answer.result == "this copier does not know how to do that: it may be older than the server"


def test_a_damaged_file_of_orders_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "orders.json"
    for damaged in ("", "{", "[]", '{"is_paused": 3}', '{"answers": {"a": {"state": "PERHAPS"}}}'):
        path.write_text(damaged)
        assert read_orders(path) == Orders()
        assert path.with_name("orders.json.damaged").read_text() == damaged
    assert "is damaged" in caplog.text
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_orders(path)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    orders = Orders()
    for number in range(1100):
        orders.answer(f"c{number}", Answer(state="DONE"))
    assert (len(orders.answers), next(iter(orders.answers))) == (1000, "c100")


async def test_a_target_that_is_drained_is_let_go_once_its_copies_have_ended(shop: Workshop) -> None:
    async with Steered(shop).running() as steered:
        (job,) = await steered.until_jobs(1)
        let_go: list[Path] = []
        for target in steered.copying.targets:
            target._let_go = let_go.append
        assert (await steered.order("DRAIN_TARGET", target_id=str(job.target_folder)))[0] == "DONE"
        (other, _) = [target.folder for target in steered.copying.targets if target.folder != job.target_folder]
        await steered.order("DRAIN_TARGET", target_id=str(other))
        async with asyncio.timeout(10):
            while other not in let_go:
                await asyncio.sleep(0.005)
            assert job.target_folder not in let_go
            assert shop.hold is not None
            shop.hold.set()
            while job.target_folder not in let_go:
                await asyncio.sleep(0.005)
        assert steered.now(job).state is JobState.DONE
