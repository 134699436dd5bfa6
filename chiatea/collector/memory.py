"""What the collector remembers between two runs: how far the log is read, and the counts that came from it.

Both are stored together, so after a crash a line is neither counted twice nor missed.
"""

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chiatea.collector.sources.log_reader import LogPosition

__all__ = ["load_memory", "save_memory"]

_log = logging.getLogger(__name__)


def load_memory(filepath: Path, log_filepath: Path) -> tuple[LogPosition, Any] | None:
    """The position in that log and the watchdog's memory; None where there is none of that log.

    A damaged file is put aside and said.
    """
    try:
        document = json.loads(filepath.read_bytes())
        if document["log_filepath"] != str(log_filepath):
            return None
        told = document["position"]
        return LogPosition(int(told["inode"]), int(told["offset"]), str(told["fingerprint"])), document["watchdog"]
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("%s cannot be read: %s; counting begins anew", filepath, error.strerror)
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        aside = filepath.with_name(filepath.name + ".damaged")
        _log.warning("%s is damaged and put aside as %s; counting begins anew", filepath, aside.name)
        filepath.replace(aside)
        return None


def save_memory(filepath: Path, log_filepath: Path, position: LogPosition, watchdog: dict[str, Any]) -> None:
    """Stores the memory: all of it or nothing.

    Raises:
        OSError: when it cannot be written.
    """
    document = {"log_filepath": str(log_filepath), "position": asdict(position), "watchdog": watchdog}
    temporary = filepath.with_name(filepath.name + ".new")
    filepath.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(filepath)
