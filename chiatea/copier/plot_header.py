"""The first bytes of a plot: which plot it is, whether that fits its name, and whether the file is whole.

Sources: v1, chiapos `plotter_disk.hpp` and `prover_disk.hpp` (magic, id, k, format, memo, ten pointers to tables, all
big endian); v2, Chia's pos2 `PlotFile.hpp` and real plots of Chia 2.7.5 (magic, version, id, k, strength, three bytes
more, memo with its length in one byte, then the count and the begins of the chunks, little endian).
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["HEADER_BYTES", "PlotHeader", "name_fault", "parse_plot_header"]

HEADER_BYTES: Final = 1 << 16
"""As many of a plot's first bytes as are looked at."""

_V1_MAGIC: Final = b"Proof of Space Plot"
_V2_MAGIC: Final = b"pos2"
_V2_ID: Final = 5
_V2_MEMO_LENGTH: Final = 42
_V1_TABLES: Final = 10
_K_LEAST: Final = 16
_K_MOST: Final = 50
_NO_ID: Final = bytes(32)
_ID_IN_NAME: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
_K_IN_NAME: Final = re.compile(r"(?:^|-)k(\d{2})(?=-)")


@dataclass(frozen=True, slots=True)
class PlotHeader:
    """What a plot says of itself.

    Attributes:
        version: 1 or 2.
        plot_id: 64 hexadecimal digits.
        k: The plot's size, as in "k32".
    """

    version: int
    plot_id: str
    k: int


def parse_plot_header(first_bytes: bytes, file_bytes: int) -> PlotHeader | str:
    """The header, or one line that says what is wrong with it.

    Args:
        first_bytes: the file's first `HEADER_BYTES`, or all of a smaller file.
        file_bytes: the file's whole size: a table or chunk that begins beyond it was cut off.
    """
    if first_bytes.startswith(_V1_MAGIC):
        return _parse_v1(first_bytes, file_bytes)
    if first_bytes.startswith(_V2_MAGIC):
        return _parse_v2(first_bytes, file_bytes)
    if not first_bytes:
        return "it is empty"
    if not first_bytes.strip(b"\0"):
        return "it begins with zeros: it was never written"
    return "it does not begin as a plot does"


def name_fault(header: PlotHeader, name: str) -> str | None:
    """What does not fit between a plot and its file's name; None where both tell of the same plot."""
    ids = {found.lower() for found in _ID_IN_NAME.findall(name)}
    if not ids:
        return "its name holds no plot id"
    if header.plot_id not in ids:
        return f"it holds plot {header.plot_id[:10]}, its name tells of {min(ids)[:10]}"
    k = _K_IN_NAME.search(name)
    if k is not None and int(k[1]) != header.k:
        return f"it is of k {header.k}, its name tells of k {int(k[1])}"
    return None


def _parse_v1(data: bytes, file_bytes: int) -> PlotHeader | str:
    header = _identified(1, data, len(_V1_MAGIC))
    if isinstance(header, str):
        return header
    position = len(_V1_MAGIC) + 32 + 1
    texts: list[bytes] = []
    for _ in ("format", "memo"):
        if len(data) < position + 2:
            return "it ends within its header"
        (length,) = struct.unpack_from(">H", data, position)
        texts.append(data[position + 2 : position + 2 + length])
        position += 2 + length
    if len(data) < position + 8 * _V1_TABLES:
        return "it ends within its header"
    # Other formats, of compressed plots, have other tables: of theirs nothing is known for certain.
    if texts[0] != b"v1.0":
        return header
    return _cut_off(struct.unpack_from(f">{_V1_TABLES}Q", data, position), file_bytes, "table") or header


def _parse_v2(data: bytes, file_bytes: int) -> PlotHeader | str:
    header = _identified(2, data, _V2_ID)
    if isinstance(header, str):
        return header
    if data[4] != 1:  # the version of the format: of another one nothing more is known
        return header
    if len(data) <= _V2_MEMO_LENGTH:
        return "it ends within its header"
    position = _V2_MEMO_LENGTH + 1 + data[_V2_MEMO_LENGTH]
    if len(data) < position + 8:
        return "it ends within its header"
    (n_chunks,) = struct.unpack_from("<Q", data, position)
    if file_bytes < position + 8 + 8 * n_chunks:
        return "it is cut off: it ends within the list of its chunks"
    n_seen = min(n_chunks, (len(data) - position - 8) // 8)
    return _cut_off(struct.unpack_from(f"<{n_seen}Q", data, position + 8), file_bytes, "chunk") or header


def _identified(version: int, data: bytes, id_position: int) -> PlotHeader | str:
    if len(data) < id_position + 33:
        return "it ends within its header"
    plot_id, k = data[id_position : id_position + 32], data[id_position + 32]
    if plot_id == _NO_ID:
        return "its plot id is all zeros: its header was not finished"
    if not _K_LEAST <= k <= _K_MOST:
        return f"its k is {k}, which no plot has"
    return PlotHeader(version, plot_id.hex(), k)


def _cut_off(begins: Sequence[int], file_bytes: int, what: str) -> str | None:
    if not begins:
        return None
    if not all(begins):
        return f"its header names no place for some {what}: it was not finished"
    if max(begins) >= file_bytes:
        return f"it is cut off: {file_bytes} bytes, but a {what} begins at {max(begins)}"
    return None
