"""A screen that has charts: it asks for them while it is seen, at the pace at which they move."""

import asyncio
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.monitoring_service_pb2 import HistoryRequest
from chiatea.tui.charts import Charts
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown

__all__ = ["ChartsScreen"]


class ChartsScreen(ShellScreen):
    """Subclasses set `charts`, call `ask_for_charts` when they are drawn, and show `charts.lines()`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket",
            "range(-1)",
            "Shorter",
            key_display="[",
            id="charts.shorter",
            tooltip="Charts of a shorter time: 7 d, 24 h, 1 h",
        ),
        Binding(
            "right_square_bracket",
            "range(1)",
            "Longer",
            key_display="]",
            id="charts.longer",
            tooltip="Charts of a longer time: 1 h, 24 h, 7 d",
        ),
    ]
    charts: Charts
    _chart_width = 0

    @property
    def server(self) -> FarmServer:
        """Whom to ask."""
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        return server

    def ask_for_charts(self, shown: Shown, width: int) -> None:
        """Asks where it is time to: not while the screen is held still."""
        self._chart_width = width
        if shown.frozen_since is None and self.charts.is_due(shown.view.now, width):
            self._ask_for_charts(self.charts.questions(shown.view.now, width))

    @work(exclusive=True, group="charts")
    async def _ask_for_charts(self, questions: list[HistoryRequest]) -> None:
        try:
            replies = await asyncio.gather(*(self.server.history(question) for question in questions))
        except ConnectionFailedError as error:
            self.charts.error = plain(str(error))
        else:
            self.charts.take(questions, replies)
        self.app.post_message(self.Ready())

    def action_range(self, step: int) -> None:
        """Charts of another stretch of time."""
        if self.charts.step_range(step):
            self.app.post_message(self.Ready())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Without charts there is nothing to choose."""
        return bool(self.charts.has_any) if action == "range" else True
