"""What the keys do, and what the focused panel shows."""

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

__all__ = ["HelpScreen"]


class HelpScreen(ModalScreen[None]):
    """Closed by Esc, `?` or `q`."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", id="help.close", tooltip="Back to the dashboard")
    ]

    def __init__(self, title: str, text: str, keys: Iterable[tuple[str, str]]) -> None:
        """Shows what a panel means, and keys with what they do."""
        super().__init__()
        self._title = title
        self._text = text
        self._keys = list(keys)

    def compose(self) -> ComposeResult:
        """One box that scrolls where the terminal is small."""
        with VerticalScroll(id="help") as box:
            box.border_title = f"Help: {self._title}"
            box.border_subtitle = "Esc closes"
            yield Static(Text(self._text), id="help-text")
            keys = Table.grid(padding=(0, 3))
            keys.add_column(style="bold", no_wrap=True)
            keys.add_column()
            for key, meaning in self._keys:
                keys.add_row(key, meaning)
            yield Static(keys, id="help-keys")
