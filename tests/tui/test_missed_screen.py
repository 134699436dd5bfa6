"""The missed challenges' screen as its user has it, over the history of a real database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from chiatea.protobuf.chia_pb2 import ChiaNotice, HarvesterViewedFromFarmer
from chiatea.protobuf.computer_info_pb2 import ADD, UPDATE, UpdateEvent
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import EventPage, HistoryReply, HistoryRequest, QueryEventsRequest
from chiatea.server.database.database import Database
from chiatea.server.database.history import History
from chiatea.server.storage import batch_of
from chiatea.state.farm_state import FarmState
from chiatea.tui.list_pane import ListPane
from chiatea.tui.table_view import TableView

from .sample_farm import NOW, SampleFeed, put, sample_farm
from .sample_server import SampleServer
from .test_app import HOSTILE, LARGE, SMALL, Clock, dashboard, number_of, static, until

NODE, OTHER = "49b169855067", "12c5b7d6114b"
POINT_SECONDS = 10.0


class PastServer(SampleServer):
    """Answers questions about the past from a database."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    async def history(self, request: HistoryRequest) -> HistoryReply:
        self._ask(request)
        return await self._history.series(request)

    async def event_page(self, request: QueryEventsRequest) -> EventPage:
        self._ask(request)
        async for page in self._history.pages(request):
            return page
        return EventPage()

    async def events(self, request: QueryEventsRequest) -> AsyncIterator[UpdateEvent]:
        self._ask(request)
        async for page in self._history.pages(request):
            for event in page.events:
                yield event


def past() -> Iterator[tuple[str, UpdateEvent]]:
    """Two hours of two harvesters: of each hundred points the first one misses one, 100 s ago one was not answered."""
    missed = late = 0
    for number in range(720):
        sent = NOW - 7200 + number * POINT_SECONDS
        is_missed = number % 100 == 50 or number == 710
        if is_missed:
            missed, late = missed + 1, late + (number != 710)
            miss = UpdateEvent(machine_id="a", timestamp=sent + 25, event_type=ADD)
            miss.missed_challenge.id, miss.missed_challenge.harvester_id = f"{NODE}/{number}", NODE
            miss.missed_challenge.signage_point_index, miss.missed_challenge.sent_time = number % 64, sent
            if number != 710:
                miss.missed_challenge.late_answer_time = sent + 31
            yield "a", miss
        for node, n_missed, n_late in ((NODE, missed, late), (OTHER, 0, 0)):
            seen = UpdateEvent(machine_id="a", timestamp=sent + 1, event_type=UPDATE)
            entry = seen.farmer_harvester
            entry.id, entry.state = node, HarvesterViewedFromFarmer.ANSWERING
            entry.n_challenges_owed, entry.missed_challenges, entry.n_challenges_late = 5000 + number, n_missed, n_late
            yield "a", seen
    busy = UpdateEvent(machine_id="b", timestamp=NOW - 110, event_type=UPDATE)
    busy.disk.CopyFrom(Disk(id="/mnt/usb-b", state=Disk.HANGING))
    quiet = UpdateEvent(machine_id="b", timestamp=NOW - 105, event_type=UPDATE)
    quiet.disk.CopyFrom(Disk(id="/mnt/usb-a", state=Disk.OK, busy_percent=2))
    elsewhere = UpdateEvent(machine_id="c", timestamp=NOW - 100, event_type=ADD)
    elsewhere.chia_notice.CopyFrom(ChiaNotice(id="x", kind=ChiaNotice.SLOW_LOOKUP, text="slow on loft"))
    yield from (("b", busy), ("b", quiet), ("c", elsewhere))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    filepath = tmp_path_factory.mktemp("missed") / "farm.db"
    with Database(filepath, durability="normal") as made:
        told = list(past())
        for machine_id in ("a", "b", "c"):
            events = [event for of, event in told if of == machine_id]
            made.write([batch_of(machine_id, 1, events)], [MachineInfo(machine_id=machine_id, name=machine_id)])
    return filepath


@pytest.fixture
async def server(database: Path) -> AsyncIterator[PastServer]:
    history = History(database)
    yield PastServer(history)
    await history.close()


def farm() -> FarmState:
    made = sample_farm()
    made.infos["b"].ip_address = "192.168.1.20"
    held = made.machine("a").of("farmer_harvester")
    for node, n_missed, n_late in ((NODE, 8, 7), (OTHER, 0, 0)):
        entry: Any = held[node].message
        entry.n_challenges_owed, entry.missed_challenges, entry.n_challenges_late = 5719, n_missed, n_late
        entry.state = HarvesterViewedFromFarmer.ANSWERING
    made.machine("a").entries["missed_challenge"] = {}
    return made


def rows(pilot: Pilot[None], name: str) -> list[str]:
    return pilot.app.screen.query_one(f"#{name}", TableView).shown_text


def pane(pilot: Pilot[None], name: str) -> ListPane:
    return pilot.app.screen.query_one(f"#{name}-pane", ListPane)


def row_of(pilot: Pilot[None], name: str) -> str:
    return next((line for line in rows(pilot, "strips") if name in line), "")


async def to_missed(pilot: Any, n_strips: int = 3) -> None:
    await pilot.press(number_of("missed"))
    await until(pilot, lambda: pilot.app.current_mode == "missed" and len(rows(pilot, "strips")) == n_strips + 1)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_each_harvester_has_a_strip_and_its_shares(server: PastServer, size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(farm()), size, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: "▁▁▁" in row_of(pilot, "barn") and "█" in row_of(pilot, "cellar"))
        barn, cellar = row_of(pilot, "barn"), row_of(pilot, "cellar")
        assert barn.split()[1:3] == ["✓", "none"]
        # Of the last hour's 360 points 4 were missed, one of which was never answered.
        assert "▲ 1.1 %" in cellar
        assert cellar.count("█") == 1
        assert cellar.count("▄") >= 3
        assert "○○○" in row_of(pilot, "192"), "it is disconnected, and nothing else is told of it"
        assert "a cell is" in str(pane(pilot, "strips").border_title)
        assert all(len(line) <= size[0] for name in ("strips", "misses") for line in rows(pilot, name))


async def test_w_goes_through_the_ranges_and_each_is_asked_for_in_as_many_steps_as_are_drawn(
    server: PastServer,
) -> None:
    async with dashboard(SampleFeed(farm()), SMALL, server=server) as pilot:
        await to_missed(pilot)
        for key, title in (("w", "24 h"), ("w", "7 d"), ("w", "10 min"), ("W", "7 d"), ("w", "10 min")):
            await pilot.press(key)
            await until(pilot, lambda title=title: f"last {title}" in str(pane(pilot, "strips").border_title))
        await until(pilot, lambda: "▁▁▁" in row_of(pilot, "barn"))
        assert "a cell is a signage point" in str(pane(pilot, "strips").border_title)
        strip = row_of(pilot, "cellar").split()[-1]
        assert strip[-10:].count("█") == 1
        spans = {round(a.until - a.since) for a in server.asked if isinstance(a, HistoryRequest) and a.n_steps > 1}
        assert spans == {600, 3600, 86_400, 604_800}


async def test_misses_of_the_past_are_listed_with_those_of_the_state(server: PastServer) -> None:
    async with dashboard(SampleFeed(farm()), SMALL, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: len(rows(pilot, "misses")) == 9)
        newest, older = rows(pilot, "misses")[1:3]
        assert "✗ none" in newest
        assert "▲ after 31 s" in older
        assert "cellar" in newest


async def test_enter_on_a_miss_shows_what_else_happened_and_sets_off_what_matters(server: PastServer) -> None:
    async with dashboard(SampleFeed(farm()), LARGE, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: len(rows(pilot, "misses")) == 9)
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "/mnt/usb-b did not answer" in static(pilot, "miss"))
        assert "cellar was sent signage point 6 at" in static(pilot, "miss")
        marked = [line for line in rows(pilot, "around") if "▶" in line]
        assert len(marked) == 1
        assert "-10 s" in marked[0]
        assert "not answer" in marked[0]
        assert len(rows(pilot, "around")) > 20
        await pilot.press("a")
        await until(pilot, lambda: len(rows(pilot, "around")) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: "disk" in static(pilot, "header"))
        await pilot.press("escape", "a", "m")
        await until(pilot, lambda: any("slow on loft" in line for line in rows(pilot, "around")))


async def test_enter_on_a_strip_opens_the_harvester(server: PastServer) -> None:
    async with dashboard(SampleFeed(farm()), SMALL, server=server) as pilot:
        await to_missed(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Missed challenges ▸ barn" in static(pilot, "header"))


async def test_a_server_that_is_gone_is_said_in_place_and_asked_again(
    server: PastServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chiatea.tui.screens.missed.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("chiatea.tui.screens.miss.RETRY_SECONDS", 0.05)
    server.is_gone = True
    async with dashboard(SampleFeed(farm()), SMALL, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: "✗ no server answers" in str(pane(pilot, "strips").border_title))
        server.is_gone = False
        await until(pilot, lambda: "▁▁▁" in row_of(pilot, "barn") and len(rows(pilot, "misses")) == 9)
        await until(pilot, lambda: "✗" not in str(pane(pilot, "strips").border_title))
        server.is_gone = True
        await pilot.press("tab", "enter")
        await until(pilot, lambda: pilot.app.screen.query("#miss") and "✗ no server" in static(pilot, "miss"))
        server.is_gone = False
        await until(pilot, lambda: "did not answer" in static(pilot, "miss"))


async def test_strips_are_asked_for_again_as_time_goes_on(server: PastServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiatea.tui.screens.missed.RANGES", _quick_ranges())
    clock, feed = Clock(), SampleFeed(farm())
    async with dashboard(feed, SMALL, clock, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: "▁▁▁" in row_of(pilot, "barn"))
        clock.now += 1800
        feed.touch()
        await until(pilot, lambda: row_of(pilot, "barn").rstrip().endswith("···"))


async def test_what_is_not_seen_is_not_asked_for(server: PastServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiatea.tui.screens.missed.RANGES", _quick_ranges())
    async with dashboard(SampleFeed(farm()), SMALL, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: "▁▁▁" in row_of(pilot, "barn"))
        await pilot.press(number_of("farm"))
        await until(pilot, lambda: pilot.app.current_mode == "farm")
        n_asked = len(server.asked)
        await pilot.pause(0.3)
        assert len(server.asked) <= n_asked + 1
        await to_missed(pilot)
        await until(pilot, lambda: len(server.asked) > n_asked + 2)


def _quick_ranges() -> Any:
    from chiatea.tui.challenge_strips import RANGES  # noqa: PLC0415

    return tuple(one._replace(every_seconds=0.05) for one in RANGES)


async def test_without_a_farmer_it_says_why_there_is_nothing() -> None:
    async with dashboard(SampleFeed(FarmState()), SMALL) as pilot:
        await pilot.press(number_of("missed"))
        await until(pilot, lambda: pilot.app.current_mode == "missed")
        told = pane(pilot, "strips").query_one(".nothing")
        await until(pilot, lambda: "no farmer is seen" in str(told.content))  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_and_absurd_times_do_not_break_it(server: PastServer, text: str) -> None:
    made = farm()
    for entry in made.machine("a").of("farmer_harvester").values():
        entry.message.host = text  # type: ignore[attr-defined]
    miss = UpdateEvent().missed_challenge
    miss.id, miss.harvester_id, miss.challenge_hash, miss.sent_time = "x", text, text, 1e300
    put(made, "a", "missed_challenge", miss)
    async with dashboard(SampleFeed(made), SMALL, server=server) as pilot:
        await to_missed(pilot)
        await until(pilot, lambda: len(rows(pilot, "misses")) > 1)
        assert all("\x1b" not in line and "\u202e" not in line for line in rows(pilot, "misses"))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: pilot.app.screen.query("#miss"))
        await pilot.pause(0.1)
        assert pilot.app.is_running
