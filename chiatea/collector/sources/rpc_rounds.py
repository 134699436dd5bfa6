"""What each service's RPC is asked, and how often."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from chiatea.collector.observations import (
    FullNodeTold,
    HarvestersListed,
    Observation,
    PlotsListed,
    PoolsTold,
    VersionTold,
    WalletTold,
)
from chiatea.collector.sources.chia_config import ChiaPlace
from chiatea.collector.sources.rpc import RpcClient, RpcRefusedError, parsed
from chiatea.collector.sources.rpc_answers import (
    connections_of,
    full_node_of,
    harvesters_of,
    plots_of,
    pools_of,
    wallet_balance_of,
    wallet_farmed_of,
    wallet_sync_of,
)
from chiatea.collector.sources.untrusted import items, mapping, text
from chiatea.protobuf.chia_pb2 import FullNode

__all__ = ["FarmerRounds", "FullNodeRounds", "HarvesterRounds", "Rounds", "WalletRounds"]

_POOLS_EVERY: Final = 15.0
_PLOTS_EVERY: Final = 30.0
_SHARE_OF_PLOTS: Final = 100.0
"""A list that takes long is asked for so seldom that it costs the harvester one per cent of its time at most."""
_SETTLING_PLOTS_EVERY: Final = 5.0
_SETTLED_AFTER_SAME: Final = 2
"""A harvester that starts loads its plots one by one, with pauses: three equal lists in a row are whole."""
_PEERS_EVERY: Final = 15.0
_BALANCE_EVERY: Final = 60.0
_FULL_NODE_KIND: Final = 1


class Rounds:
    """One service's questions. `round` asks what is due and gives what the answers tell."""

    service = ""

    def __init__(self, client: RpcClient, clock: Callable[[], float]) -> None:
        """Everything is due at first."""
        self.client = client
        self.clock = clock
        self._version: str | None = None
        self._asked: dict[str, float] = {}

    async def round(self, place: ChiaPlace) -> list[Observation]:
        """Asks what is due.

        Raises:
            RpcFailedError: the service could not be asked.
        """
        told = await self.ask_due(place)
        if self._version is None:
            self._version = await self._asked_version(place)
        return [VersionTold(self.clock(), self.service, self._version), *told]

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """The service's own questions."""
        raise NotImplementedError

    def lost(self) -> None:
        """The service went: what comes back may be another release."""
        self._version = None
        self._asked.clear()

    def is_due(self, call: str, every_seconds: float) -> bool:
        """Whether it is time to ask; counts as asked."""
        now = self.clock()
        last = self._asked.get(call)
        if last is not None and 0 <= now - last < every_seconds:
            return False
        self._asked[call] = now
        return True

    async def asked_if_it_can(self, asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """An answer, or an empty one where the service says that it cannot: not all of its round is lost for that."""
        try:
            return await asked
        except RpcRefusedError:
            return {}

    async def _asked_version(self, place: ChiaPlace) -> str:
        # Chia before 2.0 does not tell.
        answer = await self.asked_if_it_can(self.client.ask(place, "get_version"))
        return text(answer.get("version")) or ""


class FarmerRounds(Rounds):
    """The farmer."""

    service = "farmer"

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Harvesters and connections each time, pools now and then."""
        # An event that comes while an answer is under way is newer than the answer.
        asked_time = self.clock()
        harvesters = harvesters_of(await self.client.ask(place, "get_harvesters_summary"))
        told: list[Observation] = [HarvestersListed(asked_time, harvesters, is_all=True)]
        asked_time = self.clock()
        connections = await self.client.ask(place, "get_connections")
        told.append(connections_of(connections, "farmer", asked_time))
        if self.is_due("get_pool_state", _POOLS_EVERY):
            pools = await self.asked_if_it_can(self.client.ask(place, "get_pool_state"))
            told.append(PoolsTold(self.clock(), pools_of(pools)))
        return told


class HarvesterRounds(Rounds):
    """The harvester of this machine."""

    service = "harvester"

    def __init__(
        self,
        client: RpcClient,
        clock: Callable[[], float],
        mount_points: Callable[[], Sequence[str]],
        n_plots_told: Callable[[], object],
    ) -> None:
        """`n_plots_told` gives what others say of its plots' number: when that changes, the list is due at once."""
        super().__init__(client, clock)
        self._mount_points = mount_points
        self._n_plots_told = n_plots_told
        self._told_before: object = None
        self._digest = b""
        self._plots_every = _PLOTS_EVERY
        self._is_settling = False
        self._n_same = 0
        self._has_listed = False

    def settle(self) -> None:
        """Its plots are known from before: a list is told only once it stays the same, as while Chia starts it does
        not.
        """
        self._is_settling = True

    def lost(self) -> None:
        """When it comes back it loads its plots one by one: they did not all go and come."""
        super().lost()
        self._is_settling = self._has_listed

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Connections each time; the list of plots seldom, as it is long."""
        connections = await self.client.ask(place, "get_connections")
        told: list[Observation] = [connections_of(connections, "harvester", self.clock())]
        n_plots_told = self._n_plots_told()
        if n_plots_told != self._told_before:
            self._told_before = n_plots_told
            self._asked.pop("get_plots", None)
        if self.is_due("get_plots", _SETTLING_PLOTS_EVERY if self._is_settling else self._plots_every):
            told += await self._list(place)
        return told

    async def _list(self, place: ChiaPlace) -> list[Observation]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        body, _ = await self.client.ask_raw(place, "get_plots")
        self._plots_every = max(_PLOTS_EVERY, _SHARE_OF_PLOTS * (loop.time() - begun))
        folders = await self._folders(place)
        mount_points = tuple(self._mount_points())
        hashed = hashlib.blake2b(body)
        hashed.update(repr((mount_points, folders)).encode(errors="replace"))
        digest = hashed.digest()
        is_same, self._digest = digest == self._digest, digest
        self._n_same = self._n_same + 1 if is_same else 0
        if self._n_same < _SETTLED_AFTER_SAME if self._is_settling else is_same:
            return []
        self._is_settling = False
        self._has_listed = True
        answer = await parsed(body)
        plots = await asyncio.to_thread(plots_of, answer, mount_points)
        return [PlotsListed(self.clock(), plots, folders)]

    async def _folders(self, place: ChiaPlace) -> tuple[str, ...]:
        answer = await self.asked_if_it_can(self.client.ask(place, "get_plot_directories"))
        return tuple(filter(None, map(text, items(answer.get("directories")))))


class FullNodeRounds(Rounds):
    """The full node."""

    service = "full_node"

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """The blockchain's state each time, peers now and then."""
        node = full_node_of(await self.client.ask(place, "get_blockchain_state"))
        if place.network_name is not None:
            node.network_name = place.network_name
        if self.is_due("get_connections", _PEERS_EVERY):
            answer = await self.asked_if_it_can(self.client.ask(place, "get_connections"))
            if answer:
                peers = connections_of(answer, "full_node", self.clock())
                node.MergeFrom(FullNode(n_peers=sum(peer.kind == _FULL_NODE_KIND for peer in peers.connections)))
        return [FullNodeTold(self.clock(), node)]


class WalletRounds(Rounds):
    """The wallet. It may be logged out: then it tells only whether it is synced."""

    service = "wallet"

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Its height each time, the balance of its first wallet and what it farmed now and then."""
        answers: dict[str, Any] = {"get_sync_status": await self.client.ask(place, "get_sync_status")}
        for call in ("get_height_info", "get_wallets"):
            answers[call] = await self.asked_if_it_can(self.client.ask(place, call))
        wallet = wallet_sync_of(answers)
        if self.is_due("get_wallet_balance", _BALANCE_EVERY):
            wallets = items(mapping(answers["get_wallets"]).get("wallets"))
            first = mapping(wallets[0]).get("id") if wallets else 1
            balance = await self.asked_if_it_can(self.client.ask(place, "get_wallet_balance", wallet_id=first))
            wallet.MergeFrom(wallet_balance_of(balance))
            farmed = await self.asked_if_it_can(self.client.ask(place, "get_farmed_amount"))
            wallet.MergeFrom(wallet_farmed_of(farmed))
        return [WalletTold(self.clock(), wallet)]
