"""Keeps a database as this version makes it: `python scripts/freeze_database.py`, at every release.

It goes to tests/data/databases/VERSION.db.xz with what it holds as JSON beside it. Every later version must open it.
"""

import contextlib
import json
import lzma
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chiatea import __version__
from chiatea.protobuf.computer_info_pb2 import ADD, UPDATE
from chiatea.protobuf.descriptors import as_dict
from chiatea.server.database.database import Database
from chiatea.server.storage import batch_of
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import event_of
from tests.tui.sample_farm import sample_farm

FOLDER = ROOT / "tests" / "data" / "databases"


def content(farm: FarmState) -> dict[str, Any]:
    """What a farm's state holds, as JSON tells it."""
    return {
        machine_id: {
            f"{topic.name} {identity}": as_dict(entry.message) for topic, identity, entry in state.all_entries()
        }
        for machine_id, state in sorted(farm.machines.items())
    }


def main() -> None:
    """Writes the two files."""
    farm = sample_farm()
    target = FOLDER / f"{__version__}.db.xz"
    with tempfile.TemporaryDirectory() as name:
        filepath = Path(name) / "farm.db"
        with Database(filepath) as database:
            for sequence, event_type in ((1, ADD), (2, UPDATE)):
                batches = []
                for machine_id, state in farm.machines.items():
                    events = [
                        event_of(topic, entry.message, event_type, entry.timestamp + sequence)
                        for topic, _, entry in state.all_entries()
                    ]
                    batches.append(batch_of(machine_id, sequence, events))
                database.write(batches, farm.infos.values())
        with contextlib.closing(sqlite3.connect(filepath, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        target.write_bytes(lzma.compress(filepath.read_bytes(), preset=9))
    target.with_name(f"{__version__}.json").write_text(json.dumps(content(farm), indent=1, sort_keys=True) + "\n")
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
