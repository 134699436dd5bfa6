"""The events screen as its user has it: history, what comes, filters, export."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from chiatea.protobuf.chia_pb2 import ChiaNotice
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.tui.changes import change_text
from chiatea.tui.event_model import EventModel
from chiatea.tui.table_view import TableView

from .sample_farm import NOW, SampleFeed, sample_farm
from .sample_server import SampleServer
from .test_app import HOSTILE, LARGE, SMALL, dashboard, number_of, static, until


def disk_event(seconds: float, mount: str = "/mnt/a", event_type: int = UPDATE, **fields: Any) -> UpdateEvent:
    event = UpdateEvent(machine_id="a", timestamp=NOW + seconds, event_type=event_type)  # type: ignore[arg-type]
    event.disk.CopyFrom(Disk(id=mount, **fields))
    return event


def notice(seconds: float, text: str, machine_id: str = "b") -> UpdateEvent:
    event = UpdateEvent(machine_id=machine_id, timestamp=NOW + seconds, event_type=ADD)
    event.chia_notice.CopyFrom(ChiaNotice(id=f"n{seconds}", kind=ChiaNotice.SLOW_LOOKUP, text=text))
    return event


def shown(pilot: Pilot[None]) -> list[str]:
    table = pilot.app.screen.query_one(TableView)
    # Before it is laid out it has no width to show anything in.
    return table.shown_text if table.size.width > 40 else []


async def to_events(pilot: Any, n_rows: int) -> None:
    await pilot.press(number_of("events"))
    await until(pilot, lambda: pilot.app.current_mode == "events" and len(shown(pilot)) == n_rows + 1)


def asked(server: SampleServer) -> QueryEventsRequest:
    request = server.asked[-1]
    assert isinstance(request, QueryEventsRequest)
    return request


SAMPLE = [
    disk_event(-90, state=Disk.OK, event_type=ADD, total_bytes=1 << 40),
    notice(-60, "slow lookup of 12.5 s"),
    disk_event(-30, state=Disk.HANGING, total_bytes=1 << 40),
    disk_event(-10, event_type=DELETE),
]


def sample_server() -> SampleServer:
    server = SampleServer()
    server.past = list(SAMPLE)
    return server


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_events_say_what_they_changed(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample_farm()), size, server=sample_server()) as pilot:
        await to_events(pilot, 4)
        await until(pilot, lambda: "slow lookup of 12.5 s" in shown(pilot)[2])
        lines = shown(pilot)
        assert "state OK → HANGING" in lines[3]
        assert lines[4].rstrip().endswith("gone")
        assert all(len(line) <= size[0] for line in lines)


async def test_what_comes_is_followed_until_one_moves_up_and_again_after_f() -> None:
    server = sample_server()
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_events(pilot, 4)
        table = pilot.app.screen.query_one(TableView)
        server.coming.put_nowait(notice(1, "first"))
        await until(pilot, lambda: table.model.n_rows == 5 and table.cursor_index == 4)
        await pilot.press("up")
        assert "not following" in static(pilot, "events-question")
        here = table.cursor_item
        server.coming.put_nowait(notice(2, "second"))
        await until(pilot, lambda: table.model.n_rows == 6)
        assert table.cursor_item == here
        await pilot.press("f")
        await until(pilot, lambda: table.cursor_index == 5)
        assert "following" in static(pilot, "events-question")


async def test_moving_up_from_the_first_row_asks_for_older_ones() -> None:
    server = sample_server()
    server.older = [notice(-500 + n, f"old {n}") for n in range(3)]
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_events(pilot, 4)
        await pilot.press("home")
        await until(pilot, lambda: len(shown(pilot)) == 8)
        assert asked(server).page_token == "older"
        assert "old 0" in shown(pilot)[1]
        assert pilot.app.screen.query_one(TableView).cursor_index == 3, "the cursor stays with its event"


async def test_the_filter_topics_machines_and_time_are_asked_of_the_server() -> None:
    server = sample_server()
    async with dashboard(SampleFeed(sample_farm()), LARGE, server=server) as pilot:
        await to_events(pilot, 4)
        assert "disk" not in asked(server).topics
        await pilot.press("slash", *"lookup", "enter")
        await until(pilot, lambda: asked(server).text == "lookup")
        await pilot.press("t", "a", "enter")
        await until(pilot, lambda: "disk" in asked(server).topics)
        await pilot.press("m")
        await until(pilot, lambda: bool(pilot.app.screen.query(OptionList)))
        await pilot.press("space", "enter")
        await until(pilot, lambda: list(asked(server).machine_ids) == ["a"])
        await pilot.press("w")
        await until(pilot, lambda: bool(pilot.app.screen.query(OptionList)))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "1 hour" in static(pilot, "events-question"))
        await pilot.press("t", "escape")
        assert "1 hour" in static(pilot, "events-question")


async def test_a_server_that_is_gone_is_said_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiatea.tui.screens.events.RETRY_SECONDS", 0.05)
    server = sample_server()
    server.is_gone = True
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await pilot.press(number_of("events"))
        await until(pilot, lambda: "no server answers" in static(pilot, "events-question"))
        server.is_gone = False
        await until(pilot, lambda: len(shown(pilot)) == 5)


async def test_enter_shows_an_event_with_what_it_changed_and_o_the_entry_as_it_is_now() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=sample_server()) as pilot:
        await to_events(pilot, 4)
        await pilot.press("up", "enter")
        await until(pilot, lambda: "Events ▸ disk" in static(pilot, "header"))
        text = "\n".join(line.text for line in pilot.app.screen.query_one("#event").lines)
        assert "OK → HANGING" in text
        assert "1.00 TiB" in text
        await pilot.press("o")
        await until(pilot, lambda: "barn ▸ Disk ▸ /mnt/a" in static(pilot, "header"))


@pytest.mark.parametrize("suffix", ["csv", "json"])
async def test_what_is_shown_is_written_to_a_new_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"events.{suffix}"
    async with dashboard(SampleFeed(sample_farm()), LARGE, server=sample_server()) as pilot:
        await to_events(pilot, 4)
        await pilot.press("e")
        await until(pilot, lambda: bool(pilot.app.screen.query("#answer")))
        pilot.app.screen.query_one("#answer", Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
    if suffix == "json":
        told = json.loads(path.read_text())
        assert [event["topic"] for event in told] == ["disk", "chia_notice", "disk", "disk"]
        assert told[2]["entry"]["state"] == "HANGING"
        assert told[0]["machine"] == "barn"
    else:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["event_type"] for row in rows] == ["ADD", "ADD", "UPDATE", "DELETE"]
        assert rows[2]["what"] == "state OK → HANGING"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # noqa: ASYNC240


async def test_an_export_never_overwrites_and_says_what_is_wrong(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    async with dashboard(SampleFeed(sample_farm()), LARGE, server=sample_server()) as pilot:
        await to_events(pilot, 4)
        await pilot.press("e")
        await until(pilot, lambda: bool(pilot.app.screen.query("#answer")))
        for text, said in (
            (str(there), "is there already"),
            (str(tmp_path / "x.txt"), "neither a .csv nor a .json"),
            (str(tmp_path / "no" / "x.csv"), "is no folder"),
        ):
            pilot.app.screen.query_one("#answer", Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda said=said: said in static(pilot, "hint"))
        await pilot.press("escape")
    assert there.read_text() == "mine"


def test_of_what_always_moves_only_what_else_changed_is_told() -> None:
    before = disk_event(0, state=Disk.OK, busy_percent=3, free_bytes=5 << 30)
    after = disk_event(1, state=Disk.OK, busy_percent=7, free_bytes=4 << 30)
    assert change_text(after, before) == "free 5.00 GiB → 4.00 GiB"
    assert change_text(disk_event(2, busy_percent=9), disk_event(1, busy_percent=3)) == "busy percent 3.0 % → 9.0 %"
    assert change_text(after, after) == "told again"


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_from_the_wire_cannot_break_the_list(text: str) -> None:
    server = SampleServer()
    server.past = [disk_event(0, text, error=text, event_type=ADD), notice(1, text)]
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=server) as pilot:
        await to_events(pilot, 2)
        assert all("\x1b" not in line and "\u202e" not in line for line in shown(pilot))
        await pilot.press("up", "enter")
        await pilot.pause()
        assert pilot.app.is_running


def test_the_oldest_of_too_many_events_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiatea.tui.event_model.MOST_EVENTS", 10)
    model = EventModel()
    model.add_newer(disk_event(n, free_bytes=n) for n in range(25))
    assert (model.n_rows, len(model.whats)) == (10, 10)
    item = model.item_at(0)
    assert item is not None
    event = model.event_of(item)
    assert event is not None
    assert event.disk.free_bytes == 15
    assert model.index_of(item.id) == 0
