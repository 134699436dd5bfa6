import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.plotting.durations import Durations
from chiatea.collector.plotting.entries import entry_of_plot
from chiatea.collector.plotting.side import PlottingSide
from chiatea.collector.sources.plotters.madmax import MADMAX
from chiatea.collector.sources.plotters.plotter_lines import PlotterLines
from chiatea.protobuf.chia_pb2 import PlotInProgress

NOW = 1_750_000_000.0
DATA = Path(__file__).parents[2] / "data" / "plotters"


def folded(log: str, n_lines: int | None, durations: Durations, *, time: float = NOW) -> PlottingSide:
    side, reader = PlottingSide(durations), PlotterLines()
    for line in (DATA / f"{log}.log").read_text().split("\n")[:n_lines]:
        side.take_all(reader.take(line, time))
    return side


def entry_of(side: PlottingSide, durations: Durations, now: float = NOW) -> PlotInProgress:
    (plot,) = side.plots.values()
    return entry_of_plot(plot, durations, now, "/var/log/plot.log")


def test_an_entry_says_phase_step_and_progress() -> None:
    durations = Durations()
    entry = entry_of(folded("madmax", 30, durations), durations)
    assert (entry.plotter, entry.state) == (PlotInProgress.MADMAX, PlotInProgress.RUNNING)
    assert (entry.k, entry.phase, entry.n_phases, entry.step) == (32, 2, 4, "P2 Table 4 rewrite")
    assert entry.progress_percent == 58.9
    assert not entry.HasField("compression_level")
    assert (entry.temporary_folder, entry.target_folder) == ("/mnt/ssd/", "/mnt/farm/disk7/")
    assert entry.log_filepath == "/var/log/plot.log"
    assert entry.last_progress_time == NOW


def test_a_plot_that_is_copied_says_so_and_where_to() -> None:
    durations = Durations()
    side = folded("gigahorse_gpu", None, durations)
    assert side.plots == {}
    lines = (DATA / "gigahorse_gpu.log").read_text().rstrip("\n").split("\n")
    entry = entry_of(folded("gigahorse_gpu", len(lines) - 1, durations), durations)
    assert (entry.state, entry.progress_percent) == (PlotInProgress.COPYING_OUT, 100)
    assert entry.target_folder == "/mnt/farm/b"
    assert not entry.HasField("remaining_seconds")
    assert not entry.HasField("step")


def test_without_a_finished_plot_the_time_left_is_told_from_a_tenth_on() -> None:
    durations = Durations()
    seen = []
    for n_lines in range(15, 50):
        side = folded("madmax", n_lines, durations)
        if side.plots:
            entry = entry_of(side, durations)
            assert entry.HasField("remaining_seconds") == (entry.progress_percent >= 10)
            seen.append(entry.progress_percent)
    assert min(seen) < 10 < max(seen)


def test_the_time_left_is_learned_from_finished_plots_and_goes_down_between_steps() -> None:
    durations = Durations()
    folded("madmax", None, durations)
    way = durations.way(MADMAX, 32, None)
    assert way.total_seconds is not None
    assert way.total_seconds == pytest.approx(1549, abs=1)
    side = folded("madmax", 15, durations)  # the second table of the first plot is under way
    entry = entry_of(side, durations)
    assert entry.progress_percent < 1.5
    assert entry.remaining_seconds == pytest.approx(1540, abs=30)
    later = entry_of(side, durations, NOW + 60)
    assert later.remaining_seconds == entry.remaining_seconds - 60
    # Not below what is left after the step that is under way.
    assert entry_of(side, durations, NOW + 590).remaining_seconds >= way.total_seconds * (1 - way.shares[2]) - 30


def test_what_was_learned_survives_a_restart_and_counts_no_plot_twice() -> None:
    durations = Durations()
    folded("chiapos", None, durations)
    folded("chiapos", None, durations)
    memory = json.loads(json.dumps(durations.as_json()))
    assert {key: len(plots) for key, plots in memory.items()} == {"chiapos k32 c0": 2}
    again = Durations()
    again.restore(memory)
    assert again.as_json() == durations.as_json()


def test_what_is_remembered_is_bounded() -> None:
    durations = Durations()
    elapsed = {n: float(n) for n in range(len(MADMAX.steps))}
    for n in range(100):
        durations.learn(MADMAX, n, None, plot_id=str(n), total_seconds=50, elapsed=elapsed)
        durations.learn(MADMAX, 32, None, plot_id=str(n), total_seconds=50, elapsed=elapsed)
    memory = durations.as_json()
    assert len(memory) == 16
    assert len(memory["madmax k32 c0"]) == 4


def test_a_plot_of_which_few_steps_were_seen_teaches_nothing() -> None:
    durations = Durations()
    durations.learn(MADMAX, 32, None, plot_id="a", total_seconds=50, elapsed={30: 45.0})
    assert durations.as_json() == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(_JSON | st.dictionaries(st.just("madmax k32 c0"), st.dictionaries(st.text(max_size=3), _JSON, max_size=3)))
def test_any_memory_is_taken_without_an_error(memory: object) -> None:
    durations = Durations()
    durations.restore(memory)
    way = durations.way(MADMAX, 32, None)
    assert list(way.shares) == sorted(way.shares)
    folded("madmax", 40, durations)


@given(st.lists(st.tuples(st.sampled_from(["madmax", "gigahorse_cpu"]), st.integers(1, 90)), min_size=1, max_size=6))
def test_progress_never_goes_back_while_durations_are_learned(logs: list[tuple[str, int]]) -> None:
    durations = Durations()
    side, reader, last = PlottingSide(durations), PlotterLines(), 0.0
    others = iter(logs)
    for n, line in enumerate((DATA / "madmax.log").read_text().split("\n")[:46]):
        if n % 8 == 7 and (other := next(others, None)) is not None:
            folded(*other, durations)
        side.take_all(reader.take(line, NOW))
        for plot in side.plots.values():
            assert plot.percent >= last
            last = plot.percent


def test_a_plot_is_stalled_once_its_log_is_silent_for_much_longer_than_a_step() -> None:
    def state(n_lines: int, silent: float) -> int:
        return entry_of(folded("madmax", n_lines, durations), durations, NOW + silent).state

    durations = Durations()
    assert state(16, 7100) == PlotInProgress.RUNNING, "two hours while no step is known"
    assert state(16, 7300) == PlotInProgress.STALLED
    assert state(30, 590) == PlotInProgress.RUNNING, "its longest step took 130 s: ten minutes at least"
    assert state(30, 610) == PlotInProgress.STALLED
    folded("madmax", None, durations)
    assert state(16, 610) == PlotInProgress.STALLED, "finished plots tell how long a step takes"
    chiapos = Durations()
    folded("chiapos", None, chiapos)
    side = folded("chiapos", 30, chiapos)
    last = next(iter(side.plots.values())).last_progress_time
    assert entry_of(side, chiapos, last + 7000).state == PlotInProgress.RUNNING
    assert entry_of(side, chiapos, last + 8000).state == PlotInProgress.STALLED


def test_a_log_that_tells_no_start_tells_how_long_ago_it_was() -> None:
    durations = Durations()
    side = folded("bladebit_1", 40, durations)
    (plot,) = side.plots.values()
    assert entry_of(side, durations).start_time == NOW - plot.elapsed_seconds < NOW - 50
