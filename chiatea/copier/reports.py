"""What a copier tells the server of itself: jobs, targets, and what they come to."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from chiatea.config import Config
from chiatea.copier.beside import say_fault
from chiatea.copier.copying import Copying
from chiatea.copier.entries import copier_sums, copy_job, copy_target, target_speeds
from chiatea.copier.placement import Load
from chiatea.copier.reported_jobs import MOST_OVER, ReportedJobs
from chiatea.copier.scrub_watch import ScrubWatch
from chiatea.copier.session import Session
from chiatea.copier.steering import Steering
from chiatea.identity import machine_id_of
from chiatea.protobuf.copy_pb2 import Copier, CopyJob, CopyTarget, ScrubFinding
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.monitoring_service_pb2 import COPIER
from chiatea.state.diff import diff
from chiatea.state.machine_state import Entry, MachineState
from chiatea.state.reporters import TOPICS_OF
from chiatea.state.throttle import Throttle
from chiatea.wire.channel import Server
from chiatea.wire.reporting import Reporting
from chiatea.wire.spool import Spool

__all__ = ["Reports", "reported"]

LOOK_SECONDS: Final = 0.5
"""Copies tell how far they are twice a second."""
QUIET_LOOK_SECONDS: Final = 1.0
"""Where no job changes: targets may, and what was ordered."""
AWAY_SECONDS: Final = 60.0
"""While the server is away, how far a copy is by then is kept for it no more often: nobody looks."""
SUMS_SECONDS: Final = 1.0
_SUMMED_JOBS_PER_SECOND: Final = 10_000
"""Sums over very many jobs are made less often: a hundred thousand take some 50 ms."""
LAST_WORDS_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 5.0
"""How long the server is waited for before what changes is kept on this machine."""
_OVER: Final = frozenset({CopyJob.DONE, CopyJob.CANCELLED})


@contextlib.asynccontextmanager
async def reported(copying: Copying, steering: Steering, config: Config, server: Server) -> AsyncIterator[None]:
    """For as long as the block lasts, the server hears of the copier, and the copier of what people order.

    Raises:
        ConfigurationError: when the state folder cannot be used.
    """
    folder, name = config.machine.state_folder, config.machine.name
    machine_id = machine_id_of(folder)
    client = config.monitoring.client
    spool = Spool(folder / "copy" / "spool.db", max_bytes=client.spool_size)
    reporting = Reporting(server, machine_id, name, COPIER, spool=spool)
    scrubs = ScrubWatch(copying.settings.known_plots_filepath)
    reports = Reports(copying, reporting, scrubs, client.send_update_every.model_dump(mode="python"))
    session = Session(server, machine_id, name, steering.obey, steering.answers)
    sending = asyncio.create_task(reporting.run(), name="reporting")
    others = (
        asyncio.create_task(reports.run(), name="reports"),
        asyncio.create_task(_take_commands(copying, session), name="commands"),
    )
    for task in (sending, *others):
        task.add_done_callback(say_fault)
    try:
        yield
    finally:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        await reports.end()
        reporting.close()
        if reporting.is_connected:
            await asyncio.wait({sending}, timeout=LAST_WORDS_SECONDS)
        sending.cancel()
        await asyncio.wait({sending})
        await reporting.save()


async def _take_commands(copying: Copying, session: Session) -> None:
    """Once the jobs are known that they are about; a source folder that hangs is not waited for."""
    while not copying.has_looked:  # noqa: ASYNC110 - it is made of what many folders tell
        await asyncio.sleep(LOOK_SECONDS / 5)
    await session.run()


class Reports:
    """Finds what changed in a copier, holds back what is too frequent, sends the rest."""

    def __init__(
        self, copying: Copying, reporting: Reporting, scrubs: ScrubWatch, send_every_seconds: dict[str, float]
    ) -> None:
        """Reports of one copier."""
        self._copying = copying
        self._reporting = reporting
        self._scrubs = scrubs
        self._throttle = Throttle(send_every_seconds)
        self._away_throttle = Throttle(dict.fromkeys(TOPICS_OF[COPIER], AWAY_SECONDS))
        self._jobs = ReportedJobs()
        self._state = MachineState()
        self._start_time = copying.now()
        self._news = asyncio.Event()
        self._sums = Copier()
        self._speeds: dict[Path, float] = {}
        self._load = Load({}, {})
        self._sums_at = float("-inf")
        self._last_stamp = 0.0
        copying.listeners.append(self._jobs.change)
        copying.listeners.append(lambda _: self._news.set())
        for job in copying.list.jobs.values():
            self._jobs.change(job)

    async def run(self) -> None:
        """Reports for ever."""
        await self._be_ready()
        self._take_over_what_is_over()
        self._take_over_findings()
        while True:
            self._news.clear()
            await self._look_at_scrubs()
            self._look()
            await self._send()
            await asyncio.sleep(LOOK_SECONDS)
            if not self._copying.n_active and not self._jobs.has_changed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_LOOK_SECONDS):
                        await self._news.wait()

    async def end(self) -> None:
        """The last words: nothing runs any more."""
        if not self._reporting.is_ready.is_set():
            return
        self._sums_at = float("-inf")
        await self._look_at_scrubs(at_once=True)
        self._look()
        self._put("copier", "", self._copier(is_running=False))
        self._throttle = self._away_throttle = Throttle({})
        await self._send()

    async def _be_ready(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._reporting.is_ready.wait()
        except TimeoutError:
            # That it is away the reporting says.
            await self._reporting.go_on_without_server()
            await self._reporting.is_ready.wait()

    def _take_over_what_is_over(self) -> None:
        """The last moves of earlier runs stay in sight."""
        over = [
            (entry.message.finished_time, entry)
            for entry in self._reporting.known.of("copy_job").values()
            if isinstance(entry.message, CopyJob) and entry.message.state in _OVER
        ]
        for _, entry in sorted(over, key=lambda pair: pair[0])[-MOST_OVER:]:
            self._state.hold(TOPICS["copy_job"], TOPICS["copy_job"].id_of(entry.message), entry)

    def _take_over_findings(self) -> None:
        """They stand until a look at what scrubs keep says otherwise."""
        for entry_id, entry in self._reporting.known.of("scrub_finding").items():
            self._state.hold(TOPICS["scrub_finding"], entry_id, entry)

    async def _look_at_scrubs(self, *, at_once: bool = False) -> None:
        if await self._scrubs.look(at_once=at_once):
            findings = {finding.id: finding for finding in self._scrubs.findings}
            for entry_id in set(self._state.of("scrub_finding")) - findings.keys():
                self._state.hold(TOPICS["scrub_finding"], entry_id, None)
            for entry_id, finding in findings.items():
                self._put("scrub_finding", entry_id, finding)

    def _look(self) -> None:
        copying = self._copying
        news, gone = self._jobs.take(copying.list.jobs)
        for job_id in gone:
            self._state.hold(TOPICS["copy_job"], job_id, None)
        for job in news:
            self._put("copy_job", job.id, copy_job(job, copying.settings.verification))
        self._sum_up()
        self._put("copier", "", self._copier(is_running=True))
        for target in copying.targets:
            speed = self._speeds.get(target.folder, 0.0)
            entry = copy_target(target.now(), self._load, copying.settings.limits, bytes_per_second=speed)
            self._put("copy_target", entry.id, entry)

    def _sum_up(self) -> None:
        jobs, now = self._copying.list, time.monotonic()
        if now - self._sums_at < SUMS_SECONDS + len(jobs.jobs) / _SUMMED_JOBS_PER_SECOND:
            return
        self._sums_at = now
        self._sums = copier_sums(jobs.jobs.values(), n_done=jobs.n_done, bytes_done=jobs.bytes_done)
        self._speeds = target_speeds(jobs.jobs.values())
        self._load = self._copying.load()

    def _copier(self, *, is_running: bool) -> Copier:
        entry = Copier()
        entry.CopyFrom(self._sums)
        entry.is_running = is_running
        entry.is_paused = self._copying.is_paused
        entry.max_bytes_per_second = self._copying.running.max_bytes_per_second
        if self._copying.protection.slowed_by:
            entry.slowed_by = self._copying.protection.slowed_by
        entry.start_time = self._start_time
        entry.n_unknown_temporary_files = len(self._copying.notices.unknown_temporary_files)
        sums = self._scrubs.sums
        entry.n_known_hashes, entry.n_scrubbed = sums.n_known, sums.n_scrubbed
        if sums.last_scrub_time is not None:
            entry.last_scrub_time = sums.last_scrub_time
        return entry

    def _put(self, topic: str, entry_id: str, message: CopyJob | Copier | CopyTarget | ScrubFinding) -> None:
        self._state.hold(TOPICS[topic], entry_id, Entry(message, time.time()))

    async def _send(self) -> None:
        known = self._reporting.known
        throttle = self._throttle if self._reporting.is_connected else self._away_throttle
        changes = list(throttle.due(diff(known, self._state, TOPICS_OF[COPIER]), time.monotonic()))
        if changes:
            self._last_stamp = max(time.time(), self._last_stamp + 1e-6)
            await self._reporting.send(changes, self._last_stamp, self._state)
