"""Text that came over the wire, made harmless for a terminal."""

import unicodedata
from typing import Final

from rich.cells import cell_len, set_cell_size

__all__ = ["plain", "shortened"]

_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, direction overrides and other formats, lone surrogates, private and unassigned ones."""
MAX_LENGTH: Final = 500


def plain(text: str) -> str:
    """One line without anything that moves the cursor, turns the writing round or cannot be drawn."""
    text = text[:MAX_LENGTH]
    if text.isascii() and text.isprintable():
        return text
    kept = (" " if c in "\n\t\r" else c for c in text if c in "\n\t\r" or unicodedata.category(c) not in _HARMFUL)
    return "".join(kept)


def shortened(text: str, width: int) -> str:
    """The text in at most `width` cells; of a longer one its beginning and its end, which tell most of a path."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return set_cell_size(text, max(0, width))
    head = set_cell_size(text, (width - 1) // 3)
    tail = text
    while cell_len(tail) > width - 1 - cell_len(head):
        tail = tail[1:]
    return f"{head}…{tail}"
