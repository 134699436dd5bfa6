"""A target that is full of old plots, two of which must go for a new one; the disk is pretended, or a tmpfs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from chiatea.copier.replace_rules import ReplaceRule
from chiatea.copier.replacing import Chosen, OldPlot, Replacement
from chiatea.copier.system_calls import System
from tests.copier.plots import Move, make_move, plot_bytes, plot_name, settle

NEW_BYTES = 140_001
OLD_BYTES = 100_000
FREE_BYTES = {False: 300_000, True: 130_000}
"""What is free: enough to write the new plot beside the old ones; or, where they must go first, not enough."""
N_OLD, N_TO_GO = 4, 2


def rule(**more: object) -> ReplaceRule:
    made = ReplaceRule("old", (".plot",), version=1, new_suffixes=(".plot2",))
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class Exchange:
    """A move and the old plots beside its target."""

    move: Move
    contents: dict[Path, bytes] = field(default_factory=dict)

    @property
    def old(self) -> list[Path]:
        """In the order in which they are to go."""
        return list(self.contents)

    def gone(self) -> list[Path]:
        return [path for path in self.old if not path.exists()]

    def assert_rest_is_whole(self) -> None:
        for path, content in self.contents.items():
            assert not path.exists() or path.read_bytes() == content

    def assert_new_is_safe(self) -> None:
        """Nothing was given up for nothing: the new plot is at its target, or still to come from its source."""
        assert self.move.replacement is not None
        if not self.move.source.exists() or (self.gone() and not self.move.replacement.deletes_first):
            assert self.move.target.read_bytes() == self.move.content
        self.assert_rest_is_whole()


def make_exchange(folder: Path, *, deletes_first: bool, target_folder: Path | None = None, scale: int = 1) -> Exchange:
    """A new v2 plot, and four old v1 plots of which two must go; all sizes are `scale` times as large."""
    move = make_move(folder, NEW_BYTES * scale, version=2, target_folder=target_folder)
    exchange = Exchange(move)
    chosen: list[Chosen] = []
    for number in range(N_OLD):
        plot_id, content = plot_bytes(OLD_BYTES * scale, seed=number + 10)
        path = move.target_folder / plot_name(plot_id)
        path.write_bytes(content)
        settle(path)
        status = path.stat()
        plot = OldPlot(
            path.name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_blocks * 512, plot_id,
            status.st_mtime,
        )  # fmt: skip
        chosen.append(Chosen(plot, "old", deletes_first))
        exchange.contents[path] = content
    new_bytes = -(-NEW_BYTES * scale // 4096) * 4096
    reserve = FREE_BYTES[deletes_first] * scale - new_bytes + chosen[0].plot.taken_bytes * 3 // 2
    move.replacement = Replacement(tuple(chosen), reserve, deletes_first)
    move.rules = (rule(when_full="delete_first" if deletes_first else "write_first"),)
    return exchange


class PretendedDisk(System):
    """So much is free as if the target folder lay on a small disk of its own."""

    def __init__(self, exchange: Exchange) -> None:
        self.folder = exchange.move.target_folder
        assert exchange.move.replacement is not None
        self.capacity = self._used() + FREE_BYTES[exchange.move.replacement.deletes_first]

    def _used(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self.folder.iterdir())

    def free_bytes(self, folder: int) -> int:
        assert folder >= 0
        return self.capacity - self._used()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A tmpfs; None where none may be mounted."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True, check=True)


def fill(folder: Path, free_bytes: int) -> None:
    """Leaves so much of a disk."""
    with (folder / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - free_bytes // 4096 * 4096)
