"""The system's own word that something changed in a folder. Network mounts give none: a rescan is needed too."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import watchfiles

from chiatea.copier.shown import shown

__all__ = ["FolderWatch"]

_log = logging.getLogger(__name__)

_GATHER_MS: Final = 1000
"""A file that is being written changes all the time."""
_STEP_MS: Final = 200
_END_SECONDS: Final = 3.0


class FolderWatch:
    """Watches one folder in a thread of its own, which a hanging disk may keep for itself."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...], changed: Callable[[], None]) -> None:
        """Begins at once; `changed` is called in the running loop, once for many changes.

        A folder that is not there, or that cannot be watched, ends it: `is_running` says so.
        """
        self._folder = folder
        self._suffixes = suffixes
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder watch", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it still watches."""
        return self._thread.is_alive()

    async def stop(self) -> None:
        """Ends it, and waits for that a little: a thread inside the library may not outlive the interpreter."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, _END_SECONDS)

    def _run(self) -> None:
        try:
            for _ in watchfiles.watch(
                self._folder,
                watch_filter=lambda _, path: path.endswith(self._suffixes),
                debounce=_GATHER_MS,
                step=_STEP_MS,
                rust_timeout=1000,
                stop_event=self._stop,
                raise_interrupt=False,
                force_polling=False,
                recursive=False,
            ):
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    self._loop.call_soon_threadsafe(self._changed)
        except (OSError, RuntimeError) as error:
            _log.debug("%s cannot be watched, and is looked at now and then: %s", shown(self._folder), error)
