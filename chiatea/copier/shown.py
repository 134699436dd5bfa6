"""File names as one line of plain text: they may hold line breaks, terminal sequences, and bytes that are no text."""

import os
from pathlib import Path

__all__ = ["shown"]


def shown(path: Path | str) -> str:
    """A path for a person to read; what cannot be shown stands as an escape, as in a Python string."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
