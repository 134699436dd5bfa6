"""Missed challenges: a strip for each harvester over time, and each miss."""

import asyncio
from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from chiatea.errors import ConnectionFailedError
from chiatea.tui.around import Scene
from chiatea.tui.challenge_history import Kind
from chiatea.tui.challenge_strips import RANGES, ChallengeStrips, StripQuestion
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.harvester_pairs import pairs_by_node
from chiatea.tui.lines import Span
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.missed import misses_content, strips_content
from chiatea.tui.past_misses import PastMisses
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.harvester import HarvesterScreen
from chiatea.tui.screens.lists import ListsScreen
from chiatea.tui.screens.miss import MissScreen
from chiatea.tui.shown import Shown
from chiatea.tui.strips import styled
from chiatea.tui.table_view import TableView
from chiatea.tui.view import FarmView
from chiatea.units import short_duration

__all__ = ["MissedScreen"]

RETRY_SECONDS: Final = 2.0
BESIDE_THE_STRIP: Final = 52
"""What frame, a short name and shares take of the width."""
WIDE_FROM: Final = 110
FOR_LONG_NAMES: Final = 10
LEAST_CELLS: Final = 20
MOST_CELLS: Final = 180


class MissedScreen(ListsScreen):
    """Above the strips, below the misses."""

    CSS_PATH = "missed.tcss"
    title_of_screen = "Missed challenges"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "range(1)", "Range", id="missed.range", tooltip="The strips go further back"),
        Binding("W", "range(-1)", "Less", show=False, id="missed.less", tooltip="The strips go less far back"),
    ]

    def __init__(self) -> None:
        """Nothing is asked until it is seen."""
        super().__init__()
        self._strips, self._misses = ChallengeStrips(), PastMisses()
        self._width = [LEAST_CELLS]
        self._range = RANGES[1]
        self._asked: StripQuestion | None = None
        self._view: FarmView | None = None
        self._state = ""

    def compose_body(self) -> ComposeResult:
        """What the strips say, the strips, the misses."""
        yield Static(id="missed-legend", markup=False)
        yield ListPane(strips_content(self._strips, self._width))
        yield ListPane(misses_content(self._misses))

    def on_mount(self) -> None:
        """Asks for what is not in the farm's state."""
        super().on_mount()
        self._load_older()

    def on_screen_suspend(self) -> None:
        """What is not seen is not asked for."""
        self.workers.cancel_group(self, "strips")

    def on_screen_resume(self) -> None:
        """Goes on asking."""
        super().on_screen_resume()
        if self._asked is not None:
            self._load_strips(self._asked)

    @property
    def _server(self) -> FarmServer:
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        return server

    def show_body(self, shown: Shown) -> None:
        """Draws what is known, and asks anew where the question is another one."""
        self._view = shown.view
        beside = BESIDE_THE_STRIP + (FOR_LONG_NAMES if self.size.width >= WIDE_FROM else 0)
        self._width[0] = max(LEAST_CELLS, min(MOST_CELLS, self.size.width - beside))
        farmer_ids = tuple(m.id for m in shown.view.machines() if m.state.of("farmer_harvester"))
        question = StripQuestion(self._range, self._width[0], farmer_ids)
        if question != self._asked:
            self._asked = question
            self._strips.strips = {}
            self._load_strips(question)
        cell = "a signage point" if self._range.is_by_point else short_duration(question.cell_seconds)
        legend = [part for kind in Kind for part in (kind.span, Span(f" {kind.word}  ", "muted"))]
        told = f"last {self._range.title}, a cell is {cell}"
        self.query_one("#missed-legend", Static).update(styled(legend, shown.styles))
        title = " · ".join(part for part in ("What harvesters answered", told, plain(self._state)) if part)
        pane = self.query_one("#strips-pane", ListPane)
        pane.border_title = title.replace("[", r"\[")
        super().show_body(shown)
        pane.styles.height = max(4, min(pane.model.n_rows + 3, self.size.height // 2))

    def _draw(self) -> None:
        for pane in self.query(ListPane):
            if pane.is_attached and self._view is not None:
                pane.show(self._view)

    @work(exclusive=True, group="strips")
    async def _load_strips(self, question: StripQuestion) -> None:
        """Asks as long as the question stays; through every loss of the server."""
        while True:
            view, pause = self._view, question.range.every_seconds
            if view is not None:
                self._state = "" if self._strips.strips else "asking…"
                try:
                    await self._strips.load(self._server, question, view, self._misses.by_harvester(view))
                    self._state = ""
                except ConnectionFailedError as error:
                    self._state, pause = f"✗ {error}", RETRY_SECONDS
                self._draw()
            await asyncio.sleep(pause)

    @work(exclusive=True, group="misses")
    async def _load_older(self) -> None:
        while True:
            try:
                await self._misses.load_older(self._server)
                break
            except ConnectionFailedError as error:
                self._state = f"✗ {error}"
            await asyncio.sleep(RETRY_SECONDS)
        self._draw()

    def on_table_view_moved(self, event: TableView.Moved) -> None:
        """At the last miss older ones are asked for."""
        is_last = event.table.cursor_index >= event.table.model.n_rows - 1
        if event.table.id == "misses" and is_last and self._misses.has_more:
            self._load_older()

    def action_range(self, step: int) -> None:
        """Goes further back, or less far."""
        self._range = RANGES[(RANGES.index(self._range) + step) % len(RANGES)]
        self.app.post_message(self.Ready())

    async def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Opens a harvester; of a miss what else happened then."""
        event.stop()
        event.prevent_default()
        item, view = event.item, self._view
        if view is None:
            return
        if item.topic == "farmer_harvester":
            pair = view.once(pairs_by_node).get((item.machine_id, str(item.entry_id)))
            if pair is not None:
                await self.app.push_screen(HarvesterScreen(pair.item))
            return
        miss = self._misses.entry(view, item)
        if miss is not None:
            pair = view.once(pairs_by_node).get((item.machine_id, miss.harvester_id))
            machine_id = pair.machine.id if pair is not None and pair.machine is not None else ""
            scene = Scene(machine_id, item.machine_id, miss.harvester_id, miss.id, view.thresholds)
            await self.app.push_screen(MissScreen(scene, miss))
