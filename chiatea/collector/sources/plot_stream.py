"""get_plots of the harvester as it comes: 100,000 plots are some 60 MB of JSON, held in pieces."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from chiatea.chia.json_stream import JsonStream
from chiatea.chia.rpc import RpcFailedError, checked
from chiatea.chia.untrusted import count, integer, mapping, number, plain_hex, text
from chiatea.collector.plots import PlotList, disk_id_of, effective_bytes, k_of_name
from chiatea.protobuf.chia_pb2 import HarvesterPlot

__all__ = ["AnswerHash", "PlotStream"]

_FIRST_V2_SIZE: Final = 128
"""Chia tells a v2 plot's size as 128 and its strength (PlotParam's byte)."""

_NOT_LOADED: Final = {
    "failed_to_open_filenames": HarvesterPlot.FAILED_TO_OPEN,
    # Chia's harvester puts the files here that it has no keys for (2.7.5, harvester_rpc_api.py); it lists no file that
    # it did not find.
    "not_found_filenames": HarvesterPlot.NO_KEY,
}


class PlotReader:
    """Makes plots out of the parts of get_plots' answer, which is too long to be had in one piece."""

    def __init__(self, mount_points: Sequence[str]) -> None:
        """A reader that finds each plot's disk among the mount points."""
        self._mount_points = mount_points
        self._disk_of_folder: dict[str, str | None] = {}

    def _disk_of(self, filepath: str) -> str | None:
        folder = filepath.rpartition("/")[0]
        if folder not in self._disk_of_folder:
            self._disk_of_folder[folder] = disk_id_of(filepath, self._mount_points)
        return self._disk_of_folder[folder]

    def not_loaded(self, filepath: object, state: "HarvesterPlot.State.ValueType") -> HarvesterPlot | None:
        """A file that the harvester tells only the name of."""
        path = text(filepath)
        if path is None:
            return None
        return HarvesterPlot(
            id=path,
            state=state,
            plot_version=2 if path.endswith((".plot2", ".gplot")) else 1,
            k=k_of_name(path),
            disk_id=self._disk_of(path),
        )

    def loaded(self, told: object) -> HarvesterPlot | None:
        """One entry of `plots`."""
        entry = mapping(told)
        filepath = text(entry.get("filename"))
        if filepath is None:
            return None
        size = integer(entry.get("size"))
        is_v2 = size is not None and size >= _FIRST_V2_SIZE
        version = 2 if is_v2 else 1
        k = k_of_name(filepath) if is_v2 or size is None else size
        k = k if k is not None and 0 < k < _FIRST_V2_SIZE else None
        compression = integer(entry.get("compression_level")) or 0
        return HarvesterPlot(
            id=filepath,
            plot_id=plain_hex(entry.get("plot_id")) or None,
            state=HarvesterPlot.LOADED,
            plot_version=version,
            k=k,
            strength=min(size - _FIRST_V2_SIZE, 127) if is_v2 and size is not None else None,
            compression_level=compression if 0 <= compression < 1000 else 0,
            file_bytes=count(entry.get("file_size")),
            effective_bytes=effective_bytes(version, k) if k is not None else None,
            plot_public_key=plain_hex(entry.get("plot_public_key")) or None,
            pool_public_key=plain_hex(entry.get("pool_public_key")) or None,
            pool_contract_puzzle_hash=plain_hex(entry.get("pool_contract_puzzle_hash")) or None,
            modified_time=number(entry.get("time_modified")) or 0.0,
            disk_id=self._disk_of(filepath),
        )


class AnswerHash:
    """Tells whether an answer is the same as another, and how long it is."""

    def __init__(self) -> None:
        """Of nothing."""
        self._hash = hashlib.blake2b(digest_size=16)
        self.n_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Takes the next piece."""
        self._hash.update(piece)
        self.n_bytes += len(piece)

    @property
    def digest(self) -> bytes:
        """Of all that came."""
        return self._hash.digest()


class PlotStream(AnswerHash):
    """Makes a list of plots out of the pieces."""

    def __init__(self, mount_points: Sequence[str], before: PlotList | None) -> None:
        """`before` is the list that much will be the same as."""
        super().__init__()
        self._stream = JsonStream()
        self._reader = PlotReader(mount_points)
        self._plots = PlotList(before)
        self._rest: dict[str, Any] = {}

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            RpcFailedError: it is no JSON object.
        """
        super().feed(piece)
        try:
            for key, value in self._stream.feed(piece):
                if key == "plots":
                    plot = self._reader.loaded(value)
                elif key in _NOT_LOADED:
                    plot = self._reader.not_loaded(value, _NOT_LOADED[key])
                else:
                    self._rest[key] = value
                    continue
                if plot is not None:
                    self._plots.add(plot)
        except (ValueError, RecursionError):
            raise RpcFailedError("the answer is no JSON object") from None

    def plots(self) -> PlotList:
        """The list, once all pieces came.

        Raises:
            RpcFailedError: the answer ended too early.
            RpcRefusedError: it says that the call failed.
        """
        if not self._stream.is_complete:
            raise RpcFailedError("the answer is no JSON object")
        checked(self._rest)
        return self._plots.completed()
