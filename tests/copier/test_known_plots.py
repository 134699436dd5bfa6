"""What is kept of moved plots, by many processes at once, and in a file that may be damaged."""

import multiprocessing
import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chiatea.copier.known_plot import Finding, FindingState, KnownPlot
from chiatea.copier.known_plots import DamagedError, KnownPlots, keep_plot
from chiatea.errors import DatabaseError

NOW = 1_700_000_000.0
BLOCKS = (b"0123456789abcdef", b"fedcba9876543210")


def a_plot(path: str | Path = "/farm/a.plot", **more: object) -> KnownPlot:
    plot = KnownPlot(Path(path), 100, 5, is_on_root=False, hash="xxh3-128/64MiB:00", kept_time=NOW, read_time=NOW)
    return replace(plot, **more)  # type: ignore[arg-type]


def test_what_is_kept_is_there_in_another_process_and_replaces_what_was_there(tmp_path: Path) -> None:
    filepath = tmp_path / "state" / "plots.db"
    hard = Path(os.fsdecode(b"/farm/\xff\n 'x.plot"))
    finding = Finding(FindingState.ROTTEN, "1 of 2 blocks", NOW + 1, "xxh3-128/64MiB:01")
    with KnownPlots(filepath) as known:
        known.keep(a_plot(hard), BLOCKS)
        known.keep(a_plot(hard, finding=finding, scrubbed_time=NOW + 1), BLOCKS[:1])
        with KnownPlots(filepath, must_exist=True) as other:
            assert other.plot(hard) == a_plot(hard, finding=finding, scrubbed_time=NOW + 1)
            assert other.blocks(hard) == BLOCKS[:1]
            assert (other.sums().n_known, other.sums().n_scrubbed, other.sums().n_findings) == (1, 1, 1)
            assert other.sums().last_scrub_time == NOW + 1
        known.forget([hard])
        assert (known.plot(hard), known.blocks(hard), known.plots()) == (None, (), [])


def test_a_plot_that_is_moved_on_is_known_at_its_new_place_alone(tmp_path: Path) -> None:
    filepath = tmp_path / "plots.db"
    keep_plot(filepath, a_plot("/old/a.plot"), BLOCKS, instead_of=Path("/in/a.plot"))
    keep_plot(filepath, a_plot("/new/a.plot"), BLOCKS, instead_of=Path("/old/a.plot"))
    with KnownPlots(filepath) as known:
        assert [plot.path for plot in known.plots()] == [Path("/new/a.plot")]


def test_what_was_read_longest_ago_comes_first_but_for_what_was_begun(tmp_path: Path) -> None:
    with KnownPlots(tmp_path / "plots.db") as known:
        for number, read_time in enumerate((30.0, 10.0, 0.0, 20.0)):
            known.keep(a_plot(f"/farm/{number}.plot", read_time=read_time), BLOCKS)
        names = [plot.path.name for plot in known.plots()]
        assert names == ["2.plot", "1.plot", "3.plot", "0.plot"]
        known.begun_reading(Path("/farm/3.plot"), 100, 5, now=NOW, longest_seconds=60)
        assert [plot.path.name for plot in known.plots(read_before=25.0)] == ["3.plot", "2.plot", "1.plot"]


def test_a_folder_is_all_below_it_and_no_other_of_a_like_name(tmp_path: Path) -> None:
    with KnownPlots(tmp_path / "plots.db") as known:
        for path in ("/d/1/a.plot", "/d/1/x/b.plot", "/d/10/c.plot", "/d/1.plot", "/d/1-/e.plot"):
            known.keep(a_plot(path), BLOCKS)
        assert {str(plot.path) for plot in known.plots([Path("/d/1")])} == {"/d/1/a.plot", "/d/1/x/b.plot"}
        assert len(known.plots([Path("/")])) == 5
        assert len(known.plots([Path("/d/10"), Path("/d/1.plot")])) == 2
        assert known.folders() == [Path(path) for path in ("/d", "/d/1", "/d/1/x", "/d/1-", "/d/10")]


def test_a_reading_goes_on_only_with_the_very_file_and_not_for_ever(tmp_path: Path) -> None:
    path = Path("/farm/a.plot")
    with KnownPlots(tmp_path / "plots.db") as known:

        def begun(n_bytes: int = 100, now: float = NOW) -> list[bytes | str]:
            return known.begun_reading(path, n_bytes, 5, now=now, longest_seconds=60.0)

        read: list[bytes | str] = [BLOCKS[0], "Input/output error"]
        assert begun() == []
        known.keep_reading(path, 0, read)
        known.keep_reading(path, 2, [BLOCKS[1]])
        assert begun(now=NOW + 59) == [*read, BLOCKS[1]]
        assert begun(n_bytes=101) == []
        known.keep_reading(path, 0, read)
        assert begun(n_bytes=101, now=NOW + 61) == []
        known.end_reading(path)
        known.keep_reading(path, 0, read)  # of one that was ended meanwhile
        assert begun() == []


def test_what_a_scrub_found_does_not_overwrite_what_was_kept_anew_meanwhile(tmp_path: Path) -> None:
    with KnownPlots(tmp_path / "plots.db") as known:
        known.keep(a_plot(), BLOCKS)
        after = a_plot(finding=Finding(FindingState.MISSING, "is gone", NOW), scrubbed_time=NOW)
        known.keep(a_plot(kept_time=NOW + 5), BLOCKS)
        assert not known.keep_scrubbed(a_plot(), after)
        assert known.plot(a_plot().path) == a_plot(kept_time=NOW + 5)
        assert known.keep_scrubbed(a_plot(kept_time=NOW + 5), replace(after, kept_time=NOW + 5))
        assert [plot.path for plot in known.with_findings()] == [a_plot().path]


def _keep_many(filepath: Path, worker: int) -> None:
    for number in range(10):
        path = Path(f"/farm/{worker}-{number}.plot")
        keep_plot(filepath, a_plot(path), BLOCKS, instead_of=Path("/in") / path.name)


def test_many_workers_make_the_file_and_keep_at_once(tmp_path: Path) -> None:
    filepath = tmp_path / "plots.db"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_keep_many, args=(filepath, worker)) for worker in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(50)
        assert process.exitcode == 0
    with KnownPlots(filepath) as known:
        assert known.sums().n_known == 60


@pytest.mark.parametrize("damage", [b"this is no database, but text" * 100, b"\0" * 4096])
def test_a_damaged_file_is_put_aside_and_holds_up_no_plot(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    filepath = tmp_path / "plots.db"
    filepath.write_bytes(damage)
    with pytest.raises(DamagedError, match=r"plots\.db"):
        KnownPlots(filepath)
    keep_plot(filepath, a_plot(), BLOCKS, instead_of=Path("/in/a.plot"))
    with KnownPlots(filepath) as known:
        assert known.sums().n_known == 1
    assert (tmp_path / "plots.db.damaged").read_bytes() == damage
    assert "put aside as plots.db.damaged" in caplog.text


def test_a_file_whose_pages_are_damaged_is_put_aside_too(tmp_path: Path) -> None:
    filepath = tmp_path / "plots.db"
    keep_plot(filepath, a_plot("/farm/1.plot"), BLOCKS, instead_of=Path("/in/1.plot"))
    content = bytearray(filepath.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    filepath.write_bytes(content)
    keep_plot(filepath, a_plot("/farm/2.plot"), BLOCKS, instead_of=Path("/in/2.plot"))
    with KnownPlots(filepath) as known:
        assert [plot.path.name for plot in known.plots()] == ["2.plot"]


def test_a_folder_that_takes_no_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(DatabaseError, match=r"^\S*state/plots\.db: .*: is there space") as caught:
        KnownPlots(tmp_path / "state" / "plots.db")
    assert not isinstance(caught.value, DamagedError)
    with pytest.raises(DatabaseError):
        KnownPlots(tmp_path / "plots.db", must_exist=True)


def test_a_hundred_thousand_plots_are_counted_and_put_in_order_at_once(tmp_path: Path) -> None:
    """Figures of this machine: 11 ms and 0.6 s."""
    filepath = tmp_path / "plots.db"
    KnownPlots(filepath).close()
    blocks = bytes(16 * 8)
    with sqlite3.connect(filepath) as connection:
        for number in range(100_000):
            path = f"/farm/disk{number % 500}/plots/plot-k32-2024-01-31-18-05-{number:064x}.plot".encode()
            finding = ("ROTTEN", NOW, "", "1 of 1623 blocks") if number % 10_000 == 0 else (None,) * 4
            row = (path, 10**11, 5, 0, "xxh3-128/64MiB:" + "0" * 32, NOW, NOW - number, NOW if number % 2 else None)
            connection.execute("INSERT INTO plot VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *finding))
            connection.execute("INSERT INTO blocks VALUES (?, ?)", (number + 1, blocks))
    connection.close()
    with KnownPlots(filepath) as known:
        began = time.process_time()
        assert (known.sums().n_known, known.sums().n_scrubbed, len(known.with_findings())) == (100_000, 50_000, 10)
        assert time.process_time() - began < 0.5
        began = time.process_time()
        plots = known.plots()
        assert plots[0].path.name.endswith(f"{99_999:064x}.plot")
        assert len(known.plots([Path("/farm/disk7")])) == 200
        assert time.process_time() - began < 5
        began = time.process_time()
        known.keep(a_plot(), BLOCKS)
        assert known.plot(a_plot().path) is not None
        assert time.process_time() - began < 0.5
