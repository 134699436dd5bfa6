"""The plots list as its user has it: pages that come as they are seen, sorted and filtered by the server."""

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.monitoring_service_pb2 import ListEntriesRequest
from chiatea.tui.list_pane import ListPane
from chiatea.tui.table_view import TableView

from .plot_server import PlotServer
from .sample_farm import SampleFeed, harvester, put, sample_farm
from .test_app import HOSTILE, LARGE, SMALL, dashboard, static, until


def table(pilot: Pilot[None]) -> TableView:
    return pilot.app.screen.query_one(TableView)


def shown(pilot: Pilot[None]) -> list[str]:
    return table(pilot).shown_text


def subtitle(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one(ListPane).border_subtitle)


def requests(server: PlotServer) -> list[ListEntriesRequest]:
    return [asked for asked in server.asked if isinstance(asked, ListEntriesRequest)]


async def to_plots(pilot: Any, machine_id: str = "", text: str = "") -> None:
    await pilot.app.run_action(f"open_plots({machine_id!r}, {text!r})")
    await until(pilot, lambda: pilot.app.screen.query(TableView) and table(pilot).cursor_item is not None)
    await until(pilot, lambda: table(pilot).size.height > 5)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_first_page_comes_and_no_more_than_is_seen_and_next_to_it(size: tuple[int, int]) -> None:
    server = PlotServer(100_000)
    async with dashboard(SampleFeed(sample_farm()), size, server=server) as pilot:
        await to_plots(pilot)
        await until(pilot, lambda: "plot-k32-0000000.plot" in "".join(shown(pilot)[1:2]))
        await until(pilot, lambda: subtitle(pilot) == "100,000")
        assert all(len(line) <= size[0] for line in shown(pilot))
        await until(pilot, lambda: len(requests(server)) == 2)
        await pilot.pause(0.3)
        assert [request.offset for request in requests(server)] == [0, 200]


async def test_the_end_is_one_key_away_and_what_lies_between_is_never_asked_for() -> None:
    server = PlotServer(100_000)
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot)
        await pilot.press("end")
        await until(pilot, lambda: "plot-k32-0099998.plot" in shown(pilot)[-1])
        assert {request.offset for request in requests(server)} <= {0, 200, 99_600, 99_800}
        await pilot.press("home")
        await until(pilot, lambda: "plot-k32-0000000.plot" in "".join(shown(pilot)[1:2]))
        n_asked = len(requests(server))
        await pilot.press("pagedown", "pageup")
        assert len(requests(server)) == n_asked, "what was seen is still here"


async def test_rows_that_are_not_here_yet_say_so_and_cannot_be_opened() -> None:
    server = PlotServer(100_000)
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot)
        await until(pilot, lambda: len(requests(server)) == 2)
        server.may_answer.clear()
        await pilot.press("end", "enter")
        await until(pilot, lambda: set(shown(pilot)[-1].split()) == {"…"})
        await until(pilot, lambda: "asking…" in subtitle(pilot))
        assert isinstance(pilot.app.screen.query_one(ListPane), ListPane), "nothing was opened"
        server.may_answer.set()
        await until(pilot, lambda: "0099" in shown(pilot)[-1])
        await until(pilot, lambda: subtitle(pilot) == "100,000")


async def test_the_server_sorts_by_the_chosen_column_and_the_list_begins_anew() -> None:
    server = PlotServer(5000)
    async with dashboard(SampleFeed(sample_farm()), LARGE, server=server) as pilot:
        await to_plots(pilot)
        await pilot.press("end", *"ssssss")
        await until(pilot, lambda: "SIZE ▲" in shown(pilot)[0] and " 0 B" in shown(pilot)[1])
        await pilot.press("S")
        await until(pilot, lambda: "SIZE ▼" in shown(pilot)[0] and "999 MiB" in shown(pilot)[1])
        assert (requests(server)[-1].sort_by, requests(server)[-1].descending) == ("file_bytes", True)
        assert table(pilot).cursor_index == 0


async def test_what_is_typed_is_asked_for_once_and_counted_and_escape_takes_it_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chiatea.tui.paged_model.TYPING_SECONDS", 1.0)
    server = PlotServer(5000)
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot)
        await pilot.press("slash", *"PLOTS1 0049")
        n_found = sum("plots1" in plot.id and "0049" in plot.id for plot in server.plots)
        await until(pilot, lambda: f"{n_found} of 5,000" in subtitle(pilot))
        assert [request.text for request in requests(server) if request.text] == ["PLOTS1 0049"]
        await pilot.press("enter", "escape")
        await until(pilot, lambda: subtitle(pilot) == "5,000" and "plot-k32-0000000.plot" in shown(pilot)[1])


async def test_a_late_answer_to_an_earlier_question_is_never_shown() -> None:
    server = PlotServer(5000)
    async with dashboard(SampleFeed(sample_farm()), LARGE, server=server) as pilot:
        await to_plots(pilot)
        server.may_answer.clear()
        await pilot.press("slash", *"plots1")
        await until(pilot, lambda: requests(server)[-1].text == "plots1")
        await pilot.press("backspace", "2")
        await until(pilot, lambda: requests(server)[-1].text == "plots2")
        assert server.n_cancelled >= 1, "the server need not answer what nobody waits for"
        server.may_answer.set()
        await until(pilot, lambda: "1,666 of 5,000" in subtitle(pilot))
        assert all("/mnt/plots2/" in line for line in shown(pilot)[1:])


async def test_it_can_be_opened_with_a_machine_and_a_filter() -> None:
    server = PlotServer(3000)
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot, "a", "/mnt/plots2")
        assert "Plots of barn" in static(pilot, "header")
        assert pilot.app.screen.query_one(Input).value == "/mnt/plots2"
        await until(pilot, lambda: "1,000 of 3,000" in subtitle(pilot))
        assert all(list(request.machine_ids) == ["a"] for request in requests(server))


async def test_enter_shows_all_of_a_plot_and_escape_comes_back() -> None:
    server = PlotServer(3)
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot)
        await pilot.press("down", "enter")
        await until(
            pilot, lambda: "plot-k32-0000003.plot" in static(pilot, "header") or "plot-k32" in static(pilot, "header")
        )
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


async def test_a_server_that_is_gone_is_said_in_place_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiatea.tui.paged_model.RETRY_SECONDS", 0.05)
    server = PlotServer(1000)
    server.is_gone = True
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await pilot.app.run_action("open_plots('', '')")
        await until(pilot, lambda: "no server answers" in str(pilot.app.screen.query_one(".nothing", Static).content))
        server.is_gone = False
        await until(pilot, lambda: len(shown(pilot)) > 1 and "0000000" in shown(pilot)[1])
        assert table(pilot).has_focus
        server.is_gone = True
        await pilot.press("end")
        await until(pilot, lambda: "✗ no server answers" in subtitle(pilot))
        assert set(shown(pilot)[-1].split()) == {"…"}
        server.is_gone = False
        await until(pilot, lambda: "0000998" in shown(pilot)[-1])


async def test_new_plots_appear_when_the_farm_tells_of_them_and_the_cursor_stays() -> None:
    server, feed = PlotServer(1000), SampleFeed(sample_farm())
    async with dashboard(feed, SMALL, server=server) as pilot:
        await to_plots(pilot)
        await pilot.press("down", "down")
        here = table(pilot).cursor_item
        server.plots.insert(0, HarvesterPlot(id="/mnt/a-new-one.plot", state=HarvesterPlot.LOADED))
        put(feed.farm, "a", "harvester", harvester(419, 0.2, n_plots_added=1))
        feed.touch("a", "harvester")
        await until(pilot, lambda: subtitle(pilot) == "1,001")
        await until(pilot, lambda: "a-new-one" in shown(pilot)[1])
        assert table(pilot).cursor_item == here
        assert table(pilot).cursor_index == 3


async def test_an_empty_farm_says_what_to_do() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=PlotServer(0)) as pilot:
        await pilot.app.run_action("open_plots('', '')")
        await until(pilot, lambda: "No plot is known of" in str(pilot.app.screen.query_one(".nothing", Static).content))


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_paths_and_absurd_numbers_do_not_break_it(text: str) -> None:
    server = PlotServer(1)
    plot = server.plots[0]
    plot.id, plot.disk_id, plot.state, plot.k, plot.file_bytes = text, text, 77, -5, -(2**62)  # type: ignore[assignment]
    plot.modified_time = 1e300
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_plots(pilot)
        assert all("\x1b" not in line and "\u202e" not in line for line in shown(pilot))
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert pilot.app.is_running
