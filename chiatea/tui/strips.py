"""Lines of a widget as Textual draws them."""

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

__all__ = ["highlighted"]


def highlighted(strip: Strip, style: Style) -> Strip:
    """The strip in a style that wins over what its segments have: `Strip.apply_style` lets theirs win."""
    return Strip(
        [Segment(text, own + style if own is not None else style, control) for text, own, control in strip],
        strip.cell_length,
    )
