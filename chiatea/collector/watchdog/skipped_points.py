"""Signage points that the full node never saw: each gap once, told by the farmer's daemon or by the node's log."""

from dataclasses import dataclass, field
from typing import Any, Final

from chiatea.chia.untrusted import integer, items, mapping, number
from chiatea.collector.watchdog.notices import Notices, notice_id
from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["SkippedPoints"]

_SAME_GAP_SECONDS: Final = 10.0
"""Farmer and node tell of one gap moments apart: both at the first point after it."""
_KEPT_GAPS: Final = 20


@dataclass(slots=True)
class _Gap:
    time: float
    by_source: dict[str, int] = field(default_factory=dict)

    @property
    def n_points(self) -> int:
        return max(self.by_source.values())


class SkippedPoints:
    """Sums over the gaps.

    The farmer estimates by the clock where a new challenge began meanwhile (Chia's farmer.py,
    check_missing_signage_points) and the log's indexes wrap at 64: of two words on one gap the larger one is taken.
    """

    def __init__(self, notices: Notices) -> None:
        """No gap yet."""
        self.total = 0
        self.last_time: float | None = None
        self._notices = notices
        self._gaps: list[_Gap] = []

    def told(self, time: float, n_points: int, service: str) -> None:
        """One service's word on one gap, at the time of the first point after it."""
        gap = next((gap for gap in self._gaps if self._is_same(gap, time, service)), None)
        if gap is None:
            gap = _Gap(time, {service: 0})
            self._gaps = [*self._gaps, gap][-_KEPT_GAPS:]
            self._notice(time, n_points, service)
        before = gap.n_points
        gap.by_source[service] = n_points
        self.total += max(0, n_points - before)
        self.last_time = max(time, self.last_time or time)

    def _is_same(self, gap: _Gap, time: float, service: str) -> bool:
        return service not in gap.by_source and abs(gap.time - time) < _SAME_GAP_SECONDS

    def _notice(self, time: float, n_points: int, service: str) -> None:
        points = "1 signage point" if n_points == 1 else f"{n_points} signage points"
        self._notices.add(
            ChiaNotice(
                id=notice_id(ChiaNotice.SKIPPED_SIGNAGE_POINTS, str(n_points), time),
                kind=ChiaNotice.SKIPPED_SIGNAGE_POINTS,
                time=time,
                service=service,
                text=f"the full node did not see {points}",
                count=n_points,
            )
        )

    def restore(self, total: int, last_time: float | None, memory: object) -> None:
        """Goes on from before a restart: from what the entries say, or from the memory file where that knows more."""
        told = mapping(memory)
        self.total = max(total, integer(told.get("total")) or 0)
        self.last_time = max((t for t in (last_time, number(told.get("last_time"))) if t is not None), default=None)
        for entry in map(items, items(told.get("gaps"))):
            time = number(entry[0]) if len(entry) == 2 else None
            by_source = {str(k): integer(v) or 0 for k, v in mapping(entry[1]).items()} if time is not None else {}
            if time is not None and by_source:
                self._gaps.append(_Gap(time, by_source))

    def as_json(self) -> dict[str, Any]:
        """The newest gaps: one source may have told of a gap before a restart, the other one tells after it."""
        gaps = [[gap.time, gap.by_source] for gap in self._gaps]
        return {"total": self.total, "last_time": self.last_time, "gaps": gaps}
