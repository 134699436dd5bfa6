"""How fast disks fill."""

import pytest

from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, Series, Step
from chiatea.tui.growth import Growth, rate_of, seconds_until_full
from tests.tui.sample_farm import GIB, NOW

HOUR = 3600.0


def points(*values: float, every: float = 2 * HOUR) -> list[tuple[float, float]]:
    return [(index * every, value) for index, value in enumerate(values)]


def test_a_steady_growth_is_found_whatever_one_odd_point_says() -> None:
    steady = points(*(index * 100.0 for index in range(12)))
    assert rate_of(steady) == pytest.approx(100 / (2 * HOUR))
    steady[5] = (steady[5][0], 1e12)
    assert rate_of(steady) == pytest.approx(100 / (2 * HOUR), rel=0.2)


def test_a_few_points_or_a_short_time_tell_nothing() -> None:
    assert rate_of([]) is None
    assert rate_of(points(1, 2, 3)) is None
    assert rate_of(points(1, 2, 3, 4, 5, every=60.0)) is None


@pytest.mark.parametrize(
    ("rate", "free", "expected"),
    [
        (10.0, 1000.0, 100.0),
        (0.0, 5.0, None),
        (-1.0, 5.0, None),
        (None, 5.0, None),
        (1e-9, 1e12, None),
        (1.0, -5.0, 0.0),
    ],
)
def test_when_it_is_full(rate: float | None, free: float, expected: float | None) -> None:
    assert seconds_until_full(rate, free) == expected


def reply(*values: float, disk_id: str = "/mnt/a") -> HistoryReply:
    first = 84 - len(values)
    steps = [Step(index=first + i, least=v, mean=v, greatest=v, last=v) for i, v in enumerate(values)]
    return HistoryReply(series=[Series(entry_id=disk_id, field="used_bytes", steps=steps)])


def test_a_disk_that_began_to_fill_today_goes_by_today() -> None:
    growth = Growth()
    question = growth.question("a", 5, NOW)
    growth.take(question, reply(*([0.0] * 72), *(index * 2.0 * GIB for index in range(12))))
    disk = Disk(id="/mnt/a", free_bytes=240 * GIB)
    assert growth.rate("a", disk) == pytest.approx(GIB / HOUR)
    assert growth.full_in("a", disk) == pytest.approx(240 * HOUR)
    assert growth.full_in("a", Disk(id="/mnt/a")) is None, "what is free is not told"
    assert growth.full_in("a", Disk(id="/mnt/b", free_bytes=1)) is None
    assert growth.full_in("b", disk) is None


def test_a_disk_that_shrinks_is_never_full() -> None:
    growth = Growth()
    growth.take(growth.question("a", 1, NOW), reply(*(100.0 * GIB - index * GIB for index in range(80))))
    disk = Disk(id="/mnt/a", free_bytes=240 * GIB)
    assert (growth.rate("a", disk) or 0) < 0
    assert growth.full_in("a", disk) is None


def test_a_machine_is_asked_once_in_ten_minutes_for_all_its_disks() -> None:
    growth = Growth()
    assert growth.due(["a", "b"], NOW) == "a"
    question = growth.question("a", 2000, NOW)
    assert question.n_steps * 2000 <= 20_000
    assert growth.due(["a", "b"], NOW) == "b"
    assert growth.due(["a"], NOW + 599) is None
    assert growth.due(["a"], NOW + 600) == "a"
