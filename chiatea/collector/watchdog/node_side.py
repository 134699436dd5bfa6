"""The full node and the wallet, folded from their RPC and their log."""

from typing import Final

from chiatea.collector.observations import (
    CoinReceived,
    FullNodeTold,
    SignagePointFinished,
    WalletBalancesTold,
    WalletTold,
)
from chiatea.collector.watchdog.notices import Notices, notice_id
from chiatea.collector.watchdog.skipped_points import SkippedPoints
from chiatea.protobuf.chia_pb2 import ChiaNotice, FullNode, Wallet, WalletBalance

__all__ = ["NodeSide", "skipped_between"]

_POINTS_IN_SUB_SLOT: Final = 64
_LEAST_SECONDS_BETWEEN_POINTS: Final = 3.0
"""Points come each 9.4 s; a jump that would need more of them than this allows is a step back in a fork."""
_RESTART_SECONDS: Final = 600.0
"""After a longer silence the node was not running: what passed meanwhile it did not skip."""


def skipped_between(before: int, after: int, elapsed_seconds: float) -> int:
    """How many signage points are missing between two that the node finished one after the other."""
    steps = (after - before) % _POINTS_IN_SUB_SLOT
    if steps <= 1 or elapsed_seconds > _RESTART_SECONDS:
        return 0
    return steps - 1 if elapsed_seconds >= steps * _LEAST_SECONDS_BETWEEN_POINTS else 0


class NodeSide:
    """Folds what is told of the full node and of the wallet."""

    def __init__(self, notices: Notices, skipped: SkippedPoints) -> None:
        """Nothing was told yet."""
        self.full_node = FullNode()
        self.wallet = Wallet()
        self.wallets: dict[int, WalletBalance] = {}
        self.is_full_node_seen = False
        self.is_wallet_seen = False
        self._notices = notices
        self._skipped = skipped
        self._last_point: tuple[float, int] | None = None

    def restore(self, full_node: FullNode | None, wallet: Wallet | None, last_point: tuple[float, int] | None) -> None:
        """Goes on from before a restart."""
        if full_node is not None:
            self.full_node.CopyFrom(full_node)
            self.full_node.is_running = False
            self.is_full_node_seen = True
        if wallet is not None:
            self.wallet.CopyFrom(wallet)
            self.wallet.is_running = False
            self.is_wallet_seen = True
        self._last_point = last_point

    @property
    def last_point(self) -> tuple[float, int] | None:
        """Time and index of the newest signage point in the log."""
        return self._last_point

    def point_finished(self, told: SignagePointFinished) -> None:
        """The log's word of a signage point."""
        self.is_full_node_seen = True
        if self._last_point is not None and not told.is_next:
            time, index = self._last_point
            n_skipped = skipped_between(index, told.index, told.time - time)
            if n_skipped:
                self._skipped.told(told.time, n_skipped, "full_node")
        self._last_point = (told.time, told.index)

    def full_node_entry(self, *, is_running: bool) -> FullNode:
        """The full node now."""
        self.full_node.is_running = is_running
        self.full_node.n_skipped_signage_points = self._skipped.total
        return self.full_node

    def full_node_told(self, told: FullNodeTold) -> None:
        """The RPC's word: what it does not tell stays as it was."""
        self.is_full_node_seen = True
        self.full_node.MergeFrom(told.full_node)

    def wallet_told(self, told: WalletTold) -> None:
        """The RPC's word: what it does not tell stays as it was."""
        self.is_wallet_seen = True
        self.wallet.MergeFrom(told.wallet)

    def balances_told(self, told: WalletBalancesTold) -> None:
        """All wallets, one by one."""
        self.wallets = {wallet.id: wallet for wallet in told.wallets}

    def coin_received(self, told: CoinReceived) -> None:
        """A coin came in."""
        self.is_wallet_seen = True
        notice = ChiaNotice(
            id=notice_id(ChiaNotice.COIN_RECEIVED, told.coin),
            kind=ChiaNotice.COIN_RECEIVED,
            time=told.time,
            service="wallet",
            text=f"received {told.amount_mojo / 1e12:.12f}".rstrip("0").rstrip(".") + " XCH",
            amount_mojo=told.amount_mojo,
        )
        if self._notices.add(notice):
            self.wallet.n_coins_received += 1
