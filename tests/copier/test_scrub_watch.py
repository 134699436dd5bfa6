"""What a copier that reports sees of scrubs."""

from pathlib import Path

import pytest

from chiatea.copier.known_plot import Finding, FindingState
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.scrub_watch import ScrubWatch
from chiatea.protobuf.copy_pb2 import ScrubFinding
from tests.copier.test_known_plots import BLOCKS, NOW, a_plot


async def test_news_are_seen_soon_and_what_has_not_changed_is_none(tmp_path: Path) -> None:
    filepath, time = tmp_path / "plots.db", 0.0
    watch = ScrubWatch(filepath, clock=lambda: time)
    assert not await watch.look()
    finding = Finding(FindingState.ROTTEN, "1 of 2 blocks", NOW + 1, "xxh3-128/64MiB:01")
    with KnownPlots(filepath) as known:
        known.keep(a_plot(), BLOCKS)
        known.keep(a_plot("/farm/b.plot", finding=finding, scrubbed_time=NOW + 1), BLOCKS)
    assert not await watch.look()
    time = 5.0
    assert await watch.look()
    assert watch.findings == [
        ScrubFinding(
            id="/farm/b.plot", state=ScrubFinding.ROTTEN, found_time=NOW + 1, moved_time=NOW,
            expected_hash=a_plot().hash, found_hash="xxh3-128/64MiB:01", text="1 of 2 blocks",
        )
    ]  # fmt: skip
    assert (watch.sums.n_known, watch.sums.n_scrubbed, watch.sums.last_scrub_time) == (2, 1, NOW + 1)
    assert not await watch.look(at_once=True)
    with KnownPlots(filepath) as known:
        known.forget([Path("/farm/b.plot")])
    assert await watch.look(at_once=True)
    assert watch.findings == []


async def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filepath = tmp_path / "plots.db"
    with KnownPlots(filepath) as known:
        known.keep(a_plot(finding=Finding(FindingState.MISSING, "is gone", NOW)), BLOCKS)
    watch = ScrubWatch(filepath)
    assert await watch.look()
    filepath.write_text("this is no database at all, and so long that nobody could take it for an empty one" * 20)
    assert not await watch.look(at_once=True)
    assert not await watch.look(at_once=True)
    assert (watch.sums.n_known, len(watch.findings)) == (1, 1)
    assert caplog.text.count("cannot be told") == 1
