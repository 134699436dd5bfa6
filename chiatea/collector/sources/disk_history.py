"""What each disk did lately: for what is told of it only later. Pure."""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from chiatea.collector.sources.rates import three_digits
from chiatea.protobuf.hardware_pb2 import Disk

__all__ = ["DiskHistory"]

_KEPT_SECONDS: Final = 120.0
_SLOW_SECONDS: Final = 10.0
"""How long a slow lookup took where nobody says: Chia warns from 8 s, older releases from 5 s."""


class _Interval(NamedTuple):
    begin: float
    end: float
    busy_percent: float | None
    read_bytes_per_second: float


class DiskHistory:
    """Busy time and read rate of every disk over about the last two minutes."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._intervals: dict[str, deque[_Interval]] = {}
        self._last_time: float | None = None

    def add(self, time: float, disks: Mapping[str, Disk]) -> None:
        """What the disks did since the last call; `time` is UTC now. A clock that was set back begins anew."""
        begin, self._last_time = self._last_time, time
        if begin is None or not begin < time <= begin + _KEPT_SECONDS:
            self._intervals = {}
            return
        for disk_id, disk in disks.items():
            if not disk.HasField("read_bytes_per_second"):
                continue
            intervals = self._intervals.setdefault(disk_id, deque())
            intervals.append(
                _Interval(
                    begin,
                    time,
                    disk.busy_percent if disk.HasField("busy_percent") else None,
                    disk.read_bytes_per_second,
                )
            )
            while intervals[0].end < time - _KEPT_SECONDS:
                intervals.popleft()
        for gone in self._intervals.keys() - disks.keys():
            del self._intervals[gone]

    def at(self, disk_id: str | None, time: float, seconds: float = _SLOW_SECONDS) -> Disk | None:
        """What a disk did in the seconds before a time: the highest share of time busy, the mean read rate.

        Args:
            disk_id: the disk's mount point.
            time: UTC, the end of what is asked for, as when Chia warned of a slow lookup.
            seconds: how long it was, as that lookup took.

        Returns:
            A Disk with nothing else in it; None where nothing is known of that time.
        """
        then = [i for i in self._intervals.get(disk_id or "", ()) if i.end > time - seconds and i.begin < time]
        if not then:
            return None
        seconds_known = sum(interval.end - interval.begin for interval in then)
        bytes_read = sum(interval.read_bytes_per_second * (interval.end - interval.begin) for interval in then)
        return Disk(
            id=disk_id or "",
            busy_percent=max((i.busy_percent for i in then if i.busy_percent is not None), default=None),
            read_bytes_per_second=three_digits(bytes_read / seconds_known),
        )
