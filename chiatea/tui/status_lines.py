"""The header and the banner: what they say, as text. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from chiatea.tui.plain_text import plain
from chiatea.tui.shown import Shown
from chiatea.units import short_duration
from chiatea.wire.feed import Connection

__all__ = ["banner", "clock_time", "header", "waiting"]

CLOCK_SKEW_WORTH_SAYING_SECONDS = 30.0


def clock_time(moment: float) -> str:
    """The local time of day."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%H:%M:%S}"


def header(shown: Shown, crumbs: Sequence[str], width: int) -> Text:
    """Where one is, and how the connection is, on one line: as much of it as there is room for."""
    view, connection, styles = shown.view, shown.connection, shown.styles
    path = _path(crumbs, shown)
    state = ("● connected", "good") if connection.is_up else ("✗ no connection", "bad")
    parts = [(clock_time(view.now), "muted"), state, (plain(connection.address), "muted")]
    if shown.role == "viewer":
        parts.append(("read only", "warn"))
    parts.append((f"{len(view.farm.machines)} machine{'s' if len(view.farm.machines) != 1 else ''}", "muted"))
    if shown.frozen_since is not None:
        parts.insert(0, (f"❄ held since {clock_time(shown.frozen_since)}, z goes on", "frozen"))
    right, room = Text(" "), width - min(path.cell_len, width // 2) - 2
    for text, style in parts:
        if right.cell_len + len(text) + 2 <= room:
            right = Text.assemble("  ", (text, styles[style]), right)
    left = list(crumbs)
    while len(left) > 2 and path.cell_len > width - right.cell_len:
        # Where one is matters most.
        left = ["…", *left[2:]]
        path = _path(left, shown)
    path.truncate(max(0, width - right.cell_len), overflow="ellipsis")
    path.append(" " * max(0, width - path.cell_len - right.cell_len))
    return path.append_text(right)


def _path(crumbs: Sequence[str], shown: Shown) -> Text:
    path = Text(" ")
    for place, crumb in enumerate(crumbs):
        if place:
            path.append(" ▸ ", shown.styles["muted"])
        path.append(plain(crumb), shown.styles["strong" if place == len(crumbs) - 1 else "muted"])
    return path


def banner(connection: Connection, now: float) -> str:
    """What is wrong with the connection, and what is done about it; "" while nothing is."""
    if connection.is_up or connection.since is None:
        return ""
    lost = f"✗ No connection since {clock_time(connection.since)} ({short_duration(now - connection.since)})"
    return f"{lost}; {_next_try(connection, now)}. {plain(connection.error)}"


def waiting(connection: Connection, now: float) -> str:
    """What is said before the first snapshot."""
    lines = [f"Waiting for the server at {plain(connection.address)}"]
    if connection.error:
        lines += ["", plain(connection.error), _next_try(connection, now)]
    return "\n".join(lines)


def _next_try(connection: Connection, now: float) -> str:
    if connection.next_try_time is None:
        return f"trying now (attempt {connection.attempt + 1})"
    return f"attempt {connection.attempt + 1} in {max(0.0, connection.next_try_time - now):.0f} s"
