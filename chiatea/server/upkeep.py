"""Keeps the database at its size: what is too old goes while there is nothing better to do."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from chiatea.errors import DatabaseError
from chiatea.server.storage import KeepRule, Storage

__all__ = ["keep_up"]

_log = logging.getLogger(__name__)

ROUND_EVERY_SECONDS: Final = 600.0
FIRST_ROUND_AFTER_SECONDS: Final = 30.0
"""A server that starts has better things to do."""
PAUSE_SECONDS: Final = 0.05
"""Between two steps: ingest goes first."""


async def keep_up(
    database: Storage,
    rule: KeepRule,
    *,
    first_after_seconds: float = FIRST_ROUND_AFTER_SECONDS,
    clock: Callable[[], float] = time.time,
) -> None:
    """Tidies the database for ever."""
    await asyncio.sleep(first_after_seconds)
    while True:
        n_done = 0
        try:
            while done := database.tidy(rule, clock()):
                n_done += done
                await asyncio.sleep(PAUSE_SECONDS)
        except DatabaseError as error:
            _log.warning("old events cannot be removed now: %s", error)
        if n_done:
            _log.info("old events: %d rows and pages tidied away", n_done)
        await asyncio.sleep(ROUND_EVERY_SECONDS)
