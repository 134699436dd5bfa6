"""Source folders: which plots in them are finished, and what is said of the others."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from chiatea.copier.disks import disk_of
from chiatea.copier.plot_header import HEADER_BYTES, name_fault, parse_plot_header
from chiatea.copier.writers import writers_of

__all__ = ["FoundPlot", "SourceFolder", "SourceLook", "job_id_of"]

_ASK_WRITERS_AGAIN_SECONDS: Final = 5.0
_EXAMINE_SECONDS: Final = 10.0
"""How long one look reads headers: of a folder with a hundred thousand plots they take many minutes."""
_Identity: TypeAlias = tuple[int, int, int]
"""Size, time of the last change in ns, inode."""


@dataclass(frozen=True, slots=True)
class FoundPlot:
    """A finished plot, and the id of the job that moves it; or what is wrong with it, as one line."""

    name: str
    n_bytes: int
    modified_ns: int
    job_id: str
    fault: str = ""


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
    identity: _Identity
    since: float
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
        self._first_bytes_of = first_bytes_of or _first_bytes_of
        self._writers = writers
        self._seen: dict[str, _Seen] = {}

    def look(self) -> SourceLook:
        """Looks at the folder, and may hang with its disk.

        Raises:
            OSError: the folder is not there or cannot be read.
        """
        status = self.folder.stat()
        files, passed_over = self._listed()
        waits: list[float] = []
        unfinished: dict[str, str] = {}
        settled: list[str] = []
        for name, identity in files.items():
            seen = self._seen.get(name)
            if seen is None or seen.identity != identity:
                seen = self._seen[name] = _Seen(identity, self._steady_clock())
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
        until = self._steady_clock() + _EXAMINE_SECONDS
        is_partial = False
        for name in settled:
            if name in unfinished:
                continue
            if is_partial:
                unfinished[name] = "is yet to be looked into"
                continue
            self._seen[name].plot = self._examined(name, self._seen[name].identity)
            is_partial = self._steady_clock() > until
        self._seen = {name: self._seen[name] for name in files}
        plots = tuple(seen.plot for _, seen in sorted(self._seen.items()) if seen.plot is not None)
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

    def _listed(self) -> tuple[dict[str, _Identity], dict[str, str]]:
        files: dict[str, _Identity] = {}
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
                    files[entry.name] = (status.st_size, status.st_mtime_ns, status.st_ino)
                elif stat.S_ISLNK(status.st_mode):
                    passed_over[entry.name] = (
                        "is a symbolic link, which is not followed: name the folder that it leads to as a source folder"
                    )
                else:
                    passed_over[entry.name] = (
                        "is a folder, not a plot" if stat.S_ISDIR(status.st_mode) else "is no ordinary file"
                    )
        return files, passed_over

    def _seconds_to_settle(self, seen: _Seen) -> float:
        """By the file's own time, or, where clocks differ, by how long it was seen unchanged."""
        by_file = self._settle_seconds - (self._wall_clock() - seen.identity[1] / 1e9)
        by_looks = self._settle_seconds - (self._steady_clock() - seen.since)
        return max(0.0, min(by_file, by_looks))

    def _examined(self, name: str, identity: _Identity) -> FoundPlot:
        plot_id = fault = ""
        try:
            header = parse_plot_header(self._first_bytes_of(self.folder / name), identity[0])
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        else:
            problem = header if isinstance(header, str) else name_fault(header, name)
            plot_id = "" if isinstance(header, str) else header.plot_id
            fault = f"is not moved: {problem}" if problem else ""
        return FoundPlot(name, identity[0], identity[1], job_id_of(self.folder / name, plot_id), fault)


def _first_bytes_of(path: Path) -> bytes:
    # Not through a symbolic link that took the file's place meanwhile, and without waiting for a named pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(HEADER_BYTES)


def job_id_of(source: Path, plot_id: str) -> str:
    """The id of the job that moves this plot from there: the same each time, 16 hexadecimal digits."""
    return hashlib.sha256(os.fsencode(source) + b"\0" + plot_id.encode("ascii")).hexdigest()[:16]
