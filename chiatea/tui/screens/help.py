"""What the keys do, and what the focused panel shows."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
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

    def __init__(self, title: str, text: str, bindings: Iterable[ActiveBinding]) -> None:
        """Shows what something means, and the keys that work there."""
        super().__init__()
        self._title = title
        self._text = text
        self._shown_bindings = [active.binding for active in bindings if active.enabled]

    def compose(self) -> ComposeResult:
        """One box that scrolls where the terminal is small."""
        with VerticalScroll(id="help") as box:
            box.border_title = f"Help: {self._title}"
            box.border_subtitle = "Esc closes"
            yield Static(Text(self._text), id="help-text")
            keys = Table.grid(padding=(0, 3))
            keys.add_column(style="bold", no_wrap=True)
            keys.add_column()
            for key, meaning in self._keys():
                keys.add_row(key, meaning)
            yield Static(keys, id="help-keys")

    def _keys(self) -> Iterator[tuple[str, str]]:
        """What each key does; keys that do the same on one line."""
        keys: dict[str, list[str]] = {}
        for binding in self._shown_bindings:
            if binding.tooltip:
                keys.setdefault(binding.tooltip, []).append(self.app.get_key_display(binding))
        for meaning, shown in keys.items():
            yield ", ".join(dict.fromkeys(shown)), meaning
