"""What the collector must not forget: one JSON file, replaced whole or not at all."""

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Final

__all__ = ["memory_text", "read_memory", "write_memory"]

log = logging.getLogger(__name__)

_VERSION: Final = 1
_MOST_BYTES: Final = 64 * 1024 * 1024


def read_memory(path: Path) -> dict[str, Any] | None:
    """What was last written; None where there is nothing that can be used. A corrupt file is put aside."""
    try:
        memory = _parsed(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("memory=%s cannot be read: %s", path, error.strerror)
        return None
    except (ValueError, RecursionError) as error:
        aside = path.with_name(f"{path.name}.corrupt")
        try:
            path.replace(aside)
        except OSError as failed:
            log.warning("memory=%s is corrupt (%s) and cannot be put aside: %s", path, error, failed.strerror)
        else:
            log.warning("memory=%s is corrupt (%s): begins anew, the old one is kept as %s", path, error, aside)
        return None
    return memory


def _parsed(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too large")
    memory = json.loads(path.read_bytes())
    if not isinstance(memory, dict) or memory.get("version") != _VERSION:
        raise ValueError("it is not of this chia-tea")
    return memory


def memory_text(memory: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps({"version": _VERSION, **memory})


def write_memory(path: Path, text: str) -> None:
    """Replaces the file: after a crash there is the old one or the new one.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Makes the rename last. Not every system lets a folder be opened; then the rename lasts when it lasts."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
