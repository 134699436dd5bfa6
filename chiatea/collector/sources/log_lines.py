"""Lines of Chia's debug.log as observations. Pure.

Forms of Chia 1.1 to 2.7.5: with and without a date, with and without the version column (since 2.4.4), modules named
`chia.` or, before 1.2, `src.`; colour codes where the log is a terminal's. A line's time is local and without a zone.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from chiatea.collector.observations import (
    BlockFarmed,
    CoinReceived,
    FarmerConnected,
    Lookup,
    Observation,
    PeerLost,
    PlotFailed,
    PlotsRefreshed,
    ServiceStopping,
    SignagePointFinished,
    SlowPlot,
)

__all__ = ["LogLine", "is_known_uninteresting", "observation_of_line", "parse_form"]

SOURCE: Final = "chia log"

_FORM: Final = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)[T ])?(?P<time>\d\d:\d\d:\d\d(?:[.,]\d{1,6})?) +"
    r"(?:(?P<version>\d+\.\d+[^\s:]*) +)?(?P<service>[A-Za-z_]\w*) +(?P<module>[\w.]+) *: +"
    r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) *(?P<text>.*)",
    re.ASCII | re.DOTALL,
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class LogLine(NamedTuple):
    """A line in the form of Chia's log. `date` and `version` are "" where the line has none."""

    date: str
    time_of_day: str
    version: str
    service: str
    module: str
    level: str
    text: str


def parse_form(line: str) -> LogLine | None:
    """The columns of a line; None for what is none of Chia's lines, as those of a traceback."""
    if "\x1b" in line:
        line = _COLOUR.sub("", line)
    match = _FORM.match(line)
    if match is None:
        return None
    date, time_of_day, version, service, module, level, text = match.groups()
    return LogLine(date or "", time_of_day, version or "", service, module.removeprefix("src."), level, text)


_COUNT: Final = r"(\d{1,15})"
_SECONDS: Final = r"(\d{1,15}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?)"
# Chia 2.7 writes "challengeFound" without the space that is meant there.
_LOOKUP_NEW: Final = re.compile(
    rf"challenge_hash: (\w+) ?\.\.\. ?{_COUNT} plots were eligible for farming challenge ?Found {_COUNT} V1 proofs"
    rf"(?: and {_COUNT} V2 \w+)?\. Time: {_SECONDS} s\. Total {_COUNT} plots"
)
_LOOKUP_OLD: Final = re.compile(
    rf"{_COUNT} plots were eligible for farming (\w+)\.\.\. Found {_COUNT} (?:V1 )?proofs"
    rf"(?: and {_COUNT} V2 \w+)?\. Time: {_SECONDS} s\. Total {_COUNT} plots"
)
# The v2 form lacks the space before "took:".
_SLOW: Final = re.compile(rf"Looking up qualities on (.+?) ?took: {_SECONDS}\.? ")
_FAILED: Final = re.compile(r"Failed to open file (.+?\.(?:plot2?|gplot))\. (.*?)(?:Traceback \(most recent call|$)")
_REFRESHED: Final = re.compile(
    rf"_plot_refresh_callback: event done, loaded {_COUNT}, removed {_COUNT}, .*?(?:total plots: {_COUNT})?$"
)
_POINT: Final = re.compile(r"\W*Finished signage point (\d{1,2})/64: ")
_SUB_SLOT: Final = re.compile(r"\W*Finished sub slot, SP 64/64")
_BLOCK: Final = re.compile(r"\W*Farmed unfinished_block (\w+)")
_COIN_OLD: Final = re.compile(rf"Adding coin: \{{'amount': {_COUNT},")
_COIN_NEW: Final = re.compile(
    rf"request coin: (\w{{64}}) ?CoinState \{{ ?coin: Coin \{{.*amount: {_COUNT} \}}, spent_height: None, "
    r"created_height: Some"
)
_CLOSED: Final = re.compile(r"Connection closed: (\S+), node id: (\w+)")


def _lookup_new(line: LogLine, time: float) -> Observation | None:
    match = _LOOKUP_NEW.match(line.text)
    if match is None:
        return None
    challenge, eligible, proofs, v2, seconds, n_plots = match.groups()
    return Lookup(
        time, SOURCE, challenge[:10], int(eligible), int(proofs), _rounded(seconds), int(n_plots), int(v2 or 0)
    )


def _lookup_old(line: LogLine, time: float) -> Observation | None:
    match = _LOOKUP_OLD.match(line.text)
    if match is None:
        return None
    eligible, challenge, proofs, v2, seconds, n_plots = match.groups()
    return Lookup(
        time, SOURCE, challenge[:10], int(eligible), int(proofs), _rounded(seconds), int(n_plots), int(v2 or 0)
    )


def _rounded(seconds: str) -> float:
    return min(round(float(seconds), 5), 1e9)


def _slow(line: LogLine, time: float) -> Observation | None:
    match = _SLOW.match(line.text)
    return SlowPlot(time, match[1], _rounded(match[2])) if match else None


def _failed(line: LogLine, time: float) -> Observation | None:
    match = _FAILED.match(line.text)
    return PlotFailed(time, match[1], match[2].strip().rstrip(".") or "it could not be opened") if match else None


def _refreshed(line: LogLine, time: float) -> Observation | None:
    match = _REFRESHED.match(line.text)
    if match is None:
        return None
    return PlotsRefreshed(time, int(match[1]), int(match[2]), int(match[3]) if match[3] else None)


def _point(line: LogLine, time: float) -> Observation | None:
    match = _POINT.match(line.text)
    if match is not None:
        return SignagePointFinished(time, min(64, int(match[1])))
    return SignagePointFinished(time, 64) if _SUB_SLOT.match(line.text) else None


def _block(line: LogLine, time: float) -> Observation | None:
    match = _BLOCK.match(line.text)
    return BlockFarmed(time, match[1]) if match else None


def _coin_old(line: LogLine, time: float) -> Observation | None:
    match = _COIN_OLD.match(line.text)
    return CoinReceived(time, f"{line.date}T{line.time_of_day}/{match[1]}", int(match[1])) if match else None


def _coin_new(line: LogLine, time: float) -> Observation | None:
    match = _COIN_NEW.match(line.text)
    return CoinReceived(time, match[1], int(match[2])) if match else None


def _closed(line: LogLine, time: float) -> Observation | None:
    match = _CLOSED.match(line.text)
    # A full node's and a wallet's peers come and go all day.
    if match is None or line.service not in {"farmer", "harvester"}:
        return None
    return PeerLost(time, line.service, match[1], match[2].lower().removeprefix("0x"))


def _connected(line: LogLine, time: float) -> Observation | None:
    is_ours = line.service == "harvester" and line.text.startswith("Connected with farmer ")
    return FarmerConnected(time) if is_ours else None


def _stopping(line: LogLine, time: float) -> Observation | None:
    is_its_own = line.text.startswith(("Received signal SIGTERM", f"Service {line.service} at port "))
    return ServiceStopping(time, line.service) if is_its_own else None


_READERS: Final[tuple[tuple[str, Callable[[LogLine, float], Observation | None]], ...]] = (
    ("challenge_hash: ", _lookup_new),
    (" plots were eligible for farming ", _lookup_old),
    ("Looking up qualities on ", _slow),
    ("Failed to open file ", _failed),
    ("_plot_refresh_callback: event done", _refreshed),
    ("Finished s", _point),
    ("Farmed unfinished_block ", _block),
    ("Adding coin: ", _coin_old),
    ("request coin: ", _coin_new),
    ("Connection closed: ", _closed),
    ("Connected with farmer ", _connected),
    ("Received signal SIGTERM", _stopping),
    (" fully stopped", _stopping),
)
"""Words that only lines of one kind contain, and what reads them."""


def observation_of_line(line: LogLine, time: float) -> Observation | None:
    """What a line tells, or None. `time` is the line's own, in UTC seconds."""
    for words, reader in _READERS:
        if words in line.text:
            observation = reader(line, time)
            if observation is not None:
                return observation
    return None


_UNINTERESTING: Final = tuple(
    (level, re.compile(pattern))
    for level, pattern in (
        ("INFO", r"_plot_refresh_callback: event "),
        ("INFO", r"Surpassed \d+ PoSpace for one SP"),
        ("INFO", r"(?:Register service|registered for service) "),
        ("INFO", r"\{'success': True\}"),
        ("INFO", r"Connection close requested\. Closing websocket"),
        ("INFO", r"sending term signal to |process \w+ returned "),
        ("INFO", r"(?:Starting|Stopping|Started|Service) (?:\w+ )?service |Service \w+ at port "),
        ("INFO", r"(?:Cancelling|Closing|Closed|Waiting for) (?:reconnect|connections|RPC|socket|ChiaServer)"),
        ("INFO", r"Started \w+ service on network_id|chia-blockchain version: |Service capabilities: "),
        ("INFO", r"Using plots_refresh_parameter: |Add resolved PeerInfo|Loaded \d+ bytes of cached data"),
        ("INFO", r"Parsed \d+ cache entries|reset: node_id |peer disconnected |Connection closed: "),
        ("INFO", r"Connected with \w+ |Added unfinished_block |request coin: |\W*Updated peak to height "),
        ("INFO", r"\W*(?:Received sub_slot|Added new_signage_point|Not adding unfinished|Block was processed)"),
        ("DEBUG", r""),
    )
)
"""What Chia says all day and nobody needs, by level: seen in recorded logs of a farmer, harvesters and a daemon."""


def is_known_uninteresting(line: LogLine) -> bool:
    """Whether a line of which no reader made anything is known, and of no interest."""
    return any(level == line.level and pattern.match(line.text) for level, pattern in _UNINTERESTING)
