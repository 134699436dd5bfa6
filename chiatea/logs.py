"""What chia-tea says about itself: key=value lines on stderr, and in files of a limited size."""

import contextlib
import logging
import logging.handlers
import sys
import time
from typing import Final

from chiatea.config import LoggingConfig
from chiatea.errors import ConfigurationError

__all__ = ["set_up"]

_TRACE: Final = 5


class _KeyValueFormatter(logging.Formatter):
    """`time=2026-11-23T19:42:50.778Z level=info part=server.ingest message="..."`, one line an event."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} {self.formatException(record.exc_info)}"
        quoted = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
        part = record.name.removeprefix("chiatea.")
        level = "trace" if record.levelno == _TRACE else record.levelname.lower()
        return f'time={moment}.{int(record.msecs):03d}Z level={level} part={part} message="{quoted}"'


def set_up(config: LoggingConfig, service: str, *, console: bool = True) -> None:
    """Sends the log lines of this process where the configuration says.

    Args:
        config: the section `logging`.
        service: what this process is: the name of its file.
        console: False where the terminal shows a dashboard.

    Raises:
        ConfigurationError: when the log's folder cannot be written.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(_TRACE if config.loglevel == "TRACE" else config.loglevel)
    handlers: list[logging.Handler] = []
    if console and config.log_to_console:
        handlers.append(logging.StreamHandler(sys.stderr))
    if config.log_to_file:
        path = config.folder / f"{service}.log"
        try:
            config.folder.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logging.handlers.RotatingFileHandler(
                    path,
                    maxBytes=config.max_logfile_size_mb * 1_000_000,
                    backupCount=config.max_logfiles,
                    encoding="utf-8",
                    errors="backslashreplace",
                )
            )
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be written: {error.strerror}", "set logging.folder, or logging.log_to_file: false"
            ) from None
    for handler in handlers:
        handler.setFormatter(_KeyValueFormatter())
        root.addHandler(handler)
    if not handlers:
        root.addHandler(logging.NullHandler())
    # Of the libraries only what is wrong is worth a line.
    for name in ("asyncio", "aiohttp", "grpc", "watchfiles"):
        with contextlib.suppress(ValueError):
            logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
