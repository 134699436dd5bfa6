"""One machine watched: all sources looked at, each at its pace, and folded into one state."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from chiatea.chia.place import ChiaPlace, ChiaPlaceReader
from chiatea.chia.rpc import RpcClient
from chiatea.chia.untrusted import mapping
from chiatea.collector.hardware_watch import HardwareWatch, Pace
from chiatea.collector.log_watch import LogWatch
from chiatea.collector.memory import memory_text, read_memory, write_memory
from chiatea.collector.observations import Observation, WalletChanged, WatchingGap
from chiatea.collector.plotting.watch import PlottingWatch
from chiatea.collector.service_watch import ServiceWatch
from chiatea.collector.source_health import DAEMON_STALE_SECONDS, SourceHealth
from chiatea.collector.sources.copies import copies_on
from chiatea.collector.sources.daemon import DaemonListener
from chiatea.collector.sources.harvester_rounds import HarvesterRounds
from chiatea.collector.sources.rpc_rounds import FarmerRounds, FullNodeRounds, WalletRounds
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.config import Config
from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.descriptors import TOPICS, EntryId
from chiatea.question import Question, UnansweredError
from chiatea.state.machine_state import MachineState
from chiatea.state.packed import Entry, PackedEntries, PackedMessages, packed_messages

__all__ = ["FACTS", "PACKED_TOPICS", "Watch"]

log = logging.getLogger(__name__)

FACTS: Final = frozenset(
    {"harvester", "farmer", "farmer_harvester", "missed_challenge", "chia_notice", "full_node", "wallet"}
)
"""Topics that Chia's daemon tells of the moment something happens."""
_FIRST_PATIENCE_SECONDS: Final = 10.0
"""The first look waits this long for every service's first answer, so that one look alone tells all."""
_PATIENCE_SECONDS: Final = 0.5
_COPIES_KNOWN_SECONDS: Final = 20.0
_MEMORY_EVERY: Final = 10.0
_MEMORY_LIMIT_SECONDS: Final = 5.0
PACKED_TOPICS: Final = frozenset({"harvester_plot"})
"""Topics that a machine has very many entries of."""
_KEPT_AS_THEY_ARE: Final = frozenset({"plot_folder", "chia_notice", "pool", "wallet_balance"})
"""Topics whose messages are made once and never changed."""


class Watch:
    """One machine watched: hardware, Chia's RPC, daemon events, log."""

    def __init__(self, config: Config, machine_id: str, *, clock: Callable[[], float] = time.time) -> None:
        """Opens nothing yet. `clock` gives UTC seconds."""
        self.machine_id = machine_id
        self._config = config
        self._clock = clock
        self._memory_path: Path = config.machine.state_folder / "watch.json"
        self._memory_pace = Pace(_MEMORY_EVERY)
        self._memory_text = ""
        self._memory_question = Question(self._write_memory)
        self._is_memory_failing = False
        self._place_reader = ChiaPlaceReader(config.chia_root)
        self._place: ChiaPlace | None = None
        self._hardware = HardwareWatch(clock, config.hardware)
        self._watchdog = Watchdog(self._hardware.history.at, self._copies_at)
        self._log = LogWatch(config.chia_logfile_filepath, self._take, clock)
        self._plotting = PlottingWatch(config.plotter_logs, clock)
        self._daemon_health = SourceHealth("chia daemon", clock, DAEMON_STALE_SECONDS)
        self._daemon = DaemonListener(lambda: self._place, self._take_event, self._daemon_health, clock)
        self._harvester_rounds = HarvesterRounds(
            RpcClient("harvester"), clock, lambda: self._hardware.disks.mount_points, self._n_plots_told
        )
        self._farmer_rounds = FarmerRounds(RpcClient("farmer"), clock, lambda: self._daemon.is_listening)
        self._wallet_rounds = WalletRounds(RpcClient("wallet"), clock)
        rounds = (
            self._farmer_rounds,
            self._harvester_rounds,
            FullNodeRounds(RpcClient("full_node"), clock),
            self._wallet_rounds,
        )
        self._services = [ServiceWatch(service_rounds, self._take, clock) for service_rounds in rounds]
        self._published: dict[str, dict[EntryId, Message]] = {}
        self._is_first = True
        self.news = asyncio.Event()
        """Set when Chia's daemon told something: `facts` may be others than before."""

    async def start(self, known: MachineState) -> None:
        """Goes on from what the server last held of this machine, and begins to listen to Chia's daemon."""
        memory = read_memory(self._memory_path)
        info = known.as_computer_info(except_topics=PACKED_TOPICS)
        plots = packed_messages(known.of("harvester_plot"), TOPICS["harvester_plot"])
        log_memory = mapping(memory.get("log")) if memory is not None else {}
        is_log_restored = self._log.restore(log_memory)
        self._hardware.restore(info)
        self._know_disks()
        self._plotting.restore(mapping(memory.get("plotting")) if memory is not None else {}, info.plotting_plots)
        self._watchdog.restore(info, mapping(memory.get("watchdog")) if memory is not None else None, plots)
        self._watchdog.take(WatchingGap(self._clock()))
        if plots:
            self._harvester_rounds.settle(self._watchdog.harvester.plots)
        if not is_log_restored:
            self._watchdog.harvester.count_only_newer()
            self._log.sums_history = not info.HasField("harvester")
        for service, is_seen in zip(
            self._services,
            (
                info.HasField("farmer"),
                info.HasField("harvester"),
                info.HasField("full_node"),
                info.HasField("wallet"),
            ),
            strict=True,
        ):
            service.health.is_seen = is_seen
        for source in info.sources:
            if source.id == "chia log" and memory is not None:
                self._log.health.is_seen = source.state != Source.ABSENT
        self._read_place()
        self._daemon.start()

    async def look(self) -> MachineState:
        """One look at everything: a new state, whose unchanged entries are the messages of the last one."""
        now = self._clock()
        self._read_place()
        # Disks before plots: each plot is told with its disk.
        hardware, _ = await asyncio.gather(self._hardware.look(now, self._plot_folders()), self._log.look())
        rounds = [task for service in self._services if (task := service.begin_if_due(self._place, now)) is not None]
        if rounds:
            await asyncio.wait(rounds, timeout=_FIRST_PATIENCE_SECONDS if self._is_first else _PATIENCE_SECONDS)
        self._is_first = False
        self._know_disks()
        topics: dict[str, Mapping[Any, Message]] = dict(hardware)
        self._daemon.notice_gap()
        topics.update(self._watchdog.entries(self._clock(), self._hardware.running_kinds))
        topics["plotting_plot"] = await self._plotting.look(now, self._hardware.processes)
        topics["source"] = self._sources()
        state = self._state(topics, self._clock())
        if self._memory_pace.is_due(now):
            await self._remember()
        return state

    def facts(self) -> MachineState:
        """What Chia told up to now: the topics of FACTS alone, without looking at anything."""
        now = self._clock()
        topics = self._watchdog.entries(now, self._hardware.running_kinds)
        return self._state({name: entries for name, entries in topics.items() if name in FACTS}, now)

    async def close(self) -> None:
        """Stops all tasks, ends all connections, writes the memory."""
        await asyncio.gather(self._daemon.close(), self._hardware.close())
        await asyncio.gather(*(service.close() for service in self._services))
        await self._remember()
        self._log.close()
        self._plotting.close()

    def _copies_at(self, disk_id: str | None, time: float) -> int | None:
        """How many copies a disk has, where `time` is as good as now: what was under way before nobody wrote down."""
        if disk_id is None or abs(self._clock() - time) > _COPIES_KNOWN_SECONDS:
            return None
        return copies_on(disk_id, self._hardware.processes, self._watchdog.disk_of)

    def _know_disks(self) -> None:
        self._watchdog.mount_points = self._hardware.disks.mount_points

    def _take(self, observation: Observation) -> None:
        self._daemon.notice_gap()
        self._watchdog.take(observation)

    def _take_event(self, observation: Observation) -> None:
        self._watchdog.take(observation)
        match observation:
            case WatchingGap():
                self._farmer_rounds.fill_gap()
            case WalletChanged():
                self._wallet_rounds.changed()
        self.news.set()

    def _n_plots_told(self) -> int | None:
        """What the log and the daemon say of the number of this machine's plots: the last lookup's and refresh's."""
        return self._watchdog.harvester.n_plots_told

    def _read_place(self) -> None:
        self._place = self._place_reader.place()

    def _plot_folders(self) -> list[str]:
        copy = self._config.copy_
        folders = [str(folder) for folder in (*copy.source_folders, *copy.all_target_folders)]
        folders += self._watchdog.harvester.folders
        if self._place is not None:
            folders += self._place.plot_folders
        return folders

    def _sources(self) -> dict[str, Source]:
        error = self._place_reader.error
        if error is not None and self._place is None:
            for health in (self._daemon_health, *(service.health for service in self._services)):
                health.failed(error)
        healths = (*self._hardware.healths, self._log.health, *(service.health for service in self._services))
        daemon = self._daemon_health.aged(is_news_due=self._watchdog.are_events_due())
        # Plotters say nothing for as long as a step takes: their silence does not make them stale.
        plotting = self._plotting.health.entry
        return {entry.id: entry for entry in (daemon, plotting, *(health.aged() for health in healths))}

    def _state(self, topics: Mapping[str, Mapping[Any, Message]], now: float) -> MachineState:
        state = MachineState()
        for topic, drafts in topics.items():
            if not drafts:
                continue
            if isinstance(drafts, PackedMessages):
                state.entries[topic] = PackedEntries(drafts.copy(), now)
                continue
            messages = drafts if topic in _KEPT_AS_THEY_ARE else self._copies(topic, drafts)
            state.entries[topic] = {identity: Entry(message, now) for identity, message in messages.items()}
        return state

    def _copies(self, topic: str, drafts: Mapping[EntryId, Message]) -> Mapping[EntryId, Message]:
        before = self._published.get(topic, {})
        copies: dict[EntryId, Message] = {}
        for identity, draft in drafts.items():
            old = before.get(identity)
            if old is None or old != draft:
                old = type(draft)()
                old.CopyFrom(draft)
            copies[identity] = old
        self._published[topic] = copies
        return copies

    async def _remember(self) -> None:
        """Position and counters are taken at one moment, between two slices of the log."""
        if self._memory_question.is_unanswered:
            return
        self._memory_text = memory_text(
            {
                "log": self._log.as_json(),
                "watchdog": self._watchdog.as_json(self._clock()),
                "plotting": self._plotting.as_json(),
            }
        )
        try:
            await self._memory_question.answer(_MEMORY_LIMIT_SECONDS)
            self._is_memory_failing = False
        except (UnansweredError, OSError) as error:
            if not self._is_memory_failing:
                reason = getattr(error, "strerror", None) or "no answer in time"
                log.warning("memory=%s cannot be written: %s", self._memory_path, reason)
            self._is_memory_failing = True

    def _write_memory(self) -> None:
        write_memory(self._memory_path, self._memory_text)
