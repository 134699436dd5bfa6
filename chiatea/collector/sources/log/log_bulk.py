"""Most lines of a busy log are known and tell nothing: they are told apart many at a time, by how they begin.

All lines of a block are compared by the bytes from within their time column to the sixteenth of their text, the digits
of the time put aside. Lines that begin alike are of one class, and what is to become of a class is decided from one of
them, by what is compared alone: only lines of classes that may tell something are looked at one by one.
"""

import secrets
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from chiatea.collector.sources.log.known_lines import is_known_uninteresting
from chiatea.collector.sources.log.log_form import parse_form
from chiatea.collector.sources.log.log_lines import (
    LAST_POINT_BEGINS,
    LOOKUP_BEGINS,
    POINT_BEGINS,
    REFRESHED_BEGINS,
    may_tell,
)

__all__ = ["BulkSorter", "Indices", "Kind", "SortedLines", "words_at"]

_TEXT_BYTES: Final = (16, 32)
"""So many bytes of the text a class is known by; the more where the fewer do not say it."""
_MOST_BYTES: Final = 256
_MOST_CLASSES: Final = 20_000
_MOST_NEW: Final = 300
"""In one block."""
_LINES_TO_TRY: Final = 40

Indices = npt.NDArray[np.intp]


class Kind(IntEnum):
    """What a class of lines is."""

    LOOK = 0
    """It may tell something: to be looked at line by line."""
    KNOWN = 1
    """Known, and tells nothing."""
    UNCLEAR = 2
    LOOKUP = 3
    POINT = 4
    LAST_POINT = 5
    """The end of a sub-slot."""
    REFRESHED = 6


@dataclass(slots=True)
class SortedLines:
    """A block's lines."""

    data: memoryview
    starts: Indices
    ends: Indices
    kinds: npt.NDArray[np.int8]
    text_at: int
    """Where in a line of the kinds that are lookups, points and refreshes the text begins."""
    last_of_service: dict[str, int]
    """Of the lines that are not of the kind LOOK: the last one that each service wrote."""

    def line(self, index: int) -> bytes:
        """One line."""
        return bytes(self.data[self.starts[index] : self.ends[index]])


class _Classes:
    """What is known of lines by how they begin: hashes in order, and beside each its kind and its service's number."""

    def __init__(self) -> None:
        self.hashes = np.array([2**64 - 1], np.uint64)
        self.kinds = np.array([Kind.LOOK], np.int8)
        self.services = np.array([-1], np.int16)

    def places(self, hashes: npt.NDArray[np.uint64]) -> tuple[Indices, npt.NDArray[np.bool_]]:
        """Where each hash would stand, and whether it does."""
        places = np.searchsorted(self.hashes, hashes)
        return places, self.hashes[places] == hashes

    def add(self, hashes: list[int], kinds: list[Kind], services: list[int]) -> None:
        all_hashes = np.concatenate([np.array(hashes, np.uint64), self.hashes])
        order = np.argsort(all_hashes)
        self.hashes = all_hashes[order]
        self.kinds = np.concatenate([np.array(kinds, np.int8), self.kinds])[order]
        self.services = np.concatenate([np.array(services, np.int16), self.services])[order]


def words_at(data: memoryview, places: Indices, n_words: int) -> npt.NDArray[np.uint64]:
    """Words of eight bytes from each place on, which need not be a multiple of eight; all are within the data."""
    if not len(places):
        # The data may be shorter than one word.
        return np.empty((0, n_words), np.uint64)
    letters = np.frombuffer(data, np.uint8)
    windows = np.lib.stride_tricks.as_strided(letters, (len(letters) - 8 * n_words + 1, 8 * n_words), (1, 1))
    return windows[places].view(np.uint64)


class BulkSorter:
    """Sorts the blocks of one log. What it learnt of one block it knows of the next."""

    def __init__(self) -> None:
        """Nothing is learnt yet."""
        self._columns = (0, 0)
        """How long the time column is, and where the text begins: alike in almost all lines of a log."""
        self._stages = [_Classes() for _ in _TEXT_BYTES]
        self._services: list[str] = []
        self._is_end = np.empty(0, np.bool_)
        # Odd numbers of our own, so that no log can be made to mix up its lines.
        self._factors = np.array([secrets.randbits(64) | 1 for _ in range(_MOST_BYTES // 8)], np.uint64)

    def sort(self, block: bytes | memoryview) -> SortedLines | None:
        """A block's lines sorted; None where its first lines have not the columns of a log line."""
        data = memoryview(block)
        if len(self._is_end) < len(data):
            self._is_end = np.empty(len(data), np.bool_)
        is_end = np.equal(np.frombuffer(data, np.uint8), ord("\n"), out=self._is_end[: len(data)])
        newlines = np.flatnonzero(is_end)
        starts, ends = np.zeros(len(newlines) + 1, np.intp), np.full(len(newlines) + 1, len(data))
        ends[:-1] = newlines
        np.add(newlines, 1, out=starts[1:])
        columns = _columns_of(data, starts, ends, self._columns)
        if columns is None:
            return None
        if columns != self._columns or max(len(stage.hashes) for stage in self._stages) > _MOST_CLASSES:
            self._columns, self._stages = columns, [_Classes() for _ in _TEXT_BYTES]
        kinds = np.zeros(len(starts), np.int8)
        services = np.full(len(starts), -1, np.int16)
        # The last lines, after which there is not enough to compare, are looked at.
        n_compared = int(np.searchsorted(starts, len(data) - _MOST_BYTES - 8))
        kinds[:n_compared], services[:n_compared] = self._sorted(0, data, starts[:n_compared], ends)
        unclear = np.flatnonzero(kinds == Kind.UNCLEAR)
        if len(unclear):
            kinds[unclear], services[unclear] = self._sorted(1, data, starts[unclear], ends[unclear])
        return SortedLines(data, starts, ends, kinds, columns[1], self._last_of_service(services))

    def _sorted(
        self, stage: int, data: memoryview, starts: Indices, ends: Indices
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int16]]:
        classes = self._stages[stage]
        hashes = self._hashes(stage, data, starts)
        places, is_there = classes.places(hashes)
        if not is_there.all():
            unknown = np.flatnonzero(~is_there)
            new, firsts, counts = np.unique(hashes[unknown], return_index=True, return_counts=True)
            # What comes once may be what differs in each line: of that no class is made while there is much of it.
            worth = np.argsort(-counts, kind="stable")[:_MOST_NEW]
            worth = worth[counts[worth] > 1] if len(new) > _MOST_NEW else worth
            samples = [bytes(data[starts[line] : ends[line]]) for line in unknown[firsts[worth]].tolist()]
            self._learn(stage, samples, new[worth].tolist())
            places, is_there = classes.places(hashes)
        kinds, services = classes.kinds[places], classes.services[places]
        if not is_there.all():
            kinds[~is_there], services[~is_there] = Kind.LOOK, -1
        return kinds, services

    def _hashes(self, stage: int, data: memoryview, starts: Indices) -> npt.NDArray[np.uint64]:
        n_time, text_at = self._columns
        # What is left out, for the words' sake, is of the time.
        n_words, left_out = divmod(text_at + _TEXT_BYTES[stage], 8)
        mask = np.full(8 * n_words, 0xFF, np.uint8)
        mask[: n_time - left_out] = 0xF0
        words = words_at(data, starts + left_out, n_words)
        words &= mask.view(np.uint64)
        hashes: npt.NDArray[np.uint64] = words @ self._factors[:n_words]
        return hashes

    def _learn(self, stage: int, samples: list[bytes], hashes: list[int]) -> None:
        compared = self._columns[1] + _TEXT_BYTES[stage]
        kinds, services = [], []
        for raw in samples:
            kind, service = _kind_of(raw, compared, self._columns[1], is_last=stage == len(_TEXT_BYTES) - 1)
            if service not in self._services:
                self._services.append(service)
            kinds.append(kind)
            services.append(-1 if kind in {Kind.LOOK, Kind.UNCLEAR} else self._services.index(service))
        self._stages[stage].add(hashes, kinds, services)

    def _last_of_service(self, services: npt.NDArray[np.int16]) -> dict[str, int]:
        last: dict[str, int] = {}
        backwards = services[::-1]
        for number, service in enumerate(self._services):
            is_its_own = backwards == number
            place = int(is_its_own.argmax())
            if is_its_own[place]:
                last[service] = len(services) - 1 - place
        return last


def _columns_of(data: memoryview, starts: Indices, ends: Indices, before: tuple[int, int]) -> tuple[int, int] | None:
    """How many bytes the time column takes, and where the text begins in the lines whose names fit their columns."""
    found: list[tuple[int, int]] = []
    for start, end in zip(starts[:_LINES_TO_TRY].tolist(), ends[:_LINES_TO_TRY].tolist(), strict=True):
        raw = bytes(data[start:end])
        n_time, text_at = raw.find(b" "), _text_at(raw)
        if n_time == before[0] and text_at >= before[1]:
            return before
        if 8 <= n_time < text_at <= _MOST_BYTES - max(_TEXT_BYTES):
            found.append((n_time, text_at))
    return min((columns for columns in found if columns[0] == found[0][0]), default=None)


def _text_at(raw: bytes) -> int:
    """Where a line's text begins; 0 where it has no columns."""
    line = parse_form(raw.decode("utf-8", "replace"))
    return len(raw) - len(line.text.encode()) if line is not None else 0


def _kind_of(raw: bytes, compared: int, text_at: int, *, is_last: bool) -> tuple[Kind, str]:
    """The kind of all lines that have a line's first `compared` bytes, and the service that wrote them."""
    line = parse_form(raw.decode("utf-8", "replace"))
    begins = parse_form(raw[:compared].decode("utf-8", "ignore"))
    if line is None or begins is None or line[1:7] != begins[1:7] or line.level not in {"INFO", "DEBUG"}:
        return Kind.LOOK, ""
    if is_known_uninteresting(line.service, line.module, line.level, begins.text) and not may_tell(begins.text):
        return Kind.KNOWN, line.service
    if line.level == "INFO" and _text_at(raw) == text_at:
        for kind, beginning in _KINDS:
            if begins.text.startswith(beginning):
                return kind, line.service
    return Kind.LOOK if is_last else Kind.UNCLEAR, line.service


_KINDS: Final = (
    (Kind.LOOKUP, LOOKUP_BEGINS),
    (Kind.POINT, POINT_BEGINS),
    (Kind.LAST_POINT, LAST_POINT_BEGINS),
    (Kind.REFRESHED, REFRESHED_BEGINS),
)
