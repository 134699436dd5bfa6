"""Which files some process has open to write."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["writers_of"]

_PROCESSES: Final = Path("/proc")


def writers_of(filepaths: Iterable[Path], processes: Path = _PROCESSES) -> dict[Path, int]:
    """The id of one process that has it open to write, for each of the files that has one.

    Without root's rights another user's processes tell nothing. Source: Linux, proc(5): `fd`, and `flags` (octal) in
    `fdinfo`. A file that is only read, as by a harvester, is nobody's work in progress.
    """
    by_identity: dict[tuple[int, int], Path] = {}
    for path in filepaths:
        with contextlib.suppress(OSError):
            status = path.lstat()
            by_identity[status.st_dev, status.st_ino] = path
    names = {path.name for path in by_identity.values()}
    found: dict[Path, int] = {}
    if not names:
        return found
    for process in processes.iterdir():
        if process.name.isdigit():
            for descriptor in _descriptors(process):
                with contextlib.suppress(OSError):
                    # The link's text first: to ask the file itself may wait for a dead network mount.
                    if descriptor.readlink().name in names:
                        written = _written_by(descriptor, by_identity)
                        if written is not None:
                            found[written] = int(process.name)
    return found


def _descriptors(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []


def _written_by(descriptor: Path, by_identity: dict[tuple[int, int], Path]) -> Path | None:
    status = descriptor.stat()
    path = by_identity.get((status.st_dev, status.st_ino))
    if path is None:
        return None
    for line in (
        (descriptor.parent.with_name("fdinfo") / descriptor.name)
        .read_text(encoding="ascii", errors="replace")
        .splitlines()
    ):
        key, _, value = line.partition(":")
        if key == "flags":
            return path if int(value, 8) & os.O_ACCMODE != os.O_RDONLY else None
    return None
