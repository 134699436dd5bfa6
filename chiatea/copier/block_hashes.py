"""The hash of a plot: xxh3_128 of each block of 64 MiB, and one hash made from those.

Blocks let a copy go on after a crash, since the part that is right is known block by block. The hash of the whole file
is made from the blocks' hashes and the file's size alone, so it needs no second reading: it is
`xxh3_128(hash of block 0, hash of block 1, ..., size as 8 bytes, little endian)`, written as `xxh3-128/64MiB:` and 32
hexadecimal digits. It guards against faults of disks, cables and memory, not against people who forge plots.
"""

from collections.abc import Sequence
from typing import Final

import xxhash

__all__ = ["BLOCK_BYTES", "HASH_BYTES", "BlockHasher", "whole_file_hash"]

BLOCK_BYTES: Final = 64 << 20
HASH_BYTES: Final = 16


class BlockHasher:
    """Hashes a file that is handed over piece by piece, in order."""

    def __init__(self, first: Sequence[bytes] = (), block_bytes: int = BLOCK_BYTES) -> None:
        """Goes on behind whole blocks whose hashes are known."""
        self._block_bytes = block_bytes
        self._finished = list(first)
        self._current = xxhash.xxh3_128()
        self._current_bytes = 0

    def update(self, piece: memoryview) -> None:
        """Takes the next bytes; a piece may reach over the end of a block."""
        while len(piece):
            part = piece[: self._block_bytes - self._current_bytes]
            self._current.update(part)
            self._current_bytes += len(part)
            piece = piece[len(part) :]
            if self._current_bytes == self._block_bytes:
                self._end_block()

    @property
    def whole_blocks(self) -> tuple[bytes, ...]:
        """The hashes of the blocks that are complete."""
        return tuple(self._finished)

    def all_blocks(self) -> tuple[bytes, ...]:
        """The hashes of all blocks of a file that ends here: its last one may be smaller."""
        last = (self._current.digest(),) if self._current_bytes else ()
        return (*self._finished, *last)

    def _end_block(self) -> None:
        self._finished.append(self._current.digest())
        self._current = xxhash.xxh3_128()
        self._current_bytes = 0


def whole_file_hash(blocks: Sequence[bytes], file_bytes: int) -> str:
    """The hash of a file, from the hashes of its 64 MiB blocks."""
    digest = xxhash.xxh3_128(b"".join(blocks) + file_bytes.to_bytes(8, "little")).hexdigest()
    return f"xxh3-128/64MiB:{digest}"
