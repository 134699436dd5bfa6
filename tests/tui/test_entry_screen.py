"""Enter on anything red or yellow says why."""

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.computer_info_pb2 import ADD, UPDATE, UpdateEvent
from chiatea.protobuf.hardware_pb2 import Cpu, Disk
from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, QueryEventsRequest, Series, Step
from chiatea.tui.entry_past import Past
from chiatea.tui.line_view import LineView
from chiatea.tui.list_model import Item
from chiatea.tui.reasons import Reason, reasons_of
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS
from chiatea.tui.view import FarmView
from tests.tui.sample_farm import NOW, SampleFeed, disk, put, sample_farm
from tests.tui.sample_server import SampleServer
from tests.tui.test_app import HOSTILE, LARGE, SMALL, Clock, dashboard, number_of, rows, static, until

ITEM = Item("a", "disk", "/mnt/plots3")


def event(age: float, entry: Disk, event_type: Any = UPDATE) -> UpdateEvent:
    return UpdateEvent(machine_id="a", timestamp=NOW - age, event_type=event_type, disk=entry)


def past_of(*events: UpdateEvent) -> Past:
    return Past(ITEM, sorted(events, key=lambda e: -e.timestamp))


def since(past: Past, reason: Reason) -> tuple[float, bool] | None:
    found = past.since(reason, reasons_of, FarmView(sample_farm(), NOW).machine("a"), DEFAULT_THRESHOLDS)
    return (NOW - found.time, found.is_exact) if found is not None else None


def red(used: float, **more: Any) -> Disk:
    return disk("/mnt/plots3", 16.3, used, **more)


FULL = Reason("bad", "used_bytes", "99 %", "", "")


def test_since_when_is_the_first_event_from_which_on_it_was_as_bad() -> None:
    past = past_of(event(900, red(0.5)), event(600, red(0.96)), event(300, red(0.995)), event(60, red(0.996)))
    assert since(past, FULL) == (300, True)
    assert since(past, FULL._replace(severity="warn")) == (600, True), "yellow since it was yellow"


def test_what_was_so_in_all_that_is_known_is_told_as_longer() -> None:
    assert since(past_of(event(300, red(0.995)), event(60, red(0.995))), FULL) == (300, False)
    assert since(past_of(event(300, red(0.995), ADD), event(60, red(0.995))), FULL) == (300, True)
    assert since(past_of(), FULL) is None
    assert since(past_of(event(60, red(0.5))), FULL) is None, "the news has not come to the history yet"


def test_what_the_entry_itself_tells_is_not_looked_for() -> None:
    assert since(past_of(), FULL._replace(since=NOW - 5)) == (5, True)


def test_events_of_other_entries_are_not_its_past() -> None:
    other = event(50, disk("/mnt/plots33", 1, 0.5))
    past = past_of(other, event(60, red(0.5)))
    assert [e.disk.id for e in past.events] == ["/mnt/plots3"]


def test_the_past_says_what_changed_and_leaves_readings_out() -> None:
    past = past_of(
        event(900, red(0.5), ADD),
        event(600, red(0.6, busy=44, read=5e6)),
        event(300, red(0.6, busy=12, state=Disk.HANGING)),
    )
    lines = [line.text for line in past.lines(NOW)]
    assert len(lines) == 2
    assert lines[0].endswith("state OK → HANGING")
    assert "new: " in lines[1]


class PastServer(SampleServer):
    """Has a history."""

    async def history(self, request: HistoryRequest) -> HistoryReply:
        self._ask(request)
        steps = [Step(index=i, least=50, mean=50, greatest=50, last=50, n_events=1) for i in range(request.n_steps)]
        return HistoryReply(series=[Series(field=field, steps=steps) for field in request.fields])


def shown(pilot: Pilot[None]) -> str:
    return "\n".join(line.text for view in pilot.app.screen.query(LineView) for line in view.lines)


async def opened(pilot: Pilot[None], item: Item = ITEM) -> None:
    await pilot.app.run_action(f"open_entry({item.machine_id!r}, {item.topic!r}, {item.entry_id!r})")
    await until(pilot, lambda: "What changed" in shown(pilot))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_enter_on_a_red_disk_says_value_threshold_since_when_and_what_led_there(size: tuple[int, int]) -> None:
    server = PastServer()
    server.past = [event(900, red(0.5), ADD), event(600, red(0.995)), event(300, red(0.995, n_pending_sectors=8))]
    async with dashboard(SampleFeed(sample_farm()), size, server=server) as pilot:
        await pilot.press(number_of("hardware"))
        await until(pilot, lambda: "/mnt/plots3" in "".join(rows(pilot, "disks")))
        await pilot.press("tab", "down", "down", "down", "enter")
        await until(pilot, lambda: "for 10 min" in shown(pilot))
        lines = shown(pilot).splitlines()
        assert lines[0].startswith("✗ 99.5 % used, 83.5 GiB free")
        assert "used_bytes: yellow from 95 %, red from 99 %" in "\n".join(lines[:2])
        assert "Disk ▸ /mnt/plots3" in static(pilot, "header")
        assert [line for line in lines if line.endswith("pending sectors not told → 8")]
        assert "Busy  now 50 %" in shown(pilot)


async def test_what_is_fine_says_so() -> None:
    async with dashboard(SampleFeed(sample_farm()), server=PastServer()) as pilot:
        await opened(pilot, Item("a", "cpu"))
        assert shown(pilot).startswith("✓ Nothing is wrong with it.")
        assert static(pilot, "header").strip().startswith("Farm ▸ barn ▸ Cpu  ")


async def test_brackets_choose_how_long_the_charts_are() -> None:
    server = PastServer()
    async with dashboard(SampleFeed(sample_farm()), server=server) as pilot:
        await opened(pilot)

        def span() -> float:
            asked = [question for question in server.asked if isinstance(question, HistoryRequest)]
            return asked[-1].until - asked[-1].since

        await until(pilot, lambda: span() == 3600)
        for key, seconds, name in (
            ("]", 86_400, "24 h"),
            ("]", 604_800, "7 d"),
            ("]", 604_800, "7 d"),
            ("[", 86_400, "24 h"),
        ):
            await pilot.press(key)
            await until(pilot, lambda seconds=seconds: span() == seconds)
            await until(pilot, lambda name=name: f"[{name}]" in shown(pilot))


async def test_it_follows_while_it_is_open_and_asks_at_a_modest_pace() -> None:
    feed, server, clock = SampleFeed(sample_farm()), PastServer(), Clock()
    async with dashboard(feed, LARGE, clock, server=server) as pilot:
        await opened(pilot, Item("a", "cpu"))
        n_asked = len(server.asked)
        put(feed.farm, "a", "cpu", Cpu(usage_percent=99))
        feed.touch("a", "cpu")
        await until(pilot, lambda: shown(pilot).startswith("✗ 99 %"))
        assert len(server.asked) == n_asked
        clock.now += 40
        feed.touch("a", "cpu")
        await until(pilot, lambda: len(server.asked) > n_asked)
        kinds = [type(question) for question in server.asked[n_asked:]]
        assert kinds.count(QueryEventsRequest) <= 1
        feed.farm.machine("a").of("cpu").clear()
        feed.touch("a", "cpu")
        await until(pilot, lambda: "It is not there any more." in shown(pilot))


async def test_without_a_server_it_says_so_in_place_and_tries_again() -> None:
    server, clock, feed = PastServer(), Clock(), SampleFeed(sample_farm())
    server.is_gone = True
    async with dashboard(feed, LARGE, clock, server=server) as pilot:
        await opened(pilot)
        await until(pilot, lambda: shown(pilot).count("▲ no server answers at barn:43200") == 2)
        assert "99.5 % used" in shown(pilot)
        server.is_gone = False
        clock.now += 20
        feed.touch("", "")
        await until(pilot, lambda: "no server answers" not in shown(pilot))


class SlowServer(PastServer):
    """Answers the first question about charts when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.n_cancelled = 0

    async def history(self, request: HistoryRequest) -> HistoryReply:
        reply = await super().history(request)
        if request.until - request.since == 3600:
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                self.n_cancelled += 1
                raise
            raise ConnectionFailedError("too late", "")
        return reply


async def test_an_answer_that_is_not_wanted_any_more_is_not_waited_for() -> None:
    server = SlowServer()
    async with dashboard(SampleFeed(sample_farm()), server=server) as pilot:
        await opened(pilot)
        await pilot.press("]")
        await until(pilot, lambda: "now 50 %" in shown(pilot))
        assert server.n_cancelled == 2
        server.may_answer.set()
        await pilot.pause()
        assert "too late" not in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


async def test_p_lists_the_plots_on_a_disk_and_on_nothing_else() -> None:
    async with dashboard(SampleFeed(sample_farm()), server=PastServer()) as pilot:
        await opened(pilot, Item("a", "cpu"))
        await pilot.press("p")
        assert "Plots" not in static(pilot, "header")
        await pilot.press("escape")
        await opened(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "Plots of barn" in static(pilot, "header"))


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_cannot_break_it(text: str) -> None:
    farm = sample_farm()
    put(farm, "a", "source", Source(id=text, state=Source.FAILING, error=text, location=text, n_not_understood=1))
    server = PastServer()
    server.past = [
        UpdateEvent(machine_id="a", timestamp=NOW - 9, event_type=UPDATE, source=Source(id=text, error=text)),
        UpdateEvent(machine_id="a", timestamp=NOW - 3, event_type=UPDATE, source=Source(id=text, location=text)),
    ]
    async with dashboard(SampleFeed(farm), SMALL, server=server) as pilot:
        await opened(pilot, Item("a", "source", text))
        for view in pilot.app.screen.query(LineView):
            for line in view.lines:
                assert not {"\x1b", "\n", "\u202e"} & set(line.text)
        assert pilot.app.is_running
