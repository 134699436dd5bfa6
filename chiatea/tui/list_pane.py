"""A list with its frame: the table, the filter below it, and on the border how many rows of how many are shown."""

from typing import ClassVar

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from chiatea.tui.drawing import count
from chiatea.tui.list_model import ListContent, ListModel, RowModel
from chiatea.tui.remembered import ListMemory
from chiatea.tui.table_view import TableView
from chiatea.tui.view import FarmView

__all__ = ["ListPane"]


class ListPane(Vertical):
    """One list of a screen. `/` filters it, Esc takes filter and marks away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="list.filter", tooltip="Show only rows with a text"),
        Binding("escape", "clear", "Clear", show=False, id="list.clear", tooltip="Take the filter or the marks away"),
    ]

    def __init__(self, content: ListContent, model: RowModel | None = None) -> None:
        """Shows what a content tells of the farm; or the rows of a model of its own, as pages from the server."""
        super().__init__(id=f"{content.id}-pane", classes="list-pane")
        self.content = content
        self.model: RowModel = model if model is not None else ListModel(content)
        self.table = TableView(self.model, id=content.id)
        self._view: FarmView | None = None
        self.border_title = content.title

    def on_mount(self) -> None:
        """Takes up the order and the filter that it was left with."""
        memory = self._remembered().get(self.content.id)
        if memory is None:
            return
        titles = [column.title if column.sort is not None else None for column in self.model.columns]
        if memory.sort in titles or not memory.sort:
            column = titles.index(memory.sort) if memory.sort else None
            self.model.set_sort(column, is_reversed=memory.is_reversed)
        if memory.filter and not self.model.filter_text:
            self.query_one(".filter", Input).value = memory.filter
            self.add_class("-filtering")

    def _remembered(self) -> dict[str, ListMemory]:
        remembered = getattr(self.app, "remembered", None)
        return remembered.lists if remembered is not None else {}

    def _remember(self) -> None:
        model = self.model
        column = model.columns[model.sort_column].title if model.sort_column is not None else ""
        self._remembered()[self.content.id] = ListMemory(column, model.is_reversed, model.filter_text)

    def on_table_view_sorted(self) -> None:
        """Another order is remembered."""
        self._remember()

    def compose(self) -> ComposeResult:
        """The table, what is said where there is none, and the filter while it is wanted."""
        yield Static(classes="nothing", markup=False)
        yield self.table
        text = self.model.filter_text
        filter_input = Input(text, placeholder="filter: words that a row must have", classes="filter", compact=True)
        self.set_class(bool(text), "-filtering")
        filter_input.cursor_blink = False
        yield filter_input

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the theme's styles over."""
        self.table.use_styles(styles)

    def show(self, view: FarmView) -> None:
        """Draws what changed since the last time."""
        self._view = view
        self.model.show(view)
        self.update()

    def update(self) -> None:
        """Draws what its model has come to know since."""
        is_empty = self.model.n_all == 0 and not self.model.filter_text
        self.set_class(is_empty, "-empty")
        if is_empty and self._view is not None:
            nothing = [self.model.state] if self.model.state else self.content.nothing(self._view)
            for told in self.query(".nothing").results(Static):
                told.update("\n".join(nothing))
        self.table.update_rows()
        self._tell()

    def _tell(self) -> None:
        model = self.model
        told = [count(model.n_all)]
        if model.filter_text:
            told = [f"{count(model.n_rows)} of {count(model.n_all)} with “{model.filter_text}”"]
        if self.table.marks:
            told.append(f"{len(self.table.marks)} marked")
        if model.state:
            told.append(model.state)
        # A border's text is markup: what a person typed is not.
        self.border_subtitle = " · ".join(told).replace("[", r"\[")

    @property
    def is_filtering(self) -> bool:
        """Whether the filter is being typed."""
        return self.query_one(".filter", Input).has_focus

    def action_filter(self) -> None:
        """Opens the filter."""
        self.add_class("-filtering")
        self.query_one(".filter", Input).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Esc is the screen's where there is nothing to take away here."""
        if action == "clear":
            return self.has_class("-filtering") or bool(self.model.filter_text) or bool(self.table.marks)
        return True

    def action_clear(self) -> None:
        """Takes the filter away; else the marks."""
        if self.has_class("-filtering") or self.model.filter_text:
            self.query_one(".filter", Input).value = ""
            self._filter("")
            self.remove_class("-filtering")
            self.table.focus()
        else:
            self.table.unmark()
        self._tell()

    class Filtered(Message):
        """Another text is filtered by."""

    @on(Input.Changed, ".filter")
    def _on_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter(event.value)

    @on(Input.Submitted, ".filter")
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_class(bool(event.value), "-filtering")
        self.table.focus()

    def _filter(self, text: str) -> None:
        if text == self.model.filter_text:
            return
        self.model.set_filter(text)
        self.table.update_rows()
        self._tell()
        self._remember()
        self.post_message(self.Filtered())

    def on_table_view_moved(self) -> None:
        """Marks may have changed with it."""
        self._tell()
