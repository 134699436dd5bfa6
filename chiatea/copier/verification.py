"""Reading back what was written, from the device and not from memory."""

from collections.abc import Sequence
from typing import Final

from chiatea.copier.block_hashes import BlockHasher
from chiatea.copier.failures import MoveFailedError, at_target
from chiatea.copier.job_spec import Verification
from chiatea.copier.steps import Geometry, Steps
from chiatea.copier.system_calls import System

__all__ = ["ReadBack", "blocks_to_read", "matching_prefix", "verify"]

_TRIES_TO_DROP: Final = 3
_SAMPLE_PARTS: Final = 20
_SAMPLE_LEAST: Final = 4


def blocks_to_read(verification: Verification, first: int, n_blocks: int, plot_id: str) -> list[int]:
    """Which blocks of a plot are read back: all from `first` on, or a twentieth of those, or none.

    A sample has at least four blocks, the first and the last among them; which are between depends on the plot, so that
    many plots try all places of a disk.
    """
    blocks = list(range(first, n_blocks))
    match verification:
        case "full":
            return blocks
        case "none":
            return []
        case "sample":
            n_wanted = max(_SAMPLE_LEAST, -(-len(blocks) // _SAMPLE_PARTS))
            if len(blocks) <= n_wanted:
                return blocks
            between = blocks[1:-1]
            turn = int(plot_id[:8] or "0", 16) % len(between)
            chosen = {
                between[(turn + number * len(between) // (n_wanted - 2)) % len(between)]
                for number in range(n_wanted - 2)
            }
            return sorted({blocks[0], *chosen, blocks[-1]})


class ReadBack:
    """A file at the target, read block by block. What it holds must be durable already."""

    def __init__(self, descriptor: int, name: str, file_bytes: int, system: System, steps: Steps) -> None:
        """`name` is for error messages."""
        self._descriptor = descriptor
        self._name = name
        self._file_bytes = file_bytes
        self._system = system
        self._steps = steps
        self.is_from_device = True
        """False when the file could not be dropped from memory: what is read may be what is there."""

    @property
    def geometry(self) -> Geometry:
        """The sizes that the file is read in."""
        return self._steps.geometry

    def n_bytes(self, blocks: Sequence[int]) -> int:
        """The size of some blocks."""
        return sum(self.geometry.block_size(index, self._file_bytes) for index in blocks)

    def begin(self, blocks: Sequence[int]) -> None:
        """Drops the file from memory, and makes sure that no page of it is left there."""
        self._steps.begin_verifying(self.n_bytes(blocks))
        with at_target(f"{self._name}: cannot be read back"):
            for _ in range(_TRIES_TO_DROP):
                self._system.drop_pages(self._descriptor, 0, 0)
                if self._system.resident_bytes(self._descriptor, self._file_bytes) == 0:
                    self._system.will_read_in_order(self._descriptor)
                    return
        self.is_from_device = False

    def block_hash(self, index: int) -> bytes | None:
        """One block's hash; None where the file ends before the block does.

        Raises:
            MoveFailedError: `target_lost`; it cannot be read.
        """
        geometry = self.geometry
        begin = index * geometry.block_bytes
        hasher = BlockHasher(block_bytes=geometry.block_bytes)
        left = geometry.block_size(index, self._file_bytes)
        position = dropped = begin
        while left:
            piece = self._steps.buffer[: min(left, geometry.step_bytes)]
            self._steps.before(len(piece))
            with at_target(f"{self._name}: cannot be read back at byte {position}"):
                n_bytes = self._system.read(self._descriptor, piece, position)
            if n_bytes == 0:
                return None
            hasher.update(piece[:n_bytes])
            position += n_bytes
            left -= n_bytes
            self._steps.after(n_bytes)
            if position % geometry.window_bytes == 0 or not left:
                with at_target(f"{self._name}: cannot be read back"):
                    self._system.drop_pages(self._descriptor, dropped, position - dropped)
                dropped = position
        return hasher.all_blocks()[0]


def verify(read_back: ReadBack, hashes: Sequence[bytes], blocks: Sequence[int], name: str) -> None:
    """Reads some blocks back and compares them with what was read at the source.

    Raises:
        MoveFailedError: `target_lost`; the target does not hold what was written to it.
    """
    read_back.begin(blocks)
    for index in blocks:
        if read_back.block_hash(index) != hashes[index]:
            raise MoveFailedError(
                "target_lost",
                f"{name}: block {index} reads back as something else than was written",
                "its disk, its cable or this machine's memory is faulty",
            )


def matching_prefix(read_back: ReadBack, hashes: Sequence[bytes]) -> int:
    """How many of a file's first blocks are what they should be."""
    read_back.begin(range(len(hashes)))
    for index, expected in enumerate(hashes):
        if read_back.block_hash(index) != expected:
            return index
    return len(hashes)
