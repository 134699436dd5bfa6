"""The columns of Chia's debug.log, and what stands in a log without having them. Pure.

Forms of Chia 1.1 to 2.7.5 (chia/util/chia_logging.py): with and without a date, with and without a zone, with and
without the version column (since 2.4.4), modules named `chia.` or, before 1.2, `src.`; colour codes where the log is a
terminal's.
"""

import re
from typing import Final, NamedTuple

__all__ = ["LogLine", "begins_a_traceback", "looks_like_a_log_line", "parse_form", "without_colours"]

_FORM: Final = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)[T ])?(?P<time>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(?P<zone>Z|[+-]\d\d:?\d\d)? +"
    r"(?:(?P<version>\d+\.\d+[^\s:]*) +)?(?P<service>[A-Za-z_]\w*) +(?P<module>[\w.]+) *: +"
    r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?: +|$)(?P<text>.*)",
    re.ASCII | re.DOTALL,
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class LogLine(NamedTuple):
    """A line in the form of Chia's log. `date`, `zone` and `version` are "" where the line has none."""

    date: str
    time_of_day: str
    zone: str
    version: str
    service: str
    module: str
    level: str
    text: str


def without_colours(line: str) -> str:
    """A line without the codes that colour it on a terminal."""
    return _COLOUR.sub("", line) if "\x1b" in line else line


def parse_form(line: str) -> LogLine | None:
    """The columns of a line; None for what is none of Chia's lines, as those of a traceback."""
    match = _FORM.match(without_colours(line))
    if match is None:
        return None
    date, time_of_day, zone, version, service, module, level, text = match.groups()
    return LogLine(
        date or "", time_of_day, zone or "", version or "", service, module.removeprefix("src."), level, text
    )


_LEVEL: Final = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)"
_ANOTHER_FORM: Final = re.compile(
    r"[\[(<\"']?(?:"
    # begins with a time,
    r"\d{4}[-/]\d\d[-/]\d\d|\d\d?:\d\d:\d\d|\d{10}|[A-Z][a-z]{2} +\d\d?,? \d|\d\d?[./]\d\d?[./]\d{2}"
    # or with a level,
    rf"|{_LEVEL}\b|[DIWEF]\d{{4}} "
    # or is a JSON object that has one,
    r"|\{.{0,300}\"(?:level|levelname|severity|msg|message|time|timestamp)\""
    # or has both further on.
    rf"|\S.{{0,120}}\d\d:\d\d:\d\d.{{0,80}}\b{_LEVEL}\b|\S.{{0,80}}\b{_LEVEL}\b.{{0,80}}\d\d:\d\d:\d\d"
    r")",
    re.ASCII,
)


def looks_like_a_log_line(line: str) -> bool:
    """Whether a line that has not Chia's form may have the form of a Chia to come: a time or a level stands where one
    would stand in a log.
    """
    return _ANOTHER_FORM.match(line) is not None


def begins_a_traceback(line: str) -> bool:
    """Python's first line of one, of an exception group's too."""
    return "Traceback (most recent call last)" in line
