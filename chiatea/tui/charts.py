"""Charts of entries over time: what is asked of the server for them, and how the answers are drawn. Pure."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest
from chiatea.tui.chart import LABEL_WIDTH, chart_lines, time_axis
from chiatea.tui.chart_fields import CHART_FIELDS, ChartField
from chiatea.tui.drawing import seconds
from chiatea.tui.field_lines import MOJO_PER_XCH
from chiatea.tui.field_text import number_text
from chiatea.tui.lines import Line, Span, note
from chiatea.tui.list_model import Item
from chiatea.tui.timeline import bands_of, known_steps

__all__ = ["RANGES", "Charts", "Range"]


class Range(NamedTuple):
    """A stretch of time up to now."""

    name: str
    seconds: float


RANGES: Final = (Range("1 h", 3600.0), Range("24 h", 86_400.0), Range("7 d", 7 * 86_400.0))
_HEARTBEAT: Final = ("cpu", "usage_percent")
"""What every collector tells each few seconds: where it is missing, the machine was away."""
_LEAST_PACE_SECONDS: Final = 10.0
_MOST_PACE_SECONDS: Final = 300.0
_MOST_CHARACTERS: Final = 200


class _Answer(NamedTuple):
    since: float
    until: float
    n_steps: int
    replies: Sequence[HistoryReply]


class Charts:
    """The charts of some entries of one machine. Its owner asks the server, and says when it could not be asked."""

    def __init__(self, items: Sequence[Item]) -> None:
        """Of entries whose topics have numbers that are worth it."""
        self._items = [item for item in items if item.topic in CHART_FIELDS]
        self._place = 0
        self._width = 0
        self._asked_time: float | None = None
        self._answer: _Answer | None = None
        self._lines: list[Line] = []
        self.error = ""

    @property
    def has_any(self) -> bool:
        """Whether there is anything to chart."""
        return bool(self._items)

    @property
    def range(self) -> Range:
        """What is drawn."""
        return RANGES[self._place]

    def step_range(self, step: int) -> bool:
        """Another stretch of time; False at an end."""
        place = self._place + step
        if not 0 <= place < len(RANGES):
            return False
        self._place, self._asked_time, self._answer, self._lines = place, None, None, []
        return True

    def is_due(self, now: float, width: int) -> bool:
        """Whether the server should be asked again: a step is over, or there is another width."""
        if not self._items or width <= LABEL_WIDTH + 10:
            return False
        n_steps = self._n_steps(width)
        pace = min(_MOST_PACE_SECONDS, max(_LEAST_PACE_SECONDS, self.range.seconds / n_steps))
        if self.error:
            pace = _LEAST_PACE_SECONDS
        return self._asked_time is None or width != self._width or not 0 <= now - self._asked_time < pace

    @staticmethod
    def _n_steps(width: int) -> int:
        return 2 * min(_MOST_CHARACTERS, width - LABEL_WIDTH)

    def questions(self, now: float, width: int) -> list[HistoryRequest]:
        """What is asked for a chart of some width: whether the machine was there, then each entry's numbers."""
        self._asked_time, self._width = now, width
        since, n_steps = now - self.range.seconds, self._n_steps(width)
        topic, field = _HEARTBEAT
        asked = [(topic, "", [field])]
        asked += [(i.topic, str(i.entry_id), [chart.field for chart in CHART_FIELDS[i.topic]]) for i in self._items]
        return [
            HistoryRequest(
                machine_id=self._items[0].machine_id,
                topic=topic,
                entry_ids=[entry_id] if entry_id else [],
                fields=fields,
                since=since,
                until=now,
                n_steps=n_steps,
            )
            for topic, entry_id, fields in asked
        ]

    def take(self, questions: Sequence[HistoryRequest], replies: Sequence[HistoryReply]) -> None:
        """Takes the answers; those to an older question are not wanted any more."""
        first = questions[0]
        if first.until == self._asked_time:
            self._answer = _Answer(first.since, first.until, first.n_steps, replies)
            self._lines, self.error = [], ""

    def lines(self, *, height: int = 4) -> list[Line]:
        """A heading that names the ranges, and the charts of what is known."""
        if not self._items:
            return []
        head: list[Span] = [Span("Over time", "title")]
        for place, stretch in enumerate(RANGES):
            is_chosen = place == self._place
            head.append(
                Span(f"  {f'[{stretch.name}]' if is_chosen else stretch.name}", "accent" if is_chosen else "muted")
            )
        shown = [Line(tuple(head))]
        if self.error:
            shown.append(note(f"▲ {self.error}", "warn"))
        if self._answer is None:
            return shown if self.error else [*shown, note("asking…")]
        if not self._lines:
            self._lines = self._drawn(self._answer, height)
        return [*shown, *self._lines]

    def _drawn(self, answer: _Answer, height: int) -> list[Line]:
        heartbeat, *replies = answer.replies
        step_seconds = (answer.until - answer.since) / answer.n_steps
        known = known_steps(next(iter(heartbeat.series), None), answer.n_steps, step_seconds)
        lines: list[Line] = []
        axis = time_axis(answer.since, answer.until, answer.n_steps // 2)
        for item, reply in zip(self._items, replies, strict=True):
            series = {found.field: found for found in reply.series}
            for chart in CHART_FIELDS[item.topic]:
                bands = bands_of(series.get(chart.field), known)
                if not any(band is not None and (band.least or band.greatest) for band in bands):
                    # Unknown, or nothing but zero, as the swap of a machine without swap.
                    continue
                title = chart.title if len(self._items) == 1 else f"{item.topic.upper()} {chart.title.lower()}"
                lines += chart_lines(title, bands, _text(chart), height=height, least=chart.least, most=chart.most)
                lines += [axis, note("")]
        return lines[:-1] or [note(f"No number of it, or nothing but 0, is known of the last {self.range.name}.")]


def _text(chart: ChartField) -> Callable[[float], str]:
    """A value as short as a chart's edge needs it."""
    if chart.field.endswith("_mojo"):
        return lambda value: f"{value / MOJO_PER_XCH:,.4g} XCH"
    if chart.field.endswith("_seconds"):
        return seconds
    if chart.field.endswith("_percent"):
        return lambda value: f"{value:.0f} %"
    return lambda value: number_text(chart.field, round(value) if abs(value) >= 1000 else _three_digits(value))


def _three_digits(value: float) -> float:
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded.is_integer() else rounded
