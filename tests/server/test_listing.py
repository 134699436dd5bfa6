"""Long lists in pages: a real database beside its writer, and a real server."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiatea.errors import ProtocolError
from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import ListEntriesRequest
from chiatea.server.database.database import Database
from chiatea.server.database.history import History
from chiatea.server.database.listing import Listing
from chiatea.server.storage import batch_of
from chiatea.wire.asking import Asking

from .conftest import Running

N_PLOTS = {"m1": 1700, "m2": 0, "m3": 901, "m4": 3}


def plot_event(number: int, *, seconds: float = 0.0, event_type: int = ADD, **fields: Any) -> UpdateEvent:
    event = UpdateEvent(timestamp=1.7e9 + seconds, event_type=event_type)  # type: ignore[arg-type]
    event.harvester_plot.CopyFrom(HarvesterPlot(id=f"/mnt/disk{number % 7}/plot-{number:05}.plot", **fields))
    return event


class Farm:
    """A database with plots, what stands in it as plain data, and a clock."""

    def __init__(self, filepath: Path) -> None:
        self.database = Database(filepath, durability="normal")
        self.now = 0.0
        self.listing = Listing(filepath, clock=self.clock)
        self.plots: dict[tuple[str, str], HarvesterPlot] = {}
        self.sequence = 0
        rng = random.Random(3)
        for machine_id, n_plots in N_PLOTS.items():
            events = [plot_event(n, file_bytes=rng.randrange(300), k=32 + n % 2) for n in range(n_plots)]
            self.write(machine_id, events)

    def clock(self) -> float:
        # Each look at it takes a second: what is kept is kept for twenty.
        self.now += 1
        return self.now

    def write(self, machine_id: str, events: list[UpdateEvent]) -> None:
        self.sequence += 1
        info = MachineInfo(machine_id=machine_id, name=f"House {machine_id}")
        self.database.write([batch_of(machine_id, self.sequence, events)], [info])
        for event in events:
            plot = event.harvester_plot
            self.plots.pop((machine_id, plot.id), None)
            if event.event_type != DELETE:
                self.plots[machine_id, plot.id] = plot

    @property
    def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(N_PLOTS, 0)
        for machine_id, _ in self.plots:
            counts[machine_id] += 1
        return counts

    def page(self, **more: Any) -> tuple[list[tuple[str, str]], int]:
        page = self.listing.page(ListEntriesRequest(topic="harvester_plot", **more), self.counts)
        return [(event.machine_id, event.harvester_plot.id) for event in page.entries], page.n_entries

    def wanted(self, sort_by: str, *, descending: bool) -> list[tuple[str, str]]:
        def key(place: tuple[str, str]) -> tuple[Any, ...]:
            return (getattr(self.plots[place], sort_by), *place) if sort_by else place

        return sorted(self.plots, key=key, reverse=descending)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path / "farm.db")
    yield made
    made.listing.close()
    made.database.close()


@pytest.mark.parametrize("sort_by", ["", "file_bytes", "k", "disk_id"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [137, 1000])
def test_pages_in_any_order_make_the_whole_list(farm: Farm, sort_by: str, descending: bool, limit: int) -> None:
    wanted = farm.wanted(sort_by, descending=descending)
    offsets = list(range(0, len(wanted) + limit, limit))
    random.Random(5).shuffle(offsets)
    for offset in offsets:
        found = farm.page(sort_by=sort_by, descending=descending, offset=offset, limit=limit)
        assert found == (wanted[offset : offset + limit], len(wanted))


def test_a_filter_and_machines_narrow_it_in_any_order(farm: Farm) -> None:
    wanted = [place for place in farm.wanted("file_bytes", descending=True) if "disk3" in place[1]]
    found, n_entries = farm.page(sort_by="file_bytes", descending=True, text="DISK3", offset=50, limit=100)
    assert (found, n_entries) == (wanted[50:150], len(wanted))
    found, n_entries = farm.page(machine_ids=["m4", "m3", "m3", "nobody"], offset=900, limit=10)
    assert found == farm.wanted("", descending=False)[-4:]
    assert n_entries == 904
    assert farm.page(machine_ids=["m2"]) == ([], 0)


def test_each_word_must_be_found_in_a_text_or_in_the_machines_name(farm: Farm) -> None:
    assert farm.page(text="disk3 00010 house")[0] == [
        ("m1", "/mnt/disk3/plot-00010.plot"),
        ("m3", "/mnt/disk3/plot-00010.plot"),
    ]
    assert farm.page(text="00010  HOUSE m3")[0] == [("m3", "/mnt/disk3/plot-00010.plot")]
    assert farm.page(text="disk3 disk4") == ([], 0)


@pytest.mark.parametrize("text", ["%", "_", "^", "disk_", "'", '"', "*"])
def test_what_is_a_sign_to_sql_is_looked_for_as_it_is(farm: Farm, text: str) -> None:
    assert farm.page(text=text) == ([], 0)
    farm.write("m4", [plot_event(9, seconds=1, plot_id=f"a{text}b")])
    farm.now += 1000
    assert farm.page(text=text)[1] == 1


def test_a_text_longer_than_any_is_refused(farm: Farm) -> None:
    with pytest.raises(ProtocolError, match="is not looked for"):
        farm.page(text="x" * 60_000)


def test_a_list_is_kept_for_a_while_shows_rows_as_they_are_and_is_made_anew(farm: Farm) -> None:
    before, n_entries = farm.page(text="disk3", limit=3)
    machine_id, plot_id = before[1]
    number = int(plot_id[-10:-5])
    farm.write(machine_id, [plot_event(number, seconds=1, event_type=DELETE)])
    assert farm.page(text="disk3", limit=3) == ([before[0], before[2]], n_entries), "what went is left out"
    farm.now += 30
    found, n_now = farm.page(text="disk3", limit=3)
    assert n_now == n_entries - 1
    assert found[1] == before[2]


def test_of_many_questions_the_newest_lists_are_kept(farm: Farm) -> None:
    for round_ in range(2):
        for number in range(9):
            assert farm.page(text=f"disk{number}")[1] == sum(f"disk{number}" in place[1] for place in farm.plots), (
                round_
            )


def test_a_question_that_nobody_waits_for_ends_and_the_next_is_answered(farm: Farm, monkeypatch: Any) -> None:
    monkeypatch.setattr("chiatea.server.database.listing.STEPS_BETWEEN_LOOKS", 100)
    request = ListEntriesRequest(topic="harvester_plot", text="disk3")
    assert farm.listing.page(request, farm.counts, is_wanted=lambda: False).n_entries == 0
    assert farm.page(text="disk3")[1] > 300


async def test_a_cancelled_question_leaves_its_turn_to_the_next(farm: Farm) -> None:
    history = History(farm.database.filepath)
    request = ListEntriesRequest(topic="harvester_plot", text="disk3", limit=1)
    first = asyncio.create_task(history.entries(request, farm.counts))
    second = asyncio.create_task(history.entries(request, farm.counts))
    await asyncio.sleep(0)
    first.cancel()
    page = await second
    assert len(page.entries) == 1
    with pytest.raises(asyncio.CancelledError):
        await first
    await history.close()


async def test_a_server_asked_for_the_end_of_an_empty_list_tells_of_none(server: Running) -> None:
    async with Asking(server.as_seen_by("viewer")) as asking:
        for more in ({}, {"sort_by": "file_bytes"}, {"text": "x"}):
            page = await asking.entries(ListEntriesRequest(topic="harvester_plot", offset=2**63 - 1, **more))  # type: ignore[arg-type]
            assert (len(page.entries), page.n_entries) == (0, 0)
