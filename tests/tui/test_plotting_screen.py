"""Plots in progress on the dashboard."""

from typing import Any

import pytest
from textual.pilot import Pilot

from chiatea.protobuf.chia_pb2 import PlotInProgress
from chiatea.state.farm_state import FarmState
from chiatea.tui.lists.plotting import PLOTTING
from chiatea.tui.table_view import TableView
from chiatea.tui.view import FarmView

from .sample_copies import copies_farm
from .sample_farm import NOW, SampleFeed, put
from .test_app import HOSTILE, LARGE, SMALL, dashboard, number_of, rows, until


async def opened(pilot: Pilot[None]) -> None:
    await pilot.press(number_of("plotting"))
    await until(pilot, lambda: pilot.app.current_mode == "plotting" and isinstance(pilot.app.focused, TableView))


async def test_each_plot_says_how_far_it_is_and_a_stalled_one_since_when() -> None:
    async with dashboard(SampleFeed(copies_farm()), LARGE) as pilot:
        await opened(pilot)
        running, stalled, out = rows(pilot, "plotting")[1:4]
        for text in ("barn", "BladeBit CUDA", "k32 C5", "● running", "2 of 3", "62 %", "2 min 10 s", "1 min 21 s"):
            assert text in running
        assert "▲ stalled 1 h 1 min" in stalled
        assert "● copying out" in out
        machine = FarmView(copies_farm(), NOW).machine("a")
        plot = machine.all("plotting_plot")[1]
        assert PLOTTING.row(FarmView(copies_farm(), NOW), machine, plot)[3].style == "warn"


async def test_in_a_small_terminal_state_and_progress_stay() -> None:
    async with dashboard(SampleFeed(copies_farm()), SMALL) as pilot:
        await opened(pilot)
        heading, running = rows(pilot, "plotting")[:2]
        assert "PROGRESS" in heading
        assert "● running" in running
        assert "62 %" in running


async def test_where_nothing_is_plotted_it_says_so() -> None:
    async with dashboard(SampleFeed(FarmState()), SMALL) as pilot:
        await pilot.press(number_of("plotting"))
        await until(pilot, lambda: pilot.app.current_mode == "plotting")
        assert pilot.app.screen.query_one("#plotting-pane").has_class("-empty")


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_from_the_wire_and_absurd_numbers_cannot_break_it(text: str) -> None:
    farm = copies_farm()
    more: dict[str, Any] = {"step": text, "temporary_folder": text, "target_folder": text}
    for number, value in enumerate((float("nan"), float("inf"), -1e300, 1e300)):
        plot = PlotInProgress(id=f"{text}{number}", phase=-1, n_phases=2**31 - 1, k=-5, progress_percent=value, **more)
        plot.start_time = plot.last_progress_time = plot.remaining_seconds = value
        plot.state = PlotInProgress.STALLED
        put(farm, "a", "plotting_plot", plot)
    async with dashboard(SampleFeed(farm), SMALL) as pilot:
        await opened(pilot)
        await pilot.press("s", "s", "S", "end", "enter")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        for line in rows(pilot, "plotting"):
            assert line.isprintable()
