"""The dashboard: follows the feed, and shows what changed to the screen that is seen."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import ClassVar, Final

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from chiatea.tui.feed_protocol import Feed
from chiatea.tui.panels import PANELS
from chiatea.tui.panels.widget import Panel
from chiatea.tui.screens.farm import FarmScreen
from chiatea.tui.screens.help import HelpScreen
from chiatea.tui.themes import THEMES, styles_of
from chiatea.tui.view import FarmView, Recent

__all__ = ["ChiaTeaApp", "run", "run_async"]

FLUSH_SECONDS: Final = 0.25
"""Faster is not seen, and costs."""
TICKS_PER_SECOND: Final = 4


class ChiaTeaApp(App[None]):
    """One feed, one screen. Widgets hold no farm data: they are handed a view of it."""

    TITLE = "chia-tea"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="app.help", tooltip="What keys and colours mean"),
        Binding("q,ctrl+q", "quit", "Quit", key_display="q", id="app.quit", tooltip="Leave the dashboard"),
    ]

    def __init__(self, feed: Feed, *, clock: Callable[[], float] = time.time) -> None:
        """Shows what the feed tells."""
        super().__init__()
        self._feed = feed
        self._clock = clock
        self._recent = Recent()
        self._ticks = 0
        self._farm_screen = FarmScreen()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    async def on_mount(self) -> None:
        """Shows the farm and begins to follow the server."""
        await self.push_screen(self._farm_screen)
        self.theme_changed_signal.subscribe(self, lambda _: self._on_theme())
        self._on_theme()
        self._follow()
        self._tick()
        self.set_interval(FLUSH_SECONDS, self._tick)

    @work(name="feed", exit_on_error=True)
    async def _follow(self) -> None:
        await self._feed.run()

    def _on_theme(self) -> None:
        self._farm_screen.use_styles(styles_of(self.current_theme))
        self._show(everything=True)

    def _tick(self) -> None:
        changed = self._feed.take_changed()
        self._recent.observe(self._feed.farm, changed)
        self._ticks += 1
        # Ages and the clock move once a second even when nothing else does.
        if changed or self._ticks % TICKS_PER_SECOND == 0:
            self._show(everything=True)

    def _show(self, *, everything: bool) -> None:
        screen = self._farm_screen
        # Before its widgets are there, and when they are gone already, there is nothing to draw on.
        if not screen.is_mounted or not screen.query("#header"):
            return
        view = FarmView(self._feed.farm, self._clock(), self._recent)
        styles = styles_of(self.current_theme)
        screen.show_status(view, self._feed.connection, styles, has_data=self._feed.has_snapshot)
        if everything and self._feed.has_snapshot:
            screen.show_farm(view)

    def on_panel_resized(self) -> None:
        """A panel has another width now."""
        self._show(everything=True)

    def action_help(self) -> None:
        """Help for the focused panel, and all keys."""
        focused = self._farm_screen.focused
        content = focused.content if isinstance(focused, Panel) else PANELS[0]
        self.push_screen(HelpScreen(content.title, content.help, _keys()))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """The palette: what applies now, as `group: Action`."""
        yield SystemCommand("app: Quit", "Leave the dashboard", self.action_quit)
        yield SystemCommand("app: Help", "What keys and colours mean", self.action_help)
        for number, content in enumerate(PANELS, 1):
            yield SystemCommand(
                f"view: {content.title}",
                f"To the panel {content.title}",
                lambda number=number: self._farm_screen.action_show_panel(number),
            )
        yield SystemCommand("view: Zoom", "The focused panel alone, and back", self._farm_screen.action_zoom)
        for name in sorted(self.available_themes):
            if name != self.theme:
                yield SystemCommand(f"theme: {name}", "Other colours", lambda name=name: setattr(self, "theme", name))


def _keys() -> Iterable[tuple[str, str]]:
    yield f"1 to {len(PANELS)}", "to that panel"
    yield "Tab, Shift+Tab", "to the next panel, to the one before"
    yield "Enter, z", "the focused panel alone, and back"
    yield "Esc", "back to all panels"
    yield "Up, Down, k, j", "one line up or down"
    yield "PgUp, PgDn", "one page up or down"
    yield "Home, End, g, G", "to the first line, to the last"
    yield "Ctrl+P", "palette: everything by name, themes too"
    yield "?", "this help"
    yield "q, Ctrl+Q", "leave"


def run(feed: Feed) -> None:
    """Shows the dashboard until its user leaves."""
    asyncio.run(run_async(feed))


async def run_async(feed: Feed) -> None:
    """Shows the dashboard until its user leaves, in a loop that runs."""
    await ChiaTeaApp(feed).run_async()
