"""Numbers out of many lines of one kind at a time, for a log that is read for the first time.

Of lookups, signage points and refreshes of long ago most need not be told one by one: their sums are enough, and those
that are unlike the one before. Lines whose digits stand at the same places are read together.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from chiatea.collector.sources.log.log_bulk import Indices, Kind, SortedLines, words_at
from chiatea.collector.sources.log.log_lines import LOOKUP, LOOKUP_BEGINS, POINT, REFRESHED

__all__ = ["History", "history_of"]

_MOST_SHAPES: Final = 64
_MOST_BYTES: Final = 192
_MOST_DIGITS: Final = 15
_TOLD_FROM_SECONDS: Final = 5.0
"""Chia before 2.7 warned of slower lookups."""
_LAST_POINT: Final = 64
_TOLD_LAST: Final = 50
"""Of each block so many lookups, and so many with proofs, are told where it is not far back: figures and notices are of
the newest, and the end of a log may have few.
"""
_FACTORS: Final = np.random.default_rng(1).integers(1, 2**63, _MOST_BYTES // 8 + 1, np.uint64) | np.uint64(1)

Numbers = npt.NDArray[np.float64]


class History(NamedTuple):
    """What a block's lookups, points and refreshes sum up to."""

    to_tell: Indices = np.zeros(0, np.intp)
    """Lines that are to be told by themselves."""
    run_ends: frozenset[int] = frozenset()
    """Of these: points before which all came since the one that is told before."""
    n_lookups: int = 0
    eligible_plots: int = 0
    proofs: int = 0
    v2_qualities: int = 0


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re.Pattern[bytes]
    groups: tuple[int, ...]
    """Those that are numbers."""
    hidden: tuple[int, int] = (0, 0)
    """Where in the text letters stand that mean nothing."""
    most_bytes: int = _MOST_BYTES
    """So many bytes of the text are compared at most."""


_HASH_AT: Final = len(LOOKUP_BEGINS)
_FORMS: Final = {
    Kind.LOOKUP: _Form(re.compile(LOOKUP.encode()), (2, 3, 4, 5), (_HASH_AT, _HASH_AT + 10)),
    Kind.POINT: _Form(re.compile(rb"[^F]*" + POINT.encode().removeprefix(rb"\W*")), (1,), most_bytes=40),
    Kind.REFRESHED: _Form(re.compile(REFRESHED.encode()), (1, 2, 3)),
}


def history_of(lines: SortedLines, *, is_far_back: bool) -> History:
    """Sums, and what is to be told by itself, of the lines that are lookups, points and refreshes."""
    to_tell: list[Indices] = []
    lookups = np.flatnonzero(lines.kinds == Kind.LOOKUP)
    numbers, is_told = _numbers(lines, lookups, Kind.LOOKUP)
    if len(lookups):
        is_told |= numbers[:, 3] >= _TOLD_FROM_SECONDS
        n_last = 1 if is_far_back else _TOLD_LAST
        is_told[np.flatnonzero(numbers[:, 1] > 0)[-n_last:]] = True
        is_told[-n_last:] = True
        to_tell.append(lookups[is_told])
    counted = numbers[~is_told]
    points, run_ends = _points_to_tell(lines)
    to_tell += [points, _refreshes_to_tell(lines)]
    told = np.concatenate(to_tell)
    eligible, proofs, qualities, _ = (int(total) for total in counted.sum(axis=0))
    return History(told, frozenset(run_ends.tolist()), len(counted), eligible, proofs, qualities)


def _points_to_tell(lines: SortedLines) -> tuple[Indices, Indices]:
    """The first and the last of each run of points that came one after the other, and the lasts."""
    is_last = lines.kinds == Kind.LAST_POINT
    points = np.flatnonzero((lines.kinds == Kind.POINT) | is_last)
    if not len(points):
        return points, points
    is_last = is_last[points]
    index, is_told = np.full(len(points), _LAST_POINT), np.zeros(len(points), np.bool_)
    numbers, is_told[~is_last] = _numbers(lines, points[~is_last], Kind.POINT)
    index[~is_last] = numbers[:, 0]
    looked_at = _looked_at_before(lines, points)
    follows = np.zeros(len(points), np.bool_)
    follows[1:] = (np.diff(index) % _LAST_POINT == 1) & (np.diff(looked_at) == 0) & ~is_told[1:] & ~is_told[:-1]
    is_followed = np.append(follows[1:], [False])
    return points[~follows | ~is_followed], points[follows & ~is_followed]


def _looked_at_before(lines: SortedLines, of_kind: Indices) -> Indices:
    """How many lines that are looked at stand before each: what does between two of a kind may tell the same."""
    looked_at: Indices = np.searchsorted(np.flatnonzero(lines.kinds == Kind.LOOK), of_kind)
    return looked_at


def _refreshes_to_tell(lines: SortedLines) -> Indices:
    """Those after which there are other plots than before, and the last."""
    refreshes = np.flatnonzero(lines.kinds == Kind.REFRESHED)
    numbers, is_told = _numbers(lines, refreshes, Kind.REFRESHED)
    if not len(refreshes):
        return refreshes
    is_after_unread = np.append([True], is_told[:-1])
    is_told |= is_after_unread | (numbers[:, 0] > 0) | (numbers[:, 1] > 0)
    is_told[1:] |= (np.diff(numbers[:, 2]) != 0) | (np.diff(_looked_at_before(lines, refreshes)) != 0)
    is_told[-1] = True
    return refreshes[is_told]


def _numbers(lines: SortedLines, of_kind: Indices, kind: Kind) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The numbers in each line, and which lines could not be read so.

    Lines are read in groups: in each, digits stand where digits stand, and all are equally long.
    """
    form = _FORMS[kind]
    numbers = np.zeros((len(of_kind), len(form.groups)))
    is_unread = np.ones(len(of_kind), np.bool_)
    if not len(of_kind):
        return numbers, is_unread
    begins = lines.starts[of_kind] + lines.text_at
    lengths = lines.ends[of_kind] - begins
    n_words = -(-min(form.most_bytes, int(lengths.min())) // 8)
    words = words_at(lines.data, begins, n_words)
    letters, shapes = words.view(np.uint8), _shapes(words, lengths, form)
    left = np.arange(len(of_kind))
    for _ in range(_MOST_SHAPES):
        is_alike = shapes[left] == shapes[left[0]]
        members, left = left[is_alike], left[~is_alike]
        match = form.pattern.match(lines.line(int(of_kind[members[0]]))[lines.text_at :])
        if match is not None:
            spans = [match.span(group) for group in form.groups]
            alike = letters if len(members) == len(letters) else letters[members]
            values, is_number = _values(alike, spans)
            numbers[members], is_unread[members] = values, ~is_number
        if not len(left):
            break
    return numbers, is_unread


def _shapes(words: npt.NDArray[np.uint64], lengths: Indices, form: _Form) -> npt.NDArray[np.uint64]:
    mask = np.full(8 * words.shape[1], 0xF0, np.uint8)
    mask[slice(*form.hidden)] = 0
    hashes = (words & mask.view(np.uint64)) @ _FACTORS[: words.shape[1]]
    shapes: npt.NDArray[np.uint64] = hashes + lengths.astype(np.uint64) * _FACTORS[-1]
    return shapes


def _values(letters: npt.NDArray[np.uint8], spans: list[tuple[int, int]]) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The numbers at these places of each line; and whether that is what stands there."""
    values = np.zeros((len(letters), len(spans)))
    is_number = np.ones(len(letters), np.bool_)
    for column, (start, end) in enumerate(spans):
        if end - start > _MOST_DIGITS or end > letters.shape[1]:
            return values, np.zeros(len(letters), np.bool_)
        point = bytes(letters[0, start:end]).find(b".") if start >= 0 else -1
        value = np.zeros(len(letters))
        for place in range(max(0, start), max(0, end)):  # a group that is not in this form is at -1
            if point < 0 or place != start + point:
                digit = letters[:, place] - np.uint8(ord("0"))
                is_number &= digit < 10
                value = value * 10 + digit
        values[:, column] = value / 10.0 ** (end - start - 1 - point if point >= 0 else 0)
    return values, is_number
