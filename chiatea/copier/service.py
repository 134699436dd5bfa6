"""`chia-tea copy`: as a service, once, or only said beforehand."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chiatea.config import Config, check_folder_names
from chiatea.copier.copying import Copying
from chiatea.copier.farming_watch import farming_watched
from chiatea.copier.forecast import Forecast, forecast
from chiatea.copier.jobs import Job, JobState, refused
from chiatea.copier.known_disks import KnownDisks
from chiatea.copier.locks import FolderLocks
from chiatea.copier.old_plots import OldPlots
from chiatea.copier.placement import Load, Target, TargetState
from chiatea.copier.running import Worker
from chiatea.copier.scheduler import why_it_waits
from chiatea.copier.settings import Settings, settings_of
from chiatea.copier.source_watch import SourceWatch
from chiatea.copier.sources import SourceFolder, SourceLook
from chiatea.copier.speeds import Measuring, Speed, read_speeds
from chiatea.copier.steering import Steering
from chiatea.copier.targets import LOOK_SECONDS, TargetFolder, look_at_target
from chiatea.copier.worker_process import WorkerProcess
from chiatea.errors import ChiaTeaError, ConfigurationError
from chiatea.question import Question, UnansweredError

if TYPE_CHECKING:
    from chiatea.wire.channel import Server

__all__ = ["Outcome", "copy", "plan"]

_log = logging.getLogger(__name__)

_HEADER_SECONDS: Final = 3.0
_ONCE_HEADER_SECONDS: Final = 30.0
"""How long a look at a target folder reads headers of old plots that may be replaced."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a copier did, or would do.

    Attributes:
        settings: what it went by.
        jobs: the moves, of the finished ones the last thousand.
        targets: the target folders at the end.
        load: what was promised of them then.
        n_done: plots moved.
        bytes_done: their size.
        left_alone: files that look like plots and are none, or are not finished, and why.
        unknown_temporary_files: `.copying` files that no journal knows.
        problems: folders that cannot be used now, and why.
    """

    settings: Settings
    jobs: tuple[Job, ...]
    targets: tuple[Target, ...]
    load: Load
    n_done: int
    bytes_done: int
    left_alone: dict[Path, str]
    unknown_temporary_files: tuple[Path, ...]
    problems: dict[Path, str]

    @property
    def n_failed(self) -> int:
        """Plots that were not moved."""
        return sum(job.state is JobState.FAILED for job in self.jobs)

    @property
    def n_waiting(self) -> int:
        """Plots that are to be moved yet."""
        return sum(not job.is_over for job in self.jobs)


async def copy(
    config: Config,
    *,
    stop: asyncio.Event,
    once: bool = False,
    tell: Callable[[Job], None] = lambda _: None,
    worker: Callable[[], Awaitable[Worker]] = WorkerProcess.start,
    server: "Server | None" = None,
) -> Outcome:
    """Moves plots until `stop` is set or, `once`, until nothing more can be moved now.

    Args:
        config: the configuration.
        stop: ends it; what is half copied goes on at the next start.
        once: move what is there now.
        tell: gets each job that is new or has changed.
        worker: starts the process that moves one plot.
        server: hears of every job, and hands on what people order; None: nobody does.

    Raises:
        ConfigurationError: nothing is configured, or another copier works with one of the folders.
    """
    _check(config)
    locks = FolderLocks()
    try:
        await _lock(config, locks)
        copying = _copying(config, locks, once=once, tell=tell, worker=worker)
        if not once:
            n_folders = len(copying.sources), len(copying.targets)
            _log.info("watching %d source folders for %d target folders", *n_folders)
        steering = Steering(copying, copying.settings.orders_filepath)
        measuring = Measuring(copying.settings.speeds_filepath, copying.running.rate_of)
        copying.listeners.append(measuring.on_change)
        await steering.begin()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(farming_watched(copying, config))
            if server is not None:
                # gRPC takes memory and time.
                from chiatea.copier.lookups_watch import lookups_protected  # noqa: PLC0415
                from chiatea.copier.reports import reported  # noqa: PLC0415

                await stack.enter_async_context(reported(copying, steering, config, server))
                await stack.enter_async_context(lookups_protected(copying, config, server))
            elif config.copy_.protect_lookups:
                _log.info(
                    "copy.protect_lookups: no server is known here, so nobody tells of lookups: none is protected"
                )
            await copying.run(stop, once=once)
        await measuring.end()
        if once and not stop.is_set():
            _give_up_what_waits(copying)
        return _outcome(copying)
    finally:
        locks.release()


async def plan(config: Config) -> tuple[Outcome, Forecast]:
    """What `copy --once` would do now. Changes nothing, and may run beside a copier.

    Raises:
        ConfigurationError: nothing is configured.
    """
    _check(config)
    copying = _copying(config, None, once=True, tell=lambda _: None, worker=WorkerProcess.start)
    await Steering(copying, copying.settings.orders_filepath).begin()
    await copying.look_at_all()
    settings, speeds = copying.settings, read_speeds(copying.settings.speeds_filepath)

    def pace(job: Job, target: Target, n_active: int) -> Speed:
        total = copying.rate.now()
        share = max(1, total // n_active) if total else 0
        return speeds.of(target.folder).limited([share, copying.own_limit(job.id)], settings.verification)

    targets = [target.now() for target in copying.targets]
    jobs = [job for job in copying.list.jobs.values() if not job.is_set_aside]
    return _outcome(copying), forecast(jobs, targets, settings.limits, time.time(), pace, is_paused=copying.is_paused)


def _check(config: Config) -> None:
    for key, folders in (
        ("source_folders", config.copy_.source_folders),
        ("target_folders", config.copy_.all_target_folders),
    ):
        if not folders:
            raise ConfigurationError(
                f"{config.filepath}: copy.{key}: is empty", "name the folders to move plots between"
            )
    check_folder_names(config)


async def _lock(config: Config, locks: FolderLocks) -> None:
    """Locks all that answers now; what does not is locked when it does."""
    own = config.machine.state_folder / "copy"
    try:
        own.mkdir(parents=True, exist_ok=True)
        locks.take(own)
    except OSError as error:
        raise ConfigurationError(f"{own}: cannot be used: {error.strerror}", "set machine.state_folder") from None
    folders = (*config.copy_.source_folders, *config.copy_.all_target_folders)
    drained = set(config.copy_.drained_folders)
    questions = [Question(partial(locks.take, folder)) for folder in folders if folder not in drained]
    answers = await asyncio.gather(*(question.answer(LOOK_SECONDS) for question in questions), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, OSError | UnansweredError):
            raise answer


def _copying(
    config: Config,
    locks: FolderLocks | None,
    *,
    once: bool,
    tell: Callable[[Job], None],
    worker: Callable[[], Awaitable[Worker]],
) -> Copying:
    copy = config.copy_
    clock = _steady_clock()
    settings = settings_of(config, once=once)
    header_seconds = _ONCE_HEADER_SECONDS if once else _HEADER_SECONDS
    old_plots = {
        folder: OldPlots(folder, settings.replace_rules, limit_seconds=header_seconds)
        for folder in copy.all_target_folders
        if settings.replace_rules
    }
    known_disks = KnownDisks(settings.disks_filepath, keeps=locks is not None)

    def is_drained(folder: Path) -> bool:
        return any(target.is_drained for target in targets if target.folder == folder)

    def look_at(folder: Path) -> Target:
        if locks is not None and not is_drained(folder):
            try:
                locks.take(folder)
            except ConfigurationError as error:
                return Target(folder, TargetState.QUARANTINED, looked_time=clock(), reason=error.message)
            except OSError:
                pass  # it is told of below, in words
        target = look_at_target(folder, on_root=copy.targets_on_root, now=clock())
        if target.state is not TargetState.READY:
            return target
        target = _checked(target, known_disks)
        if folder in old_plots and target.state is TargetState.READY:
            with contextlib.suppress(OSError):  # it is looked at again, and said where it stays so
                target = replace(target, old_plots=old_plots[folder].look())
        return target

    def let_go(folder: Path) -> None:
        if locks is not None:
            locks.let_go(folder)

    targets = [
        TargetFolder(
            folder,
            look_at,
            clock,
            is_drained=folder in copy.drained_folders,
            limit_seconds=LOOK_SECONDS + (header_seconds if old_plots else 0.0),
            group=group,
            group_rank=rank,
            let_go=let_go,
            accept=partial(known_disks.accept, even_unmounted=False),
        )
        for rank, (group, folders) in enumerate(copy.ranked_groups)
        for folder in dict.fromkeys(folders)
    ]
    copying = Copying(settings, targets, worker, clock=clock, tell=tell)
    for folder in dict.fromkeys(copy.source_folders):
        source = SourceFolder(folder, copy.suffixes, copy.settle_seconds)
        copying.sources.append(
            SourceWatch(
                folder,
                partial(_look_into, source, locks),
                copy.suffixes,
                rescan_every=copy.rescan_every,
                on_look=copying.take_in,
            )
        )
    return copying


def _checked(target: Target, known_disks: KnownDisks) -> Target:
    """A target as it was looked at, unless by now another disk is there, or none."""
    try:
        fault = known_disks.fault(target.folder)
    except (OSError, ChiaTeaError) as error:
        reason = f"cannot be told from others: {error.strerror if isinstance(error, OSError) else error}"
        return replace(target, state=TargetState.QUARANTINED, reason=reason)
    return replace(target, state=TargetState.NOT_MOUNTED, reason=fault) if fault else target


def _look_into(source: SourceFolder, locks: FolderLocks | None) -> SourceLook:
    if locks is not None:
        locks.take(source.folder)
    return source.look()


def _steady_clock() -> Callable[[], float]:
    """UTC seconds since the epoch, as they are at the start; afterwards nobody sets them."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def _give_up_what_waits(copying: Copying) -> None:
    targets = [target.now() for target in copying.targets]
    reasons: dict[str, list[Job]] = {}
    for job in list(copying.list.jobs.values()):
        if job.is_over or job.is_set_aside:
            continue
        why = why_it_waits(job, targets, copying.settings.limits, copying.now(), is_paused=copying.is_paused)
        copying.list.change(refused(job, why, now=time.time()))
        reasons.setdefault(why, []).append(job)
    for why, jobs in reasons.items():
        copying.notices.given_up(jobs, why)


def _outcome(copying: Copying) -> Outcome:
    jobs: Sequence[Job] = [job for job in copying.list.jobs.values() if not job.is_set_aside]
    targets = tuple(target.now() for target in copying.targets)
    problems = {source.folder: source.problem for source in copying.sources if source.problem}
    problems |= {target.folder: target.reason for target in targets if target.state is not TargetState.READY}
    return Outcome(
        settings=copying.settings,
        jobs=tuple(jobs),
        targets=targets,
        load=copying.load(),
        n_done=copying.list.n_done,
        bytes_done=copying.list.bytes_done,
        left_alone=copying.notices.passed_over | copying.notices.unfinished,
        unknown_temporary_files=tuple(sorted(copying.notices.unknown_temporary_files)),
        problems=problems,
    )
