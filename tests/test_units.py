import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.units import format_bytes, format_duration, parse_bytes, parse_duration, short_duration


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("0", 0), ("4096", 4096), ("2MB", 2_000_000), ("2 MB", 2_000_000), ("2M", 2_000_000), ("1kB", 1000),
        ("1KiB", 1024), ("10GiB", 10 * 2**30), ("1.5 TiB", 3 * 2**39), ("200MB/s", 200_000_000), (" 1b ", 1),
    ],
)  # fmt: skip
def test_a_size_is_read_as_people_write_it(text: str, n_bytes: int) -> None:
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 XB", "1e9", "nan", "1iB", "1,5GB", "0x10", "1 2", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("5min", 300), ("2 h", 7200), ("90d", 7_776_000), ("1w", 604_800),
     ("12.5", 12.5), ("0", 0)],
)  # fmt: skip
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "inf", "nan", "1 y", "1h 30m", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@given(text=st.text())
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    for parse in (parse_bytes, parse_duration):
        try:
            assert parse(text) >= 0
        except ValueError as error:
            assert repr(text) in str(error)  # noqa: PT017 - most texts are refused, some are not


@given(seconds=st.floats(0, 1e9))
def test_a_written_duration_is_read_as_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1.5, "1.5s"), (0.00001, "0.00001s"), (90, "90s"), (120, "2m"), (3600, "1h"), (86400 * 90, "90d"),
     (604800, "1w")],
)  # fmt: skip
def test_a_duration_is_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (812, "812 B"), (999, "999 B"), (1000, "0.98 KiB"), (1024, "1.00 KiB"), (10 * 2**30, "10.0 GiB"),
     (3 * 2**39, "1.50 TiB"), (-1024, "-1.00 KiB"), (101.4 * 2**30, "101 GiB"), (2**64, "16.0 EiB")],
)  # fmt: skip
def test_a_size_is_shown_in_three_digits(n_bytes: float, text: str) -> None:
    assert format_bytes(n_bytes) == text


@given(n_bytes=st.integers(0, 2**63))
def test_a_shown_size_is_short_and_near_the_truth(n_bytes: int) -> None:
    text = format_bytes(n_bytes)
    assert len(text) <= 8
    assert abs(parse_bytes(text) - n_bytes) <= n_bytes * 0.01 + 0.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (4.2, "4.2 s"), (9.96, "10 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
     (7500, "2 h 5 min"), (12 * 86400 + 3 * 3600, "12 d 3 h"), (86399.7, "1 d")],
)  # fmt: skip
def test_a_duration_for_a_person_has_two_units(seconds: float, text: str) -> None:
    assert short_duration(seconds) == text
