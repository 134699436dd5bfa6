import os
from pathlib import Path

import pytest

from chiatea.copier import old_plots
from chiatea.copier.old_plots import OldPlots
from chiatea.copier.plot_header import HEADER_BYTES
from chiatea.copier.replace_rules import ReplaceRule

from .jobs_and_targets import NOW
from .plots import plot_bytes, plot_name

V1 = ReplaceRule("v1", (".plot", ".plot2"), version=1)
OLD = ReplaceRule("old", (".plot", ".plot2"), made_before=NOW)
YEARS_AGO = NOW - 9e7


def write(folder: Path, seed: int = 1, *, version: int = 1, name: str = "", time: float = YEARS_AGO) -> Path:
    plot_id, content = plot_bytes(10_000, version, seed=seed)
    path = folder / (name or f"plot-k32-{plot_id}.plot{'' if version == 1 else '2'}")
    path.write_bytes(content)
    os.utime(path, (time, time))
    return path


def look(folder: Path, *rules: ReplaceRule, limit_seconds: float = 10.0) -> dict[str, list[str]]:
    found = OldPlots(folder, rules, limit_seconds=limit_seconds).look()
    return {each.plot.name: [rule.name for rule in each.rules] for each in found}


def test_a_plot_is_found_with_all_rules_by_which_it_may_go(tmp_path: Path) -> None:
    v1, v2, young = write(tmp_path), write(tmp_path, version=2), write(tmp_path, 2, time=NOW + 9)
    assert look(tmp_path, V1, OLD) == {v1.name: ["v1", "old"], v2.name: ["old"], young.name: ["v1"]}
    (old,) = OldPlots(tmp_path, (V1, OLD), limit_seconds=9).look()[:1]
    status = (tmp_path / old.plot.name).stat()
    assert (old.plot.file_bytes, old.plot.inode, old.plot.mtime_ns) == (10_000, status.st_ino, status.st_mtime_ns)
    assert old.plot.taken_bytes == status.st_blocks * 512
    assert old.plot.plot_id in old.plot.name


def test_what_is_no_plot_to_be_sure_of_is_none(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    linked = write(outside, 1)
    (inside / linked.name).symlink_to(linked)
    os.link(linked, inside / f"second-{linked.name}")
    write(inside, 2, name=plot_name("ab" * 32))
    write(inside, 3, name=f"{plot_name(plot_bytes(10_000, seed=3)[0])}.copying")
    (inside / "folder.plot").mkdir()
    cut_off = write(inside, 4)
    os.truncate(cut_off, 5000)
    (inside / "empty.plot").touch()
    write(outside, 5).rename(inside / "nameless.plot")
    os.mkfifo(inside / f"pipe-{plot_name('cd' * 32)}")
    assert look(inside, V1, OLD) == {}


def test_a_header_is_read_once_and_again_when_the_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def first_bytes(path: Path) -> bytes:
        read.append(path.name)
        return path.read_bytes()[:HEADER_BYTES]

    monkeypatch.setattr(old_plots, "read_first_bytes", first_bytes)
    path = write(tmp_path)
    folder = OldPlots(tmp_path, (V1,), limit_seconds=10.0)
    assert len(folder.look()) == len(folder.look()) == len(read) == 1
    os.utime(path, (1, 1))
    assert len(folder.look()) == 1
    assert len(read) == 2
    path.unlink()
    assert folder.look() == ()


def test_a_look_that_takes_long_is_ended_and_goes_on_with_the_next(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path, seed)
    times = iter(range(100))
    folder = OldPlots(tmp_path, (V1,), limit_seconds=1.5, steady_clock=lambda: next(times))
    assert [len(folder.look()) for _ in range(4)] == [1, 2, 3, 3]


def test_a_plot_that_its_name_shows_to_be_no_old_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(path: Path) -> bytes:
        raise AssertionError(path)

    monkeypatch.setattr(old_plots, "read_first_bytes", unread)
    write(tmp_path, time=NOW + 9)
    assert look(tmp_path, OLD, ReplaceRule("named", (".plot",), pattern="other*")) == {}
