"""What each service's RPC is asked, and how often."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from chiatea.chia.place import ChiaPlace
from chiatea.chia.rpc import RpcClient, RpcRefusedError
from chiatea.chia.untrusted import integer, items, mapping, text
from chiatea.collector.observations import (
    FullNodeTold,
    HarvestersListed,
    Observation,
    PoolsTold,
    SignagePointsListed,
    VersionTold,
    WalletBalancesTold,
    WalletTold,
)
from chiatea.collector.sources.rpc_answers import (
    connections_of,
    full_node_of,
    harvesters_of,
    pools_of,
    signage_points_of,
    wallet_balance_of,
    wallet_balances_of,
    wallet_farmed_of,
    wallet_sync_of,
)
from chiatea.protobuf.chia_pb2 import FullNode

__all__ = ["FarmerRounds", "FullNodeRounds", "Rounds", "WalletRounds"]

_POOLS_EVERY: Final = 15.0
_PEERS_EVERY: Final = 15.0
_BALANCE_EVERY: Final = 60.0
_MOST_WALLETS: Final = 50
"""Of how many wallets the balance is asked for: a wallet service may hold hundreds of tokens that were sent unasked."""
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

    def __init__(self, client: RpcClient, clock: Callable[[], float], is_listening: Callable[[], bool]) -> None:
        """`is_listening` says whether the daemon tells of signage points now."""
        super().__init__(client, clock)
        self._is_listening = is_listening
        self._has_gap = False

    def fill_gap(self) -> None:
        """The daemon was not listened to for a while: once it is again, what it told meanwhile is asked for."""
        self._has_gap = True

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Harvesters and connections each time, pools now and then."""
        # An event that comes while an answer is under way is newer than the answer.
        asked_time = self.clock()
        harvesters = harvesters_of(await self.client.ask(place, "get_harvesters_summary"))
        told: list[Observation] = [HarvestersListed(asked_time, harvesters, is_all=True)]
        asked_time = self.clock()
        connections = await self.client.ask(place, "get_connections")
        told.append(connections_of(connections, "farmer", asked_time))
        if self._has_gap and self._is_listening():
            self._has_gap = False
            points = await self.asked_if_it_can(self.client.ask(place, "get_signage_points"))
            told.append(SignagePointsListed(self.clock(), signage_points_of(points)))
        if self.is_due("get_pool_state", _POOLS_EVERY):
            pools = await self.asked_if_it_can(self.client.ask(place, "get_pool_state"))
            told.append(PoolsTold(self.clock(), pools_of(pools)))
        return told


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

    def changed(self) -> None:
        """Something came in or went out: balances are due."""
        self._asked.pop("get_wallet_balance", None)

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Its height each time, the balances of its wallets and what it farmed now and then."""
        answers: dict[str, Any] = {"get_sync_status": await self.client.ask(place, "get_sync_status")}
        answers["get_height_info"] = await self.asked_if_it_can(self.client.ask(place, "get_height_info"))
        wallets = await self.asked_if_it_can(self.client.ask(place, "get_wallets", include_data=False))
        answers["get_wallets"] = wallets
        wallet = wallet_sync_of(answers)
        told: list[Observation] = [WalletTold(self.clock(), wallet)]
        if self.is_due("get_wallet_balance", _BALANCE_EVERY):
            balances = await self._balances(place, wallets)
            first = next(iter(balances), None)
            if first is not None:
                wallet.MergeFrom(wallet_balance_of({"wallet_balance": balances[first]}))
            farmed = await self.asked_if_it_can(self.client.ask(place, "get_farmed_amount"))
            wallet.MergeFrom(wallet_farmed_of(farmed))
            told.append(WalletBalancesTold(self.clock(), wallet_balances_of(wallets, balances)))
        return told

    async def _balances(self, place: ChiaPlace, wallets: Mapping[str, Any]) -> dict[int, object]:
        """Each wallet's balance by its id, in the wallets' order: in one answer where Chia can, else one by one."""
        told = (integer(mapping(entry).get("id")) for entry in items(wallets.get("wallets")))
        identities = [identity for identity in told if identity is not None][:_MOST_WALLETS] or [1]
        answer = await self.asked_if_it_can(self.client.ask(place, "get_wallet_balances", wallet_ids=identities))
        by_text = mapping(answer.get("wallet_balances"))
        if by_text:
            return {identity: by_text.get(str(identity)) for identity in identities}
        balances: dict[int, object] = {}
        for identity in identities:
            one = await self.asked_if_it_can(self.client.ask(place, "get_wallet_balance", wallet_id=identity))
            balances[identity] = one.get("wallet_balance")
        return balances
