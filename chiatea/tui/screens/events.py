"""Everything that changed: history and what comes, filtered by the server."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from chiatea.errors import ChiaTeaError, ConnectionFailedError
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.state.news import READINGS
from chiatea.tui.event_model import EVENT_COLUMNS, EventModel
from chiatea.tui.export import checked_export_path, export_events
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.list_model import ListContent
from chiatea.tui.list_pane import ListPane
from chiatea.tui.screens.event import EventScreen
from chiatea.tui.screens.prompt import ChooseScreen, ChooseSomeScreen, PromptScreen
from chiatea.tui.screens.shell import ShellScreen
from chiatea.tui.shown import Shown
from chiatea.tui.table_view import TableView

__all__ = ["EventsScreen"]

PAGE_EVENTS: Final = 300
RETRY_SECONDS: Final = 2.0
_SPANS: Final = (("", "everything that is kept"), ("3600", "1 hour"), ("86400", "24 hours"), ("604800", "7 days"))
_NEWS: Final = tuple(name for name in TOPICS if name not in READINGS)

_CONTENT = ListContent(
    "events",
    "Events",
    EVENT_COLUMNS,
    lambda _: (),
    lambda view, machine, message: (),  # noqa: ARG005 - its model draws the rows
    lambda machine, message: "",  # noqa: ARG005
    lambda _: "",
    lambda _: ["No event of these topics, machines and times."],
    "Everything that changed, the newest last. WHAT is what an event says that the one before it of the same entry did "
    "not. Readings (processor, memory, disks, sensors, network, processes) are left out until t chooses them. At its "
    "end the list follows what comes; moving up stops that, f goes on. Moving up from the first row asks for older "
    "ones. The filter is looked for in all texts of an event, by the server. Enter shows all of an event.",
)


class _Question(NamedTuple):
    text: str = ""
    topics: tuple[str, ...] = _NEWS
    machine_ids: tuple[str, ...] = ()
    span_seconds: float = 0.0


class EventsScreen(ShellScreen):
    """A list of events that grows at both ends."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", id="events.follow", tooltip="Follow what comes, or stop"),
        Binding("t", "topics", "Topics", id="events.topics", tooltip="Choose the topics"),
        Binding("m", "machines", "Machines", id="events.machines", tooltip="Choose the machines"),
        Binding("w", "span", "When", id="events.span", tooltip="Choose how far back"),
        Binding("e", "export", "Export", id="events.export", tooltip="Write what is shown to a CSV or JSON file"),
    ]

    def __init__(self) -> None:
        """Nothing is asked until it is seen."""
        super().__init__()
        self._model = EventModel()
        self._asked: _Question | None = None
        self._question = _Question()
        self._is_following = True
        self._older_token = ""
        self._state = ""
        self._names: dict[str, str] = {}

    def compose_body(self) -> ComposeResult:
        """What is asked for, and the list."""
        yield Static(id="events-question", markup=False)
        yield ListPane(_CONTENT, self._model)

    @property
    def crumbs(self) -> list[str]:
        """Its title."""
        return ["Events"]

    def help(self) -> tuple[str, str]:
        """The list's."""
        return _CONTENT.title, _CONTENT.help

    @property
    def _server(self) -> FarmServer:
        server: FarmServer = self.app.server  # type: ignore[attr-defined]
        return server

    @property
    def _pane(self) -> ListPane:
        return self.query_one(ListPane)

    def show_body(self, shown: Shown) -> None:
        """Draws what came, and asks anew where the question is another one."""
        self._names = {machine.id: machine.name for machine in shown.view.machines()}
        self._pane.show(shown.view)
        if self._is_following and self._model.n_rows:
            self._pane.table.follow_end()
        self._tell()
        if self._question != self._asked:
            self._ask()

    def _tell(self) -> None:
        question = self._question
        topics = "news" if question.topics == _NEWS else f"{len(question.topics)} of {len(TOPICS)} topics"
        names = [self._names.get(machine_id, machine_id) for machine_id in question.machine_ids]
        span = dict(_SPANS).get(f"{question.span_seconds:.0f}" if question.span_seconds else "", "")
        follow = "following" if self._is_following else "▲ not following: f goes on"
        parts = [topics, ", ".join(names) or "all machines", span, follow, self._state]
        self.query_one("#events-question", Static).update(" · ".join(part for part in parts if part))

    def on_list_pane_filtered(self) -> None:
        """Asks for events with that text."""
        self._question = self._question._replace(text=self._model.filter_text)
        self._ask()

    def _ask(self) -> None:
        self._asked = self._question
        self._follow(self._question)

    def _request(self, question: _Question, **more: object) -> QueryEventsRequest:
        request = QueryEventsRequest(
            text=question.text,
            topics=question.topics,
            machine_ids=question.machine_ids,
            **more,  # type: ignore[arg-type]
        )
        if question.span_seconds and not request.HasField("since"):
            request.since = time.time() - question.span_seconds
        return request

    @work(exclusive=True, group="events")
    async def _follow(self, question: _Question) -> None:
        """The newest page, then what comes, as long as the question stays; through every loss of the server."""
        while True:
            try:
                self._state = "asking the server…"
                page = await self._server.event_page(self._request(question, newest_first=True, limit=PAGE_EVENTS))
                self._model.clear()
                self._model.add_newer(reversed(page.events))
                self._older_token = page.next_page_token
                self._state = ""
                since = page.events[0].timestamp if page.events else time.time()
                known = {e.SerializeToString() for e in page.events if e.timestamp >= since}
                async for event in self._server.events(self._request(question, since=since, follow=True)):
                    if not known or event.SerializeToString() not in known:
                        self._model.add_newer([event])
            except ConnectionFailedError as error:
                self._state = f"✗ {error}"
            await asyncio.sleep(RETRY_SECONDS)

    @work(exclusive=True, group="older events")
    async def _load_older(self) -> None:
        token, question = self._older_token, self._question
        if not token:
            return
        self._state = "asking for older ones…"
        try:
            page = await self._server.event_page(
                self._request(question, newest_first=True, limit=PAGE_EVENTS, page_token=token)
            )
        except ConnectionFailedError as error:
            self._state = f"✗ {error}"
            return
        if question != self._question or token != self._older_token:
            return
        self._state = "" if page.events else "nothing older is kept"
        self._older_token = page.next_page_token
        self._model.add_older(list(reversed(page.events)))
        self._pane.table.update_rows()

    def on_table_view_moved(self, event: TableView.Moved) -> None:
        """Following ends where one moves up, and begins again at the end."""
        table = event.table
        self._is_following = table.cursor_index >= self._model.n_rows - 1
        if table.cursor_index == 0 and self._model.n_rows:
            self._load_older()
        self._tell()

    def action_follow(self) -> None:
        """Follows what comes, or stops."""
        self._is_following = not self._is_following
        if self._is_following:
            self._pane.table.action_move_to(-1)
        self._tell()

    @work
    async def action_topics(self) -> None:
        """Asks for topics."""
        choices = [(name, name.replace("_", " ")) for name in TOPICS]
        chosen = await self.app.push_screen_wait(ChooseSomeScreen("Topics", choices, chosen=self._question.topics))
        if chosen is not None:
            self._question = self._question._replace(topics=tuple(chosen) or _NEWS)

    @work
    async def action_machines(self) -> None:
        """Asks for machines."""
        chosen = await self.app.push_screen_wait(
            ChooseSomeScreen("Machines", list(self._names.items()), chosen=self._question.machine_ids)
        )
        if chosen is not None:
            self._question = self._question._replace(machine_ids=tuple(chosen))

    @work
    async def action_span(self) -> None:
        """Asks how far back."""
        now = f"{self._question.span_seconds:.0f}" if self._question.span_seconds else ""
        chosen = await self.app.push_screen_wait(ChooseScreen("How far back", _SPANS, chosen=now))
        if chosen is not None:
            self._question = self._question._replace(span_seconds=float(chosen or 0))

    @work
    async def action_export(self) -> None:
        """Asks for a file, and writes what is shown to it."""
        events = list(self._model.events)
        name = f"chia-tea-events-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}.csv"
        answer = await self.app.push_screen_wait(
            PromptScreen(
                f"Write {len(events)} events to",
                value=str(Path.cwd() / name),
                hint="A .csv for a spreadsheet, a .json as `chia-tea events --json` prints it.",
                check=checked_export_path,
            )
        )
        if answer is None:
            return
        path, whats = checked_export_path(answer), self._model.whats
        name_of = partial(_name_of, self._names)
        try:
            await asyncio.to_thread(export_events, path, events, whats[: len(events)], name_of)
        except ChiaTeaError as error:
            self.notify(f"{error}", title="Not written", severity="error", markup=False)
        else:
            self.notify(f"{len(events)} events are in {path}", markup=False)

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Shows all of an event."""
        event.stop()
        found = self._model.event_of(event.item)
        if found is not None:
            self.app.push_screen(EventScreen(found, self._model.before(event.item)))


def _name_of(names: dict[str, str], machine_id: str) -> str:
    return names.get(machine_id, machine_id)
