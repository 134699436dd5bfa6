"""What sources tell: plain facts with the time they are of (UTC seconds). The watchdog folds them into entries."""

from dataclasses import dataclass

from chiatea.collector.plots import PlotList
from chiatea.protobuf.chia_pb2 import (
    ChiaNotice,
    FullNode,
    HarvesterViewedFromFarmer,
    Pool,
    Wallet,
    WalletBalance,
)

__all__ = [
    "AnswerGiven",
    "BlockFarmed",
    "CoinReceived",
    "Complaint",
    "Connection",
    "ConnectionsTold",
    "FarmerConnected",
    "FullNodeTold",
    "HarvesterRemoved",
    "HarvestersListed",
    "Lookup",
    "LookupsCounted",
    "Observation",
    "PartialTold",
    "PeerLost",
    "PlotFailed",
    "PlotsListed",
    "PlotsRefreshed",
    "PoolsTold",
    "ProofFound",
    "ServiceStopping",
    "SignagePointFinished",
    "SignagePointSent",
    "SignagePointsListed",
    "SlowPlot",
    "VersionTold",
    "WalletBalancesTold",
    "WalletChanged",
    "WalletTold",
    "WatchingGap",
]


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact. `time` is when it was so, in UTC seconds since the epoch."""

    time: float


@dataclass(frozen=True, slots=True)
class Lookup(Observation):
    """This machine's harvester looked up one challenge. `source` is who tells: two sources may tell the same one."""

    source: str
    challenge_prefix: str
    eligible_plots: int
    proofs: int
    seconds: float
    n_plots: int
    v2_qualities: int = 0

    @property
    def key(self) -> str:
        """What all sources tell alike of one lookup: the log has ten letters of the hash and five decimals."""
        return f"{self.challenge_prefix[:10]}/{self.seconds:.5f}/{self.eligible_plots}/{self.proofs}"


@dataclass(frozen=True, slots=True)
class LookupsCounted(Observation):
    """Lookups of long ago, out of a log that is read for the first time. `time` is the last one's."""

    n_lookups: int
    eligible_plots: int
    proofs: int
    v2_qualities: int


@dataclass(frozen=True, slots=True)
class SlowPlot(Observation):
    """A lookup in one plot took longer than Chia thinks it should."""

    filepath: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PlotFailed(Observation):
    """Something is wrong with a plot file: the harvester could not open it or, where `is_open`, another thing."""

    filepath: str
    reason: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class PlotsRefreshed(Observation):
    """The harvester looked through its folders."""

    n_loaded: int
    n_removed: int
    n_plots: int | None


@dataclass(frozen=True, slots=True)
class PlotsListed(Observation):
    """The harvester's own list, in whole."""

    plots: PlotList
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignagePointFinished(Observation):
    """The full node has a signage point; 64 is the end of a sub-slot."""

    index: int
    is_next: bool = False
    """None was skipped between the one told before and this one, whatever their numbers."""


@dataclass(frozen=True, slots=True)
class BlockFarmed(Observation):
    """A block of ours."""

    block_hash: str


@dataclass(frozen=True, slots=True)
class CoinReceived(Observation):
    """A coin came into the wallet. `coin` tells it apart from others."""

    coin: str
    amount_mojo: int


@dataclass(frozen=True, slots=True)
class Complaint(Observation):
    """A warning or an error of a service that no other observation is for."""

    kind: "ChiaNotice.Kind.ValueType"
    service: str
    text: str


@dataclass(frozen=True, slots=True)
class PeerLost(Observation):
    """A connection of a farmer or harvester ended."""

    service: str
    host: str
    node_id: str


@dataclass(frozen=True, slots=True)
class FarmerConnected(Observation):
    """This machine's harvester has its farmer."""


@dataclass(frozen=True, slots=True)
class ServiceStopping(Observation):
    """A service was told to stop, or came to its end."""

    service: str


@dataclass(frozen=True, slots=True)
class VersionTold(Observation):
    """A service runs, and its version; "" where only that it runs is known."""

    service: str
    version: str


@dataclass(frozen=True, slots=True)
class SignagePointSent(Observation):
    """The farmer sent a signage point to all harvesters. `n_skipped` points before it the node never saw."""

    challenge_hash: str
    signage_point: str
    index: int
    difficulty: int | None = None
    n_skipped: int = 0


@dataclass(frozen=True, slots=True)
class SignagePointsListed(Observation):
    """The farmer's newest signage points, oldest first: those of some hours, and not when each of them came."""

    points: tuple[tuple[str, str], ...]
    """Signage point and challenge hash of each."""


@dataclass(frozen=True, slots=True)
class AnswerGiven(Observation):
    """A harvester answered its farmer. `node_id` is "" where that does not say who, as in older Chia."""

    node_id: str
    challenge_hash: str
    signage_point: str
    eligible_plots: int
    proofs: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class HarvestersListed(Observation):
    """Harvesters as the farmer describes them; `is_all`: these and no others.

    Of an answer to a question of ours, `time` is when it was asked: what an event said since is newer.
    """

    harvesters: tuple[HarvesterViewedFromFarmer, ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class HarvesterRemoved(Observation):
    """A harvester's connection to the farmer ended."""

    node_id: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A peer of a service. `kind` is Chia's NodeType: 1 full node, 2 harvester, 3 farmer, 6 wallet."""

    node_id: str
    host: str
    kind: int
    connected_since: float | None
    last_message_time: float | None


@dataclass(frozen=True, slots=True)
class ConnectionsTold(Observation):
    """All peers of a service. `time` is as in HarvestersListed."""

    service: str
    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class ProofFound(Observation):
    """The farmer has a proof that may win a block. `key` tells it apart from others."""

    key: str


@dataclass(frozen=True, slots=True)
class PartialTold(Observation):
    """The farmer sent a partial to its pool; or could not, or the pool refused it.

    Partials have no name: `key` is what was told of it, `source` who told it.
    """

    is_accepted: bool
    key: str
    source: str


@dataclass(frozen=True, slots=True)
class PoolsTold(Observation):
    """All pools that the farmer works for."""

    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True)
class FullNodeTold(Observation):
    """The full node's state: only what was told is set."""

    full_node: FullNode


@dataclass(frozen=True, slots=True)
class WalletTold(Observation):
    """The wallet's state: only what was told is set."""

    wallet: Wallet


@dataclass(frozen=True, slots=True)
class WalletBalancesTold(Observation):
    """The wallets one by one."""

    wallets: tuple[WalletBalance, ...]


@dataclass(frozen=True, slots=True)
class WalletChanged(Observation):
    """Something in the wallet is not what it was, whatever it is now."""


@dataclass(frozen=True, slots=True)
class WatchingGap(Observation):
    """We did not listen to the daemon for a while, or did not run, or the clock was set.

    What was under way cannot be judged. `time` is the clock's from here on.
    """
