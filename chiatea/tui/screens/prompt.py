"""Small questions on top of a screen: a text, one of several, some of several."""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from chiatea.errors import ChiaTeaError
from chiatea.tui.plain_text import plain

__all__ = ["ChooseScreen", "ChooseSomeScreen", "PromptScreen"]

_CANCEL = Binding("escape", "dismiss(None)", "Cancel", id="question.cancel", tooltip="Leave all as it is")


class PromptScreen(ModalScreen[str | None]):
    """Asks for a text until it is right; None where the person thought better of it."""

    CSS_PATH = "prompt.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [_CANCEL]

    def __init__(self, title: str, *, value: str, hint: str, check: Callable[[str], object]) -> None:
        """`check` raises ChiaTeaError for a text that will not do: what is wrong is shown, and the text stays."""
        super().__init__()
        self._title, self._value, self._hint, self._check = title, value, hint, check

    def compose(self) -> ComposeResult:
        """Title, the text, what is wrong with it."""
        with Vertical(classes="question") as box:
            box.border_title = self._title
            box.border_subtitle = "Enter takes it, Esc does not"
            text = Input(self._value, id="answer")
            text.cursor_blink = False
            yield text
            yield Static(self._hint, id="hint", markup=False)

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value)
        except ChiaTeaError as error:
            hint = self.query_one("#hint", Static)
            hint.add_class("-wrong")
            hint.update(f"✗ {error}" + (f": {error.hint}" if error.hint else ""))
        else:
            self.dismiss(event.value)


class ChooseScreen(ModalScreen[str | None]):
    """Asks for one of several; None where the person thought better of it."""

    CSS_PATH = "prompt.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [_CANCEL]

    def __init__(
        self, title: str, choices: Sequence[tuple[str, str]], *, chosen: str = "", refused: Collection[str] = ()
    ) -> None:
        """Choices are (what is returned, what is shown); those that are refused are shown, and cannot be taken."""
        super().__init__()
        self._title, self._choices, self._chosen, self._refused = title, list(choices), chosen, refused

    def compose(self) -> ComposeResult:
        """One line for each choice."""
        with Vertical(classes="question") as box:
            box.border_title = self._title.replace("[", r"\[")
            box.border_subtitle = "Enter takes it, Esc does not"
            # Ids of options are numbers: what is returned may hold any character.
            yield OptionList(
                *(
                    Option(Text(plain(shown)), id=str(n), disabled=name in self._refused)
                    for n, (name, shown) in enumerate(self._choices)
                )
            )

    def on_mount(self) -> None:
        """Begins at what is chosen now."""
        names = [name for name, _ in self._choices]
        if self._chosen in names:
            self.query_one(OptionList).highlighted = names.index(self._chosen)

    @on(OptionList.OptionSelected)
    def _on_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])


class ChooseSomeScreen(ModalScreen[list[str] | None]):
    """Asks for some of several; None where the person thought better of it."""

    CSS_PATH = "prompt.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        _CANCEL,
        Binding("enter", "take", "Take", priority=True, id="question.take", tooltip="Take what is chosen"),
        Binding("space", "choose", "Choose", priority=True, id="question.choose", tooltip="Choose it, or not"),
        Binding("a", "all", "All", id="question.all", tooltip="Choose all, or none"),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, chosen: Sequence[str]) -> None:
        """Choices are (what is returned, what is shown)."""
        super().__init__()
        self._title, self._choices, self._chosen = title, list(choices), set(chosen)

    def compose(self) -> ComposeResult:
        """One line for each choice, with a glyph that says whether it is chosen."""
        with Vertical(classes="question") as box:
            box.border_title = self._title
            box.border_subtitle = "Space chooses, a all or none, Enter takes it"
            yield OptionList(*(Option(self._line(place), id=str(place)) for place in range(len(self._choices))))

    def _line(self, place: int) -> Text:
        name, shown = self._choices[place]
        return Text(f"{'✓' if name in self._chosen else '·'} {plain(shown)}")

    def _draw(self) -> None:
        options = self.query_one(OptionList)
        for place in range(len(self._choices)):
            options.replace_option_prompt_at_index(place, self._line(place))

    def action_choose(self) -> None:
        """Chooses what is highlighted, or not."""
        place = self.query_one(OptionList).highlighted
        if place is not None:
            self._chosen ^= {self._choices[place][0]}
            self._draw()

    @on(OptionList.OptionSelected)
    def _on_selected(self) -> None:
        """By the mouse: Enter is taken before the list has it."""
        self.action_choose()

    def action_take(self) -> None:
        """Answers with what is chosen, in the order of the choices."""
        self.dismiss([name for name, _ in self._choices if name in self._chosen])

    def action_all(self) -> None:
        """Chooses all; where all are chosen, none."""
        every = {name for name, _ in self._choices}
        self._chosen = set() if every <= self._chosen else every
        self._draw()
