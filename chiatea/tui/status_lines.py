"""The header and the banner: what they say, as text. Pure."""

from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from chiatea.state.totals import totals_of
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView
from chiatea.units import short_duration
from chiatea.wire.feed import Connection

__all__ = ["banner", "clock_time", "header", "waiting"]

CLOCK_SKEW_WORTH_SAYING_SECONDS = 30.0


def clock_time(moment: float) -> str:
    """The local time of day."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%H:%M:%S}"


def header(view: FarmView, connection: Connection, styles: dict[str, Style], width: int) -> Text:
    """Name, connection and clock on one line, as much of it as there is room for."""
    totals = totals_of(view.farm)
    machines = f"{totals.n_machines} machine{'s' if totals.n_machines != 1 else ''}"
    state = ("● connected", "good") if connection.is_up else ("✗ no connection", "bad")
    left = Text.assemble(
        (" chia-tea ", styles["strong"]),
        ("  ", styles["muted"]),
        (machines, styles["muted"]),
        ("   ", styles["muted"]),
        (state[0], styles[state[1]]),
        (f" {plain(connection.address)}", styles["muted"]),
    )
    right = Text(f"{clock_time(view.now)} ", styles["muted"])
    if left.cell_len + right.cell_len > width:
        left.truncate(max(0, width - right.cell_len))
    left.append(" " * max(0, width - left.cell_len - right.cell_len))
    return left.append_text(right)


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
