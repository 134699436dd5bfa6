import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.collector.plotting.durations import Durations
from chiatea.collector.plotting.side import PlottingSide
from chiatea.collector.sources.plotters.log_files import newest_logs
from chiatea.collector.sources.plotters.plot_observations import PlotObservation, PlotStarted
from chiatea.collector.sources.plotters.plotter_log import PlotterLog

NOW = 1_900_000_000.0
DATA = Path(__file__).parents[3] / "data" / "plotters"


def kinds(observations: list[PlotObservation]) -> list[type[PlotObservation]]:
    return [type(observation) for observation in observations]


def read_all(log: PlotterLog) -> list[PlotObservation]:
    observations: list[PlotObservation] = []
    while True:
        news = log.read(NOW)
        observations += news.observations
        if news.is_at_end:
            return observations


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return (DATA / "madmax.log").read_bytes()


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=60))
def test_a_log_written_in_any_pieces_tells_the_same_as_at_once(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "plot.log"
    data = (DATA / "gigahorse_gpu.log").read_bytes()
    path.write_bytes(data)
    at_once = PlotterLog(path)
    expected = kinds(read_all(at_once))
    at_once.close()
    path.write_bytes(b"")
    log, observations, begin = PlotterLog(path), list[PlotObservation](), 0
    for size in [*sizes, len(data)]:
        with path.open("ab") as file:
            file.write(data[begin : begin + size])
        begin += size
        observations += read_all(log)
    log.close()
    assert kinds(observations) == expected


def test_a_log_that_is_emptied_replaced_or_rotated_is_followed_on(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "plot.log"
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:30]))
    log, side = PlotterLog(path), PlottingSide(Durations())
    side.take_all(read_all(log))
    (first,) = side.plots
    path.write_bytes((DATA / "chiapos.log").read_bytes()[:900])  # shorter: emptied and written anew
    side.take_all(read_all(log))
    assert [plot.kind.name for plot in side.plots.values()] == ["chiapos"]
    path.rename(tmp_path / "plot.log.1")
    path.write_bytes(b"".join(lines[:20]))
    side.take_all(read_all(log))
    assert list(side.plots) == [first]
    other = tmp_path / "other"
    other.write_bytes((DATA / "bladebit_disk.log").read_bytes()[:1500])
    other.replace(path)
    side.take_all(read_all(log))
    assert [plot.kind.name for plot in side.plots.values()] == ["bladebit disk"]
    log.close()


def test_of_a_long_log_its_end_is_read(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "plot.log"
    copies = 3 * 2**20 // len(whole) + 1
    path.write_bytes(whole * copies)
    log = PlotterLog(path)
    observations = read_all(log)
    log.close()
    n_started = sum(isinstance(observation, PlotStarted) for observation in observations)
    assert 2 * 2**20 // len(whole) - 1 <= n_started / 2 <= 2 * 2**20 // len(whole) + 1
    side = PlottingSide(Durations())
    side.take_all(observations)
    assert side.plots == {}


def test_a_line_without_end_bytes_that_are_no_text_and_nuls_are_passed_over(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "plot.log"
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:30]))
    log, side = PlotterLog(path), PlottingSide(Durations())
    side.take_all(read_all(log))
    before = [plot.n_done for plot in side.plots.values()]
    with path.open("ab") as file:
        file.write(b"x" * 4_000_000)
    side.take_all(read_all(log))
    with path.open("ab") as file:
        file.write(b"x" * 4_000_000 + b"\n\xff\xfe\0\0\n\0\0\0" + b"".join(lines[30:40]))
    side.take_all(read_all(log))
    log.close()
    assert [plot.n_done for plot in side.plots.values()] > before


def test_lines_are_of_the_time_the_log_was_written(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "plot.log"
    path.write_bytes(whole)
    os.utime(path, (NOW - 500, NOW - 500))
    log = PlotterLog(path)
    news = log.read(NOW)
    assert news.modified_time == NOW - 500
    assert {observation.time for observation in news.observations} == {NOW - 500}
    os.utime(path, (NOW + 500, NOW + 500))
    assert log.read(NOW).modified_time == NOW
    log.close()


def test_what_is_no_file_is_an_error_to_be_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PlotterLog(tmp_path / "none.log").read(NOW)
    with pytest.raises(OSError, match="folder"):
        PlotterLog(tmp_path).read(NOW)


def test_paths_with_stars_give_the_logs_that_were_written_to_last(tmp_path: Path) -> None:
    for n in range(40):
        folder = tmp_path / f"plotter{n % 2}" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"plot{n:02}.log").write_text("")
        os.utime(folder / f"plot{n:02}.log", (NOW + n, NOW + n))
    (tmp_path / "plotter1" / "deep" / "folder.log").mkdir()
    (tmp_path / "link.log").symlink_to(tmp_path / "plotter0" / "deep" / "plot00.log")
    (tmp_path / "plot[1].log").write_text("")
    logs = newest_logs([tmp_path / "plotter*" / "**" / "plot??.log"])
    assert [path.name for path in logs] == [f"plot{n:02}.log" for n in range(39, 7, -1)]
    assert [path.name for path in newest_logs([tmp_path / "plotter1" / "*" / "plot3*.log"])] == [
        f"plot{n}.log" for n in (39, 37, 35, 33, 31)
    ]
    assert newest_logs([tmp_path / "plot[1].log"]) == [tmp_path / "plot[1].log"]
    assert newest_logs([tmp_path / "none.log", tmp_path / "none*.log"]) == []
    both = newest_logs([tmp_path / "link.log", tmp_path / "plotter0" / "deep" / "plot00.log"])
    assert both == [tmp_path / "link.log"]
