"""Copies on the dashboard: what their lists say, and keys that steer copiers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from chiatea.protobuf.copy_pb2 import Copier, CopyCommand, CopyJob, CopyTarget
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.tui.app import ChiaTeaApp
from chiatea.tui.screens.confirm import ConfirmScreen
from chiatea.tui.screens.prompt import ChooseScreen, PromptScreen
from chiatea.tui.table_view import TableView
from chiatea.wire.feed import Connection

from .sample_copies import copies_farm, job, plot_path
from .sample_farm import GIB, NOW, SampleFeed, put
from .sample_server import SampleServer
from .test_app import HOSTILE, LARGE, SMALL, Clock, number_of, rows, static, until


class Copies:
    """The dashboard on its copies screen."""

    def __init__(self, pilot: Pilot[None], feed: SampleFeed, server: SampleServer, clock: Clock) -> None:
        self.pilot, self.feed, self.server, self.clock = pilot, feed, server, clock

    @property
    def app(self) -> ChiaTeaApp:
        app = self.pilot.app
        assert isinstance(app, ChiaTeaApp)
        return app

    def table(self, name: str = "copy-jobs") -> TableView:
        return self.app.screen.query_one(f"#{name}", TableView)

    def line(self, text: str, name: str = "copy-jobs") -> str:
        """The row that a text stands in."""
        return next((row for row in rows(self.pilot, name) if text in row), "")

    async def at(self, *entry_ids: str, name: str = "copy-jobs") -> None:
        """Goes to a row; with several, marks them all."""
        table = self.table(name)
        table.focus()
        table.unmark()
        topic = {"copy-jobs": "copy_job", "copy-targets": "copy_target"}.get(name, "copier")
        for entry_id in entry_ids:
            machine_id, _, identity = entry_id.rpartition(":")
            assert table.go_to(f"{machine_id or 'a'}/{topic}/{identity}"), entry_id
            await self.pilot.pause()
            if len(entry_ids) > 1:
                await self.pilot.press("space")
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def close_question(self) -> None:
        """Leaves what asks, where something does."""
        if len(self.app.screen_stack) > 1:
            await self.press("escape")

    async def until(self, condition: Callable[[], Any]) -> None:
        await until(self.pilot, condition)

    def sent(self) -> list[tuple[str, str, list[str]]]:
        """Machine, action and jobs of every order."""
        return [(m, CopyCommand.Action.Name(c.action), list(c.job_ids)) for m, c in self.server.sent]

    def toasts(self) -> list[str]:
        return [toast.message for toast in self.app._notifications]

    def is_grey(self, action: str) -> bool:
        active = self.app.screen.active_bindings.values()
        return next(not one.enabled for one in active if one.binding.action == f"order('{action}')")

    def detail(self) -> str:
        return static(self.pilot, "copy-detail")


@asynccontextmanager
async def copies(
    farm: FarmState | None = None, size: tuple[int, int] = LARGE, *, role: str = "operator"
) -> AsyncIterator[Copies]:
    feed, server, clock = SampleFeed(farm or copies_farm()), SampleServer(), Clock()
    feed.role = role
    app = ChiaTeaApp(feed, server, clock=clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(number_of("copies"))
        await until(pilot, lambda: pilot.app.current_mode == "copies" and pilot.app.focused is not None)
        await until(pilot, lambda: isinstance(pilot.app.focused, TableView) or not feed.has_snapshot)
        yield Copies(pilot, feed, server, clock)


def told(copies: Copies, state: CopyCommand.State.ValueType, result: str = "") -> None:
    """The feed tells what became of the newest order."""
    machine_id, sent = copies.server.sent[-1]
    command = CopyCommand()
    command.CopyFrom(sent)
    command.state, command.result = state, result
    put(copies.feed.farm, machine_id, "copy_command", command)
    copies.feed.touch(machine_id, "copy_command")


async def test_copies_stand_in_the_order_in_which_they_matter_and_finished_ones_on_demand() -> None:
    async with copies() as shown:
        states = [row.split()[3] for row in rows(shown.pilot, "copy-jobs")[1:]]
        assert states == ["copying", "verifying", "paused", "paused", "failed", "queued", "queued"]
        assert "60 %" in rows(shown.pilot, "copy-jobs")[1]
        assert "3 min 17 s" in rows(shown.pilot, "copy-jobs")[1]
        assert "36 %" in rows(shown.pilot, "copy-jobs")[2], "of what is verified"
        await shown.press("f")
        states = [row.split()[3] for row in rows(shown.pilot, "copy-jobs")[1:]]
        assert states[7:] == ["done", "done", "cancelled"]
        assert "▲ not yet" in rows(shown.pilot, "copy-jobs")[8], "the newest first"
        assert "● farming" in rows(shown.pilot, "copy-jobs")[9]
        await shown.press("f")
        assert len(rows(shown.pilot, "copy-jobs")) == 8


async def test_copiers_and_targets_say_how_they_are_and_why() -> None:
    async with copies() as shown:
        barn = shown.line("barn", "copiers")
        for text in ("● running", "118", "✗ 1", "343 MiB/s", "381 MiB/s", "▲ 2", "✓ 40 of 118", "slowed: lookups are"):
            assert text in barn
        assert "▲ all paused" in shown.line("cellar", "copiers")
        assert "✗ 1 rotten" in shown.line("cellar", "copiers")
        assert "✗ not connected" in shown.line("loft", "copiers")
        assert "old disks" in shown.line("/mnt/plots2", "copy-targets")
        assert "181 MiB/s" in shown.line("/mnt/plots2", "copy-targets")
        assert "tried again in 6 min 40 s" in shown.line("/mnt/plots4", "copy-targets")


async def test_the_row_under_the_cursor_is_told_whole_below() -> None:
    async with copies(size=SMALL) as shown:
        await shown.at("j6")
        assert "no target folder yet" in shown.detail()
        assert "its source cannot be read: Input/output error" in shown.detail()
        await shown.at("/mnt/plots4", name="copy-targets")
        assert "cannot be written: Input/output error" in shown.detail()
        await shown.at("", name="copiers")
        assert "118 plots moved" in shown.detail()


async def test_an_order_shows_at_once_and_until_the_copier_confirms_it() -> None:
    async with copies() as shown:
        shown.server.answers_orders.clear()
        await shown.press("p")
        assert "… pausing" in rows(shown.pilot, "copy-jobs")[1]
        await shown.until(lambda: shown.sent() == [("a", "PAUSE", ["j1"])])
        shown.server.order_result = "paused at 52 GiB of 87 GiB"
        shown.server.answers_orders.set()
        await shown.until(lambda: "✓" in rows(shown.pilot, "copy-jobs")[1])
        assert "● copying" in rows(shown.pilot, "copy-jobs")[1], "its own state comes by the feed"
        assert "paused at 52 GiB of 87 GiB" in shown.detail()
        assert shown.toasts() == []


async def test_an_order_that_waits_is_not_lost_when_the_screen_is_left_and_its_refusal_is_told_anywhere() -> None:
    async with copies() as shown:
        shown.server.order_state = CopyCommand.PENDING
        await shown.press("p")
        await shown.press(number_of("farm"))
        await shown.until(lambda: shown.app.current_mode == "farm")
        await shown.press(number_of("copies"))
        await shown.until(lambda: "… pausing" in rows(shown.pilot, "copy-jobs")[1])
        await shown.press(number_of("farm"))
        told(shown, CopyCommand.REFUSED, "j1 is done already [/bold]")
        await shown.until(shown.toasts)
        assert shown.toasts() == ["barn: pause refused: j1 is done already [/bold]"]
        await shown.press(number_of("copies"))
        await shown.until(lambda: "✗ refused" in rows(shown.pilot, "copy-jobs")[1])
        assert "j1 is done already" in shown.detail()


async def test_a_server_that_is_gone_is_told_in_the_row_and_in_a_toast() -> None:
    async with copies(size=SMALL) as shown:
        shown.server.is_gone = True
        await shown.press("p")
        await shown.until(shown.toasts)
        assert "no server answers at barn:43200" in shown.toasts()[0]
        assert "✗ failed" in rows(shown.pilot, "copy-jobs")[1]
        shown.clock.now += 20
        shown.feed.touch()
        await shown.until(lambda: "● copying" in rows(shown.pilot, "copy-jobs")[1])


async def test_an_order_of_somebody_else_shows_while_it_waits() -> None:
    async with copies() as shown:
        theirs = CopyCommand(id="x", action=CopyCommand.CANCEL, state=CopyCommand.PENDING, job_ids=["j2"])
        put(shown.feed.farm, "a", "copy_command", theirs)
        shown.feed.touch("a", "copy_command")
        await shown.until(lambda: "… cancelling" in rows(shown.pilot, "copy-jobs")[2])


async def test_an_action_works_on_all_marks_with_one_order_for_each_machine() -> None:
    async with copies() as shown:
        await shown.at("j1", "j2", "j6", "b:j20")
        await shown.press("x")
        assert isinstance(shown.app.screen, ConfirmScreen)
        await shown.press("y")
        await shown.until(lambda: len(shown.sent()) == 2)
        assert shown.sent() == [("a", "CANCEL", ["j1", "j2"]), ("b", "CANCEL", ["j20"])]
        assert "3 copies, not 1 more" in shown.toasts()[0]
        assert "is failed already" in shown.toasts()[0]


@pytest.mark.parametrize("key", ["n", "escape", "enter"])
async def test_cancel_says_what_is_lost_and_only_y_does_it(key: str) -> None:
    async with copies() as shown:
        await shown.at("j1", "j3")
        await shown.press("x")
        asked = str(shown.app.screen.query_one(Static).content)
        assert "56.0 GiB are thrown away" in asked
        assert "The sources stay where they are" in asked
        await shown.press(key)
        assert isinstance(shown.app.screen, ConfirmScreen) == (key == "enter")
        await shown.close_question()
        assert shown.sent() == []
        assert len(shown.table().marks) == 2


async def test_a_copy_that_ends_while_its_cancelling_is_asked_about_is_left_out() -> None:
    async with copies() as shown:
        await shown.at("j1")
        await shown.press("x")
        put(shown.feed.farm, "a", "copy_job", job(1, CopyJob.DONE))
        await shown.press("y")
        await shown.until(shown.toasts)
        assert "is done already" in shown.toasts()[0]
        assert shown.sent() == []


async def test_a_job_that_failed_is_tried_again_and_one_that_is_paused_resumed() -> None:
    async with copies() as shown:
        await shown.at("j6")
        await shown.press("R")
        await shown.at("j5")
        await shown.press("R")
        await shown.at("j3")
        await shown.press("r")
        await shown.until(lambda: len(shown.sent()) == 3)
        assert shown.sent() == [("a", "RETRY", ["j6"]), ("a", "RETRY", ["j5"]), ("a", "RESUME", ["j3"])]


async def test_priority_goes_up_and_down_by_one_from_what_was_ordered_last() -> None:
    async with copies() as shown:
        await shown.at("j4")
        await shown.press("plus")
        await shown.press("equals_sign")
        await shown.press("minus")
        await shown.until(lambda: len(shown.server.sent) == 3)
        assert [command.priority for _, command in shown.server.sent] == [-1, 0, -1]
        await shown.at("j1", "j4")
        await shown.press("plus")
        await shown.until(lambda: len(shown.server.sent) == 5)
        assert {(c.priority, *c.job_ids) for _, c in shown.server.sent[3:]} == {(1, "j1"), (0, "j4")}


async def test_a_copy_is_moved_to_a_target_that_can_take_it_and_to_no_other() -> None:
    async with copies() as shown:
        await shown.at("j1")
        await shown.press("m")
        options = shown.app.screen.query_one(OptionList)
        texts = [(str(option.prompt), option.disabled) for option in options.options]
        assert texts == [
            ("/mnt/plots1  413 GiB left", False),
            ("/mnt/plots2  ✗ it goes there already", True),
            ("/mnt/plots3  ✗ has no room above copy.reserve and what is promised", True),
            ("/mnt/plots4  ✗ cannot be written: Input/output error", True),
        ]
        await shown.press("enter")
        await shown.until(lambda: shown.server.sent)
        assert shown.sent() == [("a", "MOVE", ["j1"])]
        assert shown.server.sent[0][1].target_id == "/mnt/plots1"


async def test_a_target_without_room_for_the_largest_copy_is_refused() -> None:
    async with copies() as shown:
        put(
            shown.feed.farm,
            "a",
            "copy_target",
            CopyTarget(id="/mnt/plots1", state=CopyTarget.READY, free_bytes=90 * GIB, reserved_bytes=4 * GIB),
        )
        await shown.at("j1")
        await shown.press("m")
        options = shown.app.screen.query_one(OptionList)
        assert all(option.disabled for option in options.options)
        assert "87.0 GiB are needed" in str(options.options[0].prompt)
        await shown.press("enter", "escape")
        assert shown.sent() == []


async def test_copies_of_two_machines_are_not_moved_at_once() -> None:
    async with copies() as shown:
        await shown.at("j1", "b:j20")
        await shown.press("m")
        await shown.until(shown.toasts)
        assert "choose copies of one machine" in shown.toasts()[0]
        assert not isinstance(shown.app.screen, ChooseScreen)


async def test_all_of_a_machine_is_paused_and_goes_on() -> None:
    async with copies() as shown:
        shown.server.order_state = CopyCommand.PENDING
        await shown.at("j1")
        await shown.press("P")
        assert "… pausing all" in shown.line("barn", "copiers")
        await shown.at("b:j20")
        assert shown.is_grey("resume"), "all of its copier is paused"
        await shown.press("P")
        await shown.until(lambda: len(shown.server.sent) == 2)
        assert shown.sent() == [("a", "PAUSE_ALL", []), ("b", "RESUME_ALL", [])]
        assert shown.is_grey("pause_all"), "it was ordered already"


async def test_a_target_is_drained_and_released_from_its_row_and_from_a_copy_to_it() -> None:
    async with copies() as shown:
        await shown.at("/mnt/plots1", "/mnt/plots4", name="copy-targets")
        await shown.press("d")
        await shown.at("b:/mnt/usb-a", name="copy-targets")
        await shown.press("d")
        await shown.at("j1")
        await shown.press("d")
        await shown.until(lambda: len(shown.server.sent) == 4)
        assert [(CopyCommand.Action.Name(c.action), c.target_id) for _, c in shown.server.sent] == [
            ("DRAIN_TARGET", "/mnt/plots1"),
            ("DRAIN_TARGET", "/mnt/plots4"),
            ("RELEASE_TARGET", "/mnt/usb-a"),
            ("DRAIN_TARGET", "/mnt/plots2"),
        ]
        await shown.at("j4")
        assert shown.is_grey("drain")


async def test_a_target_with_another_disk_than_before_is_released_when_that_was_asked() -> None:
    async with copies() as shown:
        await shown.at("b:/mnt/usb-b", name="copy-targets")
        await shown.press("d")
        assert "has another disk than before" in str(shown.app.screen.query_one(Static).content)
        await shown.press("n")
        assert shown.sent() == []
        await shown.press("d")
        await shown.press("y")
        await shown.until(lambda: shown.server.sent)
        assert shown.server.sent[0][1].action == CopyCommand.RELEASE_TARGET


async def test_a_limit_is_set_for_a_copy_and_for_a_copier_and_a_wrong_one_is_asked_again() -> None:
    async with copies() as shown:
        await shown.at("j1")
        await shown.press("b")
        shown.app.screen.query_one(Input).value = "fast"
        await shown.press("enter")
        assert "is no size" in str(shown.app.screen.query_one("#hint", Static).content)
        shown.app.screen.query_one(Input).value = "9999999999GB"
        await shown.press("enter")
        assert "more than any disk" in str(shown.app.screen.query_one("#hint", Static).content)
        shown.app.screen.query_one(Input).value = "50MB"
        await shown.press("enter")
        await shown.at("", name="copiers")
        await shown.press("b")
        assert shown.app.screen.query_one(Input).value == "400MB", "what it has"
        shown.app.screen.query_one(Input).value = ""
        await shown.press("enter")
        await shown.until(lambda: len(shown.server.sent) == 2)
        limits = [
            (list(c.job_ids), c.HasField("max_bytes_per_second"), c.max_bytes_per_second) for _, c in shown.server.sent
        ]
        assert limits == [(["j1"], True, 50_000_000), ([], True, 0)]
        assert not isinstance(shown.app.screen, PromptScreen)


@pytest.mark.parametrize(
    ("row", "grey", "why"),
    [
        ("j1", {"resume", "retry"}, "is copying, not paused"),
        ("j3", {"pause", "retry"}, "is paused already"),
        ("j6", {"pause", "resume", "cancel", "sooner", "later", "move", "drain", "bandwidth"}, "is failed already"),
        ("j4", {"resume", "retry", "drain"}, "is queued, not paused"),
    ],
)
async def test_what_does_not_apply_is_grey_and_its_key_says_why(row: str, grey: set[str], why: str) -> None:
    names = ("pause", "resume", "cancel", "retry", "sooner", "later", "move", "pause_all", "drain", "bandwidth")
    async with copies() as shown:
        await shown.at(row)
        assert {name for name in names if shown.is_grey(name)} == grey
        await shown.press("p" if "pause" in grey else "r")
        assert why in shown.toasts()[0]
        assert shown.sent() == []


async def test_jobs_keys_are_grey_in_the_lists_of_targets_and_copiers() -> None:
    async with copies() as shown:
        await shown.press("tab")
        await shown.press("x")
        assert "it is for copies: Tab goes to their list" in shown.toasts()[-1]
        await shown.press("tab")
        assert shown.is_grey("bandwidth")
        assert not shown.is_grey("drain")


EVERY_KEY = ("p", "r", "x", "R", "plus", "minus", "m", "P", "d", "b")


async def see_nothing_can_be_ordered(shown: Copies, why: str) -> None:
    for key in EVERY_KEY:
        await shown.press(key)
    assert len(shown.app.screen_stack) == 1
    assert shown.sent() == []
    assert all(why in toast for toast in shown.toasts())
    assert len(shown.toasts()) == len(EVERY_KEY)


async def test_a_viewer_orders_nothing_and_is_told_why() -> None:
    async with copies(role="viewer") as shown:
        await see_nothing_can_be_ordered(shown, "this dashboard's token may only look (viewer)")


async def test_without_a_connection_nothing_is_ordered() -> None:
    async with copies() as shown:
        shown.feed.connection = Connection(since=NOW, attempt=1, error="gone", address="barn:43200")
        shown.feed.touch()
        await shown.until(lambda: shown.is_grey("pause"))
        await see_nothing_can_be_ordered(shown, "there is no connection to the server")


async def test_while_the_screen_is_held_still_nothing_is_ordered() -> None:
    async with copies() as shown:
        await shown.press("z")
        await see_nothing_can_be_ordered(shown, "z goes on")


async def test_a_copier_that_is_not_connected_gets_no_orders() -> None:
    async with copies() as shown:
        info = MachineInfo()
        info.CopyFrom(shown.feed.farm.infos["a"])
        info.copier_online = False
        shown.feed.farm.apply_info(info)
        shown.feed.touch()
        await shown.until(lambda: shown.is_grey("pause"))
        await shown.press("p")
        assert "the copier of barn is not connected" in shown.toasts()[0]
        assert shown.sent() == []


async def test_the_palette_has_each_key_with_what_it_does_or_why_not() -> None:
    async with copies() as shown:
        commands = {one.title: one for one in shown.app.get_system_commands(shown.app.screen)}
        assert commands["copies: Pause"].help == "Stop the bytes of copies where they are"
        assert "is copying, not paused" in commands["copies: Resume (not now)"].help
        commands["copies: Pause"].callback()
        await shown.until(lambda: shown.sent() == [("a", "PAUSE", ["j1"])])
        assert sum(title.startswith("copies: ") for title in commands) == 11


async def test_where_no_copier_is_the_screen_says_what_to_do() -> None:
    async with copies(FarmState(), SMALL) as shown:
        assert "chia-tea copy" in str(shown.app.screen.query_one("#copy-jobs-pane .nothing", Static).content)
        for key in (*EVERY_KEY, "tab", "f", "enter", "space"):
            await shown.press(key)
        assert shown.app.current_mode == "copies"


async def test_in_a_small_terminal_the_list_that_is_worked_on_has_the_room() -> None:
    async with copies(size=SMALL) as shown:
        assert shown.table().size.height >= 7
        before = shown.table("copy-targets").size.height
        await shown.at("/mnt/plots1", name="copy-targets")
        await shown.until(lambda: shown.table("copy-targets").size.height > before)


@pytest.mark.parametrize("size", [(60, 15), SMALL, LARGE])
@pytest.mark.parametrize("text", HOSTILE)
async def test_text_from_the_wire_cannot_break_it(text: str, size: tuple[int, int]) -> None:
    farm = copies_farm()
    farm.apply_info(MachineInfo(machine_id="a", name=text, last_seen=NOW, online=True, copier_online=True))
    for topic in ("copier", "copy_job", "copy_target"):
        for entry in farm.machine("a").of(topic).values():
            for name in ("source_filepath", "target_id", "last_error", "reason", "group", "slowed_by", "version"):
                if name in entry.message.DESCRIPTOR.fields_by_name:
                    setattr(entry.message, name, text)
    put(farm, "a", "copy_target", CopyTarget(id=text, state=CopyTarget.READY, free_bytes=2**62, promised_bytes=-1))
    async with copies(farm, size) as shown:
        for key in ("x", "m", "b", "p", "tab", "d", "tab", "f", "P"):
            await shown.press(key)
            await shown.close_question()
        for table in shown.app.screen.query(TableView):
            for y in range(table.size.height):
                strip = table.render_line(y)
                assert strip.text.isprintable()
                assert strip.cell_length <= table.size.width
        assert shown.detail().replace("\n", " ").isprintable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30, 1e300])
async def test_absurd_numbers_are_drawn_somehow(value: float) -> None:
    farm = copies_farm()
    for state in farm.machines.values():
        for topic in ("copier", "copy_job", "copy_target"):
            for entry in state.of(topic).values():
                for field in entry.message.DESCRIPTOR.fields:
                    if field.type == field.TYPE_DOUBLE:
                        setattr(entry.message, field.name, value)
                    elif field.type == field.TYPE_INT64:
                        setattr(entry.message, field.name, -(2**63))
    put(farm, "a", "copier", Copier(is_running=True, bytes_per_second=value))
    async with copies(farm) as shown:
        assert "copying" in "".join(rows(shown.pilot, "copy-jobs"))
        for key in ("f", "s", "s", "s", "m", "x"):
            await shown.press(key)
            await shown.close_question()
        assert shown.app.is_running


async def test_a_thousand_marked_copies_are_one_order_each_thousand() -> None:
    farm = copies_farm()
    put(farm, "a", "copy_job", *(job(number, CopyJob.QUEUED) for number in range(100, 1300)))
    async with copies(farm) as shown:
        await shown.press("slash", *"queued", "enter", "ctrl+a", "p")
        await shown.until(lambda: len(shown.sent()) == 2)
        assert [len(jobs) for _, _, jobs in shown.sent()] == [1000, 202]
        assert plot_path(100).rpartition("/")[2][-10:] in "".join(rows(shown.pilot, "copy-jobs"))
