"""Chia's log, read on at each look, with a memory that survives restarts."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from chiatea.collector.memory import load_memory, save_memory
from chiatea.collector.sources.log_lines import is_known_to_say_nothing, is_ours, observe, split
from chiatea.collector.sources.log_reader import LogReader
from chiatea.collector.watchdog import Watchdog
from chiatea.protobuf.chia_pb2 import Source

__all__ = ["LogWatch"]

_log = logging.getLogger(__name__)

BLOCK_BYTES: Final = 256 * 1024
MAX_BYTES_PER_LOOK: Final = 8 * 1024 * 1024
"""A log that is far behind is caught up over several looks, so that the rest of the machine is not forgotten."""
REMEMBER_EVERY_SECONDS: Final = 10.0
MAX_SAMPLE_LENGTH: Final = 300


class LogWatch:
    """Reads the log and tells the watchdog. All calls come from one thread at a time."""

    def __init__(
        self,
        filepath: Path,
        memory_filepath: Path | None,
        watchdog: Watchdog,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Reads `filepath`; remembers in `memory_filepath`, nowhere where that is None."""
        self._filepath = filepath
        self._memory_filepath = memory_filepath
        self._watchdog = watchdog
        self._clock = clock
        self._reader = LogReader(filepath)
        self._remembered = time.monotonic()
        self.source = Source(id="chia log", location=str(filepath), state=Source.ABSENT)

    def start(self) -> None:
        """Goes on where the last run ended."""
        if self._memory_filepath is None:
            return
        memory = load_memory(self._memory_filepath, self._filepath)
        if memory is None:
            return
        position, watchdog = memory
        try:
            self._watchdog.remember(watchdog)
        except ValueError as error:
            _log.warning("%s: %s; counting begins anew", self._memory_filepath, error)
            return
        self._reader = LogReader(self._filepath, position)

    def look(self) -> None:
        """Reads what is new, up to MAX_BYTES_PER_LOOK."""
        source = Source()
        source.CopyFrom(self.source)
        source.ClearField("error")
        try:
            n_lines = self._read(source)
            source.state = Source.OK if self._reader.position is not None and self._filepath.exists() else Source.ABSENT
            if source.state == Source.OK:
                source.last_success_time = round(self._clock())
            if n_lines:
                source.last_news_time = round(self._clock())
        except OSError as error:
            source.state = Source.FAILING
            source.error = f"cannot be read: {error.strerror}"
            if self.source.state != Source.FAILING:
                _log.warning("%s %s", self._filepath, source.error)
        self.source = source
        if time.monotonic() - self._remembered >= REMEMBER_EVERY_SECONDS:
            self.remember()

    def _read(self, source: Source) -> int:
        n_lines = 0
        today = datetime.now().astimezone().date()
        for _ in range(MAX_BYTES_PER_LOOK // BLOCK_BYTES):
            lines = self._reader.read(BLOCK_BYTES)
            if not lines:
                break
            n_lines += len(lines)
            for text in lines:
                line = split(text, today)
                if line is None:
                    continue
                observation = observe(line)
                if observation is not None:
                    source.n_understood += 1
                    self._watchdog.observe(observation)
                elif is_ours(line) and not is_known_to_say_nothing(line):
                    source.n_not_understood += 1
                    source.last_not_understood = line.text[:MAX_SAMPLE_LENGTH]
        return n_lines

    def remember(self) -> None:
        """Stores how far it is read, with what was counted."""
        self._remembered = time.monotonic()
        position = self._reader.position
        if self._memory_filepath is None or position is None:
            return
        try:
            save_memory(self._memory_filepath, self._filepath, position, self._watchdog.as_memory())
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._memory_filepath, error.strerror)

    def close(self) -> None:
        """Remembers and closes the file."""
        self.remember()
        self._reader.close()
