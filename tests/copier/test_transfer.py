"""One plot moved in this process, while things happen to it."""

import contextlib
import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chiatea.copier import system_calls
from chiatea.copier.control import Control
from chiatea.copier.job_events import Cancelled, Done, Failed, Progress
from chiatea.copier.system_calls import System
from tests.copier.plots import REAL_PLOTS, SMALL, Move, make_move, settle


class Disturbed(System):
    """At the copy's write that reaches a byte, something happens."""

    def __init__(self, at_byte: int, happening: Callable[[], None]) -> None:
        self.at_byte: int | None = at_byte
        self.happening = happening

    def write(self, descriptor: int, data: memoryview, offset: int) -> None:
        super().write(descriptor, data, offset)
        if self.at_byte is not None and offset + len(data) > self.at_byte:
            self.at_byte = None
            self.happening()


def failed(event: object) -> Failed:
    assert isinstance(event, Failed), event
    assert "\n" not in event.error
    return event


@pytest.mark.parametrize("n_bytes", [65_536, 131_072, 131_073, 262_144, 300_001, 600_000])
@pytest.mark.parametrize("version", [1, 2])
def test_a_plot_of_any_size_is_moved_byte_for_byte(tmp_path: Path, n_bytes: int, version: int) -> None:
    move = make_move(tmp_path, n_bytes, version=version)
    event = move.run()
    assert isinstance(event, Done)
    assert event.target == str(move.target)
    move.assert_moved()


def test_a_moved_plot_has_its_sources_age_and_permissions(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    move.source.chmod(0o640)
    before = move.source.stat()
    assert isinstance(move.run(), Done)
    after = move.target.stat()
    assert (after.st_mtime_ns, stat.S_IMODE(after.st_mode)) == (before.st_mtime_ns, 0o640)


@pytest.mark.skipif(not REAL_PLOTS.is_dir(), reason="there are no real plots beside this repository")
def test_real_plots_are_moved(tmp_path: Path) -> None:
    plots = sorted(REAL_PLOTS.iterdir())
    assert len(plots) == 5
    for number, plot in enumerate(plots):
        move = make_move(tmp_path / str(number))
        move.source.unlink()
        move.source, move.content = move.source.with_name(plot.name), plot.read_bytes()
        move.source.write_bytes(move.content)
        settle(move.source)
        assert isinstance(move.run(), Done)
        move.assert_moved()


def test_the_harvesters_names_appear_only_when_the_plot_is_complete(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    seen: list[set[str]] = []

    class Watching(System):
        def sync(self, descriptor: int) -> None:
            seen.append({path.name for path in move.target_folder.iterdir()})
            super().sync(descriptor)

        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            seen.append({path.name for path in move.target_folder.iterdir()})
            super().write(descriptor, data, offset)

    assert isinstance(move.run(system=Watching()), Done)
    plots = [names for names in seen if any(name.endswith((".plot", ".plot2")) for name in names)]
    assert plots
    assert all(names == {move.target.name} for names in plots)


def test_progress_tells_of_the_copy_and_of_the_reading_back(tmp_path: Path) -> None:
    progress: list[Progress] = []
    move = make_move(tmp_path)
    assert isinstance(move.run(progress=progress), Done)
    assert [entry.state for entry in progress] == ["COPYING", "VERIFYING"]
    assert (progress[0].copied_bytes, progress[0].total_bytes) == (0, len(move.content))
    assert (progress[1].copied_bytes, progress[1].to_verify_bytes) == (len(move.content), len(move.content))


@pytest.mark.parametrize(("verification", "least", "most"), [("full", 1.0, 1.0), ("sample", 0.2, 0.8), ("none", 0, 0)])
def test_as_much_is_read_back_as_was_asked_for(tmp_path: Path, verification: str, least: float, most: float) -> None:
    read = 0

    class Counting(System):
        def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
            nonlocal read
            n_bytes = super().read(descriptor, buffer, offset)
            if Path(f"/proc/self/fd/{descriptor}").readlink() == move.temporary:
                read += n_bytes
            return n_bytes

    move = make_move(tmp_path, 320_000)
    event = move.run(system=Counting(), verification=verification)
    assert isinstance(event, Done)
    assert event.verification == verification
    assert least <= read / len(move.content) <= most
    move.assert_moved()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no tmpfs")
def test_a_file_system_without_a_device_is_verified_and_says_that_it_has_none(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        move = make_move(tmp_path, target_folder=Path(name))
        event = move.run()
        assert isinstance(event, Done)
        assert not event.read_from_device
        move.assert_moved()


def test_what_reads_back_otherwise_is_never_published(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class Lying(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            if offset == 200_704:
                data = memoryview(b"\xff" + bytes(data)[1:])
            super().write(descriptor, data, offset)

    event = failed(move.run(system=Lying()))
    assert event.kind == "target_lost"
    assert "block 6" in event.error
    move.assert_not_moved()


def test_a_source_that_is_written_to_in_mid_copy_is_not_moved(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    def change() -> None:
        with move.source.open("r+b") as file:
            file.seek(1000)
            file.write(b"changed")

    event = failed(move.run(system=Disturbed(100_000, change)))
    assert (event.kind, event.is_kept) == ("source_changed", False)
    move.content = move.source.read_bytes()
    move.assert_not_moved()


@pytest.mark.parametrize("n_bytes", [200_000, 400_000])
def test_a_source_that_grows_or_shrinks_in_mid_copy_is_not_moved(tmp_path: Path, n_bytes: int) -> None:
    move = make_move(tmp_path)
    event = failed(move.run(system=Disturbed(100_000, lambda: os.truncate(move.source, n_bytes))))
    assert event.kind == "source_changed"
    move.content = move.source.read_bytes()
    move.assert_not_moved()


def test_a_source_that_is_replaced_in_mid_copy_is_not_removed(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    def replace() -> None:
        other = move.source.with_name("other")
        other.write_bytes(move.content)
        settle(other)
        other.rename(move.source)

    assert failed(move.run(system=Disturbed(100_000, replace))).kind == "source_changed"
    move.assert_not_moved()


def test_a_source_that_changes_after_the_plot_has_its_name_stays(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class Late(System):
        def rename_without_replacing(self, folder: int, old: str, new: str) -> None:
            super().rename_without_replacing(folder, old, new)
            move.source.write_bytes(b"another")

    event = failed(move.run(system=Late()))
    assert (event.kind, event.is_kept) == ("source_changed", False)
    assert move.source.read_bytes() == b"another"
    assert move.target.read_bytes() == move.content
    move.assert_nothing_left()


def test_a_source_that_vanishes_in_mid_copy_is_saved(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    assert isinstance(move.run(system=Disturbed(100_000, move.source.unlink)), Done)
    move.assert_moved()


def test_a_source_that_vanishes_before_is_a_failure(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    move.source.unlink()
    event = failed(move.run())
    assert (event.kind, event.is_kept) == ("source", False)
    move.assert_nothing_left()


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    for number, name in enumerate(("target", "temporary")):
        move = make_move(tmp_path / str(number))
        taken: Path = getattr(move, name)
        taken.write_bytes(b"somebody else's")
        event = failed(move.run())
        assert (event.kind, event.is_kept) == ("name_taken", False)
        assert taken.read_bytes() == b"somebody else's"
        assert move.source.read_bytes() == move.content
        assert move.journal.job_ids() == []


@pytest.mark.parametrize("has_renameat2", [True, False])
def test_a_name_that_is_taken_in_mid_copy_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_renameat2: bool
) -> None:
    if not has_renameat2:
        monkeypatch.setattr(system_calls, "_renameat2", None)
    move = make_move(tmp_path)
    event = failed(move.run(system=Disturbed(100_000, lambda: write(move.target, b"other"))))
    assert (event.kind, event.is_kept) == ("name_taken", False)
    assert move.target.read_bytes() == b"other"
    assert move.source.read_bytes() == move.content
    move.assert_nothing_left()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_a_file_system_without_renameat2_gets_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls, "_renameat2", lambda *_: errno.EINVAL)
    move = make_move(tmp_path)
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_a_name_too_long_for_its_temporary_form_is_the_plots_fault_not_the_disks(tmp_path: Path) -> None:
    move = make_move(tmp_path, name=f"{'x' * 180}-ID.plot")
    event = failed(move.run())
    assert (event.kind, event.is_kept) == ("name_taken", False)
    move.assert_not_moved()


def test_a_plot_that_was_just_written_is_not_touched(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    os.utime(move.source)
    event = failed(move.run())
    assert event.kind == "source_changed"
    assert "60 s" in event.error
    move.assert_not_moved()


def test_a_clock_that_jumped_keeps_no_plot_back_for_ever(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    next_year = time.time() + 365 * 86400
    os.utime(move.source, (next_year, next_year))
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_what_is_no_whole_plot_of_its_name_is_left_where_it_is(tmp_path: Path) -> None:
    def truncated(move: Move) -> None:
        os.truncate(move.source, 150_000)

    def other_id(move: Move) -> None:
        other = move.source.with_name(move.source.name.replace(move.source.name[26:36], "0" * 10))
        move.source.rename(other)
        move.source = other

    def no_id(move: Move) -> None:
        other = move.source.with_name("my best.plot")
        move.source.rename(other)
        move.source = other

    def other_k(move: Move) -> None:
        other = move.source.with_name(move.source.name.replace("k32", "k33"))
        move.source.rename(other)
        move.source = other

    def zeros(move: Move) -> None:
        move.source.write_bytes(bytes(300_000))

    def empty(move: Move) -> None:
        move.source.write_bytes(b"")

    for number, spoil in enumerate((truncated, other_id, no_id, other_k, zeros, empty)):
        move = make_move(tmp_path / str(number), version=1 + number % 2)
        spoil(move)
        settle(move.source)
        move.content = move.source.read_bytes()
        event = failed(move.run())
        assert (event.kind, event.is_kept) == ("header", False), spoil
        move.assert_not_moved()


def test_a_folder_a_link_and_a_pipe_named_as_plots_are_told_of(tmp_path: Path) -> None:
    for number, kind in enumerate(("folder", "link", "pipe")):
        move = make_move(tmp_path / str(number))
        real = move.source.with_name("real")
        move.source.rename(real)
        if kind == "folder":
            move.source.mkdir()
        elif kind == "link":
            move.source.symlink_to(real)
        else:
            os.mkfifo(move.source)
        event = failed(move.run())
        assert (event.kind, event.is_kept) == ("source", False)
        assert ("symbolic link" in event.error) == (kind == "link")
        assert os.path.lexists(move.source)
        assert list(move.target_folder.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["with spaces ID.plot", "two\nlines ID.plot", os.fsdecode(b"no \xff\xfe text ID.plot"), "\x1b[31mred ID.plot2"],
)
def test_a_name_of_any_bytes_is_moved_and_shown_on_one_line(tmp_path: Path, name: str) -> None:
    move = make_move(tmp_path, name=name)
    move.target.write_bytes(b"")
    event = failed(move.run())
    assert event.error.isprintable()
    event.error.encode()
    move.target.unlink()
    assert isinstance(move.run(), Done)
    move.assert_moved()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and remove anything")
def test_a_source_that_could_not_be_removed_is_not_copied(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    move.source.parent.chmod(0o500)
    try:
        assert failed(move.run()).kind == "source"
    finally:
        move.source.parent.chmod(0o700)
    move.assert_not_moved()


class Failing(System):
    """One call fails, once."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.n_left = name, number, 1

    def __getattribute__(self, name: str) -> object:
        if name != "name" and name == self.name and self.n_left:
            self.n_left -= 1
            return self.fail
        return super().__getattribute__(name)

    def fail(self, *_: object) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("call", "number", "kind"),
    [
        ("preallocate", errno.ENOSPC, "no_space"),
        ("write", errno.ENOSPC, "no_space"),
        ("write", errno.EDQUOT, "no_space"),
        ("write", errno.EFBIG, "no_space"),
        ("write", errno.EIO, "target_lost"),
        ("write", errno.EROFS, "target_lost"),
        ("create", errno.EROFS, "target_lost"),
        ("wait_for_write_back", errno.EIO, "target_lost"),
        ("sync_data", errno.EIO, "target_lost"),
        ("sync", errno.EIO, "target_lost"),
        ("may_remove_from", errno.EIO, "source"),
    ],
)
def test_a_fault_says_what_to_do_and_leaves_nothing(tmp_path: Path, call: str, number: int, kind: str) -> None:
    move = make_move(tmp_path)
    event = failed(move.run(system=Failing(call, number)))
    assert (event.kind, event.is_kept) == (kind, False)
    assert os.strerror(number) in event.error
    move.assert_not_moved()
    assert isinstance(move.run(), Done)
    move.assert_moved()


def test_a_target_that_is_lost_for_good_keeps_its_job_in_the_journal(tmp_path: Path) -> None:
    move = make_move(tmp_path)

    class Lost(System):
        is_lost = False

        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            if offset > 100_000:
                self.is_lost = True
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().write(descriptor, data, offset)

        def remove(self, folder: int, name: str) -> None:
            if self.is_lost:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            super().remove(folder, name)

    event = failed(move.run(system=Lost()))
    assert (event.kind, event.is_kept) == ("target_lost", True)
    assert move.temporary.exists()
    # It goes elsewhere; what it left is settled when the disk is back.
    first = move.target_folder
    move.target_folder = tmp_path / "second"
    move.target_folder.mkdir()
    assert isinstance(move.run(), Done)
    assert move.journal.job_ids() == ["job-1~1"]
    assert move.target.read_bytes() == move.content
    entry = move.journal.read("job-1~1")
    assert entry is not None
    assert entry.spec.target_folder == first
    assert move.run("recover", job_id="job-1~1", target_folder=first) == Cancelled("job-1~1")
    assert list(first.iterdir()) == []
    move.assert_moved()


def test_another_file_system_than_the_one_that_was_chosen_is_refused(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    event = failed(move.run(target_device=move.spec.target_device + 1))
    assert (event.kind, event.is_kept) == ("target_lost", False)
    move.assert_not_moved()


def test_a_target_folder_that_was_exchanged_in_mid_copy_is_lost(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    aside = tmp_path / "aside"

    def exchange() -> None:
        move.target_folder.rename(aside)
        move.target_folder.mkdir()

    event = failed(move.run(system=Disturbed(100_000, exchange)))
    assert (event.kind, event.is_kept) == ("target_lost", False)
    assert list(aside.iterdir()) == []
    move.assert_not_moved()


@contextlib.contextmanager
def running(move: Move, control: Control, progress: list[Progress], **changes: object) -> Iterator[list[object]]:
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(move.run(control=control, progress=progress, **changes)))  # type: ignore[arg-type]
    thread.start()
    try:
        yield ended
    finally:
        control.resume()
        control.limit(0)
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_paused_job_stops_within_one_step_and_goes_on_from_there(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    control, progress = Control(), list[Progress]()
    written: list[int] = []

    class Writing(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            written.append(offset)
            if len(written) == 10:
                control.pause()

    with running(move, control, progress, system=Writing()) as ended:
        wait_for(lambda: progress[-1:] != [] and progress[-1].state == "PAUSED")
        assert len(written) == 10
        assert progress[-1].copied_bytes == 10 * SMALL.step_bytes
        assert not ended
        control.resume()
    assert isinstance(ended[0], Done)
    assert written == list(range(0, len(move.content), SMALL.step_bytes))
    assert progress[-1].state == "VERIFYING"
    move.assert_moved()


@pytest.mark.parametrize("is_verifying", [False, True])
def test_a_cancelled_job_leaves_its_source_whole_and_nothing_else(tmp_path: Path, is_verifying: bool) -> None:
    move = make_move(tmp_path)
    control, progress = Control(), list[Progress]()

    class Cancelling(System):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            super().write(descriptor, data, offset)
            if not is_verifying and offset > 100_000:
                control.cancel()

        def resident_bytes(self, descriptor: int, n_bytes: int) -> int:
            control.cancel()
            return super().resident_bytes(descriptor, n_bytes)

    assert move.run(system=Cancelling(), control=control, progress=progress) == Cancelled("job-1")
    assert progress[-1].state == ("VERIFYING" if is_verifying else "COPYING")
    move.assert_not_moved()


def test_a_paused_job_can_be_cancelled(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    control, progress = Control(), list[Progress]()
    control.pause()
    with running(move, control, progress) as ended:
        wait_for(lambda: progress[-1:] != [] and progress[-1].state == "PAUSED")
        control.cancel()
        wait_for(lambda: bool(ended))
    assert ended == [Cancelled("job-1")]
    move.assert_not_moved()


def test_a_job_whose_source_is_gone_is_not_cancelled_for_it_may_be_all_that_is_left(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    control = Control()

    def vanish() -> None:
        move.source.unlink()
        control.cancel()

    event = failed(move.run(system=Disturbed(100_000, vanish), control=control))
    assert (event.kind, event.is_kept) == ("source", True)
    assert move.temporary.exists()


def test_a_limited_job_keeps_to_its_rate_and_a_new_limit_counts_at_once(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    control, progress = Control(20 * SMALL.step_bytes), list[Progress]()
    began = time.monotonic()
    with running(move, control, progress) as ended:
        wait_for(lambda: progress[-1:] != [] and progress[-1].copied_bytes >= 5 * SMALL.step_bytes)
        assert progress[-1].copied_bytes / SMALL.step_bytes <= 1 + 20 * (time.monotonic() - began)
        control.limit(0)
        wait_for(lambda: bool(ended))
    assert isinstance(ended[0], Done)
    move.assert_moved()


def test_two_workers_are_not_at_one_job(tmp_path: Path) -> None:
    move = make_move(tmp_path)
    script = f"""
from pathlib import Path
from chiatea.copier.journal import Journal
from tests.copier.plots import Move
move = Move(Path({str(tmp_path)!r}), Path({str(move.source)!r}), b"", Path({str(move.target_folder)!r}))
with move.journal.locked(move.spec):
    print("locked", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"locked\n"
        event = failed(move.run())
        assert (event.kind, event.is_kept) == ("internal", True)
        assert "another worker" in event.error
        other.stdin.close()
    assert isinstance(move.run(), Done)
    move.assert_moved()
