"""Judges the lines of a log one after the other: what each was understood to say, or that it was not."""

from enum import Enum
from typing import Final, NamedTuple

from chiatea.collector.observations import Observation
from chiatea.collector.sources.log.complaint_lines import COMPLAINING, complaint_of_line, is_known_complaint
from chiatea.collector.sources.log.known_lines import is_daily_noise, is_known_uninteresting
from chiatea.collector.sources.log.log_form import (
    LogLine,
    begins_a_traceback,
    looks_like_a_log_line,
    parse_form,
    without_colours,
)
from chiatea.collector.sources.log.log_lines import observation_of_line
from chiatea.collector.sources.log.log_time import LogTime

__all__ = ["Judged", "LineJudge", "Verdict"]

_MOST_CONTINUED: Final = 500
"""Lines of one traceback, or of one message that has many: what is longer is no message of Chia's."""


class Verdict(Enum):
    """What became of a line."""

    TOLD = "told"
    """It told something: there is an observation."""
    KNOWN = "known"
    """Known, and of no interest."""
    CONTINUED = "continued"
    """It belongs to the line before: a traceback, a message of several lines."""
    NOT_UNDERSTOOD = "not understood"
    """There may be an observation all the same: an error that is not known is one."""


class Judged(NamedTuple):
    """A line and what it was understood to say. `line` is None where it has not the columns of a log line."""

    verdict: Verdict
    line: LogLine | None = None
    time: float | None = None
    observation: Observation | None = None


_CONTINUED: Final = Judged(Verdict.CONTINUED)
_STRANGE: Final = Judged(Verdict.NOT_UNDERSTOOD)


class LineJudge:
    """Goes through one log in its order: which lines belong to the one before depends on that one."""

    def __init__(self, n_may_follow: int = 0, n_indented: int = 0) -> None:
        """Both numbers are of the judge that went through the log up to here."""
        self.n_may_follow = n_may_follow
        """So many more lines without columns may belong to the last one that has them."""
        self.n_indented = n_indented
        """And so many more that are indented."""
        self._time = LogTime()

    def judge(self, text: str, now: float) -> Judged:
        """The next line's verdict. `now`, in UTC seconds, says which day a line without a date is of."""
        line = parse_form(text)
        if line is None:
            return self._without_columns(without_colours(text))
        is_complaint = line.level in COMPLAINING
        self.n_may_follow = _MOST_CONTINUED if is_complaint or begins_a_traceback(line.text) else 0
        self.n_indented = _MOST_CONTINUED
        time = self._time.seconds(line.date, line.time_of_day, now, line.zone)
        if time is None:
            return Judged(Verdict.NOT_UNDERSTOOD, line)
        observation = observation_of_line(line, time) if line.level != "DEBUG" else None
        if observation is not None:
            return Judged(Verdict.TOLD, line, time, observation)
        if is_complaint:
            return _complaint(line, time)
        is_known = is_known_uninteresting(line.service, line.module, line.level, line.text)
        return Judged(Verdict.KNOWN if is_known else Verdict.NOT_UNDERSTOOD, line, time)

    def time_of(self, text: str, now: float) -> tuple[float, str] | None:
        """Time and version of a line that is known and told nothing."""
        line = parse_form(text)
        time = self._time.seconds(line.date, line.time_of_day, now, line.zone) if line is not None else None
        return (time, line.version) if line is not None and time is not None else None

    def continues(self, raw: bytes) -> bool:
        """Takes a line, in bytes, that plainly belongs to the traceback above it; False where it has to be judged."""
        if not (raw.startswith(b" ") and self.n_may_follow and self.n_indented) or raw.isspace() or b"Trace" in raw:
            return False
        self.n_indented -= 1
        return True

    def pass_known(self) -> None:
        """Lines were passed over that are known and told nothing: only what is indented may belong to the last one."""
        self.n_may_follow, self.n_indented = 0, _MOST_CONTINUED

    def _without_columns(self, text: str) -> Judged:
        if not text or text.isspace():
            return _CONTINUED
        is_indented = text[0] in " \t"
        is_strange = looks_like_a_log_line(text.lstrip()) and not (is_indented and self.n_may_follow)
        if begins_a_traceback(text):
            self.n_may_follow = self.n_indented = _MOST_CONTINUED
            return _STRANGE if is_strange else _CONTINUED
        if is_strange:
            return _STRANGE
        if is_indented and self.n_indented:
            # Chia writes lists and JSON over several lines, and the frames of a traceback.
            self.n_indented -= 1
            return _CONTINUED
        if self.n_may_follow:
            self.n_may_follow -= 1
            return _CONTINUED
        return _STRANGE


def _complaint(line: LogLine, time: float) -> Judged:
    if is_daily_noise(line.service, line.level, line.text):
        return Judged(Verdict.KNOWN, line, time)
    verdict = Verdict.TOLD if is_known_complaint(line) else Verdict.NOT_UNDERSTOOD
    return Judged(verdict, line, time, complaint_of_line(line, time))
