"""The dashboard as its user has it: keys, sizes, a server that comes and goes, text that means harm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from chiatea.protobuf.chia_pb2 import Farmer, Source
from chiatea.protobuf.hardware_pb2 import Disk, System
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.tui.app import ChiaTeaApp
from chiatea.tui.panels.widget import Panel
from chiatea.tui.screen_names import SCREEN_NAMES
from chiatea.tui.screens.help import HelpScreen
from chiatea.tui.table_view import TableView
from chiatea.wire.feed import Connection

from .sample_farm import GIB, NOW, SampleFeed, put, sample_farm
from .sample_server import SampleServer

LARGE, SMALL = (160, 50), (80, 24)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def dashboard(
    feed: SampleFeed,
    size: tuple[int, int] = LARGE,
    clock: Clock | None = None,
    *,
    server: SampleServer | None = None,
) -> AsyncIterator[Any]:
    app = ChiaTeaApp(feed, server or SampleServer(), clock=clock or Clock())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot


def panel(pilot: Pilot[None], name: str) -> Panel:
    return pilot.app.screen.query_one(f"#{name}", Panel)


def text_of(pilot: Pilot[None], name: str) -> str:
    return "\n".join(line.text for line in panel(pilot, name).lines)


def rows(pilot: Pilot[None], name: str) -> list[str]:
    return pilot.app.screen.query_one(f"#{name}", TableView).shown_text


def static(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.screen.query_one(f"#{name}", Static).content)


def number_of(mode: str) -> str:
    """The key that opens a screen."""
    return str([name.mode for name in SCREEN_NAMES].index(mode) + 1)


async def until(pilot: Pilot[None], condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it took too long")


async def test_all_five_panels_show_the_farm() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        assert "699 plots" in text_of(pilot, "farm")
        assert "12.7500 XCH" in text_of(pilot, "farm")
        assert "timed out" in text_of(pilot, "harvesters")
        assert "▲ 12" in text_of(pilot, "missed")
        assert "hanging" in text_of(pilot, "hardware")
        assert "verifying" in text_of(pilot, "copies")
        assert "cannot be read: Permission denied" in text_of(pilot, "farm")


async def test_a_source_that_says_nothing_new_is_named_with_its_silence() -> None:
    farm = sample_farm()
    put(farm, "b", "source", Source(id="chia daemon", state=Source.STALE, last_news_time=NOW - 600))
    async with dashboard(SampleFeed(farm)) as pilot:
        assert "cellar: chia daemon: nothing new for 10 min" in text_of(pilot, "farm")


@pytest.mark.parametrize("size", [LARGE, SMALL])
async def test_what_is_not_to_be_relied_upon_is_said_in_one_line_for_each_machine(size: tuple[int, int]) -> None:
    farm = sample_farm()
    put(farm, "a", "source", Source(id="chia log", state=Source.OK, n_understood=90_000, n_not_understood=1234))
    put(farm, "a", "farmer", Farmer(is_running=True, n_skipped_signage_points=14, last_skipped_time=NOW - 200))
    put(farm, "b", "system", System(clock_ahead_seconds=-5))
    async with dashboard(SampleFeed(farm), size) as pilot:
        told = [line.text for line in panel(pilot, "farm").lines if line.text.startswith("▲")]
    assert told == [
        "▲ cellar: chia log: cannot be read: Permission denied",
        "▲ barn: 14 points skipped, last 3 min 20 s ago, 1,234 log lines not understood",
        "▲ cellar: clock 5.0 s behind the server's",
    ]


async def test_a_clock_a_little_off_and_points_skipped_yesterday_are_no_news() -> None:
    farm = sample_farm()
    put(farm, "a", "farmer", Farmer(is_running=True, n_skipped_signage_points=14, last_skipped_time=NOW - 90_000))
    put(farm, "b", "system", System(clock_ahead_seconds=1.9))
    async with dashboard(SampleFeed(farm)) as pilot:
        assert "skipped" not in text_of(pilot, "farm")
        assert "clock" not in text_of(pilot, "farm")


async def test_points_skipped_hours_ago_stand_with_the_farmer_and_not_on_top() -> None:
    farm = sample_farm()
    put(farm, "a", "farmer", Farmer(is_running=True, n_skipped_signage_points=14, last_skipped_time=NOW - 7200))
    async with dashboard(SampleFeed(farm)) as pilot:
        (line,) = [line.text for line in panel(pilot, "farm").lines if "skipped" in line.text]
    assert line.startswith("Farmer")
    assert line.endswith("14 points skipped, last 2 h ago")


async def test_a_stale_source_with_a_hint_says_the_hint() -> None:
    farm = sample_farm()
    put(farm, "b", "source", Source(id="chia log", state=Source.STALE, error="set the level", last_news_time=NOW))
    async with dashboard(SampleFeed(farm)) as pilot:
        assert "cellar: chia log: set the level" in text_of(pilot, "farm")


async def test_many_silent_sources_leave_room_for_the_machines() -> None:
    farm = sample_farm()
    for n in range(9):
        put(farm, "b", "source", Source(id=f"source {n}", state=Source.FAILING, error="no way in"))
    async with dashboard(SampleFeed(farm), SMALL) as pilot:
        lines = [line.text for line in panel(pilot, "farm").lines]
    assert lines[3] == "▲ and 7 more; `chia-tea status --json` names them all"
    assert lines[4].startswith("MACHINE")


@pytest.mark.parametrize("size", [LARGE, SMALL, (60, 15), (120, 36), (300, 80)])
async def test_no_line_is_wider_than_its_panel(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample_farm()), size) as pilot:
        for shown in pilot.app.screen.query(Panel):
            width = shown.scrollable_content_region.width
            tables = [line.text for line in shown.lines if line.id]
            assert all(len(text) <= max(width, 40) for text in tables), (shown.id, size)


async def test_in_a_small_terminal_the_focused_panel_is_open_and_the_others_say_one_line() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL) as pilot:
        for name in ("farm", "harvesters", "missed", "hardware", "copies"):
            panel(pilot, name).focus()
            await pilot.pause()
            assert panel(pilot, name).has_focus
            heights = {shown.id: shown.size.height for shown in pilot.app.screen.query(Panel)}
            assert heights.pop(name) > 5
            assert set(heights.values()) == {1}
        assert "2 online" in text_of(pilot, "farm")
        assert "13 missed" in text_of(pilot, "missed")


async def test_tab_goes_round_the_panels() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        order = []
        for _ in range(5):
            order.append(pilot.app.screen.focused.id)
            await pilot.press("tab")
        assert order == ["farm", "harvesters", "missed", "hardware", "copies"]
        assert panel(pilot, "farm").has_focus
        await pilot.press("shift+tab")
        assert panel(pilot, "copies").has_focus


async def test_enter_opens_the_screen_of_a_panel_and_escape_comes_back() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL) as pilot:
        panel(pilot, "hardware").focus()
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.current_mode == "hardware" and "barn" in "".join(rows(pilot, "disks")))
        assert "Hardware" in static(pilot, "header")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.current_mode == "farm")


async def test_enter_on_a_machine_opens_what_is_known_of_it() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: static(pilot, "header").startswith(" Farm ▸ barn "))
        await pilot.press("escape")
        await until(pilot, lambda: "barn " not in static(pilot, "header"))


async def test_the_cursor_stays_with_its_row_when_others_come_and_go() -> None:
    feed = SampleFeed(sample_farm())
    async with dashboard(feed) as pilot:
        await pilot.press("down")
        assert panel(pilot, "farm").cursor_id == "b"
        feed.farm.apply_info(MachineInfo(machine_id="z", name="attic", last_seen=NOW, online=True))
        feed.touch("z", "cpu")
        await until(pilot, lambda: "attic" in text_of(pilot, "farm"))
        assert panel(pilot, "farm").cursor_id == "b"
        await pilot.press("end")
        assert panel(pilot, "farm").cursor_id == "c"
        await pilot.press("home")
        assert panel(pilot, "farm").cursor_id == "z"


@pytest.mark.parametrize("key", ["down", "up", "pagedown", "pageup", "home", "end", "j", "k", "g", "G", "z", "escape"])
async def test_every_key_is_harmless_in_every_panel(key: str) -> None:
    for feed in (SampleFeed(sample_farm()), SampleFeed(FarmState())):
        async with dashboard(feed, SMALL) as pilot:
            for name in ("farm", "harvesters", "missed", "hardware", "copies"):
                panel(pilot, name).focus()
                await pilot.press(key, key)
            assert pilot.app.is_running


async def test_question_mark_helps_with_the_focused_panel() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        panel(pilot, "missed").focus()
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "25 s" in str(pilot.app.screen.query_one("#help-text", Static).content)
        await pilot.press("escape")
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("question_mark", "q")
        assert pilot.app.is_running
        assert len(pilot.app.screen_stack) == 1


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_q_leaves(key: str) -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert not pilot.app.is_running


async def test_a_lost_server_is_a_banner_and_the_data_stays_until_it_is_back() -> None:
    feed, clock = SampleFeed(sample_farm()), Clock()
    async with dashboard(feed, SMALL, clock) as pilot:
        feed.connection = Connection(
            since=NOW, attempt=3, next_try_time=NOW + 94, error="no server answers at barn:43200", address="barn:43200"
        )
        clock.now = NOW + 90
        feed.touch()
        await until(pilot, lambda: "No connection since" in static(pilot, "banner"))
        assert "(1 min 30 s); attempt 4 in 4 s. no server answers" in static(pilot, "banner")
        assert "no connection" in static(pilot, "header")
        assert pilot.app.screen.query_one("#banner").display
        assert "barn" in text_of(pilot, "farm")
        assert all(line.is_stale for line in panel(pilot, "farm").lines if line.id), "data of lost machines is dimmed"
        feed.connection = Connection(is_up=True, since=clock.now, address="barn:43200")
        feed.touch()
        await until(pilot, lambda: not pilot.app.screen.query_one("#banner").display)


async def test_before_the_first_snapshot_it_says_what_it_waits_for() -> None:
    feed = SampleFeed()
    feed.connection = Connection(address="barn:43200", since=NOW, error="no server answers", attempt=1)
    async with dashboard(feed, SMALL) as pilot:
        assert "Waiting for the server at barn:43200" in static(pilot, "waiting")
        assert not pilot.app.screen.query_one("#body").display
        feed.farm, feed.has_snapshot = sample_farm(), True
        feed.connection = Connection(is_up=True, since=NOW, address="barn:43200")
        feed.touch()
        await until(pilot, lambda: "barn" in text_of(pilot, "farm"))
        assert pilot.app.screen.query_one("#body").display


@pytest.mark.parametrize("size", [(59, 24), (80, 14), (10, 3)])
async def test_below_60x15_it_says_so(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample_farm()), size) as pilot:
        assert pilot.app.screen.query_one("#too-small").display
        assert not pilot.app.screen.query_one("#body").display
        await pilot.press("z")
        assert not pilot.app.screen.query_one("#body").display
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert pilot.app.screen.query_one("#body").display


async def test_an_empty_farm_says_what_to_do() -> None:
    async with dashboard(SampleFeed(FarmState()), SMALL) as pilot:
        assert "chia-tea collect" in text_of(pilot, "farm") or "0 online" in text_of(pilot, "farm")
        panel(pilot, "copies").focus()
        await pilot.pause()
        assert "No copier reports" in text_of(pilot, "copies")


HOSTILE = [
    "[/mnt/x]",
    "[bold red]x[/]",
    "a\nb\tc",
    "\x1b[2J\x1b[31mred",
    "\u202egnp.tolp",
    "/x" * 2000,
    "日本語" * 40,
    "e\u0301",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_text_from_the_wire_cannot_break_the_screen(text: str, size: tuple[int, int]) -> None:
    farm = sample_farm()
    farm.apply_info(MachineInfo(machine_id="a", name=text, last_seen=NOW, online=True))
    put(farm, "a", "disk", Disk(id=text, state=Disk.OK, total_bytes=GIB, used_bytes=-GIB, free_bytes=2**62))
    for topic in ("source", "process", "copy_job", "copy_target", "farmer_harvester"):
        for entry in farm.machine("a").of(topic).values():
            for name in ("error", "name", "status", "source_filepath", "target_id", "host"):
                if name in entry.message.DESCRIPTOR.fields_by_name:
                    setattr(entry.message, name, text)
    async with dashboard(SampleFeed(farm), size) as pilot:
        for name in ("farm", "harvesters", "missed", "hardware", "copies"):
            panel(pilot, name).focus()
            await pilot.pause()
        for shown in pilot.app.screen.query(Panel):
            for line in shown.lines:
                assert "\x1b" not in line.text
                assert "\n" not in line.text
                assert "\u202e" not in line.text
            for strip in (shown.render_line(y) for y in range(shown.size.height)):
                assert strip.cell_length <= shown.size.width


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30, 1e300])
async def test_absurd_numbers_are_drawn_somehow(value: float) -> None:
    farm = sample_farm()
    for state in farm.machines.values():
        for topic, held in state.entries.items():
            for entry in held.values():
                for field in entry.message.DESCRIPTOR.fields:
                    if field.type == field.TYPE_DOUBLE and topic != "missed_challenge":
                        setattr(entry.message, field.name, value)
    async with dashboard(SampleFeed(farm)) as pilot:
        assert "barn" in text_of(pilot, "farm")


async def test_themes_change_the_colours_and_nothing_else() -> None:
    async with dashboard(SampleFeed(sample_farm())) as pilot:
        before = text_of(pilot, "hardware")
        for theme in ("chia-tea-light", "chia-tea-colour-blind", "nord", "chia-tea"):
            pilot.app.theme = theme
            await pilot.pause()
            assert text_of(pilot, "hardware") == before
