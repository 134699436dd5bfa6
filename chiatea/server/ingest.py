"""The one writer: gathers what all collectors send and commits it together."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from chiatea.errors import DatabaseError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import COPIER, EventBatch, Reporter
from chiatea.server.hub import Hub
from chiatea.server.storage import Batch, Storage, batch_of
from chiatea.state.farm_state import FarmState
from chiatea.state.reporters import SERVER_TOPICS, TOPICS_OF

__all__ = ["Ingest", "last_sequence"]

_log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.02
"""How long a commit waits for company: one fsync then serves many batches."""
RETRY_SECONDS: Final = 1.0
"""How long after a failed commit the next is tried."""
MAX_EVENTS_PER_COMMIT: Final = 2_500
"""A commit of so many takes some 50 ms, in which nobody else is served."""


class _Waiting(NamedTuple):
    batch: Batch
    reporter: "Reporter.ValueType | None"
    """None: the server itself, whose batches get their numbers when they are committed."""
    received: float
    on_commit: Callable[[int], None]


class Ingest:
    """Takes batches, commits them, and then lets the farm's state and its subscribers know.

    Whoever puts a batch is called back once it is durable. A batch whose number is committed already is called back
    too, and not stored: sending one again changes nothing.
    """

    def __init__(
        self,
        database: Storage,
        farm: FarmState,
        hub: Hub,
        *,
        on_change: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Writes to the database, and to the farm's state what was written.

        `on_change` is told why nothing can be stored from now on, and "" when it goes on.
        """
        self._on_change = on_change
        self._database = database
        self._farm = farm
        self._hub = hub
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._dirty_infos: set[str] = set()
        self._wake = asyncio.Event()
        self._closing = False
        self.failure: str = ""
        """Why nothing can be stored now; empty while all is well."""

    def put(
        self,
        machine_id: str,
        reporter: "Reporter.ValueType",
        batch: EventBatch,
        on_commit: Callable[[int], None],
    ) -> None:
        """Hands over one batch; `on_commit` is called with its number once it is committed.

        What its reporter has no say in, and what carries nothing, is left out.
        """
        now = self._clock()
        told = batch_of(machine_id, batch.sequence, batch.events, TOPICS_OF[reporter])
        for _, _, event in told.told:
            # NaN and infinity: no time that could be looked up.
            if not -1e12 < event.timestamp < 1e12:
                event.timestamp = now
        self._waiting.append(_Waiting(told, reporter, now, on_commit))
        self._wake.set()

    def tell(self, machine_id: str, events: Iterable[UpdateEvent], on_commit: Callable[[int], None]) -> None:
        """Hands over what the server itself tells of a machine; `on_commit` is called once it is committed."""
        told = batch_of(machine_id, 0, events, SERVER_TOPICS)
        self._waiting.append(_Waiting(told, None, self._clock(), on_commit))
        self._wake.set()

    def touch(self, machine_id: str) -> None:
        """Says that the server's own knowledge of a machine changed and is to be stored and told."""
        self._dirty_infos.add(machine_id)
        self._wake.set()

    async def run(self) -> None:
        """Commits until `close`; what waits then is committed first."""
        while True:
            await self._wake.wait()
            if not self._closing:
                await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            while self._waiting or self._dirty_infos:
                if not self._commit():
                    if self._closing:
                        return
                    await asyncio.sleep(RETRY_SECONDS)
                # Others get their turn between two large commits.
                await asyncio.sleep(0)
            if self._closing:
                return

    def close(self) -> None:
        """Lets `run` end once everything that waits is committed."""
        self._closing = True
        self._wake.set()

    def _take(self) -> tuple[list[_Waiting], set[str]]:
        n_events = 0
        for n_batches, waiting in enumerate(self._waiting):
            n_events += len(waiting.batch.told)
            if n_events > MAX_EVENTS_PER_COMMIT and n_batches > 0:
                break
        else:
            n_batches = len(self._waiting)
        return self._waiting[:n_batches], set(self._dirty_infos)

    def _commit(self) -> bool:
        """Commits some of what waits; False when that failed and everything still waits."""
        taken, dirty = self._take()
        fresh, infos = self._news(taken, dirty)
        try:
            newest = self._database.write([w.batch for w in fresh], infos.values())
        except DatabaseError as error:
            if str(error) != self.failure:
                _log.error("nothing can be stored now, and nothing is acked: %s", error)
                self.failure = str(error)
                self._on_change(self.failure)
            return False
        if self.failure:
            _log.warning("storing goes on after: %s", self.failure)
            self.failure = ""
            self._on_change("")
        del self._waiting[: len(taken)]
        self._dirty_infos -= dirty
        touched = {}
        for key, event in newest.items():
            event.machine_id = key[0]
            if self._farm.apply_keyed(key, event):
                touched[key] = event
        for info in infos.values():
            self._farm.apply_info(info)
        self._hub.publish(touched, infos)
        for waiting in taken:
            waiting.on_commit(waiting.batch.sequence)
        return True

    def _news(self, taken: Sequence[_Waiting], dirty: set[str]) -> tuple[list[_Waiting], dict[str, MachineInfo]]:
        """The batches that are not committed yet, in order, and the machines as they are with them."""
        infos: dict[str, MachineInfo] = {}
        fresh = []
        for waiting in taken:
            machine_id = waiting.batch.machine_id
            info = infos.get(machine_id) or _copied(self._farm, machine_id)
            infos[machine_id] = info
            if waiting.reporter is None:
                info.last_server_sequence += 1
                fresh.append(waiting._replace(batch=waiting.batch._replace(sequence=info.last_server_sequence)))
                continue
            if waiting.batch.sequence > last_sequence(info, waiting.reporter):
                if waiting.reporter == COPIER:
                    info.last_copier_sequence = waiting.batch.sequence
                else:
                    info.last_sequence = waiting.batch.sequence
                fresh.append(waiting)
            info.last_seen = max(info.last_seen, waiting.received)
        for machine_id in dirty - infos.keys():
            infos[machine_id] = _copied(self._farm, machine_id)
        return fresh, infos


def last_sequence(info: MachineInfo, reporter: "Reporter.ValueType") -> int:
    """The newest batch of a reporter that is committed; 0 where there is none."""
    return info.last_copier_sequence if reporter == COPIER else info.last_sequence


def _copied(farm: FarmState, machine_id: str) -> MachineInfo:
    info = MachineInfo(machine_id=machine_id)
    held = farm.infos.get(machine_id)
    if held is not None:
        info.CopyFrom(held)
    return info
