"""The processes of Chia and of plotters on this machine."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import psutil

from chiatea.protobuf.chia_pb2 import Process

__all__ = ["ProcessWatch", "kind_of"]

_KINDS: "Final[dict[str, Process.Kind.ValueType]]" = {
    "chia_daemon": Process.DAEMON,
    "chia_farmer": Process.FARMER,
    "chia_harvester": Process.HARVESTER,
    "chia_full_node": Process.FULL_NODE,
    "chia_wallet": Process.WALLET,
    "chia_timelord": Process.TIMELORD,
    "chia_timelord_launcher": Process.TIMELORD,
    "chia_data_layer": Process.OTHER,
    "chia_introducer": Process.OTHER,
    "chia_crawler": Process.OTHER,
    "chia_seeder": Process.OTHER,
    "bladebit": Process.PLOTTER,
    "bladebit_cuda": Process.PLOTTER,
    "chiapos": Process.PLOTTER,
}
FIND_EVERY_SECONDS: Final = 15.0
"""Looking through all processes costs milliseconds: the known ones are looked at more often."""


def kind_of(name: str, command: Sequence[str]) -> "Process.Kind.ValueType | None":
    """What a process is to Chia, by its name and command line; None for any other.

    Chia 2.7.5 names its services `chia_farmer`, `chia_daemon` and so on (setproctitle); madmax and gigahorse are
    `chia_plot`, `chia_plot_k34`, `cuda_plot_k32`.
    """
    names = [name, *(PurePath(part).name for part in command[:2])]
    for candidate in names:
        plain = candidate.removesuffix(".exe")
        if plain in _KINDS:
            return _KINDS[plain]
        if plain.startswith(("chia_plot", "cuda_plot")):
            return Process.PLOTTER
        if plain.startswith("chia_"):
            return Process.OTHER
    words = [PurePath(part).name for part in command[:4]]
    if "chia" in words and "plots" in words and "create" in words:
        return Process.PLOTTER
    return None


class ProcessWatch:
    """Finds them now and then, and looks at the known ones each time."""

    def __init__(self) -> None:
        """Knows none yet."""
        self._known: dict[int, tuple[psutil.Process, Process]] = {}
        self._next_find = 0.0

    def look(self, now_seconds: float) -> list[Process]:
        """All of them. The clock is any that does not jump."""
        if now_seconds >= self._next_find:
            self._next_find = now_seconds + FIND_EVERY_SECONDS
            self._find()
        seen = []
        for process_id, (process, _) in list(self._known.items()):
            entry = _look_at(process, self._known[process_id][1])
            if entry is None:
                del self._known[process_id]
                self._next_find = 0.0
            else:
                seen.append(entry)
        return seen

    def _find(self) -> None:
        for process in psutil.process_iter():
            held = self._known.get(process.pid)
            if held is not None and held[0] == process:
                continue
            self._known.pop(process.pid, None)
            try:
                with process.oneshot():
                    name = process.name()
                    # Almost every process is passed over by its name alone, without reading its command line.
                    command = process.cmdline() if _may_be_chia(name) else []
                    kind = kind_of(name, command)
                    if kind is None:
                        continue
                    entry = Process(id=process.pid, name=name, kind=kind, create_time=round(process.create_time(), 2))
                    entry.executable = _executable(process)
                    process.cpu_percent()
            except psutil.Error:
                continue
            self._known[process.pid] = (process, entry)


def _may_be_chia(name: str) -> bool:
    return name.startswith(("chia", "bladebit", "cuda_plot", "python"))


def _executable(process: psutil.Process) -> str:
    try:
        return process.exe()
    except psutil.Error:
        return ""


def _look_at(process: psutil.Process, fixed: Process) -> Process | None:
    entry = Process()
    entry.CopyFrom(fixed)
    try:
        if not process.is_running():
            return None
        with process.oneshot():
            memory = process.memory_info()
            entry.resident_bytes, entry.virtual_bytes = memory.rss, memory.vms
            entry.status = process.status()
            entry.cpu_percent = round(process.cpu_percent(), 1)
    except psutil.AccessDenied:
        return entry
    except psutil.Error:
        return None
    return None if entry.status == psutil.STATUS_ZOMBIE else entry
