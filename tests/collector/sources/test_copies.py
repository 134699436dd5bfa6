"""Which disks the copier's workers read and write, seen from outside: by the files that they have open."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiatea.collector.sources.copies import WORKER_NAME, copies_on
from chiatea.protobuf.chia_pb2 import Process

HOLD = "import sys; held = [open(name, 'ab') for name in sys.argv[1:]]; print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    """A process that has a plot of disk `a` and its copy on disk `b` open."""
    names = [tmp_path / "a" / "plot-k32-x.plot", tmp_path / "b" / "plot-k32-x.plot.copying", tmp_path / "c" / "log"]
    for name in names:
        name.parent.mkdir()
    command = [sys.executable, "-c", HOLD, *map(str, names)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield Process(id=process.pid, name=WORKER_NAME)
        assert process.stdin is not None
        process.stdin.close()


def disk_of(path: str) -> str:
    return Path(path).parent.name


def test_a_copy_is_on_the_disk_that_it_reads_and_on_the_one_that_it_writes(worker: Process) -> None:
    assert {disk: copies_on(disk, [worker], disk_of) for disk in "abc"} == {"a": 1, "b": 1, "c": 0}


def test_other_processes_are_no_copies(worker: Process) -> None:
    worker.name = "chia-tea copy"
    assert copies_on("a", [worker], disk_of) == 0


def test_a_worker_that_ended_copies_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert copies_on("a", [Process(id=ended.pid, name=WORKER_NAME)], disk_of) == 0
