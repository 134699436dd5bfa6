"""Lines of a widget as Textual draws them."""

from collections.abc import Iterable, Mapping

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from chiatea.tui.lines import Span

__all__ = ["highlighted", "styled"]


def highlighted(strip: Strip, style: Style) -> Strip:
    """The strip in a style that wins over what its segments have: `Strip.apply_style` lets theirs win."""
    return Strip(
        [Segment(text, own + style if own is not None else style, control) for text, own, control in strip],
        strip.cell_length,
    )


def styled(spans: Iterable[Span], styles: Mapping[str, Style]) -> Text:
    """Spans as a text that wraps, in the styles of a theme."""
    return Text.assemble(*((span.text, styles.get(span.style, Style())) for span in spans))
