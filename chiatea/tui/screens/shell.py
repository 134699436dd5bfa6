"""What every screen has round its content: tabs, where one is, connection, banner, keys."""

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Footer, Static

from chiatea.tui.list_pane import ListPane
from chiatea.tui.shown import Shown
from chiatea.tui.status_lines import banner, header, waiting
from chiatea.tui.tabs import Tabs

__all__ = ["ShellScreen"]

LEAST_WIDTH: Final = 60
LEAST_HEIGHT: Final = 15
WIDE_FROM_WIDTH: Final = 120
WIDE_FROM_HEIGHT: Final = 36


class ShellScreen(Screen[None]):
    """A screen of the dashboard. Subclasses say what is in it, and draw that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", show=False, id="app.back", tooltip="Back to where this came from"),
    ]

    def compose(self) -> ComposeResult:
        """The widgets, from top to bottom."""
        yield Tabs(id="tabs")
        yield Static(id="header")
        yield Static(id="banner", markup=False)
        yield Static(id="waiting", markup=False)
        yield Static(
            f"This terminal is too small: chia-tea needs {LEAST_WIDTH} columns and {LEAST_HEIGHT} rows.", id="too-small"
        )
        with Container(id="body"):
            yield from self.compose_body()
        yield Footer(show_command_palette=True)

    def compose_body(self) -> ComposeResult:
        """What is between the header and the keys."""
        raise NotImplementedError

    @property
    def crumbs(self) -> list[str]:
        """Where one is, below the screen that this one was opened from."""
        raise NotImplementedError

    def help(self) -> tuple[str, str]:
        """What has the focus, and what its words and colours mean."""
        raise NotImplementedError

    def commands(self) -> Iterable[SystemCommand]:
        """What the palette has of this screen's own."""
        return ()

    def show_body(self, shown: Shown) -> None:
        """Draws what changed."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """Gives the focus to what has it when the screen opens."""
        for pane in self.query(ListPane):
            pane.table.focus()
            return

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the theme's styles over."""
        for pane in self.query(ListPane):
            pane.use_styles(styles)

    def on_mount(self) -> None:
        """Draws itself at once, not with the next tick."""
        self.app.post_message(self.Ready())

    def on_screen_resume(self) -> None:
        """What is seen again is drawn as it is now."""
        self.app.post_message(self.Ready())

    class Ready(events.Event):
        """A screen is there, and wants to be drawn."""

    def on_resize(self, event: events.Resize) -> None:
        """Chooses the layout for the terminal's size."""
        width, height = event.size.width, event.size.height
        self.set_class(width < LEAST_WIDTH or height < LEAST_HEIGHT, "-tiny")
        self.set_class(width >= WIDE_FROM_WIDTH and height >= WIDE_FROM_HEIGHT, "-large")
        self.app.post_message(self.Ready())

    def show(self, shown: Shown, crumbs: Iterable[str]) -> None:
        """Draws tabs, header and banner, then the content; or that the server is waited for."""
        view, connection = shown.view, shown.connection
        self.query_one(Tabs).show(shown.styles)
        told = header(shown, list(crumbs), self.size.width)
        self.query_one("#header", Static).update(told)
        text = banner(connection, view.now) if shown.has_data else ""
        self.query_one("#banner", Static).update(text)
        self.set_class(bool(text), "-lost")
        was_waiting = self.has_class("-waiting")
        self.set_class(not shown.has_data, "-waiting")
        if not shown.has_data:
            self.query_one("#waiting", Static).update(waiting(connection, view.now))
            return
        if was_waiting or self.focused is None:
            # What is hidden cannot have the focus, and now nothing is any more.
            self.call_after_refresh(self._focus_if_none)
        self.show_body(shown)

    def _focus_if_none(self) -> None:
        if self.focused is None:
            self.focus_first()
