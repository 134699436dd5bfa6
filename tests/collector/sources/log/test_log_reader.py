import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.collector.sources.log.chia_log import ChiaLog
from chiatea.collector.sources.log.log_reader import MAX_LINE_BYTES, LogReader, Position, lines_of


def everything(reader: LogReader, max_bytes: int = 1 << 20) -> list[str]:
    lines: list[str] = []
    while (text := reader.read(max_bytes)).n_bytes or text.blocks:
        lines += text.lines
    return lines


def rotate(path: Path, n: int = 3) -> None:
    for index in range(n, 0, -1):
        older = path.with_name(f"{path.name}.{index}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{index + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "debug.log"


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as file:
        file.write(text)


def test_a_line_is_read_when_its_end_is_there(log: Path) -> None:
    append(log, "one\ntw")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    append(log, "o\n")
    assert everything(reader) == ["two"]
    assert everything(reader) == []


def test_a_rotated_file_is_finished_before_the_new_one(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    append(log, "two\nthe last without an end")
    rotate(log)
    append(log, "three\n")
    assert everything(reader) == ["two", "the last without an end", "three"]


def test_several_rotations_while_away_are_caught_up_in_order(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    position = reader.position
    reader.close()
    append(log, "two\n")
    for n in (3, 4, 5):
        rotate(log)
        append(log, f"line {n}\n")
    expected = ["two", "line 3", "line 4", "line 5"]
    assert everything(LogReader(log, position)) == expected


def test_several_rotations_while_the_file_is_open_are_caught_up_in_order(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    for n in (2, 3, 4):
        rotate(log)
        append(log, f"line {n}\n")
    assert everything(reader) == ["line 2", "line 3", "line 4"]


def test_a_file_emptied_in_place_is_read_from_its_start(log: Path) -> None:
    append(log, "one, which is long\n")
    reader = LogReader(log)
    assert everything(reader) == ["one, which is long"]
    log.write_text("two\n")
    assert everything(reader) == ["two"]


def test_a_file_emptied_and_filled_beyond_the_old_end_is_read_from_its_start(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    log.write_text("two, and longer than one was\nthree\n")
    assert everything(reader) == ["two, and longer than one was", "three"]


def test_a_file_copied_away_and_emptied_loses_no_line(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    append(log, "two\n")
    log.with_name("debug.log.1").write_bytes(log.read_bytes())
    log.write_text("")
    append(log, "3\n")
    assert everything(reader) == ["two", "3"]


def test_a_deleted_and_new_file_is_read_and_older_rotated_ones_are_not(log: Path) -> None:
    append(log.with_name("debug.log.1"), "older\n")
    os.utime(log.with_name("debug.log.1"), (1, 1))
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    log.unlink()
    assert everything(reader) == []
    append(log, "two\n")
    assert everything(reader) == ["two"]


def test_a_log_that_appears_later_is_read(log: Path) -> None:
    reader = LogReader(log)
    with pytest.raises(FileNotFoundError):
        reader.read(100)
    append(log, "one\n")
    assert everything(reader) == ["one"]


def test_what_is_no_file_is_refused_at_once(log: Path) -> None:
    reader = LogReader(log)
    log.mkdir()
    with pytest.raises(OSError, match="is a folder"):
        reader.read(100)
    log.rmdir()
    os.mkfifo(log)
    with pytest.raises(OSError, match="is no file"):
        reader.read(100)


def test_a_very_long_line_is_cut_and_the_next_one_is_whole(log: Path) -> None:
    log.write_bytes(b"x" * 1_000_000 + b"\nshort\n")
    for max_bytes in (1000, 70_000, 1 << 21):
        reader = LogReader(log)
        n_cut, lines = 0, []
        while (text := reader.read(max_bytes)).n_bytes:
            for block in text.blocks:
                whole, n_cut_of_block = lines_of(block)
                lines += whole
                n_cut += n_cut_of_block
            assert len(reader._rest) <= MAX_LINE_BYTES
        assert ([len(line) for line in lines], n_cut) == ([MAX_LINE_BYTES, 5], 1)


def test_a_line_of_a_hundred_megabytes_costs_no_memory(log: Path) -> None:
    with log.open("wb") as file:
        file.write(b"one\n")
        file.seek(100_000_000)
        file.write(b"\ntwo\n")
    reader = LogReader(log)
    n_kept, lines = 0, []
    while (text := reader.read(1 << 20)).n_bytes:
        n_kept = max(n_kept, sum(map(len, text.blocks)) + len(reader._rest))
        for block in text.blocks:
            lines += [line for line in bytes(block).split(b"\n") if len(line) < 10]
    assert lines == [b"one", b"two"]
    assert n_kept <= (1 << 20) + 2 * MAX_LINE_BYTES


def test_a_log_that_lost_its_end_is_gone_on_with_and_not_read_again(log: Path) -> None:
    first = "a first line that is long enough to know the file by again, as every log's is: " + "x" * 40 + "\n"
    append(log, first + "two\nthree\n")
    reader = LogReader(log)
    assert len(everything(reader)) == 3
    log.write_text(first + "tw")
    assert everything(reader) == []
    append(log, "o again\nfour\n")
    assert everything(reader) == ["four"]
    position = reader.position
    reader.close()
    log.write_text(first)
    again = LogReader(log, position)
    assert everything(again) == []
    append(log, "five\n")
    assert everything(again) == ["five"]


def test_a_smaller_file_with_the_same_beginning_in_its_place_is_not_read_again(log: Path) -> None:
    first = "a first line that is long enough to know the file by again, as every log's is: " + "x" * 40 + "\n"
    append(log, first + "two\nthree\n")
    position = Position()
    reader = LogReader(log, position)
    everything(reader)
    position = reader.position
    reader.close()
    smaller = log.with_name("smaller")
    append(smaller, first + "two\n")
    smaller.replace(log)
    assert everything(LogReader(log, position)) == []


def test_another_file_with_the_old_one_s_inode_is_read_from_its_start(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    everything(reader)
    position = reader.position
    reader.close()
    log.write_text("two, in the same inode\n")
    assert log.stat().st_ino == position.inode
    assert everything(LogReader(log, position)) == ["two, in the same inode"]


def test_a_stale_handle_of_a_network_mount_is_opened_anew_and_nothing_is_lost(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, "one\ntwo without its e")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    fstat, failures = os.fstat, [OSError(errno.ESTALE, "Stale file handle")]

    def is_stale_once(descriptor: int) -> os.stat_result:
        if failures:
            raise failures.pop()
        return fstat(descriptor)

    append(log, "nd\nthree\n")
    replacement = log.with_name("replacement")
    replacement.write_bytes(log.read_bytes())
    replacement.replace(log)
    monkeypatch.setattr(os, "fstat", is_stale_once)
    assert everything(reader) == ["two without its end", "three"]
    assert not failures


def test_after_an_error_of_the_disk_the_log_is_opened_anew(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    assert everything(reader) == ["one"]
    append(log, "two\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", _broken)
        with pytest.raises(OSError, match="Input/output error"):
            reader.read(100)
    assert everything(reader) == ["two"]


def _broken(descriptor: int, n_bytes: int) -> bytes:
    raise OSError(errno.EIO, "Input/output error")


def test_what_is_not_read_yet_is_counted_through_rotations(log: Path) -> None:
    append(log, "one\n")
    reader = LogReader(log)
    everything(reader)
    assert reader.n_bytes_behind() == 0
    append(log, "two\n")
    rotate(log)
    append(log, "three\n")
    rotate(log)
    append(log, "four\n")
    assert reader.n_bytes_behind() == len("two\nthree\nfour\n")
    everything(reader)
    assert reader.n_bytes_behind() == 0


def test_nul_bytes_and_broken_utf8_are_read_around(log: Path) -> None:
    log.write_bytes(b"\0\0\0one\r\n\xff\xfe two\n")
    assert everything(LogReader(log)) == ["one", "\ufffd\ufffd two"]


def test_a_position_survives_being_saved(log: Path) -> None:
    append(log, "one\ntwo\n")
    reader = LogReader(log)
    everything(reader)
    assert Position.from_json(reader.position.as_json()) == reader.position
    for strange in (None, 5, {}, {"offset": -1, "inode": 3}, {"offset": 1, "inode": 2, "head": "xyz"}):
        assert Position.from_json(strange) is None


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.just(
            b"2026-01-01T10:00:00.000 2.7.5 harvester chia.harvester.harvester: INFO     1 plots were eligible for "
            b"farming 37c5941d80... Found 0 proofs. Time: 0.02732 s. Total 42 plots"
        ),
        st.just(b"y" * (MAX_LINE_BYTES + 3)),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(lines=LINES, cut=st.integers(0, 1 << 20), slice_bytes=st.sampled_from([7, 1000, 1 << 20]))
def test_cutting_the_log_at_any_byte_and_resuming_gives_the_same_as_reading_it_whole(
    lines: list[bytes], cut: int, slice_bytes: int
) -> None:
    data = b"\n".join(lines) + b"\n"
    cut %= len(data)
    slice_bytes = slice_bytes if len(data) < 5000 else 1 << 20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "debug.log"
        path.write_bytes(data)
        whole = LogReader(path)
        expected = everything(whole, slice_bytes)
        whole.close()
        path.write_bytes(data[:cut])
        first = LogReader(path)
        found = everything(first, slice_bytes)
        position = Position.from_json(first.position.as_json())
        first.close()
        with path.open("ab") as file:
            file.write(data[cut:])
        second = LogReader(path, position)
        found += everything(second, slice_bytes)
        second.close()
    assert found == expected


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_in_the_log_give_no_exception(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "debug.log"
        path.write_bytes(data)
        log = ChiaLog(path)
        while log.read_part(64, 1_795_463_720.0).n_bytes:
            pass
        log.close()
