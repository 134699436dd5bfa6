"""Databases of earlier versions (scripts/freeze_database.py makes them) open, and lose nothing that can be held."""

import json
import lzma
from pathlib import Path

import pytest

from chiatea.protobuf.descriptors import TOPICS, as_dict
from chiatea.server.database.database import Database
from chiatea.server.database.query import query

FOLDER = Path(__file__).parent.parent / "data" / "databases"
VERSIONS = sorted(path.name.removesuffix(".db.xz") for path in FOLDER.glob("*.db.xz"))


def test_there_are_some() -> None:
    assert VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_an_earlier_version_opens_with_all_it_holds(version: str, tmp_path: Path) -> None:
    filepath = tmp_path / "farm.db"
    filepath.write_bytes(lzma.decompress((FOLDER / f"{version}.db.xz").read_bytes()))
    expected = json.loads((FOLDER / f"{version}.json").read_text())
    with Database(filepath) as database:
        farm = database.load()
        assert farm.machines.keys() == expected.keys()
        for machine_id, entries in expected.items():
            for name, fields in entries.items():
                topic, _, identity = name.partition(" ")
                held = {str(key): entry.message for key, entry in farm.machine(machine_id).of(topic).items()}
                assert identity in held, name
                now = as_dict(held[identity])
                # A field that was added since is not in the old file; one that went is not in the new.
                assert {key: now[key] for key in fields.keys() & now.keys()} == {
                    key: value for key, value in fields.items() if key in now
                }
                assert fields.keys() & now.keys()
    topics = {name.partition(" ")[0] for entries in expected.values() for name in entries}
    for topic in topics:
        count = sum(name.partition(" ")[0] == topic for entries in expected.values() for name in entries)
        _, rows = query(filepath, f'SELECT count(*) FROM "{TOPICS[topic].message_name}Events"')
        assert list(rows) == [(2 * count,)]
