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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from chiatea.copier.control import Control
from chiatea.copier.job_events import Cancelled, Done, Replaced
from chiatea.copier.system_calls import System
from tests.copier.full_disk import FREE_BYTES, N_TO_GO, Exchange, fill, make_exchange, small_disk
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


def _run(
    move: Move, trace: str, *injection: str, beside: Sequence[Path] = ()
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Runs a worker on one plot under strace; what is injected hits calls on the move's own files only, and
    on those that are named `beside`.
    """
    log = move.folder / "strace.log"
    command = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={trace}", *injection]
    for path in (*_paths(move), *map(str, beside)):
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
            if json.loads(line)["event"] not in {"progress", "replaced"}:
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


_REPLACING_CALLS = ("openat", "newfstatat", "fstatfs", "fsync", "rename", "unlinkat", "write")
"""Those of the steps that only a move has for which old plots go: of all others the tests above try some."""


@pytest.fixture(params=[False, True], ids=["write first", "delete first"])
def deletes_first(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        if folder is None:
            pytest.skip("a small disk may not be mounted here")
        yield folder


def _exchange(tmp_path: Path, disk: Path, *, deletes_first: bool) -> Exchange:
    """On a disk that has nothing else, and just so much left that two old plots must go."""
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    exchange = make_exchange(tmp_path, deletes_first=deletes_first, target_folder=disk / "plots")
    fill(disk, FREE_BYTES[deletes_first])
    return exchange


def _told(output: str) -> set[Path]:
    events = [json.loads(line) for line in output.splitlines()]
    return {Path(event["path"]) for event in events if event["event"] == "replaced"}


def _settle_exchange(exchange: Exchange) -> set[Path]:
    """As the service does after a restart; returns the deletions that are told meanwhile."""
    move, told = exchange.move, list[Replaced]()
    for _ in range(3):
        if not move.source.exists() and not move.journal.job_ids():
            break
        event = move.run(replaced=told)
        assert isinstance(event, Done), event
    move.assert_moved()
    exchange.assert_rest_is_whole()
    return {Path(event.path) for event in told}


def _calls_of_an_exchange(tmp_path: Path, disk: Path, *, deletes_first: bool) -> Counter[str]:
    exchange = _exchange(tmp_path / "undisturbed", disk, deletes_first=deletes_first)
    result, log = _run(exchange.move, "all", beside=exchange.old)
    assert _told(result.stdout) == set(exchange.gone()) == set(exchange.old[:N_TO_GO])
    exchange.move.assert_moved()
    return Counter(re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE))


@pytest.mark.parametrize("call", KILLED_AT if _ALL else _REPLACING_CALLS)
def test_a_worker_killed_at_any_call_gives_up_what_is_needed_and_no_more(
    tmp_path: Path, disk: Path, deletes_first: bool, call: str, record_property: Callable[[str, object], None]
) -> None:
    n_calls = _calls_of_an_exchange(tmp_path, disk, deletes_first=deletes_first)
    # The later a call comes, the more of the old plots are at stake.
    points = _points(n_calls[call]) if _ALL else sorted({n_calls[call], max(1, n_calls[call] * 3 // 4)})
    for point in points:
        exchange = _exchange(tmp_path / str(point), disk, deletes_first=deletes_first)
        inject = f"inject={call}:signal=SIGKILL:when={point}"
        result, _ = _run(exchange.move, call, "-e", inject, beside=exchange.old)
        assert result.returncode == -9, (point, result)
        exchange.assert_new_is_safe()
        assert len(exchange.gone()) <= N_TO_GO
        told = _told(result.stdout) | _settle_exchange(exchange)
        assert exchange.gone() == exchange.old[:N_TO_GO], point
        assert told == set(exchange.gone()), point
    record_property("points", len(points))


@pytest.mark.parametrize("fault", FAULTS if _ALL else [each for each in FAULTS if each[0] in _REPLACING_CALLS])
def test_after_a_fault_of_any_call_no_more_is_given_up_than_is_needed(
    tmp_path: Path,
    disk: Path,
    deletes_first: bool,
    fault: tuple[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    call, error = fault
    n_calls = _calls_of_an_exchange(tmp_path, disk, deletes_first=deletes_first)
    points = _points(n_calls[call]) if _ALL else sorted({n_calls[call], max(1, n_calls[call] * 3 // 4)})
    for point in points:
        exchange = _exchange(tmp_path / str(point), disk, deletes_first=deletes_first)
        result, log = _run(exchange.move, call, "-e", f"inject={call}:error={error}:when={point}", beside=exchange.old)
        assert "(INJECTED)" in log, (point, result)
        assert result.returncode == 0, (point, result)
        assert not result.stderr, (point, result)
        exchange.assert_new_is_safe()
        told = _told(result.stdout) | _settle_exchange(exchange)
        assert len(exchange.gone()) <= N_TO_GO, point
        assert told == set(exchange.gone()), point
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
