"""Events as a file, for a spreadsheet or a script."""

import contextlib
import csv
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from chiatea.errors import ChiaTeaError
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.state.event_dict import event_as_dict

__all__ = ["checked_export_path", "export_events"]

_CSV_COLUMNS = ("time", "time_utc", "machine", "machine_id", "topic", "event_type", "id", "what", "entry")


def checked_export_path(text: str) -> Path:
    """The file that a person named.

    Raises:
        ChiaTeaError: when its name is no CSV's or JSON's, it is there already, or its folder is not.
    """
    path = Path(text.strip()).expanduser()
    if path.suffix.lower() not in {".csv", ".json"}:
        raise ChiaTeaError(f"{path.name or 'no name'}: is neither a .csv nor a .json", "the name says the format")
    if os.path.lexists(path):
        raise ChiaTeaError(f"{path}: is there already", "choose another name")
    if not path.parent.is_dir():
        raise ChiaTeaError(f"{path.parent}: is no folder", "choose one that is there")
    return path


def export_events(
    path: Path, events: Sequence[UpdateEvent], whats: Sequence[str], name_of: Callable[[str], str]
) -> None:
    """Writes events to a new file: JSON as `chia-tea events --json` prints it, or CSV with the entry as JSON.

    Args:
        path: ends in .json or .csv; whole or not there at all.
        events: what is written.
        whats: of each in words what it changed.
        name_of: the name of a machine by its id.

    Raises:
        ChiaTeaError: when the file cannot be written.
    """
    plain = [event_as_dict(event, name_of) for event in events]
    if path.suffix.lower() == ".json":
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = _as_csv(plain, whats)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        # A link is refused where something came to stand meanwhile: nothing is overwritten.
        os.link(part, path)
    except OSError as error:
        raise ChiaTeaError(f"{path}: cannot be written: {error.strerror}", "choose another folder") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _as_csv(plain: Sequence[dict[str, object]], whats: Sequence[str]) -> str:
    told = StringIO()
    writer = csv.writer(told)
    writer.writerow(_CSV_COLUMNS)
    for event, what in zip(plain, whats, strict=True):
        entry = event["entry"]
        identity = entry.get("id", "") if isinstance(entry, dict) else ""
        moment = datetime.fromtimestamp(float(str(event["time"])), UTC).isoformat()
        row = [event["time"], moment, event["machine"], event["machine_id"], event["topic"], event["event_type"]]
        row += [identity, what, json.dumps(entry, ensure_ascii=False, allow_nan=False)]
        writer.writerow(_harmless(cell) for cell in row)
    return told.getvalue()


def _harmless(cell: object) -> object:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell
