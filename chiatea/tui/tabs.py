"""The line of all screens by their numbers, for the eye and for the mouse."""

from rich.style import Style
from rich.text import Text
from textual import events
from textual.widget import Widget

from chiatea.tui.screen_names import SCREEN_NAMES

__all__ = ["Tabs"]


class Tabs(Widget):
    """Shows which screen is open; a click opens another."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        """All screens, in the order of their numbers."""
        super().__init__(id=id)
        self._styles: dict[str, Style] = {}
        self._mode = ""

    def show(self, styles: dict[str, Style]) -> None:
        """Draws itself anew where the screen or the theme is another one."""
        if (styles, self.app.current_mode) != (self._styles, self._mode):
            self._styles, self._mode = styles, self.app.current_mode
            self.refresh()

    def _labels(self) -> list[tuple[str, str]]:
        """Mode and label of each; short ones where the long ones have no room."""
        long = [(name.mode, f" {number} {name.title} ") for number, name in enumerate(SCREEN_NAMES, 1)]
        if sum(len(label) for _, label in long) <= self.size.width:
            return long
        return [(name.mode, f" {number} {name.short} ") for number, name in enumerate(SCREEN_NAMES, 1)]

    def render(self) -> Text:
        """The labels, the open one set off."""
        muted, strong = self._styles.get("muted", ""), self._styles.get("tab", "reverse")
        return Text.assemble(
            *((label, strong if mode == self._mode else muted) for mode, label in self._labels()),
            no_wrap=True,
            overflow="crop",
        )

    async def on_click(self, event: events.Click) -> None:
        """Opens the screen whose label is there."""
        left = 0
        for mode, label in self._labels():
            if left <= event.x < left + len(label):
                await self.app.run_action(f"go('{mode}')")
                return
            left += len(label)
