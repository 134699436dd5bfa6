"""Source folders: which plots in them are finished, and what is said of the others."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chiatea.copier.disks import disk_of
from chiatea.copier.plot_header import HEADER_BYTES, name_fault, parse_plot_header
from chiatea.copier.writers import writers_of

__all__ = ["FoundPlot", "SourceFolder", "SourceLook", "job_id_of", "read_first_bytes"]

_ASK_WRITERS_AGAIN_SECONDS: Final = 5.0
_EXAMINE_SECONDS: Final = 10.0
"""How long one look reads headers: of a folder with a hundred thousand plots they take many minutes."""


@dataclass(frozen=True, slots=True)
class FoundPlot:
    """A finished plot of version 1 or 2, and the id of the job that moves it; or what is wrong with it, as one line."""

    name: str
    n_bytes: int
    modified_ns: int
    job_id: str
    fault: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class SourceLook:
    """One look at a source folder.

    Attributes:
        identity: device and inode of the folder itself: another one after a disk was mounted there.
        disk: the disk that it lies on.
        plots: the finished ones, by name.
        unfinished: by name, why they are left alone for now.
        passed_over: by name, what is named like a plot and is no file, and why that is not moved.
        wait_seconds: when the first unfinished one may be finished; None where there is none.
        is_partial: there was no time to look into all of them.
    """

    identity: tuple[int, int]
    disk: str
    plots: tuple[FoundPlot, ...]
    unfinished: Mapping[str, str]
    passed_over: Mapping[str, str]
    wait_seconds: float | None
    is_partial: bool = False


@dataclass(slots=True)
class _Seen:
    """One file: as many as a hundred thousand of these are kept."""

    n_bytes: int
    modified_ns: int
    inode: int
    since: float
    look: int
    plot: FoundPlot | None = None
    """What it was found to be, once it was finished."""


class SourceFolder:
    """One source folder, looked at again and again; it remembers since when each file has been as it is."""

    def __init__(
        self,
        folder: Path,
        suffixes: tuple[str, ...],
        settle_seconds: float,
        *,
        wall_clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
        first_bytes_of: Callable[[Path], bytes] | None = None,
        writers: Callable[[Iterable[Path]], dict[Path, int]] = writers_of,
    ) -> None:
        """A folder that was not looked at yet.

        Args:
            folder: as configured.
            suffixes: what the names of plots end in.
            settle_seconds: how long a finished file was not written to.
            wall_clock: UTC seconds since the epoch, which the times of files are compared with.
            steady_clock: seconds that never jump.
            first_bytes_of: reads the first `HEADER_BYTES` of a file.
            writers: which of some files are open to write, and in which process.
        """
        self.folder = folder
        self._suffixes = suffixes
        self._settle_seconds = settle_seconds
        self._wall_clock = wall_clock
        self._steady_clock = steady_clock
        self._first_bytes_of = first_bytes_of or read_first_bytes
        self._writers = writers
        self._seen: dict[str, _Seen] = {}
        self._n_looks = 0

    def look(self) -> SourceLook:
        """Looks at the folder, and may hang with its disk.

        Raises:
            OSError: the folder is not there or cannot be read.
        """
        status = self.folder.stat()
        passed_over = self._list()
        waits: list[float] = []
        unfinished: dict[str, str] = {}
        settled: list[str] = []
        for name, seen in self._seen.items():
            if seen.plot is None:
                wait = self._seconds_to_settle(seen)
                if wait > 0:
                    waits.append(wait)
                    unfinished[name] = f"was written to {max(0.0, self._settle_seconds - wait):.0f} s ago"
                else:
                    settled.append(name)
        for path, process in self._writers([self.folder / name for name in settled]).items():
            unfinished[path.name] = f"process {process} has it open to write"
            waits.append(max(_ASK_WRITERS_AGAIN_SECONDS, self._settle_seconds))
        is_partial = self._examine(settled, unfinished)
        names = sorted(self._seen)
        plots = tuple(plot for name in names if (plot := self._seen[name].plot) is not None)
        folder_identity = (status.st_dev, status.st_ino)
        return SourceLook(
            folder_identity,
            disk_of(status.st_dev),
            plots,
            unfinished,
            passed_over,
            min(waits, default=None),
            is_partial,
        )

    def _list(self) -> dict[str, str]:
        """Sees what is there now; returns what is passed over, and why."""
        self._n_looks += 1
        passed_over: dict[str, str] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.endswith(self._suffixes):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    self._see(entry.name, status)
                elif stat.S_ISLNK(status.st_mode):
                    passed_over[entry.name] = (
                        "is a symbolic link, which is not followed: name the folder that it leads to as a source folder"
                    )
                else:
                    is_folder = stat.S_ISDIR(status.st_mode)
                    passed_over[entry.name] = "is a folder, not a plot" if is_folder else "is no ordinary file"
        for name in [name for name, seen in self._seen.items() if seen.look != self._n_looks]:
            del self._seen[name]
        return passed_over

    def _see(self, name: str, status: os.stat_result) -> None:
        seen = self._seen.get(name)
        if (
            seen is None
            or seen.modified_ns != status.st_mtime_ns
            or seen.n_bytes != status.st_size
            or seen.inode != status.st_ino
        ):
            self._seen[name] = _Seen(
                status.st_size, status.st_mtime_ns, status.st_ino, self._steady_clock(), self._n_looks
            )
        else:
            seen.look = self._n_looks

    def _examine(self, settled: Iterable[str], unfinished: dict[str, str]) -> bool:
        """Looks into those that nobody writes; returns whether time ran out over it."""
        until = self._steady_clock() + _EXAMINE_SECONDS
        is_late = False
        for name in settled:
            if name in unfinished:
                continue
            if is_late:
                unfinished[name] = "is yet to be looked into"
                continue
            self._seen[name].plot = self._examined(name, self._seen[name])
            is_late = self._steady_clock() > until
        return is_late and "is yet to be looked into" in unfinished.values()

    def _seconds_to_settle(self, seen: _Seen) -> float:
        """By the file's own time, or, where clocks differ, by how long it was seen unchanged."""
        by_file = self._settle_seconds - (self._wall_clock() - seen.modified_ns / 1e9)
        by_looks = self._settle_seconds - (self._steady_clock() - seen.since)
        return max(0.0, min(by_file, by_looks))

    def _examined(self, name: str, seen: _Seen) -> FoundPlot:
        plot_id, fault, version = "", "", 0
        try:
            header = parse_plot_header(self._first_bytes_of(self.folder / name), seen.n_bytes)
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        else:
            problem = header if isinstance(header, str) else name_fault(header, name)
            plot_id, version = ("", 0) if isinstance(header, str) else (header.plot_id, header.version)
            fault = f"is not moved: {problem}" if problem else ""
        return FoundPlot(name, seen.n_bytes, seen.modified_ns, job_id_of(self.folder / name, plot_id), fault, version)


def read_first_bytes(path: Path) -> bytes:
    """The first `HEADER_BYTES` of a file.

    Raises:
        OSError: it cannot be read, or is a symbolic link.
    """
    # Not through a symbolic link that took the file's place meanwhile, and without waiting for a named pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(HEADER_BYTES)


def job_id_of(source: Path, plot_id: str) -> str:
    """The id of the job that moves this plot from there: the same each time, 16 hexadecimal digits."""
    return hashlib.sha256(os.fsencode(source) + b"\0" + plot_id.encode("ascii")).hexdigest()[:16]
