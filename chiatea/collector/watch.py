"""One machine watched: its hardware, its Chia's RPC, its Chia's log, put together into one state."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable

from google.protobuf.message import Message

from chiatea.collector.log_watch import LogWatch
from chiatea.collector.machine_watch import MachineWatch
from chiatea.collector.sources.chia_answers import expected_seconds_to_win
from chiatea.collector.sources.chia_settings import ChiaSettings, read_settings
from chiatea.collector.sources.rpc_watch import FarmerRpc, FullNodeRpc, HarvesterRpc, RpcWatch, WalletRpc, ask_all
from chiatea.collector.watchdog import Watchdog
from chiatea.config import Config
from chiatea.protobuf.chia_pb2 import ChiaNotice, Farmer, FullNode, Harvester, Process, Wallet
from chiatea.protobuf.descriptors import TOPICS
from chiatea.state.machine_state import Entry, MachineState

__all__ = ["Watch"]

_log = logging.getLogger(__name__)

READ_SETTINGS_EVERY_SECONDS = 60.0


class Watch:
    """Everything of one machine that chia-tea looks at.

    What no source can tell any more, because its service is down, is told as not running; what never was there is
    not told at all.
    """

    def __init__(
        self, config: Config, machine_id: str, *, is_single: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """Looks where the configuration says; for a single look at everything it leaves no trace."""
        self.machine_id = machine_id
        self._clock = clock
        self._chia_root = config.chia_root
        self._settings = ChiaSettings()
        self._settings_time = -1e9
        self._machine = MachineWatch(is_paced=not is_single)
        self._watchdog = Watchdog()
        memory_filepath = config.machine.state_folder / "watch.json" if not is_single else None
        self._log_watch = LogWatch(config.chia_logfile_filepath, memory_filepath, self._watchdog, clock=clock)
        self._rpc: list[RpcWatch] = []
        self._harvester_rpc: HarvesterRpc | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last = MachineState()
        self._ever: dict[str, Message] = {}

    async def start(self, known: MachineState) -> None:
        """Begins; `known` is what the server last held of this machine, from which counting goes on."""
        harvesters = [e.message for e in known.of("harvester").values() if isinstance(e.message, Harvester)]
        notices = [e.message for e in known.of("chia_notice").values() if isinstance(e.message, ChiaNotice)]
        self._watchdog.continue_from(harvesters[0] if harvesters else None, notices)
        await asyncio.to_thread(self._log_watch.start)
        for topic in ("farmer", "full_node", "wallet"):
            self._ever.update((topic, entry.message) for entry in known.of(topic).values())
        self._refresh_settings()
        self._harvester_rpc = HarvesterRpc(
            self._chia_root,
            self._current_settings,
            mount_points=lambda: self._machine.mount_points,
            known_plots={i: entry.message for i, entry in known.of("harvester_plot").items()},
            clock=self._clock,
        )
        if harvesters:
            self._harvester_rpc.n_plots_added = harvesters[0].n_plots_added
            self._harvester_rpc.n_plots_lost = harvesters[0].n_plots_lost
        kinds = (FarmerRpc, FullNodeRpc, WalletRpc)
        others = [kind(self._chia_root, self._current_settings, clock=self._clock) for kind in kinds]
        self._rpc = [self._harvester_rpc, *others]
        await self._machine.look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3.0):
                await ask_all(self._rpc)
        self._tasks = [asyncio.create_task(watch.run(), name=watch.source.id) for watch in self._rpc]

    def _current_settings(self) -> ChiaSettings:
        return self._settings

    def _refresh_settings(self) -> None:
        now = time.monotonic()
        if now - self._settings_time >= READ_SETTINGS_EVERY_SECONDS:
            self._settings_time = now
            self._settings = read_settings(self._chia_root)

    async def look(self) -> MachineState:
        """The whole machine as it is now.

        Entries that did not change are the same objects as in the state before.
        """
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                self._tasks.remove(task)
                _log.error("%s is not watched any more: %r", task.get_name(), error)
        self._refresh_settings()
        machine = await self._machine.look()
        await asyncio.to_thread(self._log_watch.look)
        topics: dict[str, Iterable[Message]] = dict(machine)
        for watch in self._rpc:
            topics.update(watch.entries)
        self._tell_harvester(topics)
        self._tell_services(topics)
        topics["chia_notice"] = self._watchdog.notices
        topics["source"] = [self._log_watch.source, *(watch.source for watch in self._rpc)]
        state = self._state_of(topics)
        self._last = state
        return state.copy()

    def _tell_harvester(self, topics: dict[str, Iterable[Message]]) -> None:
        rpc = next((m for m in topics.get("harvester", ()) if isinstance(m, Harvester)), None)
        processes = topics.get("process", ())
        has_process = any(isinstance(p, Process) and p.kind == Process.HARVESTER for p in processes)
        entry = self._watchdog.harvester(self._clock(), rpc, has_process=has_process)
        if entry is None:
            return
        if self._harvester_rpc is not None:
            entry.n_plots_added = self._harvester_rpc.n_plots_added
            entry.n_plots_lost = self._harvester_rpc.n_plots_lost
        topics["harvester"] = [entry]
        if rpc is None:
            # Its plots are not gone because it cannot be asked.
            for topic in ("harvester_plot", "plot_folder"):
                topics[topic] = [held.message for held in self._last.of(topic).values()]

    def _tell_services(self, topics: dict[str, Iterable[Message]]) -> None:
        """A service that ran and does not answer is told as not running, with what it last said."""
        for topic in ("farmer", "full_node", "wallet"):
            told = list(topics.get(topic, ()))
            if told:
                self._ever[topic] = told[0]
            elif topic in self._ever:
                stopped = type(self._ever[topic])()
                stopped.CopyFrom(self._ever[topic])
                if isinstance(stopped, Farmer | FullNode | Wallet):
                    stopped.is_running = False
                topics[topic] = [stopped]
        farmer = next(iter(topics.get("farmer", ())), None)
        node = next(iter(topics.get("full_node", ())), None)
        if isinstance(farmer, Farmer) and isinstance(node, FullNode) and node.HasField("netspace_bytes"):
            seconds = expected_seconds_to_win(farmer.effective_plot_bytes, node.netspace_bytes)
            if seconds is not None:
                farmer.expected_seconds_to_win = round(seconds)
                farmer.share_of_netspace = farmer.effective_plot_bytes / node.netspace_bytes

    def _state_of(self, topics: dict[str, Iterable[Message]]) -> MachineState:
        now = self._clock()
        state = MachineState()
        for name, messages in topics.items():
            topic, before = TOPICS[name], self._last.of(name)
            entries = {}
            for message in messages:
                identity = topic.id_of(message)
                held = before.get(identity)
                is_same = held is not None and (held.message is message or held.message == message)
                entries[identity] = held if held is not None and is_same else Entry(message, now)
            if entries:
                state.entries[name] = entries
        return state

    async def close(self) -> None:
        """Ends all watching, and stores what must be remembered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for watch in self._rpc:
            await watch.close()
        await asyncio.to_thread(self._log_watch.close)
