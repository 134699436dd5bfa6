"""Lines of Chia's debug.log as observations. Pure.

Wordings of Chia 1.1 to 2.7.5, taken from recorded logs and from its source.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

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
from chiatea.collector.sources.log.log_form import LogLine

__all__ = [
    "LAST_POINT_BEGINS",
    "LOOKUP",
    "LOOKUP_BEGINS",
    "POINT",
    "POINT_BEGINS",
    "REFRESHED",
    "REFRESHED_BEGINS",
    "SOURCE",
    "may_tell",
    "observation_of_line",
]

SOURCE: Final = "chia log"

_COUNT: Final = r"(\d{1,15})"
_SECONDS: Final = r"(\d{1,15}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?)"
# Chia 2.7 writes "challengeFound" without the space that is meant there.
LOOKUP: Final = (
    rf"challenge_hash: (\w+) ?\.\.\. ?{_COUNT} plots? were eligible for farming challenge ?Found {_COUNT} V1 proofs?"
    rf"(?: and {_COUNT} V2 \w+)?\. Time: {_SECONDS} s\. Total {_COUNT} plots?"
)
"""Challenge, eligible plots, proofs, v2 qualities, seconds, plots."""
LOOKUP_BEGINS: Final = "challenge_hash: "
_LOOKUP_NEW: Final = re.compile(LOOKUP)
_LOOKUP_OLD: Final = re.compile(
    rf"{_COUNT} plots? were eligible for farming (\w+)\.\.\. Found {_COUNT} (?:V1 )?proofs?"
    rf"(?: and {_COUNT} V2 \w+)?\. Time: {_SECONDS} s\. Total {_COUNT} plots?"
)
# Of a v2 plot it is "partial proofs", and the space before "took:" lacks (Chia 2.7.5, harvester_api.py).
_SLOW: Final = re.compile(rf"Looking up (?:qualities|partial proofs) on (.+?) ?took: {_SECONDS}\.? ")
_PLOT: Final = r"(.+?\.(?:plot2?|gplot))"
_FAILED: Final = re.compile(rf"Failed to open file {_PLOT}\. (.*?)(?:Traceback \(most recent call|$)")
_PLOT_TROUBLES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # chia/plotting/manager.py
        rf"Not farming (?:compressed )?plot {_PLOT}\. (.+)",
        rf"Plot {_PLOT} (has a (?:farmer|pool) public key that is not .+)",
        # chia/harvester/harvester_api.py
        rf"Exception fetching (?:qualities|full proof) for {_PLOT}\. (.+)",
        rf"KeyError plot {_PLOT} (does not exist.*)",
    )
)
# Follows the line that says what failed in a lookup, which does not always name the plot.
_FILE: Final = re.compile(rf"File: {_PLOT} Plot ID: ")
_COPIES: Final = re.compile(r"Have (multiple copies) of the plot (\S+) (in \['([^']*)'.+?)\.?$")
REFRESHED: Final = (
    rf"_plot_refresh_callback: event done, loaded {_COUNT}, removed {_COUNT}, .*?(?:total plots: {_COUNT})?$"
)
"""Loaded, removed, plots."""
REFRESHED_BEGINS: Final = "_plot_refresh_callback: event d"
_REFRESHED: Final = re.compile(REFRESHED)
POINT: Final = r"\W*Finished signage point (\d{1,2})/64: "
"""The point's index."""
POINT_BEGINS: Final = "\u23f2\ufe0f  Finished signage point "
_POINT: Final = re.compile(POINT)
LAST_POINT_BEGINS: Final = "\u23f2\ufe0f  Finished sub slot, SP 64"
_SUB_SLOT: Final = re.compile(r"\W*Finished sub slot, SP 64/64")
_BLOCK: Final = re.compile(r"\W*Farmed unfinished_block (\w+)")
# Chia before 1.4.0, and before 1.5.1.
_COIN_OLD: Final = re.compile(rf"Adding (?:coin|record to state manager coin): \{{'amount': '?{_COUNT}\b")
# Chia 1.5.1, and from 1.6.1 on. Chia 2.7.5 tells of no coin in its log.
_COIN_NEW: Final = re.compile(
    rf"request coin: (?:0x)?(\w{{64}}) ?(?:\{{'coin': \{{'amount': {_COUNT}\b|CoinState \{{ ?coin: Coin \{{.*amount: "
    rf"{_COUNT} \}}, spent_height: None, created_height: Some)"
)
_CLOSED: Final = re.compile(r"Connection closed: (\S+), node id: (\w+)")
_STOPPING: Final = re.compile(r"Received signal \w+ \(\d+\), shutting down|Service (\w+) at port \w+ fully stopped")


def _lookup_new(line: LogLine, time: float) -> Observation | None:
    match = _LOOKUP_NEW.match(line.text)
    return _lookup(time, match[1], match[2], match.groups()[2:]) if match else None


def _lookup_old(line: LogLine, time: float) -> Observation | None:
    match = _LOOKUP_OLD.match(line.text)
    return _lookup(time, match[2], match[1], match.groups()[2:]) if match else None


def _lookup(time: float, challenge: str, eligible: str, others: Sequence[str | None]) -> Lookup:
    proofs, qualities, seconds, n_plots = (value or "0" for value in others)
    return Lookup(
        time, SOURCE, challenge[:10], int(eligible), int(proofs), _rounded(seconds), int(n_plots), int(qualities)
    )


def _rounded(seconds: str) -> float:
    return min(round(float(seconds), 5), 1e9)


def _slow(line: LogLine, time: float) -> Observation | None:
    match = _SLOW.match(line.text)
    return SlowPlot(time, match[1], _rounded(match[2])) if match else None


def _failed(line: LogLine, time: float) -> Observation | None:
    match = _FAILED.match(line.text)
    return PlotFailed(time, match[1], match[2].strip().rstrip(".") or "it could not be opened") if match else None


def _plot_trouble(line: LogLine, time: float) -> Observation | None:
    for pattern in _PLOT_TROUBLES:
        match = pattern.match(line.text)
        if match is not None:
            return PlotFailed(time, match[1], match[2].strip().rstrip("."), is_open=True)
    return None


def _file(line: LogLine, time: float) -> Observation | None:
    match = _FILE.match(line.text) if line.level != "INFO" else None
    return PlotFailed(time, match[1], "a lookup in it failed", is_open=True) if match else None


def _copies(line: LogLine, time: float) -> Observation | None:
    match = _COPIES.match(line.text)
    return PlotFailed(time, f"{match[4]}/{match[2]}", f"{match[1]} {match[3]}", is_open=True) if match else None


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
    return CoinReceived(time, match[1], int(match[2] or match[3])) if match else None


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
    match = _STOPPING.match(line.text)
    is_its_own = match is not None and match[1] in {None, line.service}
    return ServiceStopping(time, line.service) if is_its_own else None


_READERS: Final[tuple[tuple[str, Callable[[LogLine, float], Observation | None]], ...]] = (
    ("challenge_hash: ", _lookup_new),
    (" were eligible for farming ", _lookup_old),
    ("Looking up ", _slow),
    ("Failed to open file ", _failed),
    ("_plot_refresh_callback: event done", _refreshed),
    ("Finished s", _point),
    ("Farmed unfinished_block ", _block),
    ("Adding ", _coin_old),
    ("request coin: ", _coin_new),
    ("Connection closed: ", _closed),
    ("Connected with farmer ", _connected),
    ("Received signal ", _stopping),
    (" fully stopped", _stopping),
    ("Have multiple copies of the plot ", _copies),
    ("File: ", _file),
    ("lot ", _plot_trouble),
    ("Exception fetching ", _plot_trouble),
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


_MAY_TELL: Final = ("request coin: ", "Connected with farmer ", "Received signal ")
"""Of the beginnings in known_lines.py those with which a line may begin that a reader takes."""


def may_tell(text_begins: str) -> bool:
    """Whether a line whose text begins so may tell something, although known lines that tell nothing begin so too."""
    return text_begins.startswith(_MAY_TELL) or any(told.startswith(text_begins) for told in _MAY_TELL)
