"""Copies held back while lookups of this machine's harvester are slow, as the collector tells of them."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from chiatea.config import Config
from chiatea.copier.beside import beside
from chiatea.copier.copying import Copying
from chiatea.copier.disks import disk_of
from chiatea.copier.lookup_protection import EVERY_DISK, Lookup, LookupsTold, SlowPlot, protected
from chiatea.errors import ConnectionFailedError
from chiatea.identity import machine_id_of
from chiatea.protobuf.chia_pb2 import ChiaNotice, Harvester
from chiatea.question import Question, UnansweredError
from chiatea.state.machine_state import MachineState
from chiatea.wire.channel import Server
from chiatea.wire.machine_facts import MachineFacts

__all__ = ["LookupsNews", "LookupsWatch", "lookups_protected"]

_log = logging.getLogger(__name__)

ASK_SECONDS: Final = 3.0
"""A signage point comes each 9.4 s: of two lookups none is overlooked."""
_LIMIT_SECONDS: Final = 5.0
_DISK_SECONDS: Final = 2.0
_TOPICS: Final = ("harvester", "chia_notice")


@contextlib.asynccontextmanager
async def lookups_protected(copying: Copying, config: Config, server: Server) -> AsyncIterator[None]:
    """For as long as the block lasts, slow lookups slow down copies, where that is configured."""
    slow_seconds = config.copy_.protect_lookups
    if not slow_seconds:
        yield
        return
    facts = MachineFacts(server, machine_id_of(config.machine.state_folder), _TOPICS)
    watch = LookupsWatch(copying, lambda: facts.ask(limit_seconds=_LIMIT_SECONDS), slow_seconds=slow_seconds)
    try:
        async with beside(watch.run(), "the protection of lookups"):
            yield
    finally:
        await facts.close()


class LookupsNews:
    """Finds what is new in what the collector tells again and again. What was before the first time is old."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._seen: set[str] | None = None
        self._lookup_time = 0.0

    def of(self, state: MachineState) -> tuple[list[Lookup], list[ChiaNotice], float | None]:
        """The lookups and the slow plots that are new, and the median of the last hour's lookups in seconds."""
        notices = {
            entry.message.id: entry.message
            for entry in state.of("chia_notice").values()
            if isinstance(entry.message, ChiaNotice) and entry.message.kind == ChiaNotice.SLOW_LOOKUP
        }
        new = [
            notice for notice_id, notice in notices.items() if self._seen is not None and notice_id not in self._seen
        ]
        entry = state.of("harvester").get("")
        harvester = entry.message if entry is not None and isinstance(entry.message, Harvester) else Harvester()
        lookups = []
        if harvester.last_challenge_time > self._lookup_time:
            if self._seen is not None:
                lookups.append(Lookup(harvester.last_challenge_time, harvester.last_lookup_seconds))
            self._lookup_time = harvester.last_challenge_time
        self._seen = set(notices)
        has_median = harvester.HasField("median_lookup_seconds")
        return lookups, new, harvester.median_lookup_seconds if has_median else None


class LookupsWatch:
    """Asks for lookups, and lets copies go slower or faster."""

    def __init__(
        self,
        copying: Copying,
        ask: Callable[[], Awaitable[MachineState]],
        *,
        slow_seconds: float,
        clock: Callable[[], float] = time.time,
        disk_at: Callable[[str], str] = lambda path: disk_of(os.stat(path).st_dev),  # noqa: PTH116
    ) -> None:
        """Protects the lookups of this machine.

        Args:
            copying: the copier.
            ask: gets what the collector told of the harvester and of notices, or raises ConnectionFailedError.
            slow_seconds: a lookup that takes so long is slow.
            clock: UTC seconds since the epoch, as the collector has them.
            disk_at: the name of the disk at a mount point, as the copier names disks. It may hang.
        """
        self._copying = copying
        self._ask = ask
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._disk_at = disk_at
        self._news = LookupsNews()
        self._disks: dict[str, Question[str]] = {}
        self._failure = ""

    async def run(self) -> None:
        """Protects for ever."""
        while True:
            await self.look()
            await asyncio.sleep(ASK_SECONDS)

    async def look(self) -> None:
        """Takes in what is new, and lets copies go as fast as they then may."""
        told = await self._told()
        copying = self._copying
        before = copying.protection
        # Of a job that was cancelled for good the worker may end a little later than it is forgotten.
        active = [job for job_id in copying.running if (job := copying.list.jobs.get(job_id)) is not None]
        after = protected(
            before,
            told,
            slow_seconds=self._slow_seconds,
            copying_disks={disk for job in active for disk in (job.source_disk, job.target_disk)},
            now=self._clock(),
        )
        copying.protection = after
        if after.levels != before.levels:
            await copying.running.share_out()
            if after.slowed_by:
                _log.warning("%s", after.slowed_by)
            elif not after.in_vain - before.in_vain:
                _log.info("lookups are fast again: copies go as fast as they can")
        for disk in after.in_vain - before.in_vain:
            _log.warning(
                "lookups%s stay slow though copies hardly move: it is not the copies, which go on for an hour",
                f" on {disk}" if disk else "",
            )

    async def _told(self) -> LookupsTold:
        try:
            lookups, notices, median_seconds = self._news.of(await self._ask())
        except ConnectionFailedError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                _log.info("copy.protect_lookups: nobody tells of lookups: %s", error)
            return LookupsTold()
        self._failure = ""
        plots = [SlowPlot(n.time, n.lookup_seconds, await self._disk_of(n.disk_id)) for n in notices]
        return LookupsTold(tuple(lookups), tuple(plots), median_seconds)

    async def _disk_of(self, mount_point: str) -> str:
        if not mount_point:
            return EVERY_DISK
        question = self._disks.setdefault(mount_point, Question(lambda: self._disk_at(mount_point)))
        try:
            return await question.answer(_DISK_SECONDS)
        except (UnansweredError, OSError):
            return EVERY_DISK
