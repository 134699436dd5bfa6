"""Which files the configured paths of plotters' logs are of."""

import glob
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["newest_logs"]

_MOST_LOOKED_AT: Final = 10_000
_MOST_LOGS: Final = 32


def newest_logs(patterns: Iterable[Path]) -> list[Path]:
    """The files that were written to last, 32 at most. It may block on a dead mount: meant for a thread.

    A path may have *, ? and [...] in it, and ** for any number of folders.
    """
    files: dict[tuple[int, int], tuple[float, Path]] = {}
    for pattern in patterns:
        for _, path in zip(range(_MOST_LOOKED_AT), _matching(pattern), strict=False):
            try:
                status = path.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                # One file under two names is one log.
                files.setdefault((status.st_dev, status.st_ino), (status.st_mtime, path))
    newest = sorted(files.values(), key=lambda entry: entry[0], reverse=True)
    return [path for _, path in newest[:_MOST_LOGS]]


def _matching(pattern: Path) -> Iterator[Path]:
    if pattern.exists():
        yield pattern
    elif glob.has_magic(str(pattern)):
        yield from map(Path, glob.iglob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob reads no absolute one
