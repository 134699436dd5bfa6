"""What the dashboard needs of the connection to a server."""

from typing import Protocol

from chiatea.state.farm_state import FarmState
from chiatea.wire.feed import Connection

__all__ = ["Feed"]


class Feed(Protocol):
    """A farm's state that follows the server: `chiatea.wire.feed.FarmFeed`, or one that a test moves."""

    farm: FarmState
    connection: Connection
    has_snapshot: bool
    clock_ahead_seconds: float
    role: str
    """What our token lets us do: "viewer", "operator", "admin"; "" while the server has not said."""

    def take_changed(self) -> set[tuple[str, str]]:
        """Machine id and topic of all that changed since the last call; ("", "") is the connection."""
        ...

    async def run(self) -> None:
        """Follows the server for ever."""
        ...
