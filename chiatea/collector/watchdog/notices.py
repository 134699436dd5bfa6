"""Notices: single things worth keeping, each once whoever tells it."""

from collections.abc import Iterable, Mapping
from typing import Final

from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["KEPT_NOTICES", "Notices", "notice_id"]

_KEPT_OF_KIND: Final[Mapping["ChiaNotice.Kind.ValueType", int]] = {
    ChiaNotice.PROOF_FOUND: 40,
    ChiaNotice.BLOCK_FARMED: 20,
    ChiaNotice.COIN_RECEIVED: 20,
    ChiaNotice.SLOW_LOOKUP: 40,
    ChiaNotice.PLOT_ERROR: 40,
    ChiaNotice.SKIPPED_SIGNAGE_POINTS: 20,
    ChiaNotice.PEER_LOST: 20,
    ChiaNotice.NODE_WARNING: 20,
    ChiaNotice.HARVESTER_TIMED_OUT: 15,
    ChiaNotice.HARVESTER_RECOVERED: 15,
    ChiaNotice.PARTIAL_FAILED: 20,
    ChiaNotice.SERVICE_ERROR: 20,
}
"""A pool farm finds proofs all day: they push out no block farmed and no error."""
_KEPT_OF_OTHERS: Final = 10
KEPT_NOTICES: Final = sum(_KEPT_OF_KIND.values()) + _KEPT_OF_OTHERS
"""At most: so many of each kind are kept, whatever comes of the others."""
_REMEMBERED: Final = 5000


def notice_id(kind: "ChiaNotice.Kind.ValueType", subject: str, time: float | None = None) -> str:
    """Kind, subject and whole seconds. The time is left out where the subject alone is unmistakable (a block's hash)
    and two sources tell it at times of their own.
    """
    name = ChiaNotice.Kind.Name(kind)
    return f"{name}/{subject}" if time is None else f"{name}/{int(time)}/{subject}"


class Notices:
    """The newest notices of each kind by id."""

    def __init__(self) -> None:
        """None yet."""
        self._kept: dict[int, dict[str, ChiaNotice]] = {}
        self._dropped: dict[str, None] = {}
        """Ids that gave way to newer ones: what is said of a thousand plots again and again is new but once."""

    def add(self, notice: ChiaNotice) -> bool:
        """Keeps a notice; False where it is or was there, or is older than all that are kept of its kind."""
        kept = self._kept.setdefault(notice.kind, {})
        if notice.id in kept or notice.id in self._dropped:
            return False
        if len(kept) >= _KEPT_OF_KIND.get(notice.kind, _KEPT_OF_OTHERS):
            oldest = min(kept.values(), key=lambda other: other.time)
            if notice.time < oldest.time:
                return False
            del kept[oldest.id]
            self._dropped[oldest.id] = None
            if len(self._dropped) > _REMEMBERED:
                del self._dropped[next(iter(self._dropped))]
        kept[notice.id] = notice
        return True

    def of_id(self, kind: "ChiaNotice.Kind.ValueType", identity: str) -> ChiaNotice | None:
        """A kept notice. It is never changed: see `replace`."""
        return self._kept.get(kind, {}).get(identity)

    def replace(self, notice: ChiaNotice) -> None:
        """Puts a notice in the place of the kept one of its id."""
        self._kept[notice.kind][notice.id] = notice

    def restore(self, notices: Iterable[ChiaNotice]) -> None:
        """Takes over notices from before a restart."""
        for notice in notices:
            self.add(notice)

    def newest_time(self, kind: "ChiaNotice.Kind.ValueType") -> float | None:
        """When the newest notice of a kind was."""
        return max((notice.time for notice in self._kept.get(kind, {}).values()), default=None)

    def all(self) -> dict[str, ChiaNotice]:
        """Every kept notice by id."""
        return {identity: notice for kept in self._kept.values() for identity, notice in kept.items()}
