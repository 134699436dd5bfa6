import threading
import time
from pathlib import Path

import psutil
import pytest

from chiatea.collector.sources.limited_command import CommandHungError, output_of


def test_what_a_program_writes_is_told_whatever_its_exit_status() -> None:
    assert output_of(["sh", "-c", "echo yes; echo no >&2; exit 4"], limit_seconds=20, most_bytes=100) == b"yes\n"


def test_it_runs_at_the_lowest_priority_in_english() -> None:
    script = "until [ $(cut -d' ' -f19 /proc/$$/stat) = 19 ]; do :; done; echo lowest; echo $LC_ALL"
    output = output_of(["sh", "-c", script], limit_seconds=20, most_bytes=100)
    assert output.split() == [b"lowest", b"C"]


def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = ["sh", "-c", f"sleep 60 & echo $$ $! > {pids}; trap '' TERM INT; wait; sleep 60"]
    began = time.monotonic()
    with pytest.raises(CommandHungError):
        output_of(command, limit_seconds=1.5, most_bytes=100)
    assert time.monotonic() - began < 10
    for pid in map(int, pids.read_text().split()):
        end = time.monotonic() + 10
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, "it still runs"
            time.sleep(0.01)


def test_a_program_that_never_stops_writing_is_killed() -> None:
    with pytest.raises(CommandHungError, match="too much"):
        output_of(["yes"], limit_seconds=20, most_bytes=100_000)


def test_one_that_nobody_waits_for_any_more_is_killed_soon() -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(CommandHungError, match="stopped"):
        output_of(["sleep", "60"], limit_seconds=60, most_bytes=100, stopped=stopped)


def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        output_of(["/nowhere/smartctl"], limit_seconds=1, most_bytes=100)
