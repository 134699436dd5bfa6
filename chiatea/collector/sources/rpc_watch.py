"""Asks one of Chia's services again and again, and keeps what it last said."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from chiatea.collector.sources.chia_answers import (
    full_node_of,
    harvesters_of,
    items,
    number,
    plain_hex,
    plot_folders_of,
    plots_of,
    pools_of,
    wallet_of,
)
from chiatea.collector.sources.chia_settings import ChiaSettings
from chiatea.collector.sources.rpc import RpcAbsentError, RpcFailedError, RpcService
from chiatea.protobuf.chia_pb2 import Farmer, Harvester, HarvesterPlot, Source

__all__ = ["Entries", "FarmerRpc", "FullNodeRpc", "HarvesterRpc", "RpcWatch", "WalletRpc"]

_log = logging.getLogger(__name__)

Entries = dict[str, list[Message]]
"""Entries by topic."""

ASK_EVERY_SECONDS: Final = 5.0
ASK_AGAIN_SECONDS: Final = 15.0
"""After a failure, and where nothing listens: the service may be started at any time."""
ASK_PLOTS_EVERY_SECONDS: Final = 30.0
"""The list of all plots is large."""
TYPE_HARVESTER: Final = 2
TYPE_FARMER: Final = 3
"""NodeType of Chia 2.7.5, outbound_message.py."""
FARMING_WALLET_ID: Final = 1


class RpcWatch:
    """One service. Subclasses say what is asked.

    Attributes:
        entries: what it last said; empty while it does not answer.
        source: how asking goes.
    """

    service = ""

    def __init__(
        self, chia_root: Path, settings: Callable[[], ChiaSettings], *, clock: Callable[[], float] = time.time
    ) -> None:
        """Watches a service of that Chia."""
        self._rpc = RpcService(self.service, chia_root)
        self._settings = settings
        self._clock = clock
        self._version: str | None = None
        self.entries: Entries = {}
        self.source = Source(id=f"{self.service} rpc")

    async def ask(self) -> Entries:
        """What the service says now.

        Raises:
            RpcAbsentError, RpcFailedError: as `call`.
        """
        raise RpcAbsentError

    async def call(self, method: str, **arguments: object) -> dict[str, object]:
        """Asks one question."""
        return await self._rpc.call(method, self._settings(), arguments)

    async def version(self) -> str | None:
        """The service's version; asked once, None where it is too old to tell."""
        if self._version is None:
            try:
                self._version = str((await self.call("get_version")).get("version") or "")
            except RpcFailedError:
                self._version = ""
        return self._version or None

    async def poll(self) -> bool:
        """Asks once and keeps the answer; whether it went well."""
        settings = self._settings()
        source = Source(
            id=self.source.id,
            location=f"https://{settings.hostname}:{settings.rpc_ports[self.service]}",
            n_understood=self.source.n_understood,
        )
        if self.source.HasField("last_success_time"):
            source.last_success_time = self.source.last_success_time
        try:
            self.entries = await self.ask()
            source.state = Source.OK
            source.last_success_time = self._clock()
            source.n_understood += 1
        except RpcAbsentError:
            self.entries = {}
            self._version = None
            source.state = Source.ABSENT
        except RpcFailedError as error:
            # What it said before is not true any more, or may not be.
            self.entries = {}
            source.state = Source.FAILING
            source.error = str(error)
            if self.source.state != Source.FAILING:
                _log.warning("%s: %s", source.id, error)
        self.source = source
        return source.state == Source.OK

    async def run(self) -> None:
        """Polls for ever."""
        while True:
            is_well = self.source.state == Source.OK
            await asyncio.sleep(ASK_EVERY_SECONDS if is_well else ASK_AGAIN_SECONDS)
            await self.poll()

    async def close(self) -> None:
        """Closes its connections."""
        await self._rpc.close()


class FarmerRpc(RpcWatch):
    """The farmer: its harvesters as it sees them, its pools."""

    service = "farmer"

    async def ask(self) -> Entries:
        """See RpcWatch."""
        summary = await self.call("get_harvesters_summary")
        connections = await self.call("get_connections")
        pools = list(pools_of(await self.call("get_pool_state")))
        connected = {
            plain_hex(told.get("node_id")): told
            for told in items(connections.get("connections"))
            if isinstance(told, dict) and told.get("type") == TYPE_HARVESTER
        }
        harvesters = list(harvesters_of(summary))
        for seen in harvesters:
            told = connected.get(seen.id)
            seen.state = seen.ANSWERING if told is not None else seen.DISCONNECTED
            if told is None:
                continue
            if (since := number(told.get("creation_time"))) is not None:
                seen.connected_since = since
            if (last := number(told.get("last_message_time"))) is not None:
                seen.last_message_time = last
        farmer = Farmer(
            is_running=True,
            n_harvesters=sum(seen.state != seen.DISCONNECTED for seen in harvesters),
            n_pools=len(pools),
            n_plots=sum(seen.n_plots for seen in harvesters),
            total_plot_bytes=sum(seen.total_plot_bytes for seen in harvesters),
            effective_plot_bytes=sum(seen.effective_plot_bytes for seen in harvesters),
        )
        if version := await self.version():
            farmer.version = version
        return {"farmer": [farmer], "farmer_harvester": [*harvesters], "pool": [*pools]}


class HarvesterRpc(RpcWatch):
    """The harvester: its plots, and whether it has a farmer."""

    service = "harvester"

    def __init__(
        self,
        chia_root: Path,
        settings: Callable[[], ChiaSettings],
        *,
        mount_points: Callable[[], Iterable[str]],
        known_plots: Mapping[str | int, Message],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begins with the plots that are known, so that what came and went meanwhile is counted."""
        super().__init__(chia_root, settings, clock=clock)
        self._mount_points = mount_points
        self._plots: dict[str | int, Message] = dict(known_plots)
        self._plots_time = -1e9
        self._totals: Entries = {}
        self._harvester_totals = Harvester()
        self.n_plots_added = 0
        self.n_plots_lost = 0

    async def ask(self) -> Entries:
        """See RpcWatch."""
        connections = await self.call("get_connections")
        now = time.monotonic()
        if now - self._plots_time >= ASK_PLOTS_EVERY_SECONDS or not self._totals:
            answer = await self.call("get_plots")
            folders = items((await self.call("get_plot_directories")).get("directories"))
            await asyncio.to_thread(self._take_plots, answer, [f for f in folders if isinstance(f, str)])
            self._plots_time = now
        harvester = Harvester()
        harvester.MergeFrom(self._harvester_totals)
        harvester.is_connected_to_farmer = any(
            isinstance(told, dict) and told.get("type") == TYPE_FARMER for told in items(connections.get("connections"))
        )
        if version := await self.version():
            harvester.version = version
        return {**self._totals, "harvester": [harvester]}

    def _take_plots(self, answer: dict[str, object], folders: list[str]) -> None:
        before = self._plots
        plots: dict[str | int, HarvesterPlot] = {}
        for plot in plots_of(answer, self._mount_points()):
            held = before.get(plot.id)
            # The same object tells whoever compares that nothing changed.
            plots[plot.id] = held if isinstance(held, HarvesterPlot) and held == plot else plot
        self.n_plots_added += len(plots.keys() - before.keys())
        self.n_plots_lost += len(before.keys() - plots.keys())
        self._plots = dict(plots)
        loaded = [plot for plot in plots.values() if plot.state == HarvesterPlot.LOADED]
        self._harvester_totals = Harvester(
            is_running=True,
            n_plots=len(loaded),
            n_plots_v1=sum(plot.plot_version != 2 for plot in loaded),
            n_plots_v2=sum(plot.plot_version == 2 for plot in loaded),
            total_plot_bytes=sum(plot.file_bytes for plot in loaded),
            effective_plot_bytes=sum(plot.effective_bytes for plot in loaded),
            n_failed_to_open=sum(plot.state == HarvesterPlot.FAILED_TO_OPEN for plot in plots.values()),
            n_not_found=sum(plot.state == HarvesterPlot.NOT_FOUND for plot in plots.values()),
        )
        self._totals = {
            "harvester_plot": [*plots.values()],
            "plot_folder": [*plot_folders_of(plots.values(), folders)],
        }


class FullNodeRpc(RpcWatch):
    """The full node: peak, sync, netspace, peers."""

    service = "full_node"

    async def ask(self) -> Entries:
        """See RpcWatch."""
        node = full_node_of(await self.call("get_blockchain_state"))
        node.n_peers = len(items((await self.call("get_connections")).get("connections")))
        if network := self._settings().network_name:
            node.network_name = network
        if version := await self.version():
            node.version = version
        return {"full_node": [node]}


class WalletRpc(RpcWatch):
    """The wallet: sync, balance, what was farmed. Without a key logged in only its sync is known."""

    service = "wallet"

    async def ask(self) -> Entries:
        """See RpcWatch."""
        sync = await self.call("get_sync_status")
        try:
            height = number((await self.call("get_height_info")).get("height"))
            wallet = wallet_of(
                sync,
                wallets=await self.call("get_wallets"),
                balance=await self.call("get_wallet_balance", wallet_id=FARMING_WALLET_ID),
                farmed=await self.call("get_farmed_amount"),
            )
            if height is not None:
                wallet.height = int(height)
        except RpcFailedError:
            wallet = wallet_of(sync)
        if version := await self.version():
            wallet.version = version
        return {"wallet": [wallet]}


def ask_all(watches: Iterable[RpcWatch]) -> Awaitable[list[bool]]:
    """Asks all of them at once."""
    return asyncio.gather(*(watch.poll() for watch in watches))
