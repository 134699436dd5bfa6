"""The service with workers that do what the test says: what it makes of everything they can tell."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.config import Config, load
from chiatea.copier import copying as copying_module
from chiatea.copier import service
from chiatea.copier.entries import copy_job
from chiatea.copier.job_events import Cancelled, Done, Failed, FailureKind, JobEvent, Progress, Replaced
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.journal import EntryState, Journal, JournalEntry, SourceIdentity
from chiatea.copier.placement import Limits, Target, TargetState
from chiatea.copier.replace_rules import ReplaceRule
from chiatea.copier.replacing import Candidate, OldPlot
from chiatea.copier.scheduler import Start, what_to_start
from chiatea.copier.service import Outcome
from chiatea.copier.source_watch import SourceWatch
from chiatea.copier.sources import SourceFolder, SourceLook, job_id_of
from chiatea.copier.targets import TargetFolder, look_at_target

from .small_plots import plot_id, plot_name, write_plot

SMALL = 4096


class Workshop:
    """Makes workers, and remembers what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = [folder / "in" / name for name in "ab"]
        self.targets = [folder / "out" / name for name in "xyz"]
        for path in (*self.sources, *self.targets):
            path.mkdir(parents=True)
        self.begun: list[JobSpec] = []
        self.settled: list[str] = []
        self.limits: list[int] = []
        self.rates: dict[str, int] = {}
        self.orders: list[str] = []
        self.n_active = 0
        self.most_active = 0
        self.fate: Callable[[JobSpec], tuple[FailureKind, bool] | None] = lambda _: None
        self.hold: asyncio.Event | None = None
        self.replaces: list[str] = []

    async def start(self) -> "PlayedWorker":
        return PlayedWorker(self)

    def config(self, more: str = "") -> Config:
        path = self.folder / "config.yml"
        path.write_text(
            f"machine: {{state_folder: {self.folder / 'state'}}}\n"
            f"copy:\n  source_folders: {[str(path) for path in self.sources]}\n"
            f"  target_folders: {[str(path) for path in self.targets]}\n"
            "  targets_on_root: true\n  settle_seconds: 0\n  reserve: 0\n  rescan_every: 0.1s\n  retry_after: 0s\n"
            f"{more}"
        )
        return load(path)

    async def once(self, more: str = "") -> Outcome:
        async with asyncio.timeout(30):
            return await service.copy(self.config(more), stop=asyncio.Event(), once=True, worker=self.start)


class PlayedWorker:
    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.spec: JobSpec | None = None
        self.settles = ""
        self.is_closed = asyncio.Event()

    async def copy(self, spec: JobSpec) -> None:
        self.spec = spec
        self.workshop.begun.append(spec)
        self.workshop.rates[spec.job_id] = spec.max_bytes_per_second

    async def recover(self, job_id: str, journal_folder: Path, target_device: int | None = None) -> None:
        assert target_device is not None
        self.settles = job_id
        self.workshop.settled.append(job_id)
        Journal(journal_folder).forget(job_id)

    async def cancel(self, job_id: str, journal_folder: Path, target_device: int | None = None) -> None:
        self.workshop.orders.append(f"cancel {job_id} {target_device}")
        Journal(journal_folder).forget(job_id)

    async def pause(self, job_id: str) -> None:
        self.workshop.orders.append(f"pause {job_id}")

    async def resume(self, job_id: str) -> None:
        self.workshop.orders.append(f"resume {job_id}")

    async def limit(self, max_bytes_per_second: int) -> None:
        self.workshop.limits.append(max_bytes_per_second)
        if self.spec is not None:
            self.workshop.rates[self.spec.job_id] = max_bytes_per_second

    async def events(self) -> AsyncIterator[JobEvent]:
        shop, spec = self.workshop, self.spec
        if spec is None:
            yield Cancelled(self.settles)
            return
        shop.n_active += 1
        shop.most_active = max(shop.most_active, shop.n_active)
        size = spec.source.stat().st_size
        yield Progress(spec.job_id, "COPYING", size // 2, 0, size, size)
        if shop.hold is not None:
            waits = [asyncio.create_task(shop.hold.wait()), asyncio.create_task(self.is_closed.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()
        await asyncio.sleep(0)
        shop.n_active -= 1
        if self.is_closed.is_set():
            return
        failure = shop.fate(spec)
        if failure is not None:
            kind, is_kept = failure
            yield Failed(spec.job_id, kind, f"{kind} at {spec.target_folder.name}", is_kept)
            return
        for name in shop.replaces:
            yield Replaced(spec.job_id, str(spec.target_folder / name), 1, "old")
        spec.source.rename(spec.target)
        yield Done(spec.job_id, str(spec.target), "ab", 0.1, "full", read_from_device=True)

    async def close(self, limit_seconds: float) -> bool:
        assert limit_seconds > 0
        self.is_closed.set()
        return True


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def where(shop: Workshop) -> dict[str, str]:
    return {path.name: folder.name for folder in shop.targets for path in folder.iterdir()}


async def test_a_target_that_is_lost_is_left_alone_and_its_plots_go_elsewhere(shop: Workshop) -> None:
    for number in range(4):
        write_plot(shop.sources[0], number, SMALL)
    shop.fate = lambda spec: ("target_lost", False) if spec.target_folder == shop.begun[0].target_folder else None
    outcome = await shop.once("  retries: 0\n")
    lost = shop.begun[0].target_folder
    assert len(where(shop)) == 4
    assert lost.name not in where(shop).values()
    assert sum(spec.target_folder == lost for spec in shop.begun) == 1
    states = {target.folder: target.state for target in outcome.targets}
    assert states == dict.fromkeys(shop.targets, TargetState.READY) | {lost: TargetState.QUARANTINED}
    assert (outcome.n_done, outcome.n_failed) == (4, 0)


async def test_a_target_without_space_is_full_for_a_while_and_its_plots_go_elsewhere(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    shop.fate = lambda spec: ("no_space", False) if spec.target_folder == shop.begun[0].target_folder else None
    outcome = await shop.once()
    full = shop.begun[0].target_folder
    assert full.name not in where(shop).values()
    assert len(where(shop)) == 1
    assert {target.folder: target.state for target in outcome.targets}[full] is TargetState.FULL


async def test_when_all_targets_are_lost_the_plots_stay_and_each_is_told_why(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    shop.fate = lambda _: ("target_lost", False)
    outcome = await shop.once()
    assert len(shop.begun) == 3
    assert outcome.n_failed == 1
    assert all(f"target_lost at {target.name}" in outcome.jobs[0].last_error for target in shop.targets)


@pytest.mark.parametrize(("kind", "n_tries"), [("source", 3), ("internal", 3), ("header", 1), ("name_taken", 1)])
async def test_what_may_pass_is_tried_again_and_what_may_not_is_not(
    shop: Workshop, kind: FailureKind, n_tries: int
) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    write_plot(shop.sources[1], 2, SMALL)
    shop.fate = lambda spec: (kind, False) if spec.source.name == plot_name(1) else None
    outcome = await shop.once("  retries: 2\n")
    assert sum(spec.source.name == plot_name(1) for spec in shop.begun) == n_tries
    assert {job.name: job.state for job in outcome.jobs} == {plot_name(1): JobState.FAILED, plot_name(2): JobState.DONE}


async def test_a_job_that_the_journal_kept_is_tried_again_where_it_was(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    shop.fate = lambda _: ("internal", True) if len(shop.begun) < 3 else None
    await shop.once()
    assert len(shop.begun) == 3
    assert len({spec.target_folder for spec in shop.begun}) == 1


async def test_no_more_copies_are_under_way_than_the_disks_allow(shop: Workshop) -> None:
    for number in range(12):
        write_plot(shop.sources[number % 2], number, SMALL)
    await shop.once("  max_per_target: 2\n  max_per_source: 9\n")
    assert shop.most_active == 2
    assert len(where(shop)) == 12


@pytest.mark.parametrize("once", [True, False], ids=["once", "as a service"])
async def test_a_later_group_gets_nothing_while_the_first_one_has_room(shop: Workshop, once: bool) -> None:
    first, *later = shop.targets
    shop.targets = later
    for number in range(6):
        write_plot(shop.sources[number % 2], number, SMALL)
    config = shop.config(f"  target_groups: [{{name: fast, folders: [{first}]}}]\n")
    stop = asyncio.Event()
    moves = asyncio.create_task(service.copy(config, stop=stop, once=once, worker=shop.start))
    await until(lambda: len(list(first.iterdir())) == 6)
    stop.set()
    await moves
    assert {spec.target_folder for spec in shop.begun} == {first}


async def test_a_lost_group_is_passed_by(shop: Workshop) -> None:
    first, *shop.targets = shop.targets
    write_plot(shop.sources[0], 1, SMALL)
    shop.fate = lambda spec: ("target_lost", False) if spec.target_folder == first else None
    outcome = await shop.once(f"  target_groups: [{{name: fast, folders: [{first}]}}]\n")
    assert len(where(shop)) == outcome.n_done == 1
    assert [(target.group, target.group_rank) for target in outcome.targets] == [("fast", 0), ("", 1), ("", 1)]


async def test_the_bandwidth_is_shared_by_those_that_are_under_way(shop: Workshop) -> None:
    shop.hold = asyncio.Event()
    for number in range(2):
        write_plot(shop.sources[0], number, SMALL)
    moves = asyncio.create_task(shop.once("  max_per_target: 2\n  max_bandwidth: 1000\n"))
    await until(lambda: len(shop.begun) == 2 and set(shop.rates.values()) == {500})
    shop.hold.set()
    await moves
    assert shop.limits[-1:] in ([], [1000])


async def test_a_copy_has_its_own_limit_and_so_has_what_an_earlier_attempt_left(shop: Workshop) -> None:
    keep(shop, 1, "abc~1", shop.targets[0], EntryState.COPYING)
    write_plot(shop.sources[1], 2, SMALL)
    await shop.once("  max_bandwidth_per_job: 300\n")
    assert [spec.max_bytes_per_second for spec in shop.begun] == [300]
    assert (shop.settled, shop.limits) == (["abc~1"], [300])


def keep(shop: Workshop, number: int, job_id: str, target: Path, state: EntryState) -> None:
    """A journal's entry, as a killed copier left it."""
    source = shop.sources[0] / plot_name(number)
    spec = JobSpec(job_id, source, target, 1, "full", 0, shop.folder / "state" / "copy" / "journal", 0.0)
    identity = SourceIdentity(SMALL, 1, 1)
    Journal(spec.journal_folder).write(JournalEntry(spec, state, identity, plot_id(number).hex()))


async def test_what_the_journal_knows_goes_on_first_and_where_it_was(shop: Workshop) -> None:
    for number in range(6):
        write_plot(shop.sources[0], number, SMALL)
    job_id = job_id_of(shop.sources[0] / plot_name(5), plot_id(5).hex())
    keep(shop, 5, job_id, shop.targets[2], EntryState.COPYING)
    outcome = await shop.once()
    assert (shop.begun[0].job_id, shop.begun[0].target_folder) == (job_id, shop.targets[2])
    assert shop.begun[0].target_device == shop.targets[2].stat().st_dev
    assert outcome.n_done == 6


async def test_what_the_journal_knows_waits_for_a_target_that_is_away(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    keep(shop, 1, job_id_of(shop.sources[0] / plot_name(1), plot_id(1).hex()), shop.targets[2], EntryState.COPYING)
    shop.targets[2].rmdir()
    outcome = await shop.once()
    assert shop.begun == []
    assert "half copied, and waits for its target" in outcome.jobs[0].last_error


async def test_only_half_copies_that_no_journal_knows_are_told_of(shop: Workshop) -> None:
    keep(shop, 1, "abc", shop.targets[2], EntryState.COPYING)
    for number in (1, 2):
        (shop.targets[2] / f"{plot_name(number)}.copying").write_bytes(b"half")
    outcome, _ = await service.plan(shop.config())
    assert outcome.unknown_temporary_files == (shop.targets[2] / f"{plot_name(2)}.copying",)


async def test_what_an_earlier_attempt_left_is_settled_and_is_no_job_of_its_own(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    keep(shop, 1, "abc~1", shop.targets[2], EntryState.VOID)
    outcome = await shop.once()
    assert shop.settled == ["abc~1"]
    assert [job.name for job in outcome.jobs] == [plot_name(1)]
    assert outcome.n_failed == 0


async def test_a_damaged_journal_entry_is_told_and_stops_nothing(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    keep(shop, 2, "abc", shop.targets[2], EntryState.COPYING)
    (shop.folder / "state/copy/journal/abc.json").write_text("{}")
    assert (await shop.once()).n_done == 1
    assert sum("damaged" in record.getMessage() for record in caplog.records) == 1


async def test_a_target_and_a_source_that_hang_hold_up_nobody_else(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def look(folder: Path, *, on_root: bool, now: float) -> Target:
        if folder == shop.targets[0]:
            answer.wait()
        return look_at_target(folder, on_root=on_root, now=now)

    def look_into(source: SourceFolder, locks: object) -> SourceLook:
        if source.folder == shop.sources[0]:
            answer.wait()
        return source.look()

    monkeypatch.setattr(service, "look_at_target", look)
    monkeypatch.setattr(service, "_look_into", look_into)
    for made in (TargetFolder, SourceWatch):
        defaults = made.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "limit_seconds", 0.05)
    write_plot(shop.sources[0], 1, SMALL)
    write_plot(shop.sources[1], 2, SMALL)
    stop = asyncio.Event()
    copying = asyncio.create_task(service.copy(shop.config(), stop=stop, worker=shop.start))
    await until(lambda: len(where(shop)) == 1)
    assert where(shop)[plot_name(2)] in {"y", "z"}
    answer.set()
    await until(lambda: len(where(shop)) == 2)
    stop.set()
    assert (await copying).n_done == 2


async def test_when_it_is_stopped_it_leaves_off_and_the_plot_waits(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    shop.hold, stop = asyncio.Event(), asyncio.Event()
    copying = asyncio.create_task(service.copy(shop.config(), stop=stop, worker=shop.start))
    await until(lambda: shop.n_active == 1)
    stop.set()
    outcome = await copying
    assert [job.state for job in outcome.jobs] == [JobState.QUEUED]
    assert where(shop) == {}


async def test_it_can_be_stopped_while_a_folder_hangs(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, is_asked = threading.Event(), threading.Event()

    def look_into(source: SourceFolder, locks: object) -> SourceLook:
        is_asked.set()
        answer.wait()
        return source.look()

    monkeypatch.setattr(service, "_look_into", look_into)
    stop = asyncio.Event()
    copying = asyncio.create_task(service.copy(shop.config(), stop=stop, once=True, worker=shop.start))
    await until(is_asked.is_set)
    stop.set()
    assert (await copying).n_done == 0
    answer.set()


async def test_every_state_of_a_job_is_told(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    told: list[JobState] = []
    await service.copy(
        shop.config(), stop=asyncio.Event(), once=True, tell=lambda job: told.append(job.state), worker=shop.start
    )
    assert told == [JobState.QUEUED, JobState.COPYING, JobState.COPYING, JobState.DONE]


async def test_each_deletion_of_an_old_plot_is_told_as_it_happens_and_once(shop: Workshop) -> None:
    write_plot(shop.sources[0], 1, SMALL)
    shop.replaces = ["old1.plot", "old2.plot", "old1.plot"]
    told: list[tuple[str, ...]] = []
    outcome = await service.copy(
        shop.config(),
        stop=asyncio.Event(),
        once=True,
        tell=lambda job: told.append(tuple(path.name for path in job.replaced)),
        worker=shop.start,
    )
    (job,) = outcome.jobs
    assert (job.state, [path.name for path in job.replaced]) == (JobState.DONE, ["old1.plot", "old2.plot"])
    assert [len(names) for names in told] == [0, 0, 0, 1, 2, 2]
    entry = copy_job(job, "full")
    assert list(entry.replaced_filepaths) == [str(path) for path in job.replaced]


async def test_no_old_plot_is_chosen_before_it_is_known_that_no_target_has_room(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    decided: list[list[Start]] = []
    rule = ReplaceRule("old", (".plot",), pattern="old.plot", when_full="delete_first")
    old = Candidate(OldPlot("old.plot", SMALL, 1, 1, 100 * SMALL, "ab" * 32, 1.0), (rule,))

    def look(folder: Path, *, on_root: bool, now: float) -> Target:
        if folder.name == "x":
            answer.wait()
        target = look_at_target(folder, on_root=on_root, now=now)
        return target if folder.name == "x" else replace(target, device=1, free_bytes=0, old_plots=(old,))

    def decide(jobs: Iterable[Job], targets: Sequence[Target], limits: Limits, now: float) -> list[Start]:
        jobs = list(jobs)
        starts = what_to_start(jobs, targets, limits, now)
        if jobs and any(target.old_plots for target in targets):
            decided.append(starts)
        return starts

    monkeypatch.setattr(service, "look_at_target", look)
    monkeypatch.setattr(copying_module, "what_to_start", decide)
    write_plot(shop.sources[0], 1, SMALL)
    stop = asyncio.Event()
    running = asyncio.create_task(service.copy(shop.config(), stop=stop, worker=shop.start))
    await until(lambda: decided)
    assert not any(decided)
    answer.set()
    await until(lambda: where(shop))
    assert where(shop) == {plot_name(1): "x"}
    stop.set()
    await running


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_worker_that_cannot_be_started_is_a_failure_of_that_job(shop: Workshop) -> None:
    async def start() -> PlayedWorker:
        raise OSError(11, "Resource temporarily unavailable")

    write_plot(shop.sources[0], 1, SMALL)
    starter: Callable[[], Awaitable[PlayedWorker]] = start
    outcome = await service.copy(shop.config("  retries: 0\n"), stop=asyncio.Event(), once=True, worker=starter)
    assert "no worker could be started" in outcome.jobs[0].last_error
