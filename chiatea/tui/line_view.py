"""A list of lines that scrolls, with a cursor that stays at its line's id whatever comes and goes."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from chiatea.tui.lines import Line
from chiatea.tui.strips import highlighted

__all__ = ["LineView"]


class LineView(ScrollView, can_focus=True):
    """Draws lines one by one (the Line API): only those that changed and can be seen are drawn again."""

    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down", tooltip="One line down"),
        Binding("pageup", "move_page(-1)", "Page up", show=False, id="list.page_up", tooltip="One page up"),
        Binding("pagedown", "move_page(1)", "Page down", show=False, id="list.page_down", tooltip="One page down"),
        Binding("home,g", "move(-1000000)", "Top", show=False, id="list.top", tooltip="To the first line"),
        Binding("end,G", "move(1000000)", "End", show=False, id="list.end", tooltip="To the last line"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        """An empty list."""
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._cursor_id = ""
        self._styles: dict[str, Style] = {}

    @property
    def lines(self) -> Sequence[Line]:
        """What it shows."""
        return self._lines

    @property
    def cursor_id(self) -> str:
        """The id of the selected line; "" where none is."""
        return self._cursor_id

    def use_styles(self, styles: dict[str, Style]) -> None:
        """Takes the styles that the lines' spans name."""
        self._styles = styles
        self._strips.clear()
        self.refresh()

    def set_lines(self, lines: list[Line]) -> None:
        """Shows other lines, and draws those that differ."""
        before, self._lines = self._lines, lines
        changed = [y for y, line in enumerate(lines) if y >= len(before) or before[y] != line]
        for y in changed:
            self._strips.pop(y, None)
        for y in range(len(lines), len(before)):
            self._strips.pop(y, None)
        if self._cursor_id and all(line.id != self._cursor_id for line in lines):
            self._cursor_id = ""
        if not self._cursor_id and self.has_focus:
            self._cursor_id = next((line.id for line in lines if line.id), "")
        width = max((sum(len(span.text) for span in line.spans) for line in lines), default=0)
        self.virtual_size = Size(min(width, self.scrollable_content_region.width), len(lines))
        if len(lines) != len(before):
            self.refresh()
        else:
            top, height = self.scroll_offset.y, self.scrollable_content_region.height
            for y in changed:
                if top <= y < top + height:
                    self.refresh(Region(0, y - top, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line of the widget, from the cache where it did not change."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[index]
        is_cursor = self.has_focus and bool(line.id) and line.id == self._cursor_id
        strip = self._strips.get(index)
        if strip is None:
            strip = self._strips[index] = self._drawn(line)
        strip = strip.crop(0, width).extend_cell_length(width, self.rich_style)
        if is_cursor:
            strip = highlighted(strip, self._styles.get("cursor", Style(reverse=True)))
        return strip

    def _drawn(self, line: Line) -> Strip:
        stale = self._styles.get("stale", Style())
        base = self.rich_style
        segments = [
            Segment(span.text, base + (stale if line.is_stale else self._styles.get(span.style, Style())))
            for span in line.spans
        ]
        return Strip(segments)

    def notify_style_update(self) -> None:
        """The theme changed: nothing that was drawn is right any more."""
        super().notify_style_update()
        self._strips.clear()

    def on_focus(self) -> None:
        """Selects the first line that can be, so that the cursor is seen."""
        if not self._cursor_id:
            self._cursor_id = next((line.id for line in self._lines if line.id), "")
        self.refresh()

    def on_blur(self) -> None:
        """Hides the cursor."""
        self.refresh()

    def action_move(self, step: int) -> None:
        """Moves the cursor to the next line that can be selected, and scrolls where there is none."""
        places = [y for y, line in enumerate(self._lines) if line.id]
        if not places:
            self.scroll_relative(y=step, animate=False)
            return
        here = next((i for i, y in enumerate(places) if self._lines[y].id == self._cursor_id), None)
        goal = 0 if here is None else min(len(places) - 1, max(0, here + step))
        self._cursor_id = self._lines[places[goal]].id
        y = places[goal]
        if here is not None and here == goal:
            # At an end: what lies beyond, headings and notes, shall be seen too.
            y = len(self._lines) - 1 if step > 0 else 0
        self.scroll_to_region(Region(0, y, 1, 1), animate=False)
        self.refresh()

    def action_move_page(self, pages: int) -> None:
        """Moves by what can be seen at once."""
        self.action_move(pages * max(1, self.scrollable_content_region.height - 1))
