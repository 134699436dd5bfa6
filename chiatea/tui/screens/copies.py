"""Copies: copiers, the folders that they fill, the plots on their way, and the keys that steer them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import ActiveBinding, Binding, BindingType
from textual.widgets import Static

from chiatea.errors import ChiaTeaError
from chiatea.protobuf.copy_pb2 import CopyCommand, CopyTarget
from chiatea.tui.copy_actions import ACTIONS, Choice, chosen_for, commands_for, hindrance, move_faults, room_of
from chiatea.tui.copy_detail import copy_detail
from chiatea.tui.copy_questions import bandwidth_of, cancel_lines, counted, limit_now, release_lines
from chiatea.tui.list_model import Item, ListModel, entry_of
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.copiers import copiers_content
from chiatea.tui.lists.copy_jobs import copy_jobs_content
from chiatea.tui.lists.copy_targets import copy_targets_content
from chiatea.tui.orders import Orders
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.confirm import ConfirmScreen
from chiatea.tui.screens.lists import ListsScreen
from chiatea.tui.screens.prompt import ChooseScreen, PromptScreen
from chiatea.tui.shown import Shown
from chiatea.tui.strips import styled
from chiatea.units import format_bytes

__all__ = ["CopiesScreen"]

_FRAME: Final = 3
"""Lines of a list beside its rows."""
_ROOM_FOR_ALL: Final = 150
_FIRST_KEYS: Final = frozenset(action.keys.partition(",")[0] for action in ACTIONS)
_TITLES: Final = {action.name: action.title for action in ACTIONS}
_ALWAYS_NAMED: Final = frozenset({"pause", "resume", "cancel", "move"})
"""Keys that are named below the lists where there is no room for all; `?` and the palette name all."""
_LEAST: Final = {"copiers": _FRAME + 1, "copy-targets": _FRAME + 2}


class CopiesScreen(ListsScreen):
    """Three lists over all machines. What a key orders is sent by the app, so it outlives the screen."""

    CSS_PATH = "copies.tcss"
    AUTO_FOCUS = "#copy-jobs"
    title_of_screen = "Copies"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                action.keys,
                f"order('{action.name}')",
                action.title,
                key_display=action.shown or None,
                show=action.name in _ALWAYS_NAMED,
                id=f"copies.{action.name}",
                tooltip=action.tooltip,
            )
            for action in ACTIONS
        ),
        Binding(
            "f", "finished", "Finished", show=False, id="copies.finished", tooltip="Show finished copies too, or not"
        ),
    ]

    def __init__(self) -> None:
        """Finished copies are left out at first."""
        super().__init__()
        self._shows_finished = False
        self._shown: Shown | None = None
        self._faults: dict[str, str] = {}

    def compose_body(self) -> ComposeResult:
        """Copiers, targets, jobs, and more of the row under the cursor."""
        yield ListPane(copiers_content(self._orders))
        yield ListPane(copy_targets_content(self._orders))
        yield ListPane(copy_jobs_content(self._orders, lambda: self._shows_finished))
        yield Static(id="copy-detail", markup=False)

    @property
    def _orders(self) -> Orders:
        orders: Orders = self.app.orders  # type: ignore[attr-defined]
        return orders

    @property
    def _jobs_pane(self) -> ListPane:
        return self.query_one("#copy-jobs-pane", ListPane)

    def focus_first(self) -> None:
        """The jobs are what one steers."""
        self._jobs_pane.table.focus()

    def show_body(self, shown: Shown) -> None:
        """Draws the lists, and says which keys work now."""
        self._shown = shown
        self._lay_out(shown)
        super().show_body(shown)
        self._tell()

    def _lay_out(self, shown: Shown) -> None:
        """Copiers and targets get the lines that they need, more while they are worked on; the jobs the rest."""
        height = self.size.height
        focused = self.focused_pane.content.id
        for name, topic in (("copiers", "copier"), ("copy-targets", "copy_target")):
            pane = self.query_one(f"#{name}-pane", ListPane)
            n_rows = sum(len(machine.state.of(topic)) for machine in shown.view.machines())
            pane.display = n_rows > 0
            most = height // 2 - 2 if focused == name else max(_LEAST[name], height // 5)
            pane.styles.height = min(n_rows + _FRAME, most)

    def _tell(self) -> None:
        shown = self._shown
        if shown is None:
            return
        detail = self.query_one("#copy-detail", Static)
        lines = copy_detail(self.focused_pane.table.cursor_item, shown.view, self._orders, self.size.width - 4)
        texts = [styled(line.spans, shown.styles) for line in lines]
        detail.update(Text("\n", no_wrap=True, overflow="ellipsis").join(texts))
        faults = {action.name: self._fault(action.name, shown) for action in ACTIONS}
        if faults != self._faults:
            self._faults = faults
            self.refresh_bindings()

    def _fault(self, name: str, shown: Shown) -> str:
        """Why an action works on no chosen row; "" where it does on one."""
        fault = hindrance(shown)
        if fault:
            return fault
        choice = chosen_for(name, self.focused_pane.table.chosen(), shown.view, self._orders, is_any=True)
        return "" if choice.items else choice.why_not

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """On a wide terminal all keys are named below the lists."""
        active = super().active_bindings
        if self.size.width < _ROOM_FOR_ALL:
            return active
        return {
            key: one._replace(binding=replace(one.binding, show=one.binding.key in _FIRST_KEYS))
            if one.binding.action.startswith("order(")
            else one
            for key, one in active.items()
        }

    def on_table_view_moved(self) -> None:
        """Another row, other marks: other keys work."""
        self._tell()

    def on_descendant_focus(self) -> None:
        """Another list is worked on."""
        if self._shown is not None:
            self._lay_out(self._shown)
            self._tell()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys out what does not apply now."""
        if action == "order" and parameters:
            return None if self._faults.get(str(parameters[0])) else True
        return super().check_action(action, parameters)

    def on_key(self, event: events.Key) -> None:
        """A key that is greyed out says why."""
        active = self.active_bindings.get(event.key)
        if active is None or active.enabled or not active.binding.action.startswith("order("):
            return
        name = active.binding.action.removeprefix("order('").removesuffix("')")
        event.stop()
        self._refuse(name, self._faults.get(name, ""))

    def commands(self) -> Iterable[SystemCommand]:
        """Each key, with what it does or why it does not."""
        for action in ACTIONS:
            fault = self._faults.get(action.name, "")
            title = f"copies: {action.title}" + (" (not now)" if fault else "")
            yield SystemCommand(title, plain(fault) or action.tooltip, partial(self.action_order, action.name))
        finished = "Hide finished" if self._shows_finished else "Show finished"
        yield SystemCommand(f"copies: {finished}", "Done and cancelled copies", self.action_finished)

    def action_finished(self) -> None:
        """Shows finished copies too, or not."""
        self._shows_finished = not self._shows_finished
        pane = self._jobs_pane
        pane.border_title = "Copies, finished ones too" if self._shows_finished else pane.content.title
        if isinstance(pane.model, ListModel):
            pane.model.look_again()
        if self._shown is not None:
            self.show_body(self._shown)

    def action_order(self, name: str) -> None:
        """Orders something for the chosen rows, as they are now."""
        shown = self._shown
        if shown is None:
            return
        choice = chosen_for(name, self.focused_pane.table.chosen(), shown.view, self._orders)
        fault = hindrance(shown) or ("" if choice.items else choice.why_not)
        if fault:
            self._refuse(name, fault)
        elif name == "cancel":
            self._ask_to_cancel(choice)
        elif name == "move":
            self._ask_where_to(choice)
        elif name == "bandwidth":
            self._ask_how_fast(choice)
        elif name == "drain" and (lines := release_lines(choice.items, shown.view)):
            self._ask_to_release(choice, lines)
        else:
            self._give(name, choice)

    def _refuse(self, name: str, fault: str) -> None:
        self.notify(f"{_TITLES[name]}: {fault}", severity="warning", timeout=4, markup=False)

    def _give(self, name: str, choice: Choice, **more: object) -> None:
        """What was chosen may have changed while a person was asked: what does not apply any more is left out."""
        shown = self._shown
        if shown is None:
            return
        now = chosen_for(name, choice.items, shown.view, self._orders)
        n_left_out = choice.n_left_out + now.n_left_out
        fault = hindrance(shown) or ("" if now.items else now.why_not)
        if fault:
            self._refuse(name, fault)
            return
        if n_left_out:
            told = f"{_TITLES[name]}: {counted(now.items)}, not {n_left_out} more: {choice.why_not or now.why_not}"
            self.notify(told, severity="warning", timeout=5, markup=False)
        commands: Sequence[tuple[str, CopyCommand]] = commands_for(name, now.items, shown.view, self._orders, **more)
        self.app.give_orders(commands)  # type: ignore[attr-defined]

    def _entries(self, items: Iterable[Item]) -> list[Any]:
        view = self._shown.view if self._shown is not None else None
        found = [entry_of(view, item) for item in items] if view is not None else []
        return [entry for entry in found if entry is not None]

    @work(exclusive=True, group="question")
    async def _ask_to_cancel(self, choice: Choice) -> None:
        title = f"Cancel {counted(choice.items)}?"
        if await self.app.push_screen_wait(ConfirmScreen(title, cancel_lines(self._entries(choice.items)))):
            self._give("cancel", choice)

    @work(exclusive=True, group="question")
    async def _ask_to_release(self, choice: Choice, lines: Sequence[str]) -> None:
        if await self.app.push_screen_wait(ConfirmScreen(f"Release {counted(choice.items)}?", lines)):
            self._give("drain", choice)

    @work(exclusive=True, group="question")
    async def _ask_where_to(self, choice: Choice) -> None:
        shown = self._shown
        if shown is None:
            return
        machines = {item.machine_id for item in choice.items}
        if len(machines) > 1:
            self._refuse("move", "choose copies of one machine: each has target folders of its own")
            return
        machine = shown.view.machine(machines.pop())
        targets: list[CopyTarget] = sorted(
            machine.all("copy_target"), key=lambda target: (target.group_rank, target.id)
        )
        faults = move_faults(self._entries(choice.items), targets)
        choices = [
            (target.id, f"{target.id}  {format_bytes(max(0, room_of(target)))} left")
            if not faults[target.id]
            else (target.id, f"{target.id}  ✗ {faults[target.id]}")
            for target in targets
        ]
        refused = [target_id for target_id, fault in faults.items() if fault]
        title = f"Move {counted(choice.items)} of {machine.name} to"
        target_id = await self.app.push_screen_wait(ChooseScreen(title, choices, refused=refused))
        if target_id is not None:
            self._give("move", choice, target_id=target_id)

    @work(exclusive=True, group="question")
    async def _ask_how_fast(self, choice: Choice) -> None:
        of_copier = choice.items[0].topic == "copier"
        what = "all copies together" if of_copier else "each of them alone" if len(choice.items) > 1 else "this copy"
        text = await self.app.push_screen_wait(
            PromptScreen(
                f"Limit of {counted(choice.items)}",
                value=limit_now(self._entries(choice.items)),
                hint=f"What {what} may move in a second, as 50MB or 20MiB; empty or 0: no limit.",
                check=bandwidth_of,
            )
        )
        if text is not None:
            try:
                rate = bandwidth_of(text)
            except ChiaTeaError:
                return
            self._give("bandwidth", choice, max_bytes_per_second=rate)
