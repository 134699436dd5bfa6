"""Missed challenges: the newest from the farm's state, older ones from the server's history."""

from collections.abc import Iterator
from typing import Any, Final

from chiatea.protobuf.computer_info_pb2 import DELETE
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.tui.challenge_history import MISSED_AFTER_SECONDS, Miss
from chiatea.tui.challenge_strips import Harvester
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.list_model import Item
from chiatea.tui.view import FarmView

__all__ = ["PastMisses"]

TOPIC: Final = "missed_challenge"
PAGE_EVENTS: Final = 300


class PastMisses:
    """All that are known of here."""

    def __init__(self) -> None:
        """None."""
        self._older: dict[Item, Any] = {}
        self._token = ""
        self._has_begun = False

    @property
    def has_more(self) -> bool:
        """Whether the server may know of older ones."""
        return not self._has_begun or bool(self._token)

    async def load_older(self, server: FarmServer) -> None:
        """Asks for the next page of the past.

        Raises:
            ConnectionFailedError: when the server cannot be asked.
        """
        if not self.has_more:
            return
        page = await server.event_page(
            QueryEventsRequest(topics=[TOPIC], newest_first=True, limit=PAGE_EVENTS, page_token=self._token)
        )
        self._has_begun, self._token = True, page.next_page_token if page.events else ""
        for event in page.events:
            if event.event_type != DELETE:
                # The newest event of each is the first that comes.
                self._older.setdefault(Item(event.machine_id, TOPIC, event.missed_challenge.id), event.missed_challenge)

    def items(self, view: FarmView) -> list[Item]:
        """All of them, the newest first."""
        found: dict[Item, Any] = dict(self._older)
        for machine in view.machines():
            found.update((Item(machine.id, TOPIC, miss.id), miss) for miss in machine.all(TOPIC))
        return sorted(found, key=lambda item: (-found[item].sent_time, item.id))

    def entry(self, view: FarmView, item: Item) -> Any:
        """One of them, as the farm tells it, else as history does."""
        message = view.message(item.machine_id, item.topic, item.entry_id)
        return message if message is not None else self._older.get(item)

    def by_harvester(self, view: FarmView) -> dict[Harvester, list[Miss]]:
        """When each harvester's misses became known, and which of them were answered late."""
        found: dict[Harvester, list[Miss]] = {}
        for farmer_id, miss in self._all(view):
            known = Miss(miss.sent_time + MISSED_AFTER_SECONDS, miss.HasField("late_answer_time"))
            found.setdefault((farmer_id, miss.harvester_id), []).append(known)
        return found

    def _all(self, view: FarmView) -> Iterator[tuple[str, Any]]:
        for item in self.items(view):
            yield item.machine_id, self.entry(view, item)
