"""Disks: space, rates, and those that hang, fail or are lost."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from chiatea.chia.untrusted import printable
from chiatea.collector.sources.block_devices import BlockDevices, Counters
from chiatea.collector.sources.disk_tables import read_counters, read_mounts
from chiatea.collector.sources.mounts import Mount, disks_among, is_under, lost_mounts
from chiatea.collector.sources.rates import Rates, three_digits
from chiatea.collector.sources.spaces import Answer, Space, Spaces, space_of
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.question import UnansweredError

__all__ = ["Disks"]

_LIMIT_SECONDS: Final = 1.5
_SPACE: Final = ("total_bytes", "used_bytes", "free_bytes", "total_inodes", "free_inodes")


class Disks:
    """All disks of this machine."""

    def __init__(
        self,
        *,
        mounts: Callable[[], list[Mount]] = read_mounts,
        ask: Callable[[str], Space] = space_of,
        counters: Callable[[], Mapping[str, Counters]] = read_counters,
        devices: BlockDevices | None = None,
        limit_seconds: float = _LIMIT_SECONDS,
    ) -> None:
        """`mounts` gives the table of mounts, `ask` a file system's space: it may hang; `counters` those of devices."""
        self._read_mounts = mounts
        self._counters = counters
        self._devices = devices or BlockDevices()
        self._spaces = Spaces(ask, limit_seconds)
        self._rates: Rates[str] = Rates()
        self._counted: set[str] = set()
        """Devices that the system counted once."""
        self._table: list[Mount] = []
        self._is_choice_wrong = False
        self._chosen: list[Mount] = []
        self._folders: frozenset[str] = frozenset()
        self._no_folders: set[str] = set()
        self._disks: dict[str, Disk] = {}
        self._hardware: dict[str, tuple[str, ...]] = {}

    def restore(self, disks: Iterable[Disk]) -> None:
        """Takes over what was known before a restart: one that is gone since is lost."""
        self._disks = {disk.id: disk for disk in disks}

    @property
    def mount_points(self) -> list[str]:
        """Of all disks, also of those that hang or are lost."""
        return list(self._disks)

    @property
    def hardware(self) -> Mapping[str, tuple[str, ...]]:
        """The whole devices under each disk, by the disk's id: several under a RAID, none under a network mount."""
        return self._hardware

    async def look(self, now: float, time: float, folders: Collection[str]) -> dict[str, Disk]:
        """Every disk by its id. A lost one is kept while one of `folders`, where plots are expected, is on it.

        `now` is UTC, `time` the seconds of a clock that nobody sets: rates are made from it.
        """
        chosen = self._choose(folders)
        counters = self._counters()
        rates = self._rates.of(counters, time)
        answers = await self._spaces.answers([mount.mount_point for mount in chosen])
        disks: dict[str, Disk] = {}
        hardware: dict[str, tuple[str, ...]] = {}
        for mount in chosen:
            answer = answers[mount.mount_point]
            if isinstance(answer, Space) and not answer.is_folder:
                self._no_folders.add(mount.mount_point)
                self._is_choice_wrong = True
                continue
            parts = self._devices.parts_of(mount.device, mount.filesystem_type)
            disk = self._described(mount, disks)
            _fill_rates(disk, [rates[part] for part in parts if part in rates])
            self._fill_state(disk, mount, answer, now)
            if disk.state == Disk.OK and self._is_gone(parts, counters):
                disk.state, disk.error = Disk.FAILING, "its device is gone"
            disks[disk.id] = disk
            hardware[disk.id] = devices = self._devices.disks_of(parts)
            if len(devices) == 1 and (model := self._devices.model_of(devices[0])):
                disk.model = model
        mounted = disks.keys() | {printable(mount.mount_point) for mount in self._table}
        for mount_point in lost_mounts(self._disks, mounted, {printable(folder) for folder in folders}):
            disks[mount_point] = _lost(self._disks[mount_point], now)
        self._disks, self._hardware = disks, hardware
        return disks

    def _choose(self, folders: Collection[str]) -> list[Mount]:
        mounts, all_folders = self._read_mounts(), frozenset(folders)
        if mounts == self._table and all_folders == self._folders and not self._is_choice_wrong:
            return self._chosen
        if mounts != self._table:
            self._devices.forget()
        points = {mount.mount_point for mount in mounts}
        self._no_folders &= points
        known = {point for point in points if printable(point) in self._disks}
        with_plots = {point for point in points if any(is_under(folder, point) for folder in all_folders)}
        preferred = (known & with_plots, with_plots, known)
        self._table, self._folders, self._is_choice_wrong = mounts, all_folders, False
        self._chosen = disks_among(mounts, self._no_folders, preferred)
        return self._chosen

    def _described(self, mount: Mount, others: Mapping[str, Disk]) -> Disk:
        disk_id, device = printable(mount.mount_point), printable(mount.device)
        while disk_id in others:
            # Two names that are no UTF-8 may look the same.
            disk_id += f" ({device})"
        return Disk(
            id=disk_id,
            device=device,
            filesystem_type=printable(mount.filesystem_type),
            mount_options=printable(mount.options),
            is_read_only=mount.is_read_only,
        )

    def _fill_state(self, disk: Disk, mount: Mount, answer: Answer, now: float) -> None:
        before = self._disks.get(disk.id)
        if isinstance(answer, Space):
            disk.state = Disk.OK
            disk.total_bytes = answer.total_bytes
            disk.used_bytes = answer.used_bytes
            disk.free_bytes = answer.free_bytes
            if answer.total_inodes is not None and answer.free_inodes is not None:
                disk.total_inodes, disk.free_inodes = answer.total_inodes, answer.free_inodes
        elif isinstance(answer, UnansweredError):
            disk.state = Disk.HANGING
            is_still = before is not None and before.state == Disk.HANGING and before.HasField("error")
            disk.error = before.error if before is not None and is_still else f"no answer since {_utc(now)}"
        elif isinstance(answer, PermissionError):
            disk.state, disk.error = Disk.UNKNOWN, _reason(answer)
        else:
            disk.state, disk.error = Disk.FAILING, _reason(answer)
        if not isinstance(answer, Space) and before is not None:
            _keep(disk, before)
        if mount.is_shut_down and disk.state == Disk.OK:
            disk.state, disk.error = Disk.FAILING, "the file system was shut down after an error"

    def _is_gone(self, parts: Collection[str], counters: Mapping[str, Counters]) -> bool:
        """Whether a device that the system counted is not there any more: its file system may still answer."""
        if not counters:
            return False
        self._counted.update(part for part in parts if part in counters)
        return any(part in self._counted and part not in counters for part in parts)


def _keep(disk: Disk, before: Disk) -> None:
    """The last known figures."""
    for name in _SPACE:
        if before.HasField(name):
            setattr(disk, name, getattr(before, name))


def _lost(before: Disk, now: float) -> Disk:
    lost = Disk()
    lost.CopyFrom(before)
    if lost.state != Disk.MOUNT_LOST:
        lost.state, lost.error = Disk.MOUNT_LOST, f"not mounted since {_utc(now)}"
    for name in ("read_bytes_per_second", "write_bytes_per_second", "busy_percent", "temperature_celsius"):
        lost.ClearField(name)
    return lost


def _fill_rates(disk: Disk, rates: list[tuple[float, ...]]) -> None:
    """Of several devices the sums, and the busiest one's share of time."""
    if not rates:
        return
    disk.read_bytes_per_second = three_digits(sum(rate[0] for rate in rates))
    disk.write_bytes_per_second = three_digits(sum(rate[1] for rate in rates))
    if all(len(rate) > 2 for rate in rates):
        disk.busy_percent = min(100.0, round(max(rate[2] for rate in rates) / 10, 1))


def _reason(error: OSError) -> str:
    return printable(error.strerror or type(error).__name__)


def _utc(now: float) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
