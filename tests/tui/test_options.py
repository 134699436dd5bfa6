"""What the configuration says of the dashboard, and what it remembers from one time to the next."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chiatea.errors import ConfigurationError
from chiatea.tui.app import ChiaTeaApp, binding_ids
from chiatea.tui.options import Options
from chiatea.tui.remembered import ListMemory, Remembered, read_remembered, write_remembered
from chiatea.tui.table_view import TableView

from .sample_farm import SampleFeed, sample_farm
from .sample_server import SampleServer
from .test_app import LARGE, Clock, number_of, static, until


@asynccontextmanager
async def dashboard(options: Options) -> AsyncIterator[Any]:
    app = ChiaTeaApp(SampleFeed(sample_farm()), SampleServer(), options=options, clock=Clock())
    async with app.run_test(size=LARGE) as pilot:
        await pilot.pause()
        yield pilot
        app.remember()


async def test_screen_theme_order_and_filter_are_the_same_the_next_time(tmp_path: Path) -> None:
    options = Options(remembered_filepath=tmp_path / "state" / "dashboard.json")
    async with dashboard(options) as pilot:
        await pilot.press(number_of("hardware"))
        await until(pilot, lambda: bool(pilot.app.screen.query("#disks")))
        disks = pilot.app.screen.query_one("#disks", TableView)
        disks.focus()
        await pilot.press("s", "s", "S", "slash", *"barn", "enter")
        pilot.app.theme = "chia-tea-light"
        await until(pilot, lambda: len(disks.shown_text) == 6)
        before = disks.shown_text
    async with dashboard(options) as pilot:
        assert pilot.app.theme == "chia-tea-light"
        await until(pilot, lambda: pilot.app.current_mode == "hardware")
        disks = pilot.app.screen.query_one("#disks", TableView)
        await until(pilot, lambda: disks.shown_text == before)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"lists": 3}', '{"lists": {"disks": 1}}', '{"screen": 7}', "\x00", '{"lists": {"a": {}}}']
)
async def test_a_damaged_memory_is_begun_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dashboard.json"
    path.write_text(text)
    async with dashboard(Options(remembered_filepath=path)) as pilot:
        await until(pilot, lambda: pilot.app.current_mode == "farm")
    assert json.loads(path.read_text())["screen"] == "farm"


def test_what_is_remembered_is_read_back(tmp_path: Path) -> None:
    remembered = Remembered("events", "nord", {"disks": ListMemory("USED", is_reversed=True, filter="barn [x]")})
    write_remembered(tmp_path / "dashboard.json", remembered)
    assert read_remembered(tmp_path / "dashboard.json") == remembered


async def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with dashboard(Options(remembered_filepath=tmp_path / "file" / "dashboard.json")) as pilot:
        assert pilot.app.is_running


async def test_other_keys_do_what_the_configuration_says() -> None:
    keymap = {"list.filter": "f3", "app.quit": "ctrl+x", f"screen.{'hardware'}": "h"}
    async with dashboard(Options(keymap=keymap)) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: pilot.app.current_mode == "hardware")
        await pilot.press("f3", *"plots")
        await until(pilot, lambda: pilot.app.screen.query_one("#machines-pane").has_class("-filtering"))
        await pilot.press("escape", "q")
        assert pilot.app.is_running
        await pilot.press("ctrl+x")
        await until(pilot, lambda: not pilot.app.is_running)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(keymap={"list.filtre": "f3"}), "there is no key list.filtre"),
        (Options(theme="pink"), "there is no theme pink"),
    ],
)
def test_a_name_that_there_is_not_is_told_with_those_that_there_are(options: Options, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        ChiaTeaApp(SampleFeed(), SampleServer(), options=options)
    assert "list.filter" in raised.value.hint or "chia-tea-light" in raised.value.hint


def test_every_key_has_an_id_that_can_be_chosen() -> None:
    assert {"app.quit", "app.help", "list.filter", "list.sort", "screen.farm", "events.follow"} <= binding_ids()


async def test_a_dashboard_that_may_give_no_orders_says_so() -> None:
    async with dashboard(Options(is_read_only=True)) as pilot:
        await until(pilot, lambda: "read only" in static(pilot, "header"))
