"""The farm at a glance: the five panels side by side."""

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from chiatea.tui.lists.machines import MACHINE_TOPIC
from chiatea.tui.panels import PANELS
from chiatea.tui.panels.widget import Panel
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown

__all__ = ["OverviewScreen"]


class OverviewScreen(ShellScreen):
    """All panels at a glance. In a small terminal the focused one is open and the others show their first line."""

    CSS_PATH = "overview.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_panel(1)", "Next panel", id="panel.next", tooltip="To the next panel"),
        Binding(
            "shift+tab", "next_panel(-1)", "Previous", show=False, id="panel.previous", tooltip="To the panel before"
        ),
        Binding(
            "enter", "open_panel", "Open", id="panel.open", tooltip="The screen of the focused panel, or the machine"
        ),
    ]

    def compose_body(self) -> ComposeResult:
        """The panels, in two columns where there is room for them."""
        panels = {content.id: Panel(content, number) for number, content in enumerate(PANELS, 1)}
        with Container(id="panels"):
            with Vertical(id="left"):
                yield panels["farm"]
                yield panels["harvesters"]
                yield panels["missed"]
            with Vertical(id="right"):
                yield panels["hardware"]
                yield panels["copies"]

    @property
    def crumbs(self) -> list[str]:
        """It is where everything begins."""
        return ["Farm"]

    @property
    def panels(self) -> Iterable[Panel]:
        """All panels, in their order."""
        return self.query(Panel)

    def help(self) -> tuple[str, str]:
        """The focused panel's."""
        content = self._focused_panel.content
        return content.title, content.help

    @property
    def _focused_panel(self) -> Panel:
        return self.focused if isinstance(self.focused, Panel) else self.query_one(f"#{PANELS[0].id}", Panel)

    def focus_first(self) -> None:
        """Begins in the first panel."""
        self.query_one(f"#{PANELS[0].id}", Panel).focus()

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the theme's styles over."""
        for panel in self.panels:
            panel.use_styles(styles)

    def show_body(self, shown: Shown) -> None:
        """Draws the panels."""
        for panel in self.panels:
            if panel.display:
                panel.show(shown.view)

    async def action_open_panel(self) -> None:
        """The machine under the cursor; elsewhere the screen of the focused panel."""
        panel = self._focused_panel
        if panel.content.id == "farm":
            if panel.cursor_id:
                await self.app.run_action(f"open_entry({panel.cursor_id!r}, {MACHINE_TOPIC!r}, '')")
        else:
            await self.app.run_action(f"go({panel.content.id!r})")

    def action_next_panel(self, step: int) -> None:
        """Moves to the next panel in the order of their numbers."""
        ids = [content.id for content in PANELS]
        here = ids.index(self.focused.id) if isinstance(self.focused, Panel) and self.focused.id in ids else -step
        self.query_one(f"#{ids[(here + step) % len(ids)]}", Panel).focus()
