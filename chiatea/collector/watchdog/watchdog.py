"""Folds the observations of all sources into one machine's Chia entries, each fact once whoever tells it."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from chiatea.chia.untrusted import integer, items, mapping, number
from chiatea.collector.observations import (
    AnswerGiven,
    BlockFarmed,
    CoinReceived,
    Complaint,
    ConnectionsTold,
    FarmerConnected,
    FullNodeTold,
    HarvesterRemoved,
    HarvestersListed,
    Lookup,
    LookupsCounted,
    Observation,
    PartialTold,
    PeerLost,
    PlotFailed,
    PlotsListed,
    PlotsRefreshed,
    PoolsTold,
    ProofFound,
    ServiceStopping,
    SignagePointFinished,
    SignagePointSent,
    SignagePointsListed,
    SlowPlot,
    VersionTold,
    WalletBalancesTold,
    WalletChanged,
    WalletTold,
    WatchingGap,
)
from chiatea.collector.plots import PlotList, disk_id_of, folder_totals
from chiatea.collector.watchdog.complaints import Complaints
from chiatea.collector.watchdog.farmer_side import FarmerSide
from chiatea.collector.watchdog.harvester_side import CopiesAt, DiskAt, HarvesterSide, no_copies_at, no_disk_at
from chiatea.collector.watchdog.node_side import NodeSide
from chiatea.collector.watchdog.notices import Notices
from chiatea.collector.watchdog.skipped_points import SkippedPoints
from chiatea.protobuf.chia_pb2 import HarvesterPlot, Process
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.descriptors import EntryId
from chiatea.state.packed import PackedMessages

__all__ = ["RUNNING_SECONDS", "Watchdog"]

RUNNING_SECONDS: Final = 75.0
"""A service that gave a sign of life this lately is running: eight signage points of silence are too many."""
_FARMER_KIND: Final = 3
_KINDS: Final = {
    "farmer": Process.FARMER,
    "harvester": Process.HARVESTER,
    "full_node": Process.FULL_NODE,
    "wallet": Process.WALLET,
}


class Watchdog:
    """One machine's Chia."""

    def __init__(self, disk_at: DiskAt = no_disk_at, copies_at: CopiesAt = no_copies_at) -> None:
        """Nothing was told yet. `disk_at` and `copies_at` give what a disk did, where that is watched."""
        self.notices = Notices()
        self._complaints = Complaints(self.notices)
        self.mount_points: Sequence[str] = ()
        self.harvester = HarvesterSide(self.notices, self.disk_of, disk_at, copies_at)
        self._skipped = SkippedPoints(self.notices)
        self.farmer = FarmerSide(self.notices, self._skipped)
        self.node = NodeSide(self.notices, self._skipped)
        self._last_sign: dict[str, float] = {}
        self._stopped: dict[str, float] = {}
        self._folders_key: object = None
        self._folders: Mapping[str, Message] = {}
        harvester, farmer, node = self.harvester, self.farmer, self.node
        self._takers: dict[type, Callable[[Any], None]] = {
            AnswerGiven: farmer.answered,
            BlockFarmed: farmer.block_farmed,
            CoinReceived: node.coin_received,
            Complaint: self._complaints.take,
            ConnectionsTold: self._connections_told,
            FarmerConnected: self._farmer_connected,
            FullNodeTold: node.full_node_told,
            HarvesterRemoved: farmer.removed,
            HarvestersListed: farmer.listed,
            Lookup: self._looked_up,
            LookupsCounted: harvester.counted,
            PartialTold: farmer.partial_told,
            PeerLost: self._peer_lost,
            PlotFailed: harvester.plot_failed,
            PlotsListed: harvester.listed,
            PlotsRefreshed: harvester.refreshed,
            PoolsTold: farmer.pools_told,
            ProofFound: farmer.proof_found,
            ServiceStopping: self._stopping,
            SignagePointFinished: node.point_finished,
            SignagePointSent: self._point_sent,
            SignagePointsListed: farmer.points_listed,
            SlowPlot: harvester.slow_plot,
            VersionTold: self._version_told,
            WalletBalancesTold: node.balances_told,
            WalletChanged: lambda told: self._sign_of_life("wallet", told.time),
            WalletTold: node.wallet_told,
            WatchingGap: self._not_watched,
        }

    def disk_of(self, filepath: str) -> str | None:
        """The id of the disk that a path is on."""
        return disk_id_of(filepath, self.mount_points)

    def take(self, observation: Observation) -> None:
        """Folds one observation in."""
        self._takers[type(observation)](observation)

    def _sign_of_life(self, service: str, time: float) -> None:
        self._last_sign[service] = max(time, self._last_sign.get(service, time))

    def _looked_up(self, lookup: Lookup) -> None:
        self.harvester.looked_up(lookup)
        self._sign_of_life("harvester", lookup.time)

    def _point_sent(self, told: SignagePointSent) -> None:
        self.farmer.point_sent(told)
        self._sign_of_life("farmer", told.time)

    def _farmer_connected(self, told: FarmerConnected) -> None:
        self.harvester.is_seen = True
        self.harvester.link_told(told.time, is_connected=True)
        self._sign_of_life("harvester", told.time)

    def _peer_lost(self, lost: PeerLost) -> None:
        if lost.service == "harvester":
            self.harvester.farmer_lost(lost)
        else:
            self.farmer.peer_lost(lost)

    def _connections_told(self, told: ConnectionsTold) -> None:
        if told.service == "farmer":
            self.farmer.connections_told(told)
        elif told.service == "harvester":
            is_connected = any(peer.kind == _FARMER_KIND for peer in told.connections)
            self.harvester.link_told(told.time, is_connected=is_connected)
            self.harvester.rpc_answered(told.time)

    def _stopping(self, told: ServiceStopping) -> None:
        self._stopped[told.service] = max(told.time, self._stopped.get(told.service, told.time))

    def _not_watched(self, told: WatchingGap) -> None:
        self.farmer.not_watched(told.time)
        self.harvester.clock_is(told.time)
        for times in (self._last_sign, self._stopped):
            for service, time in times.items():
                times[service] = min(time, told.time)

    def _version_told(self, told: VersionTold) -> None:
        self._sign_of_life(told.service, told.time)
        match told.service:
            case "farmer":
                self.farmer.is_seen, draft = True, self.farmer.draft
            case "harvester":
                self.harvester.is_seen, draft = True, self.harvester.draft  # type: ignore[assignment]
            case "full_node":
                self.node.is_full_node_seen, draft = True, self.node.full_node  # type: ignore[assignment]
            case "wallet":
                self.node.is_wallet_seen, draft = True, self.node.wallet  # type: ignore[assignment]
            case _:
                return
        if told.version:
            draft.version = told.version

    def is_running(self, service: str, now: float, running_kinds: frozenset[int] | None = None) -> bool:
        """Whether a service gave a sign of life lately or its process is there, and it did not stop since."""
        stopped = self._stopped.get(service, float("-inf"))
        last = self._last_sign.get(service, float("-inf"))
        is_fresh = last > stopped and abs(now - last) <= RUNNING_SECONDS
        return is_fresh or (running_kinds is not None and _KINDS[service] in running_kinds)

    def entries(self, now: float, running_kinds: frozenset[int]) -> dict[str, Mapping[EntryId, Message]]:
        """Every topic that it tells of, with its drafts by id: to be copied where they changed.

        `running_kinds` are the kinds of the Chia processes that run on this machine.
        """
        self._processes_are_signs(running_kinds)
        running = {service: self.is_running(service, now, running_kinds) for service in _KINDS}
        if self.farmer.is_seen and not running["farmer"]:
            self.farmer.not_running(now)
        self.farmer.pass_time(now)
        self._complaints.pass_time(now)
        topics: dict[str, Mapping[Any, Message]] = {
            "chia_notice": self.notices.all(),
            "farmer_harvester": self.farmer.harvesters(now),
            "missed_challenge": self.farmer.missed_challenges(),
            "pool": self.farmer.pools,
            "wallet_balance": self.node.wallets,
            "harvester_plot": self.harvester.plots.messages,
            "plot_folder": self._plot_folders(),
        }
        node, wallet = self.node.full_node, self.node.wallet
        if self.farmer.is_seen:
            netspace = node.netspace_bytes if running["full_node"] and node.HasField("netspace_bytes") else None
            topics["farmer"] = {
                "": self.farmer.entry(
                    is_running=running["farmer"],
                    netspace_bytes=netspace,
                    block_seconds=node.average_block_seconds or None,
                )
            }
        if self.harvester.is_seen:
            topics["harvester"] = {"": self.harvester.entry(now, is_running=running["harvester"])}
        if self.node.is_full_node_seen:
            topics["full_node"] = {"": self.node.full_node_entry(is_running=running["full_node"])}
        if self.node.is_wallet_seen:
            wallet.is_running = running["wallet"]
            topics["wallet"] = {"": wallet}
        return topics

    def are_events_due(self) -> bool:
        """Whether Chia's daemon should tell of signage points, by what was last seen.

        That is so where a farmer runs that is connected to a full node, or a harvester that has its farmer; but not
        while this machine's full node is not synced: there are no points then.
        """
        node = self.node.full_node
        is_node_behind = node.is_running and node.HasField("is_synced") and not node.is_synced
        is_farmer_fed = self.farmer.draft.is_running and self.farmer.has_full_node is not False
        harvester = self.harvester.draft
        return not is_node_behind and (is_farmer_fed or (harvester.is_running and harvester.is_connected_to_farmer))

    def _processes_are_signs(self, running_kinds: frozenset[int]) -> None:
        self.farmer.is_seen |= Process.FARMER in running_kinds
        self.harvester.is_seen |= Process.HARVESTER in running_kinds
        self.node.is_full_node_seen |= Process.FULL_NODE in running_kinds
        self.node.is_wallet_seen |= Process.WALLET in running_kinds

    def _plot_folders(self) -> Mapping[EntryId, Message]:
        harvester = self.harvester
        key = (id(harvester.plots), harvester.folders, tuple(self.mount_points))
        if key != self._folders_key:
            self._folders_key = key
            self._folders = folder_totals(harvester.plots, harvester.folders, self.mount_points)
        return self._folders  # type: ignore[return-value]

    def restore(
        self, known: ComputerInfo, memory: Mapping[str, Any] | None, plots: PackedMessages[HarvesterPlot] | None = None
    ) -> None:
        """Goes on from before a restart: from the memory file's own entries, else from what the server knew.

        `plots` are what the server knew of them, where they are not in `known`.
        """
        remembered = _remembered(memory)
        info = remembered if remembered is not None else known
        self.notices.restore(known.chia_notices)
        self.notices.restore(info.chia_notices)
        self.harvester.folders = tuple(folder.id for folder in known.plot_folders)
        self.harvester.restore(
            info.harvester if info.HasField("harvester") else None,
            PlotList.of(known.harvester_plots if plots is None else plots),
            dict(mapping(memory.get("harvester"))) if memory is not None and remembered is not None else None,
        )
        # The daemon tells once only: of what it told, the one who knows more is right.
        farmer_info = known if known.farmer.n_signage_points >= info.farmer.n_signage_points else info
        self.farmer.restore(
            farmer_info.farmer if farmer_info.HasField("farmer") else None,
            farmer_info.farmer_harvesters,
            farmer_info.missed_challenges,
            known.pools,
            mapping(memory.get("farmer")) if memory is not None else {},
        )
        self._skipped.restore(
            max(info.farmer.n_skipped_signage_points, info.full_node.n_skipped_signage_points),
            info.farmer.last_skipped_time if info.farmer.HasField("last_skipped_time") else None,
            memory.get("skipped") if memory is not None else None,
        )
        last_point = [*items(memory.get("last_point"))] if memory is not None else []
        time, index = (number(last_point[0]), integer(last_point[1])) if len(last_point) == 2 else (None, None)
        self.node.restore(
            info.full_node if info.HasField("full_node") else None,
            info.wallet if info.HasField("wallet") else None,
            (time, index) if time is not None and index is not None else None,
        )
        for service, last_time in mapping(memory.get("last_sign") if memory else None).items():
            self._sign_of_life(str(service), number(last_time) or 0.0)
        for service, last_time in mapping(memory.get("stopped") if memory else None).items():
            self._stopped[str(service)] = number(last_time) or 0.0

    def as_json(self, now: float) -> dict[str, Any]:
        """What must survive a restart."""
        info = ComputerInfo(
            chia_notices=self.notices.all().values(),
            farmer_harvesters=self.farmer.harvesters(now).values(),
            missed_challenges=self.farmer.missed_challenges().values(),
        )
        if self.harvester.is_seen:
            info.harvester.CopyFrom(self.harvester.draft)
        if self.farmer.is_seen:
            info.farmer.CopyFrom(self.farmer.draft)
        if self.node.is_full_node_seen:
            info.full_node.CopyFrom(self.node.full_node)
        if self.node.is_wallet_seen:
            info.wallet.CopyFrom(self.node.wallet)
        return {
            "entries": base64.b64encode(info.SerializeToString(deterministic=True)).decode(),
            "harvester": self.harvester.as_json(),
            "farmer": self.farmer.as_json(),
            "skipped": self._skipped.as_json(),
            "last_point": self.node.last_point,
            "last_sign": dict(self._last_sign),
            "stopped": dict(self._stopped),
        }


def _remembered(memory: Mapping[str, Any] | None) -> ComputerInfo | None:
    encoded = memory.get("entries") if memory is not None else None
    if not isinstance(encoded, str):
        return None
    try:
        return ComputerInfo.FromString(base64.b64decode(encoded, validate=True))
    except (binascii.Error, DecodeError, ValueError):
        return None
