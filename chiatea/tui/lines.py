"""What a panel shows, as plain data: lines of styled spans, and tables laid out for a width. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from chiatea.tui.plain_text import shortened

__all__ = ["GAP", "Cell", "Column", "Line", "Span", "facts", "fitted", "laid_out", "note", "table"]


class Span(NamedTuple):
    """Text in one style: "normal", "muted", "strong", "good", "warn", "bad", "accent" or "title".

    A cell's span may have parts of other styles, which together have its text.
    """

    text: str
    style: str = "normal"
    parts: "tuple[Span, ...]" = ()


class Line(NamedTuple):
    """One line of a panel. Lines with an id can be selected; `is_stale` dims all of it."""

    spans: tuple[Span, ...]
    id: str = ""
    is_stale: bool = False

    @property
    def text(self) -> str:
        """The line without styles."""
        return "".join(span.text for span in self.spans)


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        title: its heading.
        align: "<" or ">".
        rank: columns of a higher rank are left out first where the width does not do; rank 0 always stays.
        least: its cells may be shortened to this width; 0 where they may not.
    """

    title: str
    align: str = "<"
    rank: int = 0
    least: int = 0


class Cell(NamedTuple):
    """One cell: a text and its style; in a list also parts of other styles, which together have its text."""

    text: str
    style: str = "normal"
    parts: tuple[Span, ...] = ()


class _Row(NamedTuple):
    id: str
    cells: Sequence[Cell]
    is_stale: bool


GAP = 2


def table(columns: Sequence[Column], rows: Iterable[tuple[str, Sequence[Cell], bool]], width: int) -> list[Line]:
    """A heading and the rows, aligned, in at most `width` characters.

    Args:
        columns: the columns, from left to right.
        rows: id, one cell for each column, whether the row is stale.
        width: characters that are there.
    """
    made = [_Row(*row) for row in rows]
    widths = [
        max([len(column.title), *(cell_len(row.cells[index].text) for row in made)])
        for index, column in enumerate(columns)
    ]
    layout = fitted(columns, widths, width)
    heading = [Cell(column.title, "title") for column in columns]
    lines = [Line(laid_out(heading, columns, layout))]
    lines += [Line(laid_out(row.cells, columns, layout), row.id, row.is_stale) for row in made]
    return lines


def fitted(columns: Sequence[Column], wanted: Sequence[int], width: int) -> dict[int, int]:
    """The columns that there is room for, by index, with their widths: of `wanted` ones, in at most `width`."""
    widths, kept = list(wanted), _kept(columns, wanted, width)
    over = sum(widths[index] for index in kept) + GAP * (len(kept) - 1) - width
    for index in kept:
        if over > 0 and columns[index].least:
            room = max(0, min(over, widths[index] - columns[index].least))
            widths[index] -= room
            over -= room
    return {index: widths[index] for index in kept}


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    kept = list(range(len(columns)))

    def least(index: int) -> int:
        return min(widths[index], columns[index].least or widths[index])

    while sum(least(index) for index in kept) + GAP * (len(kept) - 1) > width:
        last = max(kept, key=lambda index: (columns[index].rank, index))
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def laid_out(cells: Sequence[Cell], columns: Sequence[Column], layout: Mapping[int, int]) -> tuple[Span, ...]:
    """The cells of one row, each in its column's width, with the gaps between them: two spans a column."""
    spans: list[Span] = []
    last = max(layout, default=0)
    for index, width in layout.items():
        text, parts = shortened(cells[index].text, width), cells[index].parts
        if text != cells[index].text:
            parts = ()
        room = width - cell_len(text)
        if columns[index].align == ">":
            text, parts = " " * room + text, (Span(" " * room), *parts) if parts else ()
        elif index != last:
            text, parts = text + " " * room, (*parts, Span(" " * room)) if parts else ()
        spans.append(Span(text, cells[index].style, parts))
        if index != last:
            spans.append(Span(" " * GAP))
    return tuple(spans)


def facts(label: str, spans: Iterable[Span], *, label_width: int = 11) -> Line:
    """A labelled line: the label muted, the facts apart by a dot."""
    joined: list[Span] = [Span(label.ljust(label_width), "muted")]
    for index, span in enumerate(spans):
        if index:
            joined.append(Span(" · ", "muted"))
        joined.append(span)
    return Line(tuple(joined))


def note(text: str, style: str = "muted") -> Line:
    """A line of one style."""
    return Line((Span(text, style),))
