from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.plotting.durations import Durations
from chiatea.collector.plotting.side import PlottingSide
from chiatea.collector.sources.plotters.plot_observations import (
    PlotCreated,
    PlotFinished,
    PlotObservation,
    PlotsFailed,
    PlotStarted,
)
from chiatea.collector.sources.plotters.plotter_lines import PlotterLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

NOW = 1_750_000_000.0
DATA = Path(__file__).parents[3] / "data" / "plotters"
LOGS = {path.stem: path.read_text() for path in sorted(DATA.glob("*.log"))}
THIRD_PARTY = Path(__file__).parents[5] / "shared" / "third_party_logs"


def told(lines: Iterable[str], reader: PlotterLines | None = None) -> Iterator[PlotObservation]:
    reader = reader or PlotterLines()
    for line in lines:
        yield from reader.take(line, NOW)


def of_kind(observations: Iterable[PlotObservation], kind: type[Any]) -> list[Any]:
    return [observation for observation in observations if isinstance(observation, kind)]


def follow(observations: Iterable[PlotObservation]) -> tuple[PlottingSide, dict[str, list[float]]]:
    """Folds them in one by one; every plot's progress after each of them."""
    side, percents = PlottingSide(Durations()), dict[str, list[float]]()
    for observation in observations:
        side.take(observation)
        for plot in side.plots.values():
            percents.setdefault(plot.plot_id, []).append(plot.percent)
    return side, percents


def assert_never_back(percents: dict[str, list[float]]) -> None:
    for told_percents in percents.values():
        assert told_percents == sorted(told_percents)
        assert 0 <= told_percents[0] <= told_percents[-1] <= 100


def last_started(log: str) -> PlotStarted:
    started = of_kind(told(LOGS[log].split("\n")), PlotStarted)[-1]
    assert isinstance(started, PlotStarted)
    return started


@pytest.mark.parametrize(
    ("log", "plotter", "level", "temporary_folder", "target_folder", "process_id"),
    [
        ("madmax", PlotInProgress.MADMAX, None, "/mnt/ssd/", "/mnt/farm/disk7/", 4100123),
        ("gigahorse_cpu", PlotInProgress.GIGAHORSE, 5, "/mnt/ssd/", "/mnt/ssd/", 9911),
        ("gigahorse_gpu", PlotInProgress.GIGAHORSE, 7, "/mnt/ssd/", "/mnt/farm/b/", 7713),
        ("bladebit_1", PlotInProgress.BLADEBIT, None, None, "/mnt/out/", None),
        ("bladebit_ram", PlotInProgress.BLADEBIT, 3, None, "/mnt/out", None),
        ("bladebit_disk", PlotInProgress.BLADEBIT_DISK, None, "/mnt/ssd/", "/mnt/out", None),
        ("bladebit_cuda", PlotInProgress.BLADEBIT_CUDA, 5, None, "/mnt/out", None),
        ("chiapos", PlotInProgress.CHIAPOS, None, "/mnt/ssd/tmp", "/mnt/farm/disk3", 31337),
    ],
)
def test_a_log_tells_which_plotter_makes_what_where(
    *,
    log: str,
    plotter: int,
    level: int | None,
    temporary_folder: str | None,
    target_folder: str | None,
    process_id: int | None,
) -> None:
    started = last_started(log)
    assert (started.kind.plotter, started.k, started.compression_level) == (plotter, 32, level)
    assert (started.temporary_folder, started.target_folder) == (temporary_folder, target_folder)
    assert started.process_id == process_id
    assert (started.start_time is not None) == (log != "bladebit_1")


@pytest.mark.parametrize("log", LOGS)
def test_every_plot_of_a_log_is_followed_to_its_end(log: str) -> None:
    observations = list(told(LOGS[log].split("\n")))
    side, percents = follow(observations)
    n_plots = 1 if log in {"gigahorse_cpu", "bladebit_1", "bladebit_disk"} else 2
    assert (
        len(percents) == len(of_kind(observations, PlotCreated)) == len(of_kind(observations, PlotFinished)) == n_plots
    )
    assert side.plots == {}
    assert_never_back(percents)
    for told_percents in percents.values():
        assert (told_percents[0], told_percents[-1]) == (0, 100)
        assert len(set(told_percents)) > 15
    for created in of_kind(observations, PlotCreated):
        assert created.seconds is not None
        assert created.seconds > 60


@pytest.mark.parametrize("log", LOGS)
def test_the_steps_told_add_up_to_the_whole(log: str) -> None:
    """Which shows that no step's duration is missed or counted twice."""
    side, elapsed = PlottingSide(Durations()), 0.0
    for observation in told(LOGS[log].split("\n")):
        if isinstance(observation, PlotCreated):
            assert observation.seconds is not None
            assert 0.9 * observation.seconds < elapsed <= 1.01 * observation.seconds
        side.take(observation)
        elapsed = max((plot.elapsed_seconds for plot in side.plots.values() if not plot.is_created), default=0.0)


@pytest.mark.parametrize("log", LOGS)
def test_a_growing_log_shows_progress_after_every_line_and_never_less(log: str) -> None:
    """A line that is not ended yet is not read: a log cut at any byte is one cut after a line."""
    lines = LOGS[log].split("\n")
    reader, side = PlotterLines(), PlottingSide(Durations())
    before: dict[str, float] = {}
    for line in lines:
        for observation in reader.take(line, NOW):
            side.take(observation)
        now = {plot.plot_id: plot.percent for plot in side.plots.values()}
        assert all(now[plot_id] >= before[plot_id] for plot_id in now.keys() & before.keys())
        before = now


@given(st.data())
def test_logs_cut_at_any_bytes_and_glued_together_are_read_without_an_error(data: st.DataObject) -> None:
    """As they are after a crash, a full disk, or when several runs are appended to one file."""
    pieces = b""
    for _ in range(data.draw(st.integers(1, 3))):
        whole = LOGS[data.draw(st.sampled_from(sorted(LOGS)))].encode()
        begin = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(begin, len(whole)))
        pieces += whole[begin:end] + data.draw(st.sampled_from([b"", b"\n", b"\0", b"\xff\n", b"\r", b"\x1b[3"]))
    _, percents = follow(told(pieces.decode("utf-8", "replace").split("\n")))
    assert_never_back(percents)


@given(
    st.lists(
        st.text(max_size=60)
        | st.builds(
            lambda pattern, text: pattern + text,
            st.sampled_from(
                [
                    "[P1] Table ",
                    "Plot Name: plot-k",
                    "Phase 9 took ",
                    "Compression Level: C",
                    "Process ID: ",
                    "Generating plot 1: ",
                    "Total time = ",
                    "[2024/99/99 99:99:99] ",
                ]
            ),
            st.text(st.characters(codec="utf-8") | st.sampled_from("0123456789.e+- "), max_size=30),
        ),
        max_size=20,
    )
)
def test_any_text_at_all_is_read_without_an_error(lines: list[str]) -> None:
    reader = PlotterLines()
    follow(told([*LOGS["madmax"].split("\n")[:20], *lines, *LOGS["bladebit_cuda"].split("\n")[:30], *lines], reader))


@pytest.mark.parametrize(
    "decorated",
    [
        "[2024/12/01 17:08:33] {}",
        "2024-12-01 17:08:33,123 {}",
        "[Sep 24 10:50:53] {}",
        "Feb 11 21:30:48 plotter-01 plotter[4991]: {}",
        "\x1b[32m{}\x1b[0m",
        "{}\r",
        " 12 %\r{}",
        "\0{}",
    ],
)
@pytest.mark.parametrize("log", ["madmax", "gigahorse_gpu", "bladebit_ram", "bladebit_cuda"])
def test_stamps_colours_and_carriage_returns_around_lines_change_nothing(log: str, decorated: str) -> None:
    lines = LOGS[log].split("\n")
    plain = [type(observation) for observation in told(lines)]
    assert [type(observation) for observation in told(decorated.format(line) for line in lines)] == plain


def test_a_stamp_before_a_line_is_its_time_unless_it_is_still_to_come() -> None:
    lines = LOGS["gigahorse_gpu"].split("\n")[:25]
    past = list(told(f"[2024/12/01 17:08:33] {line}" for line in lines))
    future = list(told(f"[2099/12/01 17:08:33] {line}" for line in lines))
    assert {observation.time for observation in past} == {past[0].time}
    assert past[0].time < NOW
    assert {observation.time for observation in future} == {NOW}


@pytest.mark.parametrize(
    ("log", "last_words"),
    [
        ("madmax", "terminate called after throwing an instance of 'std::runtime_error'"),
        ("gigahorse_gpu", "./plot.sh: line 9:  3537 Aborted                 (core dumped) ./cuda_plot_k32 -n 20"),
        ("bladebit_ram", "Fatal Error:  Failed to open plot file with error: 2"),
        ("bladebit_disk", "*** Panic!!! *** Fatal Error:  Insufficient buffer"),
        ("chiapos", "Traceback (most recent call last):"),
        ("chiapos", "plot.sh: line 3: 31337 Killed                  chia plots create -k 32"),
    ],
)
def test_a_plotter_that_says_that_it_fails_has_no_plots_any_more(log: str, last_words: str) -> None:
    lines = LOGS[log].split("\n")[:45]
    side, _ = follow(told(lines))
    assert len(side.plots) == 1
    observations = list(told([*lines, last_words]))
    assert of_kind(observations, PlotsFailed)
    assert follow(observations)[0].plots == {}


@pytest.mark.parametrize("log", LOGS)
def test_a_run_appended_to_one_that_was_killed_ends_the_old_plot(log: str) -> None:
    lines = LOGS["madmax"].split("\n")
    killed = lines[:25]
    killed[-1] = killed[-1][:12]  # and the new run's first line is glued to what was cut
    again = LOGS[log].split("\n")
    again[0:1] = [] if again[0] == "" else again[0:1]
    if log != "chiapos":
        again[0] = killed.pop() + again[0]
    plot_id = of_kind(told(killed), PlotStarted)[0].plot_id
    assert plot_id in follow(told(killed))[0].plots
    started = next(n for n, line in enumerate(again) if of_kind(told(again[: n + 1]), PlotStarted))
    side, _ = follow(told([*killed, *again[: started + 1]]))
    assert len(side.plots) == 1
    assert (plot_id in side.plots) == (log == "madmax")


@pytest.mark.parametrize("log", ["madmax", "gigahorse_gpu", "bladebit_ram", "bladebit_cuda", "chiapos"])
def test_a_log_without_its_beginning_tells_of_the_second_plot(log: str) -> None:
    lines = LOGS[log].split("\n")
    second = max(
        n
        for n, line in enumerate(lines)
        if line.startswith(("Crafting plot", "Generating plot", "Starting plotting progress"))
    )
    whole, part = last_started(log), of_kind(told(lines[second:]), PlotStarted)[-1]
    assert (part.plot_id, part.kind, part.k) == (whole.plot_id, whole.kind, whole.k)
    assert part.compression_level == whole.compression_level
    _, percents = follow(told(lines[second:]))
    assert percents[whole.plot_id][-1] == 100


def test_a_plot_is_copied_out_while_the_next_one_is_made() -> None:
    lines = LOGS["madmax"].split("\n")
    copying = next(n for n, line in enumerate(lines) if line.startswith("Crafting plot 2")) + 12
    side, _ = follow(told(lines[:copying]))
    assert [(plot.is_created, plot.copy_folder) for plot in side.plots.values()] == [
        (True, "/mnt/farm/disk7"),
        (False, None),
    ]


@pytest.mark.skipif(not THIRD_PARTY.is_dir(), reason="other projects' samples are not here")
@pytest.mark.parametrize(
    ("name", "plotter", "seconds"),
    [
        ("madmax", PlotInProgress.MADMAX, 4968.41),
        ("bladebit", PlotInProgress.BLADEBIT, 582.91),
        ("chianetwork", PlotInProgress.CHIAPOS, 18380.426),
    ],
)
def test_samples_of_other_projects_are_followed_to_their_ends(name: str, plotter: int, seconds: float) -> None:
    text = (THIRD_PARTY / f"plotter_{name}.log").read_bytes().decode()
    observations = list(told(text.split("\n")))
    side, percents = follow(observations)
    assert of_kind(observations, PlotStarted)[-1].kind.plotter == plotter
    assert of_kind(observations, PlotCreated)[0].seconds == seconds
    assert side.plots == {}
    assert_never_back(percents)
    assert [told_percents[-1] for told_percents in percents.values()] == [100]
