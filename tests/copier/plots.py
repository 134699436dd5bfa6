"""Plots for tests: files of any size whose headers are those of real plots, and what is moved from where to where."""

import os
import random
import struct
import time
from dataclasses import dataclass, replace
from pathlib import Path

import xxhash

from chiatea.copier.block_hashes import whole_file_hash
from chiatea.copier.control import Control
from chiatea.copier.job_events import JobEvent, Progress, Replaced
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.journal import Journal
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.replace_rules import ReplaceRule
from chiatea.copier.replacing import Replacement
from chiatea.copier.steps import Geometry
from chiatea.copier.system_calls import System
from chiatea.copier.transfer import Order, Transfer

SMALL = Geometry(step_bytes=4 << 10, window_bytes=16 << 10, block_bytes=32 << 10, checkpoint_bytes=128 << 10)
"""A plot of some 100 KiB goes through all that one of 100 GB goes through."""

REAL_PLOTS = Path(__file__).parents[2].parent / "shared" / "chia" / "plots"


def plot_name(plot_id: str, version: int = 1, k: int = 32) -> str:
    return f"plot-k{k}-2026-11-23-18-40-{plot_id}.plot{'' if version == 1 else '2'}"


def plot_bytes(n_bytes: int, version: int = 1, k: int = 32, seed: int = 1) -> tuple[str, bytes]:
    """A plot's id and content."""
    made = random.Random(f"{n_bytes} {version} {seed}")
    plot_id = made.randbytes(32)
    memo = made.randbytes(128)
    ends = [n_bytes * number // 12 + 300 for number in range(1, 11)]
    if version == 1:
        header = b"Proof of Space Plot" + plot_id + bytes([k]) + struct.pack(">H", 4) + b"v1.0"
        header += struct.pack(">H", len(memo)) + memo + struct.pack(">10Q", *(min(end, n_bytes - 1) for end in ends))
    else:
        header = b"pos2\x01" + plot_id + bytes([k, 3, 0, 0, 0, len(memo)]) + memo
        header += struct.pack("<Q", 10) + struct.pack("<10Q", *(min(end, n_bytes - 1) for end in ends))
    return plot_id.hex(), (header + made.randbytes(max(0, n_bytes - len(header))))[:n_bytes]


def block_hashes(content: bytes, geometry: Geometry = SMALL) -> tuple[bytes, ...]:
    """Of each block, as if nobody had written a hasher."""
    size = geometry.block_bytes
    return tuple(xxhash.xxh3_128(content[place : place + size]).digest() for place in range(0, len(content), size))


@dataclass
class Move:
    """One plot to be moved in a folder of the test's own."""

    folder: Path
    source: Path
    content: bytes
    target_folder: Path
    replacement: Replacement | None = None
    rules: tuple[ReplaceRule, ...] = ()

    @property
    def journal_folder(self) -> Path:
        return self.folder / "journal"

    @property
    def journal(self) -> Journal:
        return Journal(self.journal_folder)

    @property
    def known_plots_filepath(self) -> Path:
        return self.spec.known_plots_filepath

    @property
    def target(self) -> Path:
        return self.target_folder / self.source.name

    @property
    def temporary(self) -> Path:
        return self.target_folder / f"{self.source.name}.copying"

    @property
    def spec(self) -> JobSpec:
        return JobSpec(
            job_id="job-1",
            source=self.source,
            target_folder=self.target_folder,
            target_device=self.target_folder.stat().st_dev,
            verification="full",
            max_bytes_per_second=0,
            journal_folder=self.journal_folder,
            settle_seconds=60.0,
            replacement=self.replacement,
            replace_rules=self.rules,
        )

    def run(
        self,
        order: Order = "copy",
        *,
        system: System | None = None,
        control: Control | None = None,
        progress: list[Progress] | None = None,
        replaced: list[Replaced] | None = None,
        geometry: Geometry = SMALL,
        **changes: object,
    ) -> JobEvent | None:
        """Runs the job in this process."""
        spec = replace(self.spec, **changes)  # type: ignore[arg-type]

        def report(event: Progress | Replaced) -> None:
            if isinstance(event, Progress) and progress is not None:
                progress.append(event)
            if isinstance(event, Replaced) and replaced is not None:
                replaced.append(event)

        return Transfer(spec, self.journal, control or Control(), report, system=system, geometry=geometry).run(order)

    def assert_moved(self, **changes: object) -> None:
        """The plot exists exactly once, byte for byte, under its final name; nothing else is left."""
        assert self.target.read_bytes() == self.content
        assert not os.path.lexists(self.source)
        self.assert_nothing_left()
        self.assert_known(replace(self.spec, **changes).known_plots_filepath)  # type: ignore[arg-type]

    def assert_known(self, filepath: Path) -> None:
        """The hashes of its blocks are kept, and what its file is."""
        with KnownPlots(filepath, must_exist=True) as known:
            plot = known.plot(self.target)
            blocks = known.blocks(self.target)
        assert plot is not None
        status = self.target.stat()
        assert (plot.file_bytes, plot.mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert blocks in {block_hashes(self.content), block_hashes(self.content, Geometry())}
        assert plot.hash == whole_file_hash(blocks, len(self.content))

    def assert_not_moved(self) -> None:
        """The source is whole, and nothing is left at the target or in the journal."""
        assert self.source.read_bytes() == self.content
        assert not os.path.lexists(self.target)
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        assert not [path for path in self.target_folder.iterdir() if path.name.endswith(".copying")]
        assert self.journal.job_ids() == []
        assert {path.name for path in self.journal_folder.glob("*")} <= {"lock"}


def make_move(
    folder: Path,
    n_bytes: int = 300_001,
    *,
    version: int = 1,
    target_folder: Path | None = None,
    name: str | None = None,
) -> Move:
    """A settled plot in a source folder, and an empty target folder."""
    plot_id, content = plot_bytes(n_bytes, version)
    source = folder / "source" / (name.replace("ID", plot_id) if name else plot_name(plot_id, version))
    source.parent.mkdir(parents=True)
    source.write_bytes(content)
    settle(source)
    target_folder = target_folder or folder / "target"
    target_folder.mkdir(exist_ok=True)
    return Move(folder, source, content, target_folder)


def settle(path: Path) -> None:
    """Makes a file look an hour old."""
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago), follow_symlinks=False)
