"""The worker as a process: lines in, lines out."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiatea.copier.job_events import Cancelled, Done, Failed, Progress, event_from_json, event_to_json
from chiatea.copier.job_spec import job_spec_from_json
from tests.copier.plots import Move, make_move


class Lines:
    """A worker with small steps, and its lines."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.progress: list[dict[str, Any]] = []

    def send(self, **fields: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(fields).encode("ascii") + b"\n")
        self.process.stdin.flush()

    def copy(self, move: Move, **changes: object) -> None:
        self.send(do="copy", **{**move.spec.to_json(), **changes})

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        fields = json.loads(self.process.stdout.readline())
        assert isinstance(fields, dict)
        return fields

    def event(self) -> dict[str, Any]:
        """The next that is no progress."""
        while (fields := self.line())["event"] == "progress":
            self.progress.append(fields)
        return fields

    def state(self, state: str) -> dict[str, Any]:
        while (fields := self.line()).get("state") != state:
            assert fields["event"] == "progress", fields
        return fields

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def worker() -> Iterator[Lines]:
    with subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("small_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield Lines(process)
        process.kill()


def test_one_worker_moves_one_plot_after_the_other(tmp_path: Path, worker: Lines) -> None:
    moves = [make_move(tmp_path / str(number), name=f"{number} ID.plot") for number in range(3)]
    for number, move in enumerate(moves):
        worker.copy(move, job_id=f"job-{number}")
    for number, move in enumerate(moves):
        event = event_from_json(worker.event())
        assert isinstance(event, Done)
        assert event.job_id == f"job-{number}"
        assert event.target == str(move.target)
        move.assert_moved()
    assert worker.end() == 0


def test_names_that_are_no_text_go_through_the_lines_whole(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path, name=os.fsdecode(b"\xff\xfe\n ID \xc3.plot"))
    worker.copy(move)
    assert os.fsencode(worker.event()["target"]) == os.fsencode(move.target)
    move.assert_moved()


def test_pause_resume_limit_and_cancel_act_on_a_running_job(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path)
    worker.copy(move, max_bytes_per_second=40_960)
    worker.state("COPYING")
    worker.send(do="pause", job_id="job-1")
    at = worker.state("PAUSED")["copied_bytes"]
    assert at < len(move.content)
    worker.send(do="resume", job_id="job-1")
    assert worker.state("COPYING")["copied_bytes"] == at
    worker.send(do="limit", max_bytes_per_second=8_192)
    worker.send(do="cancel", job_id="job-1")
    assert worker.event() == {"event": "cancelled", "job_id": "job-1"}
    move.assert_not_moved()
    worker.copy(move)
    assert worker.event()["event"] == "done"
    move.assert_moved()


def test_a_killed_workers_job_goes_on_in_another(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path)
    worker.copy(move, max_bytes_per_second=40_960)
    worker.state("COPYING")
    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait(20)
    assert move.temporary.exists()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "chiatea.copier.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        other = Lines(process)
        other.send(do="recover", job_id="job-1", journal_folder=str(move.journal_folder), max_bytes_per_second=0)
        assert other.event()["event"] == "done"
        assert other.end() == 0
    move.assert_moved()


def test_a_worker_whose_input_ends_leaves_off_and_another_cancels_its_job(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path)
    worker.copy(move, max_bytes_per_second=40_960)
    worker.state("COPYING")
    assert worker.end() == 0
    assert move.journal.job_ids() == ["job-1"]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "chiatea.copier.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        other = Lines(process)
        device = move.spec.target_device
        other.send(do="cancel", job_id="job-1", journal_folder=str(move.journal_folder), target_device=device)
        assert other.event() == {"event": "cancelled", "job_id": "job-1"}
        assert other.end() == 0
    move.assert_not_moved()


def test_a_worker_to_whom_nobody_listens_ends(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path)
    assert worker.process.stdout is not None
    worker.process.stdout.close()
    worker.copy(move)
    assert worker.process.wait(20) == 0
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_an_interrupt_from_the_terminal_does_not_reach_a_worker(tmp_path: Path, worker: Lines) -> None:
    first, second = make_move(tmp_path / "1"), make_move(tmp_path / "2")
    worker.copy(first)
    assert worker.event()["event"] == "done"
    worker.process.send_signal(signal.SIGINT)
    worker.copy(second)
    assert worker.event()["event"] == "done"


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b'{"do":"fly"}',
        b'{"do":"copy","job_id":"../x","verification":"full"}',
        b'{"do":"copy","job_id":"x"}',
        b'{"do":"limit","max_bytes_per_second":-1}',
        b'{"do":"recover","job_id":"x"}',
        b"\xff",
    ],
)
def test_a_command_that_cannot_be_read_is_said_and_stops_nothing(tmp_path: Path, worker: Lines, line: bytes) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(line + b"\n")
    worker.process.stdin.flush()
    event = event_from_json(worker.event())
    assert isinstance(event, Failed)
    assert event.kind == "internal"
    move = make_move(tmp_path)
    worker.copy(move)
    assert worker.event()["event"] == "done"


def test_a_cancel_that_comes_too_late_changes_nothing(tmp_path: Path, worker: Lines) -> None:
    move = make_move(tmp_path)
    worker.copy(move)
    assert worker.event()["event"] == "done"
    worker.send(do="cancel", job_id="job-1", journal_folder=str(move.journal_folder))
    worker.send(do="pause", job_id="job-1")
    assert worker.end() == 0
    assert worker.process.stdout is not None
    assert worker.process.stdout.read() == b""
    move.assert_moved()


def test_jobs_and_events_come_out_of_json_as_they_went_in(tmp_path: Path) -> None:
    spec = make_move(tmp_path, name=os.fsdecode(b"\xff ID.plot")).spec
    assert job_spec_from_json(json.loads(json.dumps(spec.to_json()))) == spec
    for event in (
        Progress("a", "PAUSED", 1, 2, 3, 4),
        Done("a", "\udcff", "h", 1.5, "sample", read_from_device=False),
        Cancelled("a"),
        Failed("a", "no_space", "full", is_kept=False),
    ):
        assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
