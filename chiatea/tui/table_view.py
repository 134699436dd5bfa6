"""The table that every list is: virtual rows, a cursor that stays with its row, marks, sort, filter.

Drawn line by line (the Line API): of 100,000 rows only those on the screen are made, and of those only what changed is
drawn again.
"""

import time
from collections.abc import Callable, Iterable
from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from chiatea.tui.lines import GAP, Cell, Column, Span, fitted, laid_out
from chiatea.tui.list_model import Item, Row, RowModel
from chiatea.tui.strips import highlighted

__all__ = ["TableView"]

FLASH_SECONDS: Final = 1.0
MARK_WIDTH: Final = 2
"""Before each row: whether it is marked."""


class _Drawn(NamedTuple):
    row: Row
    layout: tuple[tuple[int, int], ...]
    flashing: frozenset[int]
    is_marked: bool
    strip: Strip


class TableView(ScrollView, can_focus=True):
    """Shows the rows of a model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up", tooltip="One row up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down", tooltip="One row down"),
        Binding("pageup", "move_page(-1)", "Page up", show=False, id="list.page_up", tooltip="One page up"),
        Binding("pagedown", "move_page(1)", "Page down", show=False, id="list.page_down", tooltip="One page down"),
        Binding("home,g", "move_to(0)", "Top", show=False, id="list.top", tooltip="To the first row"),
        Binding("end,G", "move_to(-1)", "End", show=False, id="list.end", tooltip="To the last row"),
        Binding(
            "space", "mark", "Mark", show=False, id="list.mark", tooltip="Mark the row; an action works on all marks"
        ),
        Binding("ctrl+a", "mark_all", "Mark all", show=False, id="list.mark_all", tooltip="Mark all rows, or none"),
        Binding("s", "sort(1)", "Sort", id="list.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "Reverse", show=False, id="list.reverse", tooltip="Sort the other way round"),
        Binding("enter", "open", "Open", id="list.open", tooltip="Open the row: everything about it, and why"),
        Binding("y", "copy_row", "Copy row", show=False, id="list.copy", tooltip="Copy the row to the clipboard"),
    ]

    class Opened(Message):
        """A row was opened."""

        def __init__(self, table: "TableView", item: Item) -> None:
            """What it stands for."""
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> "TableView":
            """The table."""
            return self.table

    class Sorted(Message):
        """Another order was chosen: worth being remembered."""

    class Moved(Message):
        """A person moved the cursor."""

        def __init__(self, table: "TableView") -> None:
            """In which table."""
            super().__init__()
            self.table = table

    def __init__(self, model: RowModel, *, id: str, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: A002 - Textual's name
        """Shows the rows of a model; its owner says when they changed."""
        super().__init__(id=id)
        self.model = model
        self._clock = clock
        self._styles: dict[str, Style] = {}
        self._drawn: dict[int, _Drawn] = {}
        self._widths: list[int] = []
        self._layout: dict[int, int] = {}
        self._room = 1
        self._flashes: dict[tuple[str, int], float] = {}
        self._cursor_id = ""
        self._cursor_index = 0
        self.marks: set[str] = set()

    # What it shows

    @property
    def cursor_item(self) -> Item | None:
        """What the cursor is at."""
        return self.model.item_at(self._cursor_index)

    @property
    def cursor_index(self) -> int:
        """The cursor's row, from 0."""
        return self._cursor_index

    def chosen(self) -> list[Item]:
        """What an action works on: all marked rows, in their order; the cursor's where none is marked."""
        marked = []
        if self.marks:
            items = (self.model.item_at(index) for index in range(self.model.n_rows))
            marked = [item for item in items if item is not None and item.id in self.marks]
        here = self.cursor_item
        return marked or ([here] if here is not None else [])

    @property
    def shown_text(self) -> list[str]:
        """The heading and the rows on the screen, as text."""
        height = self.size.height
        return [self.render_line(y).text.rstrip() for y in range(min(height, self.model.n_rows + 1))]

    @property
    def seen_items(self) -> list[Item]:
        """What the rows on the screen stand for."""
        first = self.scroll_offset.y
        found = (self.model.item_at(index) for index in range(first, first + max(0, self.size.height - 1)))
        return [item for item in found if item is not None]

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the styles that the cells name."""
        self._styles = styles
        self._drawn.clear()
        self.refresh()

    def update_rows(self) -> None:
        """Draws what changed: the model has other rows, or the same with other values."""
        self._place_cursor()
        size = Size(self.scrollable_content_region.width, self.model.n_rows + 1)
        if self.virtual_size != size:
            self.virtual_size = size
            self.refresh()
        now = self._clock()
        self._flashes = {key: until for key, until in self._flashes.items() if until > now}
        before = self._layout
        self._widen(self._seen_rows())
        if self._layout != before:
            self._drawn.clear()
            self.refresh()
            return
        for y in range(1, self.scrollable_content_region.height):
            index = y - 1 + self.scroll_offset.y
            drawn = self._drawn.get(y)
            if index < self.model.n_rows and (drawn is None or not self._is_current(index, drawn)):
                self.refresh(Region(0, y, self.size.width, 1))
        if self._layout:
            self.refresh(Region(0, 0, self.size.width, 1))

    def _seen_rows(self) -> Iterable[Row]:
        first = self.scroll_offset.y
        last = min(self.model.n_rows, first + max(0, self.scrollable_content_region.height - 1))
        return (self.model.row_at(index) for index in range(first, last))

    def _widen(self, rows: Iterable[Row]) -> None:
        """Columns only grow, so that nothing jumps to and fro."""
        columns = self.model.columns
        if len(self._widths) != len(columns):
            # An arrow may come to stand behind a heading that is sorted by.
            self._widths = [cell_len(column.title) + (2 if column.is_sortable else 0) for column in columns]
        for row in rows:
            for index, cell in enumerate(row.cells):
                width = cell_len(cell.text)
                self._widths[index] = max(self._widths[index], width)
        self._room = max(1, self.scrollable_content_region.width - MARK_WIDTH)
        self._layout = fitted([column.laid_out for column in columns], self._widths, self._room)

    def _is_current(self, index: int, drawn: _Drawn) -> bool:
        row = self.model.row_at(index)
        return (
            drawn.row == row and drawn.is_marked == (row.id in self.marks) and drawn.flashing == self._flashing(row.id)
        )

    def _flashing(self, row_id: str) -> frozenset[int]:
        return frozenset(column for row, column in self._flashes if row == row_id)

    def on_resize(self, _: events.Resize) -> None:
        """Lays the columns out for another width."""
        self._widths = []
        self._drawn.clear()
        self.update_rows()

    def notify_style_update(self) -> None:
        """The theme changed: nothing that was drawn is right any more."""
        super().notify_style_update()
        self._drawn.clear()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One line of the widget: the heading, which stays, or a row."""
        width = self.scrollable_content_region.width
        if width - MARK_WIDTH > self._room:
            # It is drawn once before it is told of its new size.
            self._drawn.clear()
            self._widen(self._seen_rows())
        if y == 0:
            return self._heading().adjust_cell_length(width, self.rich_style)
        index = y - 1 + self.scroll_offset.y
        if index >= self.model.n_rows:
            self._drawn.pop(y, None)
            return Strip.blank(width, self.rich_style)
        strip = self._row_strip(y, index).adjust_cell_length(width, self.rich_style)
        if index == self._cursor_index and self.has_focus:
            return highlighted(strip, self._styles.get("cursor", Style(reverse=True)))
        return strip

    def _heading(self) -> Strip:
        cells = []
        for index, column in enumerate(self.model.columns):
            arrow = ""
            if index == self.model.sort_column:
                arrow = " ▼" if self.model.is_reversed else " ▲"
            cells.append(Cell(column.title + arrow, "accent" if arrow else "title"))
        return self._strip([Span(" " * MARK_WIDTH), *laid_out(cells, self._columns(), self._layout)])

    def _columns(self) -> list[Column]:
        return [column.laid_out for column in self.model.columns]

    def _row_strip(self, y: int, index: int) -> Strip:
        row = self.model.row_at(index)
        layout = tuple(self._layout.items())
        drawn = self._drawn.get(y)
        if drawn is not None and drawn.row.id == row.id and drawn.row.cells != row.cells:
            self._flash_changes(drawn.row, row)
        flashing, is_marked = self._flashing(row.id), row.id in self.marks
        if drawn is not None and drawn[:4] == (row, layout, flashing, is_marked):
            return drawn.strip
        spans = [Span("● " if is_marked else " " * MARK_WIDTH, "accent")]
        spans += laid_out(row.cells, self._columns(), self._layout)
        strip = self._strip(spans, is_stale=row.is_stale, flashing=flashing)
        self._drawn[y] = _Drawn(row, layout, flashing, is_marked, strip)
        return strip

    def _flash_changes(self, before: Row, row: Row) -> None:
        until = self._clock() + FLASH_SECONDS
        for index, column in enumerate(self.model.columns):
            if column.flashes and before.cells[index] != row.cells[index]:
                self._flashes[row.id, index] = until

    def _strip(self, spans: Iterable[Span], *, is_stale: bool = False, flashing: frozenset[int] = frozenset()) -> Strip:
        base, stale, flash = self.rich_style, self._styles.get("stale"), self._styles.get("flash", Style(reverse=True))
        shown = list(self._layout)
        segments = []
        for place, span in enumerate(spans):
            style = base + (stale if is_stale and stale is not None else self._styles.get(span.style, Style()))
            # After the mark come cells and the gaps between them in turn.
            if flashing and place % 2 == 1 and shown[place // 2] in flashing:
                style += flash
            segments += [Segment(text, style) for text, style in self._parts(span, style, is_stale=is_stale)]
        return Strip(segments)

    def _parts(self, span: Span, style: Style, *, is_stale: bool) -> Iterable[tuple[str, Style]]:
        if is_stale or not span.parts:
            return [(span.text, style)]
        return [(part.text, style + self._styles.get(part.style, Style())) for part in span.parts]

    # Moving

    def _place_cursor(self) -> None:
        """The cursor stays with its row; where that went, at its place."""
        n_rows = self.model.n_rows
        index = self.model.index_of(self._cursor_id) if self._cursor_id else None
        self._cursor_index = index if index is not None else max(0, min(self._cursor_index, n_rows - 1))
        if index is None:
            item = self.cursor_item
            self._cursor_id = item.id if item is not None else ""

    def action_move(self, step: int) -> None:
        """Moves the cursor by rows."""
        self.move_to(self._cursor_index + step)

    def action_move_page(self, pages: int) -> None:
        """Moves by what can be seen at once."""
        self.move_to(self._cursor_index + pages * max(1, self.scrollable_content_region.height - 2))

    def action_move_to(self, index: int) -> None:
        """To the first row, or for -1 to the last."""
        self.move_to(index if index >= 0 else self.model.n_rows - 1)

    def move_to(self, index: int) -> None:
        """Moves the cursor to a row, or to the nearest one that there is."""
        self._go(index)
        self.post_message(self.Moved(self))

    def _go(self, index: int) -> None:
        self._cursor_index = max(0, min(index, self.model.n_rows - 1))
        item = self.cursor_item
        self._cursor_id = item.id if item is not None else ""
        top, height = self.scroll_offset.y, max(1, self.scrollable_content_region.height - 1)
        if self._cursor_index < top:
            self.scroll_to(y=self._cursor_index, animate=False)
        elif self._cursor_index >= top + height:
            self.scroll_to(y=self._cursor_index - height + 1, animate=False)
        self.refresh()

    def follow_end(self) -> None:
        """Stays with the last row, as more come."""
        if self._cursor_index < self.model.n_rows - 1:
            self._go(self.model.n_rows - 1)

    def go_to(self, item_id: str) -> bool:
        """Moves the cursor to an item; False where it is not among the rows."""
        index = self.model.index_of(item_id)
        if index is not None:
            self.move_to(index)
        return index is not None

    def on_focus(self) -> None:
        """Shows the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hides the cursor."""
        self.refresh()

    # Doing

    def action_mark(self) -> None:
        """Marks the row or takes its mark away, and goes to the next."""
        item = self.cursor_item
        if item is not None:
            self.marks ^= {item.id}
            self.action_move(1)

    def action_mark_all(self) -> None:
        """Marks all rows; where all are, none."""
        items = (self.model.item_at(index) for index in range(self.model.n_rows))
        every = {item.id for item in items if item is not None}
        self.marks = set() if every <= self.marks else every
        self.refresh()

    def unmark(self) -> bool:
        """Takes all marks away; says whether there were any."""
        had, self.marks = bool(self.marks), set()
        self.refresh()
        return had

    def action_sort(self, step: int) -> None:
        """Sorts by the next column that can be sorted by; after the last one, in the natural order."""
        choices = [None, *(index for index, column in enumerate(self.model.columns) if column.is_sortable)]
        here = choices.index(self.model.sort_column)
        self._sort(choices[(here + step) % len(choices)], is_reversed=False)

    def action_reverse(self) -> None:
        """Sorts the other way round."""
        self._sort(self.model.sort_column, is_reversed=not self.model.is_reversed)

    def _sort(self, column: int | None, *, is_reversed: bool) -> None:
        self.model.set_sort(column, is_reversed=is_reversed)
        self.update_rows()
        self.move_to(self._cursor_index)
        self.post_message(self.Sorted())

    def action_open(self) -> None:
        """Opens the row."""
        item = self.cursor_item
        if item is not None:
            self.post_message(self.Opened(self, item))

    def action_copy_row(self) -> None:
        """Copies the row as text, a tab between its cells."""
        if self.cursor_item is not None:
            row = self.model.row_at(self._cursor_index)
            self.app.copy_to_clipboard("\t".join(cell.text.strip() for cell in row.cells))
            self.notify("Copied the row", timeout=2)

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """A click selects a row, a second one opens it; one on a heading sorts by it."""
        y = event.y
        if y == 0:
            self._sort_by_click(event.x)
            return
        index = y - 1 + self.scroll_offset.y
        if index < self.model.n_rows:
            self.move_to(index)
            if event.chain > 1:
                self.action_open()

    def _sort_by_click(self, x: int) -> None:
        left = MARK_WIDTH
        for index, width in self._layout.items():
            if left <= x < left + width + GAP and self.model.columns[index].is_sortable:
                is_again = index == self.model.sort_column
                self._sort(index, is_reversed=is_again and not self.model.is_reversed)
                return
            left += width + GAP
