"""The one screen: header, banner, the five panels, keys."""

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from chiatea.tui.panels import PANELS
from chiatea.tui.panels.widget import Panel
from chiatea.tui.status_lines import banner, header, waiting
from chiatea.tui.view import FarmView
from chiatea.wire.feed import Connection

__all__ = ["FarmScreen"]

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
WIDE_FROM_WIDTH, WIDE_FROM_HEIGHT = 120, 36


class FarmScreen(Screen[None]):
    """All panels at a glance. In a small terminal the focused one is open and the others show their first line."""

    CSS_PATH = "farm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"show_panel({number})",
                panel.title,
                id=f"panel.{panel.id}",
                tooltip=f"To the panel: {panel.title}",
                show=False,
            )
            for number, panel in enumerate(PANELS, 1)
        ),
        Binding("tab", "next_panel(1)", "Next panel", id="panel.next", tooltip="To the next panel"),
        Binding(
            "shift+tab",
            "next_panel(-1)",
            "Previous",
            show=False,
            id="panel.previous",
            tooltip="To the panel before",
        ),
        Binding("enter,z", "zoom", "Zoom", id="panel.zoom", tooltip="The focused panel alone, and back"),
        Binding("escape", "unzoom", "Back", show=False, id="panel.back", tooltip="Back to all panels"),
    ]

    def compose(self) -> ComposeResult:
        """The widgets, from top to bottom."""
        yield Static(id="header")
        yield Static(id="banner", markup=False)
        yield Static(id="waiting", markup=False)
        yield Static(
            f"This terminal is too small: chia-tea needs {LEAST_WIDTH} columns and {LEAST_HEIGHT} rows.", id="too-small"
        )
        panels = {content.id: Panel(content, number) for number, content in enumerate(PANELS, 1)}
        with Container(id="panels"):
            with Vertical(id="left"):
                yield panels["farm"]
                yield panels["harvesters"]
                yield panels["missed"]
            with Vertical(id="right"):
                yield panels["hardware"]
                yield panels["copies"]
        yield Footer(show_command_palette=True)

    def on_mount(self) -> None:
        """Begins in the first panel."""
        self.query_one("#farm", Panel).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Chooses the layout for the terminal's size."""
        width, height = event.size.width, event.size.height
        self.set_class(width < LEAST_WIDTH or height < LEAST_HEIGHT, "-tiny")
        self.set_class(width >= WIDE_FROM_WIDTH and height >= WIDE_FROM_HEIGHT, "-large")

    @property
    def panels(self) -> Iterable[Panel]:
        """All panels, in their order."""
        return self.query(Panel)

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the theme's styles over."""
        for panel in self.panels:
            panel.use_styles(styles)

    def show_status(self, view: FarmView, connection: Connection, styles: dict[str, Style], *, has_data: bool) -> None:
        """Draws header and banner, or that the server is waited for."""
        self.query_one("#header", Static).update(header(view, connection, styles, self.size.width))
        text = banner(connection, view.now) if has_data else ""
        self.query_one("#banner", Static).update(text)
        self.set_class(bool(text), "-lost")
        if has_data and self.has_class("-waiting"):
            # What is hidden cannot have the focus, and now nothing is any more.
            self.call_after_refresh(self._focus_first)
        self.set_class(not has_data, "-waiting")
        if not has_data:
            self.query_one("#waiting", Static).update(waiting(connection, view.now))

    def _focus_first(self) -> None:
        if self.focused is None:
            self.query_one(f"#{PANELS[0].id}", Panel).focus()

    def show_farm(self, view: FarmView) -> None:
        """Draws the panels."""
        for panel in self.panels:
            if panel.display:
                panel.show(view)

    def action_show_panel(self, number: int) -> None:
        """Moves to a panel by its number."""
        is_zoomed = self.has_class("-zoomed")
        self.action_unzoom()
        self.query_one(f"#{PANELS[number - 1].id}", Panel).focus()
        if is_zoomed:
            self.call_after_refresh(self.action_zoom)

    def action_zoom(self) -> None:
        """The focused panel alone, under the same header; or all of them again."""
        if self.has_class("-zoomed"):
            self.action_unzoom()
        elif isinstance(self.focused, Panel):
            self.focused.add_class("-zoom")
            self.add_class("-zoomed")

    def action_unzoom(self) -> None:
        """All panels again."""
        self.remove_class("-zoomed")
        for panel in self.panels:
            panel.remove_class("-zoom")

    def action_next_panel(self, step: int) -> None:
        """Moves to the next panel in the order of their numbers, also while one of them is alone."""
        ids = [content.id for content in PANELS]
        here = ids.index(self.focused.id) if isinstance(self.focused, Panel) and self.focused.id in ids else -step
        self.action_show_panel((here + step) % len(ids) + 1)
