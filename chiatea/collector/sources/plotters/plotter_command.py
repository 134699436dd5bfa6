"""A plotter's command line: which plotter it is, and what it makes where. Keys in it are passed over."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chiatea.protobuf.chia_pb2 import PlotInProgress

__all__ = ["FAMILY_OF", "PlotterCommand", "command_of"]

FAMILY_OF: Final = {
    PlotInProgress.MADMAX: "madmax",
    PlotInProgress.GIGAHORSE: "madmax",
    PlotInProgress.BLADEBIT: "bladebit",
    PlotInProgress.BLADEBIT_DISK: "bladebit",
    PlotInProgress.BLADEBIT_CUDA: "bladebit",
    PlotInProgress.CHIAPOS: "chiapos",
}
"""Plotters whose programs bear one name, or may be taken for each other by what their logs say."""

_NO_PLOTTERS: Final = ("chia_plot_sink", "chia_plot_copy")
_K_IN_NAME: Final = re.compile(r"cuda_plot_k(\d\d)")
_BLADEBIT: Final = {
    "ramplot": PlotInProgress.BLADEBIT,
    "diskplot": PlotInProgress.BLADEBIT_DISK,
    "cudaplot": PlotInProgress.BLADEBIT_CUDA,
}
_BLADEBIT_OTHER_TASKS: Final = frozenset(
    {"iotest", "memtest", "validate", "simulate", "check", "help", "plotcmp", "cudacheck"}
)
_DEFAULT_K: Final = 32
_MAY_BE_JOINED: Final = ("-k", "-C")


@dataclass(frozen=True, slots=True)
class PlotterCommand:
    """What a plotter was told to do. Folders are as they stand there."""

    plotter: "PlotInProgress.Plotter.ValueType"
    k: int | None = None
    compression_level: int | None = None
    temporary_folder: str | None = None
    target_folder: str | None = None


def command_of(words: Sequence[str]) -> PlotterCommand | None:
    """Reads a command line; None where it makes no plots.

    As their --help says it: chia_plot and cuda_plot_kNN (also gigahorse's), bladebit 1.x to 3.x, `chia plots create`,
    `chia plotters NAME` and ProofOfSpace create (chia-blockchain 2.7.5, chia/plotters).
    """
    names = [word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") for word in words[:8]]
    for at, name in enumerate(names[:4]):
        rest = words[at + 1 :]
        if name.startswith(_NO_PLOTTERS):
            return None
        if name.startswith(("chia_plot", "cuda_plot")):
            return _madmax(name, rest)
        if name.startswith("bladebit"):
            return _bladebit(rest)
        if name == "ProofOfSpace":
            return _chiapos(rest) if "create" in rest else None
        if name == "chia":
            return _chia(rest)
    return None


def _chia(rest: Sequence[str]) -> PlotterCommand | None:
    if "plots" in rest[:3] and "create" in rest[:4]:
        return _chiapos(rest)
    if "plotters" not in rest[:3]:
        return None
    kind = rest[min(rest.index("plotters") + 1, len(rest) - 1)]
    if kind == "madmax":
        return _madmax("chia_plot", rest)
    if kind == "bladebit":
        return _bladebit(rest)
    return _chiapos(rest) if kind == "chiapos" else None


def _madmax(name: str, rest: Sequence[str]) -> PlotterCommand:
    level = _number(_value(rest, "-C", "--level"))
    is_cuda = name.startswith("cuda_plot")
    k_in_name = _K_IN_NAME.match(name)
    temporary = _value(rest, "-t", "--tmpdir", "--tmp_dir")
    return PlotterCommand(
        PlotInProgress.GIGAHORSE if is_cuda or level is not None else PlotInProgress.MADMAX,
        int(k_in_name[1]) if k_in_name else _number(_value(rest, "-k", "--size")) or _DEFAULT_K,
        level,
        temporary,
        _value(rest, "-d", "--finaldir", "--final_dir") or temporary,
    )


def _bladebit(rest: Sequence[str]) -> PlotterCommand | None:
    if any(word in _BLADEBIT_OTHER_TASKS for word in rest):
        return None
    task = next((word for word in rest if word in _BLADEBIT), "ramplot")
    level = _value(rest, "-z", "--compress")
    # What stands last may be a key, if no folder is named: no key has a separator in it.
    last = rest[-1] if rest and any(separator in rest[-1] for separator in "/\\") else None
    is_compressed = any(word in {"-z", "--compress"} for word in rest)
    return PlotterCommand(
        _BLADEBIT[task],
        _DEFAULT_K,
        (_number(level) or (1 if level is None or not level.isdigit() else 0)) if is_compressed else None,
        _value(rest, "-t1", "--temp1", "--tmp_dir"),
        _value(rest, "-d", "--finaldir", "--final_dir") or last,
    )


def _chiapos(rest: Sequence[str]) -> PlotterCommand:
    temporary = _value(rest, "-t", "--tmp_dir", "--tempdir")
    return PlotterCommand(
        PlotInProgress.CHIAPOS,
        _number(_value(rest, "-k", "--size")) or _DEFAULT_K,
        None,
        temporary,
        _value(rest, "-d", "--final_dir", "--finaldir") or temporary,
    )


def _value(words: Sequence[str], *options: str) -> str | None:
    """What follows an option: as the next word, after "=", or, of a number, right behind it."""
    for at, word in enumerate(words):
        if word in options:
            return words[at + 1] if at + 1 < len(words) else None
        for option in options:
            if option.startswith("--"):
                if word.startswith(f"{option}="):
                    return word[len(option) + 1 :]
            elif option in _MAY_BE_JOINED and word.startswith(option) and word[2:].isdigit():
                return word[2:]
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 4 else None
