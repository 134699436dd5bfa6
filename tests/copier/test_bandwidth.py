import asyncio
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.config import BandwidthPeriod
from chiatea.copier.bandwidth import TotalRate, shares_of

DAY = BandwidthPeriod.model_validate({"from": "08:00", "until": "23:00", "max": 50})
NIGHT = BandwidthPeriod.model_validate({"from": "23:30", "until": "06:00", "max": 0})


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where clocks go from 02:00 to 03:00 on 2025-03-30, and from 03:00 to 02:00 on 2025-10-26."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "")
    if not os.environ["TZ"]:
        del os.environ["TZ"]
    time.tzset()


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(f"2025-{text}").replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold).timestamp()


def rate_at(periods: list[BandwidthPeriod], time_: float) -> int:
    return TotalRate(100, periods, clock=lambda: time_).now()


def change_after(periods: list[BandwidthPeriod], time_: float) -> float | None:
    return TotalRate(100, periods, clock=lambda: time_).next_change()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("clock", "rate"),
    [
        ("07:59:59", 100), ("08:00:00", 50), ("22:59:59", 50), ("23:00:00", 100),
        ("23:30:00", 0), ("00:00:00", 0), ("05:59:59", 0), ("06:00:00", 100),
    ],
)  # fmt: skip
def test_a_period_holds_from_its_first_minute_to_its_last_also_over_midnight(clock: str, rate: int) -> None:
    assert rate_at([DAY, NIGHT], at(f"07-01T{clock}")) == rate


@pytest.mark.usefixtures("berlin")
def test_the_clock_on_the_wall_counts_when_daylight_saving_begins_and_ends() -> None:
    early = BandwidthPeriod.model_validate({"from": "02:30", "until": "03:30", "max": 7})
    # In spring there is no 02:30: it begins at 03:00, which comes after 01:59.
    assert change_after([early], at("03-30T01:00")) == at("03-30T03:00")
    assert rate_at([early], at("03-30T03:00")) == 7
    assert change_after([early], at("03-30T03:00")) == at("03-30T03:30")
    # In autumn 02:30 comes twice.
    assert [rate_at([early], at("10-26T02:45", fold)) for fold in (0, 1)] == [7, 7]
    assert rate_at([early], at("10-26T02:15", fold=1)) == 100
    assert at("10-26T06:00") - at("10-25T23:30") == timedelta(hours=7.5).total_seconds()
    assert change_after([NIGHT], at("10-25T23:30")) == at("10-26T06:00")


def test_without_periods_or_with_one_for_the_whole_day_nothing_changes() -> None:
    whole = BandwidthPeriod.model_validate({"from": "00:00", "until": "24:00", "max": 7})
    assert change_after([], 0.0) is None
    assert change_after([whole], 0.0) is None
    assert {rate_at([whole], hour * 3600.0) for hour in range(24)} == {7}


@pytest.mark.usefixtures("berlin")
def test_what_was_ordered_holds_until_the_next_of_the_times() -> None:
    now = at("07-01T12:00")
    rate = TotalRate(100, [DAY], clock=lambda: now)
    until = rate.next_change()
    assert until == at("07-01T23:00")
    assert rate.time_text(until) == "23:00"
    rate.order(5, until)
    assert rate.now() == 5
    now = until - 1
    assert rate.now() == 5
    now = until
    assert rate.now() == 100
    now = at("07-02T12:00")
    assert rate.now() == 50


def test_what_was_ordered_does_not_hold_for_years_when_the_clock_is_set_back() -> None:
    now = 1e9
    rate = TotalRate(100, [DAY], clock=lambda: now)
    rate.order(5, 1e9 + 60)
    now = 0.0
    assert rate.now() != 5


async def test_the_limit_follows_the_clock_minute_by_minute() -> None:
    now = 0.0
    rate = TotalRate(100, [DAY], clock=lambda: now, local=time.gmtime)
    told: list[tuple[float, int]] = []

    async def limit(n_bytes: int) -> None:
        told.append((now, n_bytes))

    async def pause(seconds: float) -> None:
        nonlocal now
        assert 0 < seconds <= 60
        now += seconds
        if now > 86400:
            raise asyncio.CancelledError

    now = 6.5
    with pytest.raises(asyncio.CancelledError):
        await rate.follow(limit, pause)
    assert told[0] == (6.5, 100)
    assert dict(told)[8 * 3600.0] == 50
    assert {n_bytes for time_, n_bytes in told if 8 * 3600 <= time_ < 23 * 3600} == {50}
    assert {n_bytes for time_, n_bytes in told if not 8 * 3600 <= time_ < 23 * 3600} == {100}


limits = st.dictionaries(st.text(max_size=3), st.integers(0, 1000), min_size=1, max_size=8)


@given(st.integers(0, 1000), limits)
def test_shares_keep_every_limit_and_waste_nothing(total: int, own_limits: dict[str, int]) -> None:
    shares = shares_of(total, own_limits)
    assert shares.keys() == own_limits.keys()
    if not total:
        assert shares == own_limits
        return
    assert all(0 < shares[job] <= (own_limits[job] or total) for job in shares)
    assert sum(shares.values()) <= max(total, len(shares))
    free = [shares[job] for job in shares if not own_limits[job] or shares[job] < own_limits[job]]
    if free:
        # Those that could take more share alike, and nothing is left over.
        assert max(free) - min(free) <= 1
        assert all(share <= max(free) for share in shares.values())
        assert sum(shares.values()) >= total
