"""The farmer and all harvesters as it sees them, folded from its RPC, its daemon and its log."""

import contextlib
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chiatea.chia.untrusted import mapping
from chiatea.collector.observations import (
    AnswerGiven,
    BlockFarmed,
    ConnectionsTold,
    HarvesterRemoved,
    HarvestersListed,
    PartialTold,
    PeerLost,
    PoolsTold,
    ProofFound,
    SignagePointSent,
    SignagePointsListed,
)
from chiatea.collector.watchdog.challenge_memory import challenges_as_json, fill_challenges
from chiatea.collector.watchdog.challenges import Challenges, HarvesterDebt, Missed, Point, Turn
from chiatea.collector.watchdog.lookups import KEPT_LOOKUPS, ToldOnce, figures_of
from chiatea.collector.watchdog.notices import Notices, notice_id
from chiatea.collector.watchdog.skipped_points import SkippedPoints
from chiatea.protobuf.chia_pb2 import ChiaNotice, Farmer, HarvesterViewedFromFarmer, MissedChallenge, Pool

__all__ = ["BLOCK_SECONDS", "FarmerSide", "expected_seconds_to_win"]

BLOCK_SECONDS: Final = 86400 / 4608
"""Chia aims at 4608 blocks a day."""
_FULL_NODE_KIND: Final = 1
_HARVESTER_KIND: Final = 2
_ALIVE_SECONDS: Final = 90.0
"""A harvester of which no answer was seen counts as answering while its last message is this fresh."""
_KEPT_PROOFS: Final = 500
_DESCRIBED: Final = (
    "host", "n_plots", "total_plot_bytes", "effective_plot_bytes", "n_failed_to_open", "n_no_key", "n_duplicates",
    "is_syncing",
)  # fmt: skip
_DESCRIBED_OPTIONAL: Final = ("n_sync_processed", "n_sync_total", "last_sync_time", "harvesting_mode")


def expected_seconds_to_win(effective_bytes: float, netspace_bytes: float, block_seconds: float | None) -> float | None:
    """Mean time to the next block of ours: netspace over our share of it, times the time between blocks."""
    if effective_bytes <= 0 or netspace_bytes <= 0:
        return None
    return (block_seconds or BLOCK_SECONDS) * max(1.0, netspace_bytes / effective_bytes)


class FarmerSide:
    """Folds what is told of the farmer and of its harvesters."""

    def __init__(self, notices: Notices, skipped: SkippedPoints) -> None:
        """A farmer of which nothing was told."""
        self.draft = Farmer()
        self.is_seen = False
        self.has_full_node: bool | None = None
        """Whether a full node is connected; None where nobody told."""
        self.pools: dict[str, Pool] = {}
        self._notices = notices
        self._skipped = skipped
        self._challenges = Challenges()
        self._partials = ToldOnce()
        self._proofs: OrderedDict[str, None] = OrderedDict()
        self._harvesters: dict[str, HarvesterViewedFromFarmer] = {}
        self._lookup_seconds: dict[str, deque[float]] = {}
        self._has_new_lookups: set[str] = set()
        self._described_time: dict[str, float] = {}
        self._newest_point = ""

    def restore(
        self,
        farmer: Farmer | None,
        harvesters: Iterable[HarvesterViewedFromFarmer],
        missed: Iterable[MissedChallenge],
        pools: Iterable[Pool],
        memory: Mapping[str, Any],
    ) -> None:
        """Goes on from before a restart: from the entries, and from the memory file for what those do not say."""
        self.pools = {pool.id: pool for pool in pools}
        if farmer is not None:
            self.draft.CopyFrom(farmer)
            self.draft.is_running = False
            self.is_seen = True
        for harvester in harvesters:
            draft = self._draft_of(harvester.id)
            draft.CopyFrom(harvester)
            draft.state = HarvesterViewedFromFarmer.UNKNOWN
            self._challenges.harvesters[harvester.id] = HarvesterDebt(
                is_timed_out=harvester.state == HarvesterViewedFromFarmer.TIMED_OUT,
                last_answer_time=harvester.last_answer_time if harvester.HasField("last_answer_time") else None,
                n_owed=harvester.n_challenges_owed,
                n_answered=harvester.n_challenges_answered,
                n_late=harvester.n_challenges_late,
                n_missed=harvester.missed_challenges,
                n_timeouts=harvester.n_timeouts,
            )
        for entry in sorted(missed, key=lambda entry: entry.sent_time):
            point = Point(entry.signage_point, entry.challenge_hash, entry.signage_point_index, entry.sent_time)
            late = entry.late_answer_time if entry.HasField("late_answer_time") else None
            self._challenges.restore(Missed(entry.harvester_id, point, late))
        fill_challenges(self._challenges, memory.get("challenges"))
        for node_id, packed in mapping(memory.get("lookup_seconds")).items():
            self._lookup_seconds[node_id] = _unpacked(packed)
            self._has_new_lookups.add(node_id)

    def as_json(self) -> dict[str, Any]:
        """What the entries do not say and must survive a restart."""
        return {
            "challenges": challenges_as_json(self._challenges),
            "lookup_seconds": {node_id: _packed(seconds) for node_id, seconds in self._lookup_seconds.items()},
        }

    def _draft_of(self, node_id: str) -> HarvesterViewedFromFarmer:
        return self._harvesters.setdefault(node_id, HarvesterViewedFromFarmer(id=node_id))

    def point_sent(self, told: SignagePointSent) -> None:
        """The farmer sent a signage point to its harvesters."""
        self.is_seen = True
        point = Point(told.signage_point, told.challenge_hash, told.index, told.time)
        if not self._challenges.sent(point):
            return
        self._newest_point = told.signage_point
        draft = self.draft
        draft.n_signage_points += 1
        if told.time >= draft.last_signage_point_time:
            draft.last_signage_point_time = told.time
            draft.last_challenge_hash = told.challenge_hash
            if told.difficulty is not None:
                draft.difficulty = told.difficulty
        if told.n_skipped > 0:
            self._skipped.told(told.time, told.n_skipped, "farmer")

    def points_listed(self, told: SignagePointsListed) -> None:
        """What the farmer still knows: points that came while nobody listened are counted, and owed by no harvester."""
        self.is_seen = True
        names = [signage_point for signage_point, _ in told.points]
        if not names or not self._newest_point:
            return
        n_known = names.index(self._newest_point) + 1 if self._newest_point in names else 0
        if n_known < len(names):
            self._newest_point, self.draft.last_challenge_hash = told.points[-1]
            self.draft.n_signage_points += len(names) - n_known

    def answered(self, told: AnswerGiven) -> None:
        """A harvester answered. Without its name it is the only one that is connected, or nobody can be judged."""
        self.is_seen = True
        node_id = told.node_id or self._challenges.only_connected()
        if node_id is None:
            self._challenges.cannot_judge()
            return
        is_newest = told.time >= (self._challenges.debt_of(node_id).last_answer_time or 0.0)
        if not self._challenges.answered(node_id, told.signage_point, told.time):
            return
        draft = self._draft_of(node_id)
        draft.n_eligible_plots += told.eligible_plots
        draft.n_proofs += told.proofs
        if told.seconds is not None:
            if is_newest:
                draft.last_lookup_seconds = told.seconds
            self._lookup_seconds.setdefault(node_id, deque(maxlen=KEPT_LOOKUPS)).append(told.seconds)
            self._has_new_lookups.add(node_id)

    def listed(self, told: HarvestersListed) -> None:
        """The farmer describes its harvesters, all or those that changed."""
        self.is_seen = True
        named = {harvester.id for harvester in told.harvesters}
        for harvester in told.harvesters:
            self._challenges.connected(harvester.id, told.time)
            draft = self._draft_of(harvester.id)
            if told.time < self._described_time.get(harvester.id, told.time):
                continue
            self._described_time[harvester.id] = told.time
            for name in _DESCRIBED:
                setattr(draft, name, getattr(harvester, name))
            for name in _DESCRIBED_OPTIONAL:
                if harvester.HasField(name):  # type: ignore[arg-type]
                    setattr(draft, name, getattr(harvester, name))
                else:
                    draft.ClearField(name)  # type: ignore[arg-type]
        if told.is_all:
            self._all_others_are_gone(named, told.time)

    def connections_told(self, told: ConnectionsTold) -> None:
        """All peers of the farmer, its harvesters among them."""
        self.is_seen = True
        self.has_full_node = any(peer.kind == _FULL_NODE_KIND for peer in told.connections)
        harvesters = [peer for peer in told.connections if peer.kind == _HARVESTER_KIND]
        for peer in harvesters:
            self._challenges.connected(peer.node_id, told.time)
            draft = self._draft_of(peer.node_id)
            draft.host = peer.host
            # A harvester that connects again has a later one; answers of two ways in may cross.
            if peer.connected_since is not None:
                draft.connected_since = max(peer.connected_since, draft.connected_since)
            if peer.last_message_time is not None:
                draft.last_message_time = max(peer.last_message_time, draft.last_message_time)
        self._all_others_are_gone({peer.node_id for peer in harvesters}, told.time)

    def _all_others_are_gone(self, connected: set[str], time: float) -> None:
        for node_id, debt in self._challenges.harvesters.items():
            if node_id not in connected and debt.is_connected is not False:
                self._challenges.disconnected(node_id, time)

    def removed(self, told: HarvesterRemoved) -> None:
        """A harvester's connection ended."""
        self._challenges.disconnected(told.node_id, told.time)

    def peer_lost(self, lost: PeerLost) -> None:
        """The log's word of a lost connection."""
        self.is_seen = True
        self._notices.add(
            ChiaNotice(
                id=notice_id(ChiaNotice.PEER_LOST, f"farmer/{lost.node_id}", lost.time),
                kind=ChiaNotice.PEER_LOST,
                time=lost.time,
                service="farmer",
                text=f"the connection to {lost.host} closed",
                harvester_id=lost.node_id if lost.node_id in self._harvesters else None,
            )
        )

    def proof_found(self, told: ProofFound) -> None:
        """A proof that may win a block."""
        self.is_seen = True
        if told.key in self._proofs:
            return
        self._proofs[told.key] = None
        while len(self._proofs) > _KEPT_PROOFS:
            self._proofs.popitem(last=False)
        self.draft.n_proofs += 1
        self.draft.last_proof_time = max(told.time, self.draft.last_proof_time)

    def partial_told(self, told: PartialTold) -> None:
        """A partial for a pool."""
        self.is_seen = True
        if not self._partials.is_new(f"{told.is_accepted}/{told.key}", told.source):
            return
        if told.is_accepted:
            self.draft.n_partials_submitted += 1
        else:
            self.draft.n_partials_failed += 1

    def block_farmed(self, told: BlockFarmed) -> None:
        """A block of ours."""
        self.is_seen = True
        notice = ChiaNotice(
            id=notice_id(ChiaNotice.BLOCK_FARMED, told.block_hash),
            kind=ChiaNotice.BLOCK_FARMED,
            time=told.time,
            service="full_node",
            text=f"farmed block {told.block_hash}",
        )
        if self._notices.add(notice):
            self.draft.n_blocks_farmed += 1
            self.draft.last_block_farmed_time = max(self.draft.last_block_farmed_time, told.time)

    def pools_told(self, told: PoolsTold) -> None:
        """All pools."""
        self.pools = {pool.id: pool for pool in told.pools}
        self.draft.n_pools = len(self.pools)

    def not_watched(self, now: float) -> None:
        """We did not listen to the daemon for a while. Times ahead of `now` are of a clock that was set back."""
        self._challenges.not_watched(now)
        self._described_time.clear()
        for draft in self._harvesters.values():
            if draft.HasField("last_message_time"):
                draft.last_message_time = min(draft.last_message_time, now)
        if self.draft.HasField("last_signage_point_time"):
            self.draft.last_signage_point_time = min(self.draft.last_signage_point_time, now)

    def not_running(self, time: float) -> None:
        """Without its farmer no harvester is connected."""
        self._all_others_are_gone(set(), time)

    def pass_time(self, now: float) -> None:
        """Judges what is due by now."""
        self._challenges.pass_time(now)
        for turn in self._challenges.take_turns():
            self._notices.add(_turn_notice(turn, self._draft_of(turn.node_id).host))

    def harvesters(self, now: float) -> dict[str, HarvesterViewedFromFarmer]:
        """Every harvester that is or was connected."""
        for node_id, debt in self._challenges.harvesters.items():
            draft = self._draft_of(node_id)
            draft.state = _state_of(debt, draft, now)
            # What is not late yet is neither good nor bad, and each point would be one more event for nothing.
            draft.n_challenges_owed = debt.n_owed - len(debt.pending)
            draft.n_challenges_answered = debt.n_answered
            draft.n_challenges_late = debt.n_late
            draft.missed_challenges = debt.n_missed
            draft.n_timeouts = debt.n_timeouts
            if debt.last_answer_time is not None:
                draft.last_answer_time = debt.last_answer_time
        for node_id in self._has_new_lookups:
            figures = figures_of(self._lookup_seconds[node_id])
            if figures is not None:
                draft = self._draft_of(node_id)
                draft.median_lookup_seconds, draft.p99_lookup_seconds, draft.worst_lookup_seconds = figures
        self._has_new_lookups.clear()
        return self._harvesters

    def missed_challenges(self) -> dict[str, MissedChallenge]:
        """The newest 100 missed challenges."""
        return {entry.id: entry for entry in map(_missed_entry, self._challenges.newest_missed(100))}

    def entry(self, *, is_running: bool, netspace_bytes: float | None, block_seconds: float | None) -> Farmer:
        """The farmer now."""
        draft = self.draft
        draft.is_running = is_running
        draft.n_skipped_signage_points = self._skipped.total
        if self._skipped.last_time is not None:
            draft.last_skipped_time = self._skipped.last_time
        connected = [
            self._harvesters[node_id]
            for node_id, debt in self._challenges.harvesters.items()
            if debt.is_connected and node_id in self._harvesters
        ]
        draft.n_harvesters = len(connected)
        if is_running:
            draft.n_plots = sum(harvester.n_plots for harvester in connected)
            draft.total_plot_bytes = sum(harvester.total_plot_bytes for harvester in connected)
            draft.effective_plot_bytes = sum(harvester.effective_plot_bytes for harvester in connected)
        seconds = expected_seconds_to_win(draft.effective_plot_bytes, netspace_bytes or 0.0, block_seconds)
        if seconds is not None and netspace_bytes:
            draft.expected_seconds_to_win = float(round(seconds))
            draft.share_of_netspace = min(1.0, draft.effective_plot_bytes / netspace_bytes)
        else:
            draft.ClearField("expected_seconds_to_win")
            draft.ClearField("share_of_netspace")
        return draft


def _state_of(
    debt: HarvesterDebt, draft: HarvesterViewedFromFarmer, now: float
) -> "HarvesterViewedFromFarmer.State.ValueType":
    if debt.is_connected is None:
        return HarvesterViewedFromFarmer.UNKNOWN
    if not debt.is_connected:
        return HarvesterViewedFromFarmer.DISCONNECTED
    if debt.is_timed_out:
        return HarvesterViewedFromFarmer.TIMED_OUT
    if debt.has_answered or now - draft.last_message_time <= _ALIVE_SECONDS:
        return HarvesterViewedFromFarmer.ANSWERING
    return HarvesterViewedFromFarmer.UNKNOWN


def _missed_entry(missed: Missed) -> MissedChallenge:
    point = missed.point
    return MissedChallenge(
        id=f"{missed.node_id}/{point.signage_point}",
        harvester_id=missed.node_id,
        challenge_hash=point.challenge_hash,
        signage_point=point.signage_point,
        signage_point_index=point.index,
        sent_time=point.sent_time,
        late_answer_time=missed.late_answer_time,
    )


def _turn_notice(turn: Turn, host: str) -> ChiaNotice:
    kind = ChiaNotice.HARVESTER_TIMED_OUT if turn.is_timed_out else ChiaNotice.HARVESTER_RECOVERED
    name = f"harvester {turn.node_id[:8]}" + (f" at {host}" if host else "")
    text = f"{name} gave no answer for 60 s" if turn.is_timed_out else f"{name} answers again"
    return ChiaNotice(
        id=notice_id(kind, turn.node_id, turn.time),
        kind=kind,
        time=turn.time,
        service="farmer",
        text=text,
        harvester_id=turn.node_id,
    )


_MICROSECONDS: Final = 1e6
_MOST_MICROSECONDS: Final = 2**32 - 1


def _packed(seconds: Iterable[float]) -> str:
    """Four bytes for each, as a memory file of twenty harvesters has thousands of them."""
    return array("I", (min(round(s * _MICROSECONDS), _MOST_MICROSECONDS) for s in seconds)).tobytes().hex()


def _unpacked(packed: object) -> deque[float]:
    numbers = array("I")
    with contextlib.suppress(ValueError):
        numbers.frombytes(bytes.fromhex(packed if isinstance(packed, str) else ""))
    return deque((n / _MICROSECONDS for n in numbers), maxlen=KEPT_LOOKUPS)
