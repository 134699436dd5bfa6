"""The real worker is killed, or told of a fault, at each system call of a move; then the plot exists exactly once.

`make test-faults` tries every point; a plain run some of each kind.
"""

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chiatea.copier.control import Control
from chiatea.copier.job_events import Cancelled, Done
from chiatea.copier.system_calls import System
from tests.copier.plots import Move, make_move

_ALL = os.environ.get("CHIA_TEA_FAULTS") == "all"
_WORKER = [sys.executable, "-P", str(Path(__file__).with_name("small_worker.py"))]

KILLED_AT = (
    "openat", "newfstatat", "faccessat2", "fstatfs", "preadv2", "pwrite64", "fallocate", "sync_file_range", "fadvise64",
    "fdatasync", "fsync", "utimensat", "fchmod", "mmap", "rename", "renameat2", "unlink", "unlinkat", "write", "mkdir",
    "fcntl", "close",
)  # fmt: skip
"""All that a move does to the source, the target and the journal."""

FAULTS = tuple(
    (call, error)
    for call, errors in {
        "openat": ("EIO", "ENOSPC", "EROFS"),
        "newfstatat": ("EIO",),
        "faccessat2": ("EIO",),
        "fstatfs": ("EIO",),
        "preadv2": ("EIO",),
        "pwrite64": ("EIO", "ENOSPC", "EROFS"),
        "fallocate": ("EIO", "ENOSPC", "EROFS", "EOPNOTSUPP"),
        "sync_file_range": ("EIO", "ENOSPC"),
        "fadvise64": ("EIO",),
        "fdatasync": ("EIO", "ENOSPC"),
        "fsync": ("EIO", "ENOSPC", "EROFS"),
        "utimensat": ("EIO", "EPERM"),
        "fchmod": ("EIO", "EPERM"),
        "mmap": ("ENOMEM",),
        "rename": ("EIO", "ENOSPC"),
        "renameat2": ("EIO", "ENOSPC", "EROFS", "EINVAL"),
        "unlink": ("EIO",),
        "unlinkat": ("EIO", "EROFS"),
        "write": ("EIO", "ENOSPC"),
        "mkdir": ("EIO", "ENOSPC"),
        "fcntl": ("EIO",),
        "close": ("EIO",),
    }.items()
    for error in (errors if _ALL else errors[:1])
)


def _strace_fault() -> str:
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return "other machines name their system calls otherwise"
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace may not trace here"


pytestmark = [
    pytest.mark.skipif(bool(fault := _strace_fault()), reason=fault),
    pytest.mark.timeout(900 if _ALL else 60),
]


def _paths(move: Move) -> list[str]:
    job = move.journal_folder / "job-1.json"
    paths = (move.source.parent, move.source, move.target_folder, move.temporary, move.target, move.journal_folder, job)
    known = move.known_plots_filepath
    return [str(path) for path in (*paths, f"{job}.new", move.journal_folder / "lock", known, f"{known}-journal")]


def _run(move: Move, trace: str, *injection: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Runs a worker on one plot under strace; what is injected hits calls on the move's own files only."""
    log = move.folder / "strace.log"
    command = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={trace}", *injection]
    for path in _paths(move):
        command += ["-P", path]
    order = json.dumps({"do": "copy", **move.spec.to_json()})
    process = subprocess.Popen(
        [*command, *_WORKER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    lines: list[str] = []
    try:
        process.stdin.write(order + "\n")
        process.stdin.flush()
        for line in process.stdout:
            lines.append(line)
            if json.loads(line)["event"] != "progress":
                break
        process.stdin.close()
    except BrokenPipeError:
        pass
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    process.wait()
    done = subprocess.CompletedProcess(command, process.returncode, "".join(lines), errors)
    return done, log.read_text(errors="replace")


@pytest.fixture(scope="module")
def n_calls(tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often a move that nothing disturbs makes each call."""
    move = make_move(tmp_path_factory.mktemp("undisturbed"))
    _, log = _run(move, "all")
    move.assert_moved()
    return Counter(re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE))


def _points(n_calls: int) -> list[int]:
    assert n_calls, "a move does not make this call"
    return list(range(1, n_calls + 1)) if _ALL else [(n_calls + 1) // 2]


def _go_on(move: Move) -> None:
    """As the service does after a restart: every plot that is there and every entry of the journal is settled."""
    for _ in range(3):
        if not move.source.exists() and not move.journal.job_ids():
            return
        event = move.run()
        assert isinstance(event, Done), event
    raise AssertionError("it is not settled after three runs")


@pytest.mark.parametrize("call", KILLED_AT)
def test_a_worker_killed_at_any_call_loses_nothing(
    tmp_path: Path, n_calls: Counter[str], call: str, record_property: Callable[[str, object], None]
) -> None:
    points = _points(n_calls[call])
    for point in points:
        move = make_move(tmp_path / str(point), version=1 + point % 2)
        result, _ = _run(move, call, "-e", f"inject={call}:signal=SIGKILL:when={point}")
        assert result.returncode == -9, (point, result)
        if not move.source.exists():
            assert move.target.read_bytes() == move.content, point
        _go_on(move)
        move.assert_moved()
    record_property("points", len(points))


@pytest.mark.parametrize(("call", "error"), FAULTS)
def test_a_fault_of_any_call_loses_nothing(
    tmp_path: Path, n_calls: Counter[str], call: str, error: str, record_property: Callable[[str, object], None]
) -> None:
    points = _points(n_calls[call])
    for point in points:
        move = make_move(tmp_path / str(point), version=1 + point % 2)
        result, log = _run(move, call, "-e", f"inject={call}:error={error}:when={point}")
        assert "(INJECTED)" in log, (point, result)
        assert result.returncode == 0, (point, result)
        assert not result.stderr, (point, result)
        assert '"done"' in result.stdout or '"failed"' in result.stdout, (point, result)
        if not move.source.exists():
            assert move.target.read_bytes() == move.content, point
        elif '"is_kept": false' in result.stdout:
            assert not move.temporary.exists(), (point, result)
        _go_on(move)
        move.assert_moved()
    record_property("points", len(points))


def test_a_cancelled_job_that_is_killed_at_any_call_is_cancelled_or_moved(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    hit = 0
    for call in ("openat", "fsync", "rename", "unlinkat", "unlink", "write"):
        for point in range(1, 30 if _ALL else 3):
            move = make_move(tmp_path / f"{call}{point}")
            event = _leave_off(move)
            assert event is None
            result = _cancel_under_strace(move, call, point)
            if result.returncode != -9:
                break
            hit += 1
            settled = move.run("recover") if move.journal.job_ids() else move.run("cancel")
            assert isinstance(settled, Cancelled | Done), settled
            if isinstance(settled, Cancelled):
                move.assert_not_moved()
            else:
                move.assert_moved()
    record_property("points", hit)
    assert hit >= 6


def _leave_off(move: Move) -> object:
    """A job whose worker ended in the middle of the copy."""
    control = Control()

    class Ending(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            if offset > 150_000:
                control.leave_off()

    return move.run(system=Ending(), control=control)


def _cancel_under_strace(move: Move, call: str, point: int) -> subprocess.CompletedProcess[str]:
    command = ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:signal=SIGKILL:when={point}"]
    for path in _paths(move):
        command += ["-P", path]
    order = {"do": "cancel", "job_id": "job-1", "journal_folder": str(move.journal_folder)}
    with subprocess.Popen(
        [*command, *_WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        lines = [process.stdout.readline()]
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return subprocess.CompletedProcess(command, process.returncode, "".join(lines))
