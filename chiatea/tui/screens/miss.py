"""One missed challenge, and what else happened then."""

import asyncio
from typing import Any, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.state.news import READINGS
from chiatea.tui.around import AROUND_SECONDS, Scene
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.field_text import moment_text
from chiatea.tui.lines import Span
from chiatea.tui.list_pane import ListPane
from chiatea.tui.lists.around import Around
from chiatea.tui.lists.missed import answer_cell, harvester_name
from chiatea.tui.plain_text import plain
from chiatea.tui.screens.event import EventScreen
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.strips import styled
from chiatea.tui.table_view import TableView
from chiatea.tui.view import FarmView

__all__ = ["MissScreen"]

MOST_EVENTS: Final = 5000
RETRY_SECONDS: Final = 2.0
MOST_REASONS: Final = 8
_NEWS: Final = tuple(name for name in TOPICS if name not in READINGS)


class MissScreen(ShellScreen):
    """What was missed and what may be the reason, above the events around it."""

    CSS_PATH = "miss.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "all", "All or what matters", id="miss.all", tooltip="All events, or only those that matter"),
        Binding("m", "machines", "Machines", id="miss.machines", tooltip="Events of the two machines, or of all"),
    ]

    def __init__(self, scene: Scene, miss: Any) -> None:
        """Shows a miss, and asks for what happened on its scene."""
        super().__init__()
        self._scene, self._miss = scene, miss
        self._around = Around(scene, miss.sent_time)
        self._is_everywhere = not scene.machine_id
        self._state = "asking the server…"

    def compose_body(self) -> ComposeResult:
        """What was missed, and the events."""
        yield Static(id="miss", markup=False)
        yield ListPane(self._around.content())

    def on_mount(self) -> None:
        """Asks for the events."""
        super().on_mount()
        self._load()

    @property
    def crumbs(self) -> list[str]:
        """Which miss."""
        return [f"Point {self._miss.signage_point_index}"]

    def help(self) -> tuple[str, str]:
        """The list's."""
        content = self.query_one(ListPane).content
        return content.title, content.help

    @property
    def _server(self) -> FarmServer:
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        return server

    def show_body(self, shown: Shown) -> None:
        """Draws the miss, its reasons and the events."""
        self.query_one("#miss", Static).update(styled(self._told(shown.view), shown.styles))
        self.query_one(ListPane).show(shown.view)

    def _told(self, view: FarmView) -> list[Span]:
        miss = self._miss
        answer = answer_cell(miss)
        spans = [
            Span(harvester_name(view, self._scene.farmer_id, miss.harvester_id), "strong"),
            Span(f" was sent signage point {miss.signage_point_index} at {moment_text(miss.sent_time, view.now)}"),
            Span(f", challenge {plain(miss.challenge_hash)[:12] or '-'}, answer: "),
            Span(answer.text, answer.style),
            Span("\n"),
        ]
        if self._state:
            return [*spans, Span(plain(self._state), "warn" if self._state.startswith("✗") else "muted")]
        reasons = self._around.reasons()
        if not reasons:
            return [*spans, Span("Nothing that is known of that time may have kept it from answering.", "muted")]
        for place, reason in enumerate(reasons[:MOST_REASONS]):
            spans += [Span(" · " if place else "Then: ", "muted"), Span(reason.text, reason.style)]
        if len(reasons) > MOST_REASONS:
            spans.append(Span(f" · and {len(reasons) - MOST_REASONS} more", "muted"))
        return spans

    @work(exclusive=True, group="around")
    async def _load(self) -> None:
        """Asks till it is answered."""
        while True:
            self._state = "asking the server…"
            try:
                self._around.take([event async for event in self._server.events(self._request())])
                break
            except ConnectionFailedError as error:
                self._state = f"✗ {error}"
            await asyncio.sleep(RETRY_SECONDS)
        self._state = "" if self._around.n_all < MOST_EVENTS else f"only the first {MOST_EVENTS:,} events are here"
        self._look_anew()

    def _look_anew(self) -> None:
        for pane in self.query(ListPane):
            if pane.is_attached:
                pane.model.set_filter(pane.model.filter_text)
        self.app.post_message(self.Ready())

    def _request(self) -> QueryEventsRequest:
        is_everywhere = self._is_everywhere
        machine_ids = dict.fromkeys((self._scene.machine_id, self._scene.farmer_id))
        return QueryEventsRequest(
            since=self._miss.sent_time - AROUND_SECONDS,
            until=self._miss.sent_time + AROUND_SECONDS,
            machine_ids=[] if is_everywhere else list(machine_ids),
            # Of all machines, what they measure would bury what they tell.
            topics=_NEWS if is_everywhere else (),
            limit=MOST_EVENTS,
        )

    def action_all(self) -> None:
        """All events, or only those that matter."""
        self._around.is_all = not self._around.is_all
        self._look_anew()

    def action_machines(self) -> None:
        """Events of the two machines, or of all."""
        if self._scene.machine_id:
            self._is_everywhere = not self._is_everywhere
            self._load()

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Shows all of an event."""
        event.stop()
        told = self._around.told(event.item)
        self.app.push_screen(EventScreen(told.event, told.before))
