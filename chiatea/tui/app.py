"""The dashboard: follows the feed, and shows what changed to the screen that is seen."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.descriptors import TOPICS
from chiatea.security.roles import Role
from chiatea.state.farm_state import FarmState
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.feed_protocol import Feed
from chiatea.tui.growth import Growth
from chiatea.tui.line_view import LineView
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.machines import MACHINE_TOPIC
from chiatea.tui.options import DEFAULT_OPTIONS, Options, check_names
from chiatea.tui.orders import Order, Orders
from chiatea.tui.remembered import Remembered, read_remembered, write_remembered
from chiatea.tui.screen_names import SCREEN_NAMES
from chiatea.tui.screens.copies import CopiesScreen
from chiatea.tui.screens.entry import EntryScreen
from chiatea.tui.screens.events import EventsScreen
from chiatea.tui.screens.hardware import HardwareScreen
from chiatea.tui.screens.harvesters import HarvestersScreen
from chiatea.tui.screens.help import HelpScreen
from chiatea.tui.screens.machine import MachineScreen
from chiatea.tui.screens.missed import MissedScreen
from chiatea.tui.screens.overview import OverviewScreen
from chiatea.tui.screens.plots import PlotsScreen
from chiatea.tui.screens.plotting import PlottingScreen
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView
from chiatea.tui.themes import THEMES, styles_of
from chiatea.tui.view import FarmView, Recent

__all__ = ["ChiaTeaApp", "binding_ids", "run", "run_async"]

FLUSH_SECONDS: Final = 0.25
"""Faster is not seen, and costs."""
TICKS_PER_SECOND: Final = 4


class ChiaTeaApp(App[None]):
    """One feed, a mode for each screen. Widgets hold no farm data: they are handed a view of it."""

    TITLE = "chia-tea"
    CSS_PATH = "screens/shell.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar = {
        "farm": OverviewScreen,
        "harvesters": HarvestersScreen,
        "missed": MissedScreen,
        "hardware": HardwareScreen,
        "copies": CopiesScreen,
        "plotting": PlottingScreen,
        "events": EventsScreen,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"go('{name.mode}')",
                name.title,
                id=f"screen.{name.mode}",
                tooltip=f"To the screen: {name.title}",
                show=False,
            )
            for number, name in enumerate(SCREEN_NAMES, 1)
        ),
        Binding("z", "freeze", "Freeze", show=False, id="app.freeze", tooltip="Hold the screen still, and go on"),
        Binding("question_mark", "help", "Help", key_display="?", id="app.help", tooltip="What keys and colours mean"),
        Binding("colon", "command_palette", "Palette", show=False, id="app.palette", tooltip="Everything by its name"),
        Binding("q,ctrl+q", "quit", "Quit", key_display="q", id="app.quit", tooltip="Leave the dashboard"),
    ]

    def __init__(
        self,
        feed: Feed,
        server: FarmServer,
        *,
        options: Options = DEFAULT_OPTIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Shows what the feed tells, and asks the server for what it does not.

        Raises:
            ConfigurationError: the options name a theme or a key that there is not.
        """
        super().__init__()
        self.server = server
        self.orders = Orders()
        self._feed = feed
        self._options = options
        self._thresholds = options.thresholds
        self._clock = clock
        path = options.remembered_filepath
        self.remembered = read_remembered(path) if path is not None else Remembered()
        self.recent = Recent()
        self._growth = Growth()
        self._ticks = 0
        self._changed: set[tuple[str, str]] = set()
        self._frozen: FarmView | None = None
        for theme in THEMES:
            self.register_theme(theme)
        check_names(options, themes=self.available_themes, ids=binding_ids())
        self.set_keymap(options.keymap)
        wanted = options.theme or self.remembered.theme
        self.theme = wanted if wanted in self.available_themes else THEMES[0].name

    async def on_mount(self) -> None:
        """Shows the first screen and begins to follow the server."""
        mode = self.remembered.screen
        await self.switch_mode(mode if mode in self.MODES else SCREEN_NAMES[0].mode)
        self.theme_changed_signal.subscribe(self, lambda _: self._on_theme())
        self._follow()
        self.tick()
        self.set_interval(FLUSH_SECONDS, self.tick)

    def remember(self) -> None:
        """Keeps for the next time what was chosen."""
        self.remembered.screen, self.remembered.theme = self.current_mode, self.theme
        if self._options.remembered_filepath is not None:
            write_remembered(self._options.remembered_filepath, self.remembered)

    @work(name="feed", exit_on_error=True)
    async def _follow(self) -> None:
        await self._feed.run()

    def _on_theme(self) -> None:
        for screen in self._own_screens():
            screen.use_styles(styles_of(self.current_theme))
        self._show()

    def _own_screens(self) -> list[ShellScreen]:
        """The screens of this mode, without what asks or helps on top of them."""
        return [screen for screen in self.screen_stack if isinstance(screen, ShellScreen)]

    def tick(self) -> None:
        """Shows what changed since the last time, and each second what time it is."""
        changed = self._feed.take_changed()
        self.recent.observe(self._feed.farm, changed)
        for order in self.orders.observe(self._feed.farm, changed, self._clock()):
            self._tell(order)
        self._changed |= changed
        self._ticks += 1
        # Ages and the clock move once a second even when nothing else does.
        if self._changed or self._ticks % TICKS_PER_SECOND == 0:
            self._show()

    def give_orders(self, commands: Sequence[tuple[str, CopyCommand]]) -> None:
        """Sends orders to copiers, by the ids of their machines; what becomes of them is followed on every screen."""
        for machine_id, command in commands:
            self._send(self.orders.begin(machine_id, command, self._clock()))
        self._show()

    @work(group="orders")
    async def _send(self, order: Order) -> None:
        if await self.orders.send(order, self.server, self._clock):
            self._tell(order)
            self._show()

    def _tell(self, order: Order) -> None:
        """What went wrong must be seen; what was done shows in its rows."""
        if order.went_wrong:
            name = FarmView(self._feed.farm, self._clock()).machine(order.machine_id).name
            self.notify(f"{name}: {order.told}", severity="error", timeout=10, markup=False)

    @on(ShellScreen.Ready)
    def _on_ready(self) -> None:
        for screen in self._own_screens()[-1:]:
            screen.use_styles(styles_of(self.current_theme))
        self._show()

    def _show(self) -> None:
        screens = self._own_screens()
        # Before its widgets are there, and when they are gone already, there is nothing to draw on.
        if not screens or not screens[-1].is_mounted or not screens[-1].query("#header"):
            return
        changed, self._changed = self._changed, set()
        frozen = self._frozen
        shown = Shown(
            frozen or self._view(self._feed.farm),
            changed,
            self._feed.connection,
            styles_of(self.current_theme),
            self._feed.has_snapshot,
            frozen.now if frozen is not None else None,
            Role.VIEWER if self._options.is_read_only else self._feed.role,
        )
        crumbs = [crumb for screen in screens for crumb in screen.crumbs]
        # What was opened from a machine's screen names the machine too.
        screens[-1].show(shown, [crumb for crumb, _ in itertools.groupby(crumbs)])

    def _view(self, farm: FarmState) -> FarmView:
        return FarmView(farm, self._clock(), self.recent, self._thresholds, self._growth)

    def on_panel_resized(self) -> None:
        """A panel has another width now."""
        self._show()

    async def action_go(self, mode: str) -> None:
        """To a screen; again to the one that is open: back to its beginning."""
        if mode not in self.MODES or not self._own_screens() or self._own_screens()[-1] is not self.screen:
            return
        if mode == self.current_mode:
            while len(self.screen_stack) > 1:
                await self.pop_screen()
        else:
            await self.switch_mode(mode)

    async def action_back(self) -> None:
        """Back to the screen that this one was opened from; at the beginning of another one, to the farm."""
        if len(self.screen_stack) > 1:
            await self.pop_screen()
        elif self.current_mode != SCREEN_NAMES[0].mode:
            await self.switch_mode(SCREEN_NAMES[0].mode)

    async def action_open_entry(self, machine_id: str, topic: str, entry_id: str | int) -> None:
        """Everything about one entry, or a whole machine."""
        if topic == MACHINE_TOPIC:
            await self.push_screen(MachineScreen(machine_id))
        elif topic in TOPICS:
            await self.push_screen(EntryScreen(machine_id, topic, entry_id))

    async def action_open_plots(self, machine_id: str = "", text: str = "") -> None:
        """Plots of a machine, "" for all, that have every word of a text."""
        await self.push_screen(PlotsScreen(machine_id, text))

    def action_freeze(self) -> None:
        """Holds the screen still, or lets it go on."""
        if self._frozen is None:
            self._frozen = self._view(self._feed.farm.copy())
        else:
            self._frozen = None
        self._show()

    def action_help(self) -> None:
        """Help for what has the focus, and all keys."""
        screen = self.screen
        if isinstance(screen, ShellScreen):
            title, text = screen.help()
            self.push_screen(HelpScreen(title, self._thresholds.told_in(text), screen.active_bindings.values()))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: what applies now, as `group: Action`."""
        yield SystemCommand("app: Quit", "Leave the dashboard", self.action_quit)
        yield SystemCommand("app: Help", "What keys and colours mean", self.action_help)
        freeze = "Go on" if self._frozen is not None else "Freeze"
        yield SystemCommand(f"view: {freeze}", "Hold the screen still, and go on", self.action_freeze)
        for name in SCREEN_NAMES:
            yield SystemCommand(
                f"view: {name.title}", f"To the screen {name.title}", partial(self.action_go, name.mode)
            )
        if isinstance(screen, ShellScreen):
            yield from screen.commands()
        yield SystemCommand("view: All plots", "Every plot of the farm, sorted and filtered", self.action_open_plots)
        for theme in sorted(self.available_themes):
            if theme != self.theme:
                yield SystemCommand(f"theme: {theme}", "Other colours", partial(setattr, self, "theme", theme))


def binding_ids() -> set[str]:
    """What keys can be chosen for, by `tui.keymap`."""
    classes: set[type] = {ChiaTeaApp, TableView, ListPane, LineView}
    waiting: list[type] = [ShellScreen]
    while waiting:
        classes.add(waiting[-1])
        waiting += waiting.pop().__subclasses__()
    bindings = [binding for each in classes for binding in vars(each).get("BINDINGS", ())]
    return {binding.id for binding in bindings if isinstance(binding, Binding) and binding.id}


def run(feed: Feed, server: FarmServer, options: Options) -> None:
    """Shows the dashboard until its user leaves.

    Raises:
        ConfigurationError: the options name a theme or a key that there is not.
    """
    asyncio.run(run_async(feed, server, options))


async def run_async(feed: Feed, server: FarmServer, options: Options) -> None:
    """As `run`, in a loop that runs."""
    app = ChiaTeaApp(feed, server, options=options)
    try:
        await app.run_async()
    finally:
        app.remember()
        await server.close()
