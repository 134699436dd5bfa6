"""The widget of a panel."""

from textual import events
from textual.message import Message

from chiatea.tui.line_view import LineView
from chiatea.tui.panels.panel import PanelContent
from chiatea.tui.view import FarmView

__all__ = ["Panel"]


class Panel(LineView):
    """Shows one panel's lines in its own width. It holds no farm data."""

    class Resized(Message):
        """Another width needs the lines laid out anew."""

    def __init__(self, content: PanelContent, number: int) -> None:
        """Panel `number`, from 1."""
        super().__init__(id=content.id)
        self.content = content
        self.add_class("panel")
        self.border_title = f"{number} {content.title}"

    def show(self, view: FarmView) -> None:
        """Draws what changed since the last time."""
        width, height = self.scrollable_content_region.size
        if width <= 0 or height <= 0:
            return
        self.set_lines(self.content.lines(view, width) if height > 1 else [self.content.digest(view)])
        self.border_subtitle = self.content.summary(view)

    def on_resize(self, _: events.Resize) -> None:
        """Asks for lines of its new width."""
        self.post_message(self.Resized())
