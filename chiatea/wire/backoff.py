"""How long to wait before the next try."""

import random
from typing import Final

__all__ = ["Backoff"]

FIRST_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 5.0


class Backoff:
    """Doubles from a quarter of a second to five, a little shaken so that not all come back at one moment."""

    def __init__(self, *, shake: random.Random | None = None) -> None:
        """Begins with the shortest wait."""
        self._shake = shake or random.Random()  # noqa: S311 - spreads load, guards nothing
        self.attempt = 0
        """Tries since the last success."""

    def next_seconds(self) -> float:
        """Seconds to wait now; each call is one more failed try."""
        wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.attempt, 10))
        self.attempt += 1
        return wait * self._shake.uniform(0.8, 1.0)

    def succeeded(self) -> None:
        """Begins anew."""
        self.attempt = 0
