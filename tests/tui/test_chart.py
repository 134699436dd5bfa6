"""Charts of braille dots, and what is known of each step."""

from hypothesis import given
from hypothesis import strategies as st

from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, Series, Step
from chiatea.tui.chart import LABEL_WIDTH, braille, chart_lines, scale_of, time_axis
from chiatea.tui.charts import RANGES, Charts
from chiatea.tui.list_model import Item
from chiatea.tui.timeline import Band, bands_of, known_steps
from tests.tui.sample_farm import NOW


def flat(*values: float | None) -> list[Band | None]:
    return [Band(value, value, value) if value is not None else None for value in values]


def series(*steps: tuple[int, float], before: float | None = None, field: str = "usage_percent") -> Series:
    made = Series(field=field, before=before)
    for index, value in steps:
        made.steps.append(Step(index=index, least=value, mean=value, greatest=value, last=value, n_events=1))
    return made


def test_the_least_is_at_the_bottom_and_the_greatest_on_top() -> None:
    assert braille(flat(0, 100), 1, 0, 100) == ["⡸"], "a line goes up from the first dot to the second"
    assert braille(flat(0, 0, 100, 100), 2, 0, 100) == [" ⡏", "⣀⠇"]


def test_a_step_that_is_not_known_stays_empty_and_no_line_goes_over_it() -> None:
    (row,) = braille(flat(0, 0, None, None, 100, 100), 1, 0, 100)
    assert row == "⣀ ⠉"


def test_a_step_reaches_from_its_least_to_its_greatest() -> None:
    assert braille([Band(0, 100, 50)], 1, 0, 100) == ["⡇"]


@given(
    st.lists(st.none() | st.floats(-1e300, 1e300), max_size=60),
    st.integers(1, 6),
)
def test_any_values_make_rows_of_the_asked_size(values: list[float | None], height: int) -> None:
    bands = flat(*values)
    low, high = scale_of(bands)
    rows = braille(bands, height, low, high)
    assert [len(row) for row in rows] == [(len(values) + 1) // 2] * height


def test_a_flat_line_has_a_scale_too() -> None:
    assert scale_of(flat(5, 5)) == (4.75, 5.25)
    assert scale_of(flat(0, 0)) == (0, 1)
    assert scale_of(flat(20, 30), least=0, most=100) == (0, 100)


def test_a_chart_tells_now_least_and_greatest() -> None:
    lines = [line.text for line in chart_lines("Load", flat(10, 90, 50), lambda v: f"{v:.0f} %", height=2, least=0)]
    assert lines[0] == "Load  now 50 % · least 10 % · greatest 90 %"
    assert lines[1].startswith("     90 % │")
    assert lines[2].startswith("      0 % │")
    unknown = chart_lines("Load", flat(10, None), lambda v: f"{v:.0f} %", height=2)
    assert "now not known" in unknown[0].text
    assert len(chart_lines("Load", flat(None), str, height=2)) == 1


def test_the_axis_is_as_wide_as_its_chart() -> None:
    for width in (12, 39, 80, 200):
        for seconds in (3600.0, 7 * 86_400.0):
            line = time_axis(NOW - seconds, NOW, width).text
            assert len(line) == LABEL_WIDTH + width
            assert line.endswith("now")


def test_what_held_before_holds_until_the_next_event() -> None:
    bands = bands_of(series((2, 7.0), before=3.0), [True] * 4)
    assert bands == flat(3, 3, 7, 7)
    assert bands_of(series((2, 7.0)), [True] * 4) == flat(None, None, 7, 7)
    assert bands_of(None, [True]) == [None]


def test_while_the_machine_was_away_nothing_is_known() -> None:
    heartbeat = series(*((index, 1.0) for index in (0, 1, 5, 6)))
    known = known_steps(heartbeat, 8, 30.0)
    assert known == [True, True, False, False, False, True, True, True], "half a minute of silence is no absence"
    assert bands_of(series((0, 5.0)), known) == flat(5, 5, None, None, None, 5, 5, 5)
    assert known_steps(None, 2, 30.0) == [True, True]
    assert known_steps(series(), 2, 30.0) == [True, True], "a machine without a collector has no heartbeat"


def answered(charts: Charts, width: int = 80) -> list[HistoryRequest]:
    questions = charts.questions(NOW, width)
    replies = [
        HistoryReply(series=[series((0, 40.0), (9, 60.0), field=field) for field in question.fields])
        for question in questions
    ]
    charts.take(questions, replies)
    return questions


def test_charts_ask_for_two_steps_a_character_and_whether_the_machine_was_there() -> None:
    charts = Charts([Item("a", "disk", "/mnt/a")])
    heartbeat, disk = answered(charts)
    assert (heartbeat.topic, list(heartbeat.fields)) == ("cpu", ["usage_percent"])
    assert (disk.topic, list(disk.entry_ids), disk.n_steps) == ("disk", ["/mnt/a"], 2 * (80 - LABEL_WIDTH))
    assert disk.until - disk.since == RANGES[0].seconds
    assert max(len(line.text) for line in charts.lines()) == 80


def test_charts_are_asked_for_again_at_the_pace_of_a_step() -> None:
    charts = Charts([Item("a", "cpu")])
    assert charts.is_due(NOW, 80)
    answered(charts)
    assert not charts.is_due(NOW + 9, 80)
    assert charts.is_due(NOW + 30, 80)
    assert charts.is_due(NOW, 90), "another width has other steps"
    assert charts.step_range(1)
    assert charts.is_due(NOW, 80)
    assert charts.step_range(1)
    assert not charts.step_range(1)
    assert not Charts([Item("a", "copy_command", "x")]).is_due(NOW, 80), "there is nothing to chart"


def test_a_late_answer_does_not_replace_a_newer_question() -> None:
    charts = Charts([Item("a", "ram")])
    old = charts.questions(NOW, 80)
    charts.step_range(1)
    charts.questions(NOW + 1, 80)
    charts.take(old, [HistoryReply()] * len(old))
    assert charts.lines()[-1].text == "asking…"
