"""What a line of Chia's log says. Pure: `parse(line)` gives an observation or None.

Forms are those of 2.7.5 and, where they differed, of releases back to 1.0: names that begin with `src.`, no version
column, times without a date, colour codes around the level.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, NamedTuple

__all__ = [
    "BlockFarmed",
    "FarmerConnected",
    "FarmerLost",
    "LogLine",
    "Lookup",
    "Observation",
    "PlotFailed",
    "PlotsRefreshed",
    "SlowLookup",
    "Stopped",
    "observe",
    "split",
]

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_FORM: Final = re.compile(
    r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d:\d\d[.,]\d{1,6})(Z|[+-]\d\d:?\d\d)?"
    r"\s+(?:\d+\.\d+\S*\s+)?(\S+)\s+(\S+)\s*:\s+(DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+(.*)",
    re.ASCII | re.DOTALL,
)
_LOOKUP: Final = re.compile(
    r"(?:challenge_hash: (\w+)\s*\.\.\.)?(\d{1,9}) plots were eligible for farming (?:challenge|(\w+)\.\.\.)? ?"
    r"Found (\d{1,9}) (?:V1 )?proofs(?: and (\d{1,9}) V2 qualities)?\. Time: (\d{1,9}\.\d{1,9}) s\. "
    r"Total (\d{1,9}) plots",
    re.ASCII,
)
_SLOW: Final = re.compile(
    r"(?:Looking up qualities|Finding proof)[^:]* on (.+?) ?took: (\d{1,9}(?:\.\d{1,12})?)", re.ASCII
)
_PLOT_FAILED: Final = re.compile(r"Failed to open file (.+?)\. (.*)", re.DOTALL)
_REFRESHED: Final = re.compile(
    r"_plot_refresh_callback: event done, loaded (\d{1,9}), removed (\d{1,9}), processed \d+, "
    r".*total plots: (\d{1,9})",
    re.ASCII,
)
_BLOCK: Final = re.compile(r"Farmed unfinished_block (\w+)", re.ASCII)


class LogLine(NamedTuple):
    """One line in the form of Chia's log; the time is UTC seconds since the epoch."""

    time: float
    service: str
    logger: str
    level: str
    text: str


class Lookup(NamedTuple):
    """The harvester answered one challenge."""

    time: float
    challenge_hash: str
    eligible_plots: int
    proofs: int
    lookup_seconds: float
    total_plots: int


class SlowLookup(NamedTuple):
    """One plot took long: the only place that names it."""

    time: float
    plot_filepath: str
    lookup_seconds: float


class PlotFailed(NamedTuple):
    """A file could not be opened as a plot."""

    time: float
    plot_filepath: str
    reason: str


class PlotsRefreshed(NamedTuple):
    """The harvester looked through its folders."""

    time: float
    loaded: int
    removed: int
    total_plots: int


class BlockFarmed(NamedTuple):
    """A proof of this farm became a block."""

    time: float
    block_hash: str


class FarmerConnected(NamedTuple):
    """The harvester found its farmer."""

    time: float


class FarmerLost(NamedTuple):
    """The harvester lost its farmer."""

    time: float


class Stopped(NamedTuple):
    """A service was told to end."""

    time: float
    service: str


Observation = Lookup | SlowLookup | PlotFailed | PlotsRefreshed | BlockFarmed | FarmerConnected | FarmerLost | Stopped


def split(line: str, today: date) -> LogLine | None:
    """A line's parts; None where it is not in the form of a log line, as the lines of a traceback.

    The log tells local time and, in old releases, no date: then it is that of `today`.
    """
    match = _FORM.match(_COLOUR.sub("", line) if "\x1b" in line else line)
    if match is None:
        return None
    day, moment, zone, service, logger, level, text = match.groups()
    try:
        told = datetime.fromisoformat(f"{day or today.isoformat()}T{_six_digits(moment)}{zone or ''}")
        time = told.timestamp()
    except (ValueError, OverflowError):
        return None
    return LogLine(time, service, logger, level, text.rstrip())


def _six_digits(moment: str) -> str:
    seconds, fraction = moment[:8], moment[9:]
    return f"{seconds}.{fraction:0<6}"


def observe(line: LogLine) -> Observation | None:
    """What a line says that chia-tea keeps; None for everything else."""
    parse = _PARSERS.get(line.logger.removeprefix("src.").removeprefix("chia."))
    return parse(line) if parse is not None else None


def is_ours(line: LogLine) -> bool:
    """Whether the line comes from a part of Chia whose lines we mean to understand, all of them."""
    return line.logger.endswith("harvester.harvester") and line.level != "DEBUG"


def is_known_to_say_nothing(line: LogLine) -> bool:
    """Lines of those parts that were looked at and found to tell nothing that is not told elsewhere."""
    return line.text.startswith(_SAYS_NOTHING)


_SAYS_NOTHING: Final = (
    "_plot_refresh_callback: event started",
    "_plot_refresh_callback: event batch_processed",
    "peer disconnected",
    "connected to peer",
    "Starting",
    "Stopping",
    "Using plots_refresh_parameter",
)


def _of_harvester(line: LogLine) -> Observation | None:
    if found := _LOOKUP.search(line.text):
        new_hash, eligible, old_hash, v1, v2, seconds, total = found.groups()
        proofs = int(v1) + int(v2 or 0)
        return Lookup(line.time, new_hash or old_hash or "", int(eligible), proofs, float(seconds), int(total))
    if found := _REFRESHED.search(line.text):
        return PlotsRefreshed(line.time, *(int(group) for group in found.groups()))
    if found := _SLOW.search(line.text):
        return SlowLookup(line.time, found[1], float(found[2]))
    return None


def _of_plot_manager(line: LogLine) -> Observation | None:
    if found := _PLOT_FAILED.search(line.text):
        return PlotFailed(line.time, found[1], " ".join(found[2].partition("Traceback")[0].split()))
    return None


def _of_full_node(line: LogLine) -> Observation | None:
    if found := _BLOCK.search(line.text):
        return BlockFarmed(line.time, found[1])
    return None


def _of_harvester_server(line: LogLine) -> Observation | None:
    if line.text.startswith("Connected with farmer"):
        return FarmerConnected(line.time)
    if line.text.startswith("Connection closed"):
        return FarmerLost(line.time)
    return None


def _of_service(line: LogLine) -> Observation | None:
    return Stopped(line.time, line.service) if line.text.startswith("Received signal") else None


_PARSERS: "Final[dict[str, Callable[[LogLine], Observation | None]]]" = {
    "harvester.harvester": _of_harvester,
    "plotting.manager": _of_plot_manager,
    "plotting.plot_tools": _of_plot_manager,
    "full_node.full_node": _of_full_node,
    "harvester_server": _of_harvester_server,
    "harvester": _of_service,
    "farmer": _of_service,
    "full_node": _of_service,
    "wallet": _of_service,
}
