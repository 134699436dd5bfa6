"""How numbers went over time, as a chart asks for it: a real server, a real database."""

import pytest

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, HistoryReply, HistoryRequest, Series
from chiatea.wire.asking import Asking
from chiatea.wire.reporting import Reporting

from .conftest import Running, task_of, until

SINCE = 1_700_000_000.0


def disk(mount: str, seconds: float, busy: float | None, event_type: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(timestamp=SINCE + seconds, event_type=event_type)  # type: ignore[arg-type]
    event.disk.id = mount
    if busy is not None:
        event.disk.busy_percent = busy
    return event


async def told(server: Running, events: list[UpdateEvent]) -> None:
    sender = Reporting(server.as_seen_by("collector"), "m1", "barn", COLLECTOR)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put(events)
        await until(lambda: sender.n_unacked == 0)


def question(**more: object) -> HistoryRequest:
    asked = {
        "machine_id": "m1",
        "topic": "disk",
        "fields": ["busy_percent"],
        "since": SINCE,
        "until": SINCE + 100,
        "n_steps": 10,
    }
    return HistoryRequest(**{**asked, **more})  # type: ignore[arg-type]


async def asked(server: Running, request: HistoryRequest) -> HistoryReply:
    async with Asking(server.as_seen_by("viewer")) as asking:
        return await asking.history(request)


def steps(series: Series) -> list[tuple[int, float, float, float, float, int]]:
    return [(s.index, s.least, s.mean, s.greatest, s.last, s.n_events) for s in series.steps]


async def test_each_step_has_its_least_mean_greatest_and_last_value(server: Running) -> None:
    await told(server, [disk("/a", 1, 10, ADD), disk("/a", 5, 40), disk("/a", 9, 20), disk("/a", 55, 7)])
    (series,) = (await asked(server, question())).series
    assert (series.entry_id, series.field) == ("/a", "busy_percent")
    assert not series.HasField("before")
    assert steps(series) == [(0, 10, 70 / 3, 40, 20, 3), (5, 7, 7, 7, 7, 1)]


async def test_what_held_before_the_first_event_is_told(server: Running) -> None:
    await told(server, [disk("/a", -30, 3, ADD), disk("/a", -20, 4), disk("/a", 15, 5)])
    (series,) = (await asked(server, question())).series
    assert series.before == 4
    assert steps(series) == [(1, 5, 5, 5, 5, 1)]


async def test_entries_are_told_apart_and_what_was_not_measured_or_went_is_no_value(server: Running) -> None:
    await told(
        server,
        [disk("/a", 1, 1, ADD), disk("/b", 2, 2, ADD), disk("/c", 3, None, ADD), disk("/a", 4, 99, DELETE)],
    )
    found = {s.entry_id: steps(s) for s in (await asked(server, question())).series}
    assert found == {"/a": [(0, 1, 1, 1, 1, 1)], "/b": [(0, 2, 2, 2, 2, 1)]}
    (only,) = (await asked(server, question(entry_ids=["/b"]))).series
    assert only.entry_id == "/b"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"topic": "disks"}, "there is no topic disks"),
        ({"fields": ["device"]}, "disk has no number device"),
        ({"fields": []}, "none was asked for"),
        ({"until": SINCE}, "has no length"),
        ({"until": float("nan")}, "has no length"),
        ({"n_steps": 0}, "0 steps are not 1 to 2000"),
        ({"n_steps": 5000}, "5000 steps"),
    ],
)
async def test_a_question_without_an_answer_is_refused_with_the_reason(
    server: Running, more: dict[str, object], said: str
) -> None:
    with pytest.raises(ConnectionFailedError, match=said):
        await asked(server, question(**more))


async def test_more_steps_than_a_message_holds_are_refused(server: Running) -> None:
    await told(server, [disk(f"/{n}", 1, n, ADD) for n in range(21)])
    with pytest.raises(ConnectionFailedError, match="21 series of 1000 steps are more than 20000"):
        await asked(server, question(n_steps=1000))
