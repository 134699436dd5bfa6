"""Notices: single things worth keeping, each once whoever tells it."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["KEPT_NOTICES", "Notices", "notice_id"]

KEPT_NOTICES: Final = 200


def notice_id(kind: "ChiaNotice.Kind.ValueType", subject: str, time: float | None = None) -> str:
    """Kind, subject and whole seconds. The time is left out where the subject alone is unmistakable (a block's hash)
    and two sources tell it at times of their own.
    """
    name = ChiaNotice.Kind.Name(kind)
    return f"{name}/{subject}" if time is None else f"{name}/{int(time)}/{subject}"


class Notices:
    """The newest notices by id."""

    def __init__(self) -> None:
        """None yet."""
        self._kept: OrderedDict[str, ChiaNotice] = OrderedDict()

    def add(self, notice: ChiaNotice) -> bool:
        """Keeps a notice; False where it is there already, or is older than all that are kept."""
        if notice.id in self._kept:
            return False
        if len(self._kept) >= KEPT_NOTICES and notice.time < min(kept.time for kept in self._kept.values()):
            return False
        self._kept[notice.id] = notice
        while len(self._kept) > KEPT_NOTICES:
            oldest = min(self._kept.values(), key=lambda kept: kept.time)
            del self._kept[oldest.id]
        return True

    def restore(self, notices: Iterable[ChiaNotice]) -> None:
        """Takes over notices from before a restart."""
        for notice in notices:
            self.add(notice)

    def newest_time(self, kind: "ChiaNotice.Kind.ValueType") -> float | None:
        """When the newest notice of a kind was."""
        return max((notice.time for notice in self._kept.values() if notice.kind == kind), default=None)

    def all(self) -> dict[str, ChiaNotice]:
        """Every kept notice by id."""
        return dict(self._kept)
