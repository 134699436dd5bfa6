"""get_plots of the harvester as it comes: 100,000 plots are some 60 MB of JSON, held in pieces."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from chiatea.collector.plots import PlotList
from chiatea.collector.sources.json_stream import JsonStream
from chiatea.collector.sources.rpc import RpcFailedError, checked
from chiatea.collector.sources.rpc_answers import PlotReader
from chiatea.protobuf.chia_pb2 import HarvesterPlot

__all__ = ["AnswerHash", "PlotStream"]

_NOT_LOADED: Final = {
    "failed_to_open_filenames": HarvesterPlot.FAILED_TO_OPEN,
    # Chia's harvester puts the files here that it has no keys for (2.7.5, harvester_rpc_api.py); it lists no file that
    # it did not find.
    "not_found_filenames": HarvesterPlot.NO_KEY,
}


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
