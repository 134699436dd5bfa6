import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.sources.log.log_time import LogTime

NOON = 1_795_435_200.0
"""2026-11-23T12:00:00Z."""


def seconds_in(zone_name: str, calls: list[tuple[str, str, float, str]]) -> list[float | None]:
    """What one LogTime says of lines in turn, in a process of its own that has another time zone."""
    program = (
        "import json, sys\n"
        "from chiatea.collector.sources.log.log_time import LogTime\n"
        "log_time = LogTime()\n"
        "print(json.dumps([log_time.seconds(*call) for call in json.load(sys.stdin)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": zone_name},
    )
    told: list[float | None] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(
    ("time_of_day", "zone", "expected"),
    [
        ("12:00:00.250", "Z", NOON + 0.25),
        ("14:00:00,250", "+02:00", NOON + 0.25),
        ("08:30:00", "-0330", NOON),
    ],
)
def test_a_time_with_a_zone_is_of_that_zone_wherever_it_is_read(time_of_day: str, zone: str, expected: float) -> None:
    assert LogTime().seconds("2026-11-23", time_of_day, 0.0, zone) == expected


def test_a_time_without_a_zone_is_this_machine_s() -> None:
    calls = [("2026-11-23", "13:00:00.5", 0.0, ""), ("2026-07-01", "13:00:00", 0.0, "")]
    assert seconds_in("Europe/Berlin", calls) == [NOON + 0.5, 1_782_903_600.0]


def test_in_the_hour_that_comes_twice_lines_are_taken_in_their_order() -> None:
    day, end = "2026-10-25", 1_792_890_000.0  # the clock goes from 03:00 back to 02:00 at 01:00 UTC
    calls = [(day, time, 0.0, "") for time in ("01:59:59", "02:10:00", "02:59:59", "02:00:01", "02:10:00", "03:00:00")]
    assert seconds_in("Europe/Berlin", calls) == [
        end - 3601,
        end - 3000,
        end - 1,
        end + 1,
        end + 600,
        end + 3600,
    ]


def test_the_first_line_that_is_read_in_the_hour_that_comes_twice_is_of_now() -> None:
    day, end = "2026-10-25", 1_792_890_000.0
    assert seconds_in("Europe/Berlin", [(day, "02:10:00", end + 601, "")]) == [end + 600]
    assert seconds_in("Europe/Berlin", [(day, "02:10:00", end - 2999, "")]) == [end - 3000]
    assert seconds_in("Europe/Berlin", [(day, "02:10:00", end + 9e6, "")]) == [end - 3000]


def test_a_time_that_the_clock_left_out_is_taken_for_one_close_by() -> None:
    (told,) = seconds_in("Europe/Berlin", [("2026-03-29", "02:30:00", 0.0, "")])
    assert told is not None
    assert abs(told - 1_774_746_000.0) <= 3600


def test_a_line_without_a_date_is_of_today_or_of_yesterday() -> None:
    calls = [("", "12:30:00", NOON, ""), ("", "23:59:59", NOON, ""), ("", "14:30:00", NOON, "+02:00")]
    assert seconds_in("UTC", calls) == [NOON + 1800, NOON + 43199 - 86400, NOON + 1800]


@given(
    st.from_regex(r"(\d{4}-\d\d-\d\d)?", fullmatch=True),
    st.from_regex(r"\d\d:\d\d:\d\d", fullmatch=True),
    st.sampled_from(["", "Z", "+99:99", "-0000"]),
    st.floats(-1e18, 1e18),
)
def test_any_digits_are_a_time_or_none(date: str, time_of_day: str, zone: str, now: float) -> None:
    told = LogTime().seconds(date, time_of_day, now, zone)
    assert told is None or isinstance(told, float)
