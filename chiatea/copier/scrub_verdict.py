"""What became of a plot, from what was read of it and what it was. Pure."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from chiatea.copier.block_hashes import whole_file_hash
from chiatea.copier.known_plot import Finding, FindingState, KnownPlot
from chiatea.copier.steps import Geometry

__all__ = ["byte_ranges", "judged", "scrubbed"]

_SAME_TIME_NS: Final = 2_000_000_000
"""Some file systems keep times no finer than that, and tell finer ones until they are mounted again."""
_RANGES_TOLD: Final = 5


def scrubbed(plot: KnownPlot, finding: Finding | None, now: float) -> KnownPlot:
    """A plot that was looked at now. A finding that stands as it was keeps its time."""
    former = plot.finding
    if finding is not None and former is not None and former.state is finding.state:
        finding = replace(finding, found_time=former.found_time)
    return replace(plot, finding=finding, read_time=now, scrubbed_time=now)


def judged(
    plot: KnownPlot,
    expected: Sequence[bytes],
    blocks: Sequence[bytes | str],
    *,
    mtime_ns: int,
    geometry: Geometry,
    now: float,
) -> KnownPlot:
    """A plot of the right size that was read.

    Args:
        plot: as it was known.
        expected: the hashes of its blocks.
        blocks: as they were read, a text where one cannot be; there are less where the rest was not tried.
        mtime_ns: when it was last written to, by its file.
        geometry: the size of a block.
        now: UTC seconds since the epoch.
    """
    wrong = [number for number, block in enumerate(blocks) if isinstance(block, bytes) and block != expected[number]]
    faults = {number: block for number, block in enumerate(blocks) if isinstance(block, str)}
    if not wrong and not faults:
        # It was touched, or put back from elsewhere: its bytes are what counts.
        return replace(scrubbed(plot, None, now), mtime_ns=mtime_ns)
    ranges = byte_ranges(wrong, plot.file_bytes, geometry)
    other = f"{len(wrong)} of {len(expected)} blocks hold other bytes: {_told(ranges)}" if wrong else ""
    if faults:
        text = f"{len(faults)} of {len(expected)} blocks cannot be read: "
        text += f"{_told(byte_ranges(list(faults), plot.file_bytes, geometry))}: first {next(iter(faults.values()))}"
        if len(blocks) < len(expected):
            text += f"; from byte {len(blocks) * geometry.block_bytes} on it was not tried"
        finding = Finding(FindingState.UNREADABLE, "; ".join(filter(None, (text, other))), now)
        return scrubbed(plot, finding, now)
    found_hash = whole_file_hash([block for block in blocks if isinstance(block, bytes)], plot.file_bytes)
    if abs(mtime_ns - plot.mtime_ns) < _SAME_TIME_NS:
        return scrubbed(plot, Finding(FindingState.ROTTEN, other, now, found_hash), now)
    written = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(mtime_ns / 1e9))
    finding = Finding(FindingState.CHANGED, f"it was written to at {written}: {other}", now, found_hash)
    return scrubbed(plot, finding, now)


def byte_ranges(blocks: Sequence[int], file_bytes: int, geometry: Geometry) -> list[tuple[int, int]]:
    """Blocks, in order, as ranges of bytes, each with its first and its last byte; neighbours make one."""
    ranges: list[tuple[int, int]] = []
    for number in blocks:
        begin = number * geometry.block_bytes
        end = begin + geometry.block_size(number, file_bytes) - 1
        if ranges and ranges[-1][1] == begin - 1:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((begin, end))
    return ranges


def _told(ranges: Sequence[tuple[int, int]]) -> str:
    text = ", ".join(f"{begin}-{end}" for begin, end in ranges[:_RANGES_TOLD])
    more = len(ranges) - _RANGES_TOLD
    return f"bytes {text}{f' and {more} more ranges' if more > 0 else ''}"
