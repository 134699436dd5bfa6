"""Entries are kept as they are, and damaged ones are known."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.failures import MoveFailedError
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.journal import EntryState, Journal, JournalEntry, SourceIdentity
from chiatea.copier.replacing import GivingUp, giving_up_from_json
from tests.copier.full_disk import make_exchange


def entry(folder: Path, name: bytes = b"a.plot", n_blocks: int = 3) -> JournalEntry:
    spec = JobSpec("job", Path(os.fsdecode(b"/plots/" + name)), folder / "t", 1, "full", 0, folder, 60.0)
    return JournalEntry(
        spec, EntryState.COPYING, SourceIdentity(10, 20, 30), "ab" * 32, tuple(bytes([n]) * 16 for n in range(n_blocks))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@given(
    name=st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name) and name not in {b".", b".."}),
    state=st.sampled_from(EntryState),
    n_blocks=st.integers(0, 20),
)
def test_an_entry_is_read_as_it_was_written_whatever_its_plots_name(
    folder: Path, name: bytes, state: EntryState, n_blocks: int
) -> None:
    written = replace(entry(folder, name, n_blocks), state=state)
    journal = Journal(folder)
    journal.write(written)
    assert journal.read("job") == written
    assert journal.job_ids() == ["job"]
    journal.forget("job")
    assert journal.read("job") is None


def test_what_is_given_up_for_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    replacement = make_exchange(tmp_path, deletes_first=True).move.replacement
    assert replacement is not None
    first, second = (chosen.plot.name for chosen in replacement.chosen[:2])
    giving_up = GivingUp(replacement, "before", -5, gone=(first,), intended=second)
    written = replace(entry(tmp_path), giving_up=giving_up)
    journal = Journal(tmp_path / "journal")
    journal.write(written)
    assert journal.read("job") == written


@pytest.mark.parametrize("change", [{"name": "../a.plot"}, {"name": ""}, {"inode": "1"}, {"taken_bytes": True}])
def test_an_old_plot_that_nobody_could_have_chosen_makes_an_entry_damaged(
    tmp_path: Path, change: dict[str, object]
) -> None:
    replacement = make_exchange(tmp_path, deletes_first=True).move.replacement
    assert replacement is not None
    plain = GivingUp(replacement).to_json()
    assert giving_up_from_json(json.loads(json.dumps(plain))) == GivingUp(replacement)
    plain["replacement"]["chosen"][0]["plot"].update(change)
    with pytest.raises(ValueError, match=r"is no|nobody chose"):
        giving_up_from_json(json.loads(json.dumps(plain)))
    with pytest.raises(ValueError, match="nobody chose"):
        giving_up_from_json(json.loads(json.dumps(GivingUp(replacement, gone=("another.plot",)).to_json())))


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_an_entry_with_any_byte_changed_is_damaged(folder: Path, place: int, value: int) -> None:
    journal = Journal(folder)
    journal.write(entry(folder))
    path = folder / "job.json"
    data = bytearray(path.read_bytes())
    place %= len(data) - 1  # the last line break alone says nothing
    if data[place] == value:
        return
    data[place] = value
    path.write_bytes(data)
    with pytest.raises(MoveFailedError, match="damaged"):
        journal.read("job")


def test_a_cut_off_entry_is_damaged(folder: Path) -> None:
    journal = Journal(folder)
    journal.write(entry(folder))
    path = folder / "job.json"
    data = path.read_bytes()
    for n_bytes in range(len(data) - 1):
        path.write_bytes(data[:n_bytes])
        with pytest.raises(MoveFailedError, match="damaged"):
            journal.read("job")


def test_an_entry_that_is_set_aside_is_a_job_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in (1, 2):
        journal.write(entry(tmp_path))
        journal.set_aside(entry(tmp_path))
        aside = journal.read(f"job~{number}")
        assert aside is not None
        assert aside.spec.job_id == f"job~{number}"
    assert journal.job_ids() == ["job~1", "job~2"]
    assert journal.read("job") is None


def test_a_folder_that_is_not_there_is_an_empty_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none")
    assert journal.job_ids() == []
    assert journal.read("job") is None
    journal.forget("job")
    assert not (tmp_path / "none").exists()


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MoveFailedError) as raised:
        Journal(tmp_path / "file" / "journal").write(entry(tmp_path))
    assert raised.value.kind == "internal"
