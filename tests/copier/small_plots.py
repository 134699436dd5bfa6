"""Small plots with true headers, as a plotter would leave them."""

import hashlib
import random
from pathlib import Path

__all__ = ["a_plot", "plot_name", "write_plot"]


def plot_id(number: int) -> bytes:
    return hashlib.sha256(b"plot %d" % number).digest()


def plot_name(number: int, *, suffix: str = ".plot", k: int = 32) -> str:
    return f"plot-k{k}-2024-01-31-18-05-{plot_id(number).hex()}{suffix}"


def a_plot(number: int, n_bytes: int = 1 << 20, *, k: int = 32) -> bytes:
    """A v1 plot's header, of a format whose tables nobody looks up, and bytes that are the same each time."""
    header = b"Proof of Space Plot" + plot_id(number) + bytes([k]) + b"\0\4test\0\0" + bytes(80)
    return header + random.Random(number).randbytes(n_bytes - len(header))


def write_plot(folder: Path, number: int, n_bytes: int = 1 << 20, *, name: str | None = None) -> Path:
    path = folder / (name or plot_name(number))
    path.write_bytes(a_plot(number, n_bytes))
    return path
