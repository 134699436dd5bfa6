"""What is handed to the screen that is seen, each time that something changed."""

from typing import NamedTuple

from rich.style import Style

from chiatea.tui.view import FarmView
from chiatea.wire.feed import Connection

__all__ = ["Shown"]


class Shown(NamedTuple):
    """One moment, for a screen to draw.

    Attributes:
        view: the farm.
        changed: machine id and topic of what changed since the screen was last drawn; ("", "") is the connection.
        connection: to the server.
        styles: of the theme.
        has_data: whether a snapshot has come yet.
        frozen_since: since when the screen is held still (UTC seconds); None while it moves.
        role: what we may do: "viewer", "operator", "admin"; "" while that is not known.
    """

    view: FarmView
    changed: set[tuple[str, str]]
    connection: Connection
    styles: dict[str, Style]
    has_data: bool
    frozen_since: float | None
    role: str
