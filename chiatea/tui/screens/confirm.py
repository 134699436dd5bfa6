"""Asks before what cannot be undone."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from chiatea.tui.plain_text import plain

__all__ = ["ConfirmScreen"]


class ConfirmScreen(ModalScreen[bool]):
    """True for `y`; False for `n` and Esc. Enter answers nothing: it is pressed too easily."""

    CSS_PATH = "prompt.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape", "dismiss(False)", "No", id="confirm.no", tooltip="Leave all as it is"),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        """`lines` say what is about to happen, and what is lost."""
        super().__init__()
        self._title, self._lines = title, [plain(line) for line in lines]

    def compose(self) -> ComposeResult:
        """What it asks, and the keys."""
        with Vertical(classes="question") as box:
            box.border_title = self._title.replace("[", r"\[")
            box.border_subtitle = "y does it, n or Esc does not"
            with VerticalScroll(id="confirm-lines"):
                yield Static("\n".join(self._lines), markup=False)
