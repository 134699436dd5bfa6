"""The table that every list is: its cursor, marks, sort and filter, as its user has them."""

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.farm_state import FarmState
from chiatea.tui.list_pane import ListPane
from chiatea.tui.table_view import TableView

from .sample_farm import GIB, SampleFeed, put, sample_farm
from .test_app import LARGE, SMALL, dashboard, number_of, static, until


def table(pilot: Pilot[None]) -> TableView:
    return pilot.app.screen.query_one("#disks", TableView)


def shown(pilot: Pilot[None]) -> list[str]:
    return table(pilot).shown_text


async def to_disks(pilot: Any) -> None:
    await pilot.press(number_of("hardware"))
    await until(pilot, lambda: pilot.app.current_mode == "hardware" and len(shown(pilot)) > 1)
    table(pilot).focus()
    await until(pilot, lambda: table(pilot).has_focus)


def many_disks(n: int) -> FarmState:
    farm = sample_farm()
    put(
        farm,
        "a",
        "disk",
        *(Disk(id=f"/mnt/many{i:05}", state=Disk.OK, total_bytes=GIB, free_bytes=i) for i in range(n)),
    )
    return farm


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_it_shows_a_heading_and_a_row_for_each_entry(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample_farm()), size) as pilot:
        await to_disks(pilot)
        lines = shown(pilot)
        assert lines[0].split()[:4] == ["MACHINE", "DISK", "USED", "FREE"]
        assert table(pilot).model.n_rows == 11
        assert len(lines) == min(12, table(pilot).size.height)
        assert all(len(line) <= size[0] for line in lines)


async def test_the_filter_counts_keeps_what_has_every_word_and_escape_takes_it_away() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        await to_disks(pilot)
        await pilot.press("slash", *"BARN plots")
        await until(pilot, lambda: len(shown(pilot)) == 4)
        pane = pilot.app.screen.query_one("#disks-pane", ListPane)
        assert "3 of 11" in str(pane.border_subtitle)
        await pilot.press("enter")
        assert table(pilot).has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(shown(pilot)) == 12)
        assert pilot.app.current_mode == "hardware", "the first Esc takes the filter away, not the screen"
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.current_mode == "farm")


async def test_what_is_typed_into_the_filter_is_no_key() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        await to_disks(pilot)
        await pilot.press("slash", *"q1sz[")
        await pilot.pause()
        assert pilot.app.is_running
        assert pilot.app.screen.query_one("#disks-pane Input", Input).value == "q1sz["


async def test_sorting_goes_through_the_columns_and_back_to_the_natural_order() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        await to_disks(pilot)
        natural = shown(pilot)[1:]
        await pilot.press("s", "s", "s")
        assert "USED ▲" in shown(pilot)[0]
        assert "hanging" in shown(pilot)[1], "what is not known is the least"
        await pilot.press("S")
        assert "USED ▼" in shown(pilot)[0]
        assert "99 %" in shown(pilot)[1]
        model = table(pilot).model
        for _ in range(20):
            if model.sort_column is None:
                break
            await pilot.press("s")
        assert shown(pilot)[1:] == natural


async def test_the_cursor_and_the_marks_stay_with_their_rows_when_the_order_changes() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        await to_disks(pilot)
        await pilot.press("down", "down", "space")
        marked = [item.entry_id for item in table(pilot).chosen()]
        here = table(pilot).cursor_item
        await pilot.press("s", "s", "S")
        assert [item.entry_id for item in table(pilot).chosen()] == marked
        assert table(pilot).cursor_item == here
        await pilot.press("escape")
        assert table(pilot).chosen() == [here]
        await pilot.press("ctrl+a")
        assert len(table(pilot).chosen()) == 11


async def test_a_row_that_goes_leaves_the_cursor_at_its_place() -> None:
    feed = SampleFeed(sample_farm())
    async with dashboard(feed) as pilot:
        await to_disks(pilot)
        await pilot.press("down")
        item = table(pilot).cursor_item
        assert item is not None
        del feed.farm.machine("a").entries["disk"][item.entry_id]
        feed.touch("a", "disk")
        await until(pilot, lambda: len(shown(pilot)) == 11)
        assert table(pilot).cursor_index == 1


async def test_enter_opens_the_entry_and_the_crumbs_say_where_one_is() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL) as pilot:
        await to_disks(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Hardware ▸ barn ▸ Disk ▸ /mnt/plots1" in static(pilot, "header"))
        await pilot.press("escape")
        await until(pilot, lambda: "plots1" not in static(pilot, "header"))
        assert table(pilot).cursor_index == 1


async def test_a_hundred_thousand_rows_scroll_to_their_end_and_draw_only_what_is_seen() -> None:
    async with dashboard(SampleFeed(many_disks(100_000)), SMALL) as pilot:
        await to_disks(pilot)
        await pilot.press("end")
        await pilot.pause()
        assert table(pilot).cursor_index == 100_010
        assert len(shown(pilot)) <= SMALL[1]
        await pilot.press("home")
        assert table(pilot).cursor_index == 0


async def test_a_frozen_screen_stays_as_it_was_and_says_since_when() -> None:
    feed = SampleFeed(sample_farm())
    async with dashboard(feed) as pilot:
        await to_disks(pilot)
        await pilot.press("z")
        assert "held since" in static(pilot, "header")
        put(feed.farm, "a", "disk", Disk(id="/mnt/new", state=Disk.OK))
        feed.touch("a", "disk")
        await pilot.pause(0.6)
        assert not any("/mnt/new" in line for line in shown(pilot))
        await pilot.press("z")
        await until(pilot, lambda: any("/mnt/new" in line for line in shown(pilot)))
        assert "held since" not in static(pilot, "header")


async def test_a_state_that_changes_flashes_for_a_moment() -> None:
    feed = SampleFeed(sample_farm())
    async with dashboard(feed) as pilot:
        await to_disks(pilot)
        put(feed.farm, "a", "disk", Disk(id="/mnt/plots1", state=Disk.HANGING))
        feed.touch("a", "disk")

        def flashing() -> set[str]:
            strips = [table(pilot).render_line(y) for y in range(12)]
            return {s.text.strip() for strip in strips for s in strip if s.style is not None and s.style.underline}

        await until(pilot, lambda: flashing() == {"✗ hanging"})
        await until(pilot, lambda: not flashing())
