"""Orders on their way: what is said of them until their copier confirms them, and after."""

from typing import Any

import pytest

from chiatea.protobuf.copy_pb2 import CopyCommand, CopyJob
from chiatea.state.farm_state import FarmState
from chiatea.tui.list_model import Item
from chiatea.tui.orders import Orders, Outcome

from .sample_farm import NOW, put
from .sample_server import SampleServer

ROW = Item("a", "copy_job", "j1")
TOPIC = [("a", "copy_command")]


def command(state: CopyCommand.State.ValueType = CopyCommand.UNKNOWN, result: str = "", **more: object) -> CopyCommand:
    more = {"id": "c1", "action": CopyCommand.PAUSE, "job_ids": ["j1"], **more}
    return CopyCommand(state=state, result=result, **more)  # type: ignore[arg-type]


def told(farm: FarmState, *commands: CopyCommand) -> FarmState:
    put(farm, "a", "copy_command", *commands)
    return farm


def text(orders: Orders, now: float = NOW, row: Item = ROW) -> str:
    note = orders.note(row, now)
    return f"{note.word}|{note.text}" if note is not None else ""


async def test_an_order_waits_until_the_feed_tells_that_it_is_done() -> None:
    orders, server, farm = Orders(), SampleServer(), FarmState()
    server.order_state = CopyCommand.PENDING
    order = orders.begin("a", command(), NOW)
    assert text(orders).startswith("… pausing|")
    assert not await orders.send(order, server, lambda: NOW)
    assert orders.observe(told(farm, command(CopyCommand.PENDING)), TOPIC, NOW + 1) == []
    assert text(orders).startswith("… pausing|")
    assert orders.observe(told(farm, command(CopyCommand.DONE, "paused at 4 GiB")), TOPIC, NOW + 30) == [order]
    assert text(orders, NOW + 31) == "|✓ paused at 4 GiB"
    assert text(orders, NOW + 60) == "", "by then its state shows it"


async def test_what_both_the_answer_and_the_feed_tell_is_news_once() -> None:
    orders, server, farm = Orders(), SampleServer(), FarmState()
    server.order_state, server.order_result = CopyCommand.REFUSED, "j1 is done already"
    order = orders.begin("a", command(), NOW)
    assert orders.observe(told(farm, command(CopyCommand.REFUSED, "j1 is done already")), TOPIC, NOW) == [order]
    assert not await orders.send(order, server, lambda: NOW)
    assert orders.observe(farm, TOPIC, NOW + 1) == []
    assert text(orders) == "✗ refused|✗ pause refused: j1 is done already"
    assert text(orders, NOW + 60) == "|✗ pause refused: j1 is done already"
    orders.observe(farm, (), NOW + 301)
    assert text(orders, NOW + 301) == ""


async def test_an_order_that_expired_may_turn_out_to_be_done() -> None:
    orders, farm = Orders(), FarmState()
    order = orders.begin("a", command(), NOW)
    assert orders.observe(told(farm, command(CopyCommand.EXPIRED, "no copier came")), TOPIC, NOW) == [order]
    assert order.told == "pause expired: no copier came"
    assert orders.observe(told(farm, command(CopyCommand.PENDING)), TOPIC, NOW) == []
    assert orders.observe(told(farm, command(CopyCommand.DONE)), TOPIC, NOW) == [order]


async def test_an_order_that_could_not_be_sent_says_so_and_is_believed_once_the_server_has_it_after_all() -> None:
    orders, server, farm = Orders(), SampleServer(), FarmState()
    server.is_gone = True
    order = orders.begin("a", command(), NOW)
    assert await orders.send(order, server, lambda: NOW)
    assert "✗ pause failed: no server answers at barn:43200" in text(orders)
    assert orders.observe(told(farm, command(CopyCommand.PENDING)), TOPIC, NOW) == [order]
    assert text(orders).startswith("… pausing|")


async def test_an_order_of_which_the_server_tells_no_more_does_not_wait_for_ever() -> None:
    orders, server, farm = Orders(), SampleServer(), FarmState()
    server.order_state = CopyCommand.PENDING
    order = orders.begin("a", command(), NOW)
    await orders.send(order, server, lambda: NOW)
    assert orders.observe(told(farm, command(CopyCommand.PENDING)), TOPIC, NOW + 500) == [], "it is told still"
    farm.machine("a").entries["copy_command"].clear()
    assert orders.observe(farm, (), NOW + 501) == [order]
    assert order.outcome is Outcome.FAILED


def test_orders_of_others_show_as_long_as_they_wait() -> None:
    orders, farm = Orders(), FarmState()
    orders.observe(told(farm, command(CopyCommand.PENDING, sender="barn (operator)")), TOPIC, NOW)
    assert text(orders).startswith("… pausing|")
    assert orders.observe(told(farm, command(CopyCommand.REFUSED, "no")), TOPIC, NOW) == []
    assert text(orders) == "", "who gave it is told"


def test_of_an_order_for_several_jobs_each_row_says_what_happened_to_its_own() -> None:
    orders, farm = Orders(), FarmState()
    both = command(job_ids=["j1", "j2"])
    orders.begin("a", both, NOW)
    result = "j1: paused at 4 GiB; j2: it was done by then"
    orders.observe(told(farm, command(CopyCommand.REFUSED, result, job_ids=["j1", "j2"])), TOPIC, NOW)
    assert text(orders) == "|▲ paused at 4 GiB"
    assert text(orders, row=Item("a", "copy_job", "j2")) == "|▲ it was done by then"


def test_a_newer_order_takes_the_place_of_what_went_wrong() -> None:
    orders, farm = Orders(), FarmState()
    orders.begin("a", command(), NOW)
    orders.observe(told(farm, command(CopyCommand.REFUSED, "no")), TOPIC, NOW)
    orders.begin("a", command(id="c2", action=CopyCommand.RESUME), NOW + 5)
    assert text(orders).startswith("… resuming|")
    orders.observe(farm, (), NOW + 400)
    assert text(orders).startswith("… resuming|"), "what is forgotten is the older one"


@pytest.mark.parametrize("result", ["\x1b[2Jgone", "a\nb", "[bold]x[/]", "\u202edrow", "x" * 2000, ""])
def test_what_a_copier_answers_is_one_harmless_line(result: str) -> None:
    orders, farm = Orders(), FarmState()
    order = orders.begin("a", command(), NOW)
    orders.observe(told(farm, command(CopyCommand.REFUSED, result)), TOPIC, NOW)
    assert order.told.isprintable()
    assert text(orders).isprintable()


def test_a_priority_that_was_just_ordered_counts_before_the_copier_tells_of_it() -> None:
    orders, farm, job = Orders(), FarmState(), CopyJob(id="j1", priority=3)
    assert orders.priority_of(ROW, job, NOW) == 3
    seven: dict[str, Any] = {"action": CopyCommand.SET_PRIORITY, "priority": 7}
    orders.begin("a", command(**seven), NOW)
    assert orders.priority_of(ROW, job, NOW) == 7
    orders.observe(told(farm, command(CopyCommand.DONE, **seven)), TOPIC, NOW + 1)
    assert orders.priority_of(ROW, job, NOW + 2) == 7
    assert orders.priority_of(ROW, job, NOW + 60) == 3, "by then the copier's own word counts"
