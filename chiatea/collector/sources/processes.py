"""Processes of Chia, of plotters and of chia-tea itself. Command lines are looked at, never told."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from chiatea.chia.untrusted import printable
from chiatea.collector.sources.rates import three_digits
from chiatea.protobuf.chia_pb2 import Process

__all__ = ["Processes", "kind_of", "own_name"]

_SERVICES: Final = {
    "daemon": Process.DAEMON,
    "farmer": Process.FARMER,
    "harvester": Process.HARVESTER,
    "full_node": Process.FULL_NODE,
    "wallet": Process.WALLET,
    "timelord": Process.TIMELORD,
}
_PLOTTERS: Final = ("chia_plot", "cuda_plot", "bladebit", "madmax", "chiapos", "ProofOfSpace")
_MAY_RUN_CHIA: Final = ("python", "chia", "start_")
_RECHECK_SCANS: Final = 2
"""A process just begun may not have its own name yet."""


def kind_of(name: str, command_line: Sequence[str]) -> "Process.Kind.ValueType | None":
    """What a process is, by its name and command line; None for one that is not watched.

    Chia's services call themselves chia_NAME, or are Python running chia_NAME, start_NAME or `chia run_daemon`.
    chia-tea's own are of the kind OTHER.
    """
    words = [name.removesuffix(".exe"), *(word.replace("\\", "/").rpartition("/")[2] for word in command_line[:3])]
    for word in words:
        plain = word.removesuffix(".exe").removesuffix(".py")
        for service, kind in _SERVICES.items():
            if plain in {f"chia_{service}", f"start_{service}"}:
                return kind
        if plain.startswith(_PLOTTERS):
            return Process.PLOTTER
    bases = [word.replace("\\", "/").rpartition("/")[2] for word in command_line[:4]]
    is_own_module = _module_of(command_line).partition(".")[0] == "chiatea"
    if any(base in {"chia-tea", "chia-tea.exe"} for base in bases) or is_own_module:
        return Process.OTHER
    if any(base in {"chia", "chia.exe"} for base in bases):
        if "run_daemon" in command_line[:5]:
            return Process.DAEMON
        if "plotters" in command_line[:5] or ("plots" in command_line[:5] and "create" in command_line[:6]):
            return Process.PLOTTER
    return None


def own_name(command_line: Sequence[str]) -> str:
    """What a process of chia-tea is, as "chia-tea serve" or "chia-tea worker": most are Python by their name."""
    bases = [word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") for word in command_line]
    package, _, part = _module_of(command_line).rpartition(".")
    if package:
        return f"chia-tea {part}"
    begins = next((index for index, base in enumerate(bases) if base in {"chia-tea", "chiatea"}), len(bases))
    command = next((word for word in bases[begins + 1 :] if word.isalpha()), "")
    return f"chia-tea {command}".rstrip()


def _module_of(command_line: Sequence[str]) -> str:
    """What follows Python's -m; "" where nothing does."""
    return next((module for option, module in itertools.pairwise(command_line[:4]) if option == "-m"), "")


class Processes:
    """Finds Chia's processes now and then, and looks at the found ones in between."""

    def __init__(self) -> None:
        """None found yet."""
        self._found: dict[int, tuple[psutil.Process, Process]] = {}
        self._looked_at: dict[int, int] = {}
        self._io: dict[int, tuple[float, int, int]] = {}

    def find(self) -> None:
        """Looks for processes that were not there before. May take 20 ms of a machine with many."""
        pids = set(psutil.pids())
        found = dict(self._found)
        self._looked_at = {pid: n for pid, n in self._looked_at.items() if pid in pids}
        for pid in pids:
            n_looks = self._looked_at.get(pid, 0)
            if n_looks < _RECHECK_SCANS and pid not in found:
                self._looked_at[pid] = n_looks + 1
                self._classify(pid)

    def _classify(self, pid: int) -> None:
        try:
            name = _quick_name(pid)
            if name is not None and not _may_be_watched(name):
                return
            process = psutil.Process(pid)
            name = process.name()
            command_line = _command_line(process) if _may_be_watched(name) else []
            kind = kind_of(name, command_line) if _may_be_watched(name) else None
            if kind is None:
                return
            if kind == Process.OTHER:
                name = own_name(command_line)
            entry = Process(
                id=pid,
                name=printable(name),
                kind=kind,
                create_time=float(round(process.create_time())),
                executable=_executable(process),
            )
            process.cpu_percent(None)
        except (psutil.Error, OSError):
            return  # it ended, or is none of ours to see
        self._found[pid] = (process, entry)

    def look(self, time: float) -> dict[int, Process]:
        """The found processes as they are now; `time` is of a clock that nobody sets."""
        alive: dict[int, Process] = {}
        for pid, (process, entry) in list(self._found.items()):
            try:
                alive[pid] = self._refreshed(process, entry, time)
            except psutil.ZombieProcess:
                alive[pid] = _bare(entry)
                alive[pid].status = psutil.STATUS_ZOMBIE
            except (psutil.NoSuchProcess, ProcessLookupError):
                del self._found[pid]
                self._io.pop(pid, None)
                self._looked_at.pop(pid, None)
            except (psutil.Error, OSError):
                alive[pid] = entry
        return alive

    def _refreshed(self, process: psutil.Process, known: Process, time: float) -> Process:
        entry = _bare(known)
        # Another process may have been given its number.
        if not process.is_running():
            raise psutil.NoSuchProcess(known.id)
        with process.oneshot():
            memory = process.memory_info()
            entry.status = process.status()
            entry.resident_bytes, entry.virtual_bytes = memory.rss, memory.vms
            entry.cpu_percent = round(process.cpu_percent(None), 1)
            self._fill_rates(process, entry, time)
        return entry

    def _fill_rates(self, process: psutil.Process, entry: Process, time: float) -> None:
        try:
            counters: Any = process.io_counters() if hasattr(process, "io_counters") else None
        except (psutil.AccessDenied, PermissionError, NotImplementedError):
            counters = None
        if counters is None:
            return
        before = self._io.get(entry.id)
        self._io[entry.id] = (time, counters.read_bytes, counters.write_bytes)
        if before is not None and time > before[0]:
            elapsed = time - before[0]
            entry.read_bytes_per_second = three_digits(max(0, counters.read_bytes - before[1]) / elapsed)
            entry.write_bytes_per_second = three_digits(max(0, counters.write_bytes - before[2]) / elapsed)


def _bare(known: Process) -> Process:
    """What never changes of it."""
    return Process(
        id=known.id, name=known.name, kind=known.kind, create_time=known.create_time, executable=known.executable
    )


def _may_be_watched(name: str) -> bool:
    return name.lower().startswith((*_MAY_RUN_CHIA, *(plotter.lower() for plotter in _PLOTTERS)))


def _quick_name(pid: int) -> str | None:
    """The first 15 letters of a process's name, at a third of what psutil takes; None where it must be asked.

    Raises:
        OSError: the process ended.
    """
    if sys.platform != "linux":
        return None
    return Path(f"/proc/{pid}/comm").read_bytes().decode("utf-8", "replace").rstrip("\n")


def _command_line(process: psutil.Process) -> list[str]:
    """Empty where this user may not see it: the name alone must do then."""
    try:
        return process.cmdline()
    except psutil.AccessDenied:
        return []


def _executable(process: psutil.Process) -> str:
    try:
        return printable(process.exe())
    except (psutil.Error, OSError):
        return ""
