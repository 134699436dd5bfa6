"""Hashes do not depend on the pieces that a file comes in."""

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.block_hashes import BlockHasher, whole_file_hash


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=30), st.integers(1, 5))
def test_a_hash_does_not_depend_on_the_pieces(content: bytes, pieces: list[int], blocks_known: int) -> None:
    expected = tuple(xxhash.xxh3_128(content[place : place + 32]).digest() for place in range(0, len(content), 32))
    known = expected[: min(blocks_known, len(content) // 32)]
    hasher = BlockHasher(known, 32)
    rest = memoryview(content)[32 * len(known) :]
    for n_bytes in pieces:
        hasher.update(rest[:n_bytes])
        rest = rest[n_bytes:]
    hasher.update(rest)
    assert hasher.all_blocks() == expected
    assert hasher.whole_blocks == expected[: len(content) // 32]


def test_the_whole_files_hash_is_made_as_it_is_said() -> None:
    blocks = [xxhash.xxh3_128(b"a").digest(), xxhash.xxh3_128(b"b").digest()]
    made = xxhash.xxh3_128(blocks[0] + blocks[1] + bytes([2, 0, 0, 4, 0, 0, 0, 0])).hexdigest()
    assert whole_file_hash(blocks, (64 << 20) + 2) == f"xxh3-128/64MiB:{made}"
    assert whole_file_hash(blocks, (64 << 20) + 3) != whole_file_hash(blocks, (64 << 20) + 2)
