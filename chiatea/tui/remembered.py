"""What a dashboard remembers for the next time: screen, theme, and of each list its order and filter."""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from chiatea.errors import ChiaTeaError
from chiatea.security.private_files import write_file

__all__ = ["ListMemory", "Remembered", "read_remembered", "write_remembered"]

_log = logging.getLogger(__name__)

MAX_BYTES: Final = 100_000
MAX_TEXT: Final = 200


@dataclass(slots=True)
class ListMemory:
    """How a list was left: the heading that it was sorted by ("": the natural order), which way round, its filter."""

    sort: str = ""
    is_reversed: bool = False
    filter: str = ""


@dataclass(slots=True)
class Remembered:
    """What was chosen; "" is not chosen."""

    screen: str = ""
    theme: str = ""
    lists: dict[str, ListMemory] = field(default_factory=dict)


def read_remembered(path: Path) -> Remembered:
    """What a file remembers; nothing where it is missing, damaged or another program's: that is no reason to stop."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MAX_BYTES))
        lists = {_text(name): _list_memory(memory) for name, memory in told.get("lists", {}).items()}
        return Remembered(_text(told.get("screen", "")), _text(told.get("theme", "")), lists)
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _log.warning("%s: is not what a dashboard remembered, and is begun anew: %s", path, error)
        return Remembered()


def _list_memory(told: Any) -> ListMemory:
    return ListMemory(_text(told.get("sort", "")), bool(told.get("is_reversed", False)), _text(told.get("filter", "")))


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise TypeError(f"{told!r} is no text")
    return told[:MAX_TEXT]


def write_remembered(path: Path, remembered: Remembered) -> None:
    """Replaces the file. That it cannot is logged, and no reason to stop."""
    text = json.dumps(asdict(remembered), ensure_ascii=False, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode(), mode=0o600, overwrite=True)
    except (OSError, ChiaTeaError) as error:
        _log.warning("%s: cannot be written: %s", path, error)
