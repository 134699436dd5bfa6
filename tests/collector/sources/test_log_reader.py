import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.collector.sources.chia_log import ChiaLog
from chiatea.collector.sources.log_reader import MAX_LINE_BYTES, LogReader, Position


def everything(reader: LogReader, max_bytes: int = 1 << 20) -> list[str]:
    lines: list[str] = []
    while (text := reader.read(max_bytes)).n_bytes or text.lines:
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
            lines += text.lines
            n_cut += text.n_cut
            assert len(reader._rest) <= MAX_LINE_BYTES
        assert ([len(line) for line in lines], n_cut) == ([MAX_LINE_BYTES, 5], 1)


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
