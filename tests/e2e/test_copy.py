"""`chia-tea copy` as a process: every plot arrives once, byte for byte, whatever happens in between."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.copier.plots import plot_bytes
from tests.copier.plots import plot_name as v2_name
from tests.copier.small_plots import a_plot, plot_name, write_plot

from .conftest import Home

MIB = 1 << 20


class Copies:
    """Two source folders and two target folders of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.sources = [home.folder / "in" / name for name in ("one", "two")]
        self.targets = [home.folder / "farm" / name for name in ("one", "two")]
        for folder in (*self.sources, *self.targets):
            folder.mkdir(parents=True)
        self.configure()

    def configure(
        self, more: str = "", *, settle: str = "0s", targets: list[Path] | None = None, reserve: str = "0"
    ) -> None:
        sources, into = ([str(path) for path in paths] for paths in (self.sources, targets or self.targets))
        self.home.write_config(
            f"copy:\n  source_folders: {sources}\n  target_folders: {into}\n  targets_on_root: true\n"
            f"  settle_seconds: {settle}\n  reserve: {reserve}\n  rescan_every: 0.2s\n{more}"
        )

    def write(self, numbers: range, n_bytes: int = MIB) -> None:
        for number in numbers:
            write_plot(self.sources[number % 2], number, n_bytes)

    def once(self, code: int = 0) -> dict[str, Any]:
        done = self.home.run("copy", "--once", "--json", check=False)
        assert done.returncode == code, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def in_sources(self) -> list[str]:
        return sorted(path.name for folder in self.sources for path in folder.iterdir())

    def in_targets(self) -> list[str]:
        return sorted(path.name for folder in self.targets if folder.exists() for path in folder.iterdir())

    def see_all_moved(self, numbers: range, n_bytes: int = MIB) -> None:
        assert self.in_sources() == []
        assert self.in_targets() == sorted(plot_name(number) for number in numbers)
        for folder in self.targets:
            for path in folder.iterdir() if folder.exists() else ():
                number = next(number for number in numbers if plot_name(number) == path.name)
                assert path.read_bytes() == a_plot(number, n_bytes)

    def are_under_way(self) -> bool:
        """Some copy has got bytes on the disk."""
        try:
            return any(path.stat().st_blocks > 0 for folder in self.targets for path in folder.glob("*.copying"))
        except FileNotFoundError:
            return False

    @property
    def journal(self) -> list[Path]:
        return list((self.home.folder / ".chia_tea/state/copy/journal").glob("*.json"))


@pytest.fixture
def copies(home: Home) -> Copies:
    return Copies(home)


def states(document: dict[str, Any]) -> dict[str, str]:
    return {Path(job["source_filepath"]).name: job["state"] for job in document["jobs"]}


def test_a_dozen_plots_from_two_sources_to_two_targets_arrive_byte_for_byte(copies: Copies) -> None:
    copies.write(range(12))
    document = copies.once()
    copies.see_all_moved(range(12))
    assert set(states(document).values()) == {"DONE"}
    assert (document["copier"]["n_done"], document["copier"]["bytes_done"]) == (12, 12 * MIB)
    job = document["jobs"][0]
    assert Path(job["target_filepath"]).is_file()
    assert (job["copied_bytes"], job["verification"], job["n_attempts"]) == (MIB, "FULL", 1)
    assert job["hash"]
    assert copies.journal == []
    assert copies.once()["jobs"] == []


def test_nothing_to_move_is_no_failure(copies: Copies) -> None:
    assert copies.home.run("copy", "--once").stdout == ""


def test_a_dry_run_says_what_would_go_where_and_moves_nothing(copies: Copies) -> None:
    copies.write(range(3))
    (copies.sources[0] / "odd.plot").mkdir()
    done = copies.home.run("copy", "--dry-run")
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert sum(" -> " in line for line in lines) == 3
    assert any("odd.plot stays: is a folder" in line for line in lines)
    assert lines[0].startswith("1. ")
    assert "begins at once, done in 0.0 s at 95.4 MiB/s, which is assumed: nothing was moved yet" in lines[0]
    assert lines[-1] == "3 to move, 3.00 MiB, done in 0.0 s; 0 have no room"
    document = json.loads(copies.home.run("copy", "--dry-run", "--json").stdout)
    assert {move["target_id"] for move in document["moves"]} <= {str(target) for target in copies.targets}
    assert [move["order"] for move in document["moves"]] == [1, 2, 3]
    assert {move["speed_origin"] for move in document["moves"]} == {"assumed"}
    assert len(copies.in_sources()) == 4
    assert copies.in_targets() == []


def test_a_dry_run_tells_times_by_earlier_moves_and_by_limits(copies: Copies) -> None:
    copies.write(range(4))
    copies.once()
    copies.write(range(4, 6))

    def origins(more: str = "") -> set[str]:
        copies.configure(more)
        document = json.loads(copies.home.run("copy", "--dry-run", "--json").stdout)
        return {move["speed_origin"] for move in document["moves"]}

    assert origins() == {"measured"}
    assert origins("  max_bandwidth_per_job: 1kB\n") == {"limited"}
    assert "at 500 B/s, as its limit lets it" in copies.home.run("copy", "--dry-run").stdout


def test_a_dry_run_tells_how_many_plots_do_not_fit_and_how_much_each_group_lacks(
    copies: Copies, small_disk: Path
) -> None:
    copies.write(range(4), 4 * MIB)
    away = copies.home.folder / "away"
    copies.configure(f"  target_groups: [{{name: fast, folders: [{small_disk}]}}]\n", targets=[away])
    *_, fast, rest, total = copies.home.run("copy", "--dry-run").stdout.splitlines()
    assert fast.startswith("group fast: 3 plots do not fit, 10.0 MiB short: ")
    assert rest == f"target_folders: 3 plots do not fit, 12.0 MiB short: {away} is not there"
    assert total.startswith("1 to move, 4.00 MiB, done in ")
    assert total.endswith("; 3 have no room, 12.0 MiB")
    forecast = json.loads(copies.home.run("copy", "--dry-run", "--json").stdout)["forecast"]
    assert (forecast["n_to_move"], forecast["n_left"], forecast["bytes_left"]) == (1, 3, 12 * MIB)
    assert [(lack["group"], lack["n_bytes"]) for lack in forecast["shortfalls"]] == [("fast", 10 * MIB), ("", 12 * MIB)]


def test_a_plot_that_is_not_what_its_name_says_stays_and_the_others_are_moved(copies: Copies) -> None:
    copies.write(range(4))
    wrong = write_plot(copies.sources[0], 99, name=plot_name(98))
    document = copies.once(code=1)
    assert states(document)[wrong.name] == "FAILED"
    (job,) = [job for job in document["jobs"] if job["state"] == "FAILED"]
    assert "its name tells of" in job["last_error"]
    assert copies.in_sources() == [wrong.name]
    assert copies.in_targets() == sorted(plot_name(number) for number in range(4))


def test_what_is_no_plot_is_told_and_left_alone(copies: Copies) -> None:
    copies.write(range(2))
    outside = write_plot(copies.home.folder, 50)
    (copies.sources[0] / plot_name(51)).symlink_to(outside)
    (copies.sources[0] / "folder.plot").mkdir()
    (copies.sources[1] / f"{plot_name(52)}.copying").write_bytes(b"half")
    (copies.targets[0] / f"{plot_name(53)}.copying").write_bytes(b"whose?")
    document = copies.once()
    told = {Path(entry["filepath"]).name: entry["reason"] for entry in document["left_alone"]}
    assert "symbolic link" in told[plot_name(51)]
    assert "folder" in told["folder.plot"]
    assert [Path(path).name for path in document["unknown_temporary_files"]] == [f"{plot_name(53)}.copying"]
    assert outside.exists()
    assert copies.in_sources() == sorted([plot_name(51), "folder.plot", f"{plot_name(52)}.copying"])
    assert f"{plot_name(53)}.copying" in copies.in_targets()


def test_names_that_are_hard_to_write_arrive_as_they_are(copies: Copies) -> None:
    starts = (b"a ", b"\xff\n\x1b[2J ")
    names = [os.fsdecode(start + plot_name(number).encode()) for number, start in enumerate(starts)]
    for number, name in enumerate(names):
        write_plot(copies.sources[0], number, name=name)
    assert set(states(copies.once()).values()) == {"DONE"}
    assert copies.in_targets() == sorted(names)


def test_a_file_that_is_still_being_written_stays(copies: Copies) -> None:
    copies.configure(settle="1h")
    copies.write(range(1))
    document = copies.once()
    assert document["jobs"] == []
    assert "was written to" in document["left_alone"][0]["reason"]
    copies.configure()
    with (copies.sources[0] / plot_name(0)).open("ab"):
        document = copies.once()
        assert f"process {os.getpid()} has it open to write" in document["left_alone"][0]["reason"]
    copies.once()
    copies.see_all_moved(range(1))


def test_a_target_that_is_not_there_gets_nothing_and_the_other_one_all(copies: Copies) -> None:
    copies.write(range(3))
    copies.targets[0].rmdir()
    document = copies.once()
    copies.see_all_moved(range(3))
    assert [target["state"] for target in document["targets"]] == ["NOT_MOUNTED", "READY"]
    copies.write(range(3))
    copies.configure(targets=[copies.targets[0]])
    document = copies.once(code=1)
    assert set(states(document).values()) == {"FAILED"}
    assert "is not there" in document["jobs"][0]["last_error"]
    assert not copies.targets[0].exists()


def test_a_target_on_the_systems_own_disk_gets_nothing_unless_it_may(copies: Copies) -> None:
    if copies.targets[0].stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("this folder is not on the system's own disk")
    copies.write(range(1))
    copies.home.config.write_text(copies.home.config.read_text().replace("targets_on_root: true", ""))
    assert "copy.targets_on_root" in copies.once(code=1)["jobs"][0]["last_error"]
    assert copies.in_targets() == []


@pytest.fixture
def small_disk(home: Home) -> Iterator[Path]:
    """A file system of its own, of 6 MiB."""
    folder = home.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6M", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Disks:
    """Empty mount points on a file system of their own, which is not the system's, and disks for one of them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.point = self.data / "disk"
        self.target = self.point / "plots"
        self.images = [folder / f"{name}.img" for name in ("one", "two")]

    def make(self) -> None:
        self.data.mkdir()
        self.run("mount", "-t", "tmpfs", "-o", "size=64M", "none", str(self.data))
        self.point.mkdir()
        for image in self.images:
            with image.open("wb") as file:
                file.truncate(24 * MIB)
            self.run("mkfs.ext4", "-q", "-m", "0", str(image))
            self.mount(image)
            self.target.mkdir()
            self.unmount()
        # What an empty mount point looks like to whoever only looks at the path.
        self.target.mkdir()

    @staticmethod
    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    def mount(self, image: Path) -> None:
        self.run("mount", "-o", "loop", str(image), str(self.point))

    def unmount(self) -> None:
        self.run("umount", str(self.point))

    def end(self) -> None:
        for path in (self.point, self.data):
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


@pytest.fixture
def disks(home: Home) -> Iterator[Disks]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    disks = Disks(home.folder)
    try:
        disks.make()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        disks.end()
        pytest.skip(f"no disk can be made here: {error}")
    yield disks
    disks.end()


def test_a_disk_that_was_there_once_is_waited_for_and_its_empty_mount_point_gets_nothing(
    copies: Copies, disks: Disks
) -> None:
    copies.configure(targets=[disks.target])
    disks.mount(disks.images[0])
    copies.write(range(1))
    copies.once()
    disks.unmount()
    copies.write(range(1, 2))
    document = copies.once(code=1)
    assert document["targets"][0]["state"] == "NOT_MOUNTED"
    assert f"is not mounted: its disk was at {disks.point}" in document["jobs"][0]["last_error"]
    assert list(disks.target.iterdir()) == []
    assert "is not mounted" in copies.home.run("copy", "--dry-run").stdout
    disks.mount(disks.images[0])
    copies.once()
    assert len(list(disks.target.glob("*.plot"))) == 2


def test_a_disk_that_was_replaced_gets_plots_once_a_person_says_so(copies: Copies, disks: Disks) -> None:
    copies.configure(targets=[disks.target])
    disks.mount(disks.images[0])
    copies.write(range(1))
    copies.once()
    disks.unmount()
    disks.mount(disks.images[1])
    copies.write(range(1, 2))
    document = copies.once(code=1)
    assert "has another disk than before" in document["jobs"][0]["last_error"]
    service = copies.home.start("copy", ready="has another disk than before")
    done = copies.home.run("copy", "--accept-disk", str(disks.target))
    assert done.stdout.startswith(f"{disks.target}: gets plots: ")
    copies.home.until(lambda: list(disks.target.glob("*.plot")))
    service.send_signal(signal.SIGTERM)
    assert service.wait(30) == 0
    refused = copies.home.run("copy", "--accept-disk", str(copies.sources[0]), check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert f"no target folder: those are {disks.target}" in refused.stderr


def test_a_full_target_gets_what_fits_and_the_rest_is_told(copies: Copies, small_disk: Path) -> None:
    copies.write(range(3), 4 * MIB)
    copies.configure("  max_per_target: 3\n", targets=[small_disk])
    document = copies.once(code=1)
    assert sorted(states(document).values()) == ["DONE", "FAILED", "FAILED"]
    failed = [job for job in document["jobs"] if job["state"] == "FAILED"]
    assert "4.00 MiB are needed" in failed[0]["last_error"]
    assert len(list(small_disk.iterdir())) == 1
    assert len(copies.in_sources()) == 2


class Replacing:
    """A small disk with old v1 plots of 1 MiB, the one of the lowest number the oldest, and new v2 plots."""

    def __init__(self, copies: Copies, disk: Path, *, n_old: int, n_new: int, filler: int = 0) -> None:
        self.copies, self.disk = copies, disk
        self.old = [write_plot(disk, number) for number in range(n_old)]
        for number, path in enumerate(self.old):
            os.utime(path, (1.75e9 + number, 1.75e9 + number))
        self.new: dict[str, bytes] = {}
        for number in range(n_new):
            plot_id, content = plot_bytes(MIB, version=2, seed=number)
            name = v2_name(plot_id, version=2)
            (copies.sources[number % 2] / name).write_bytes(content)
            self.new[name] = content
        (disk / "filler").write_bytes(bytes(filler))

    def configure(self, more: str, reserve: str = "0") -> None:
        self.copies.configure(more, targets=[self.disk], reserve=reserve)

    def gone(self) -> list[int]:
        return [number for number, path in enumerate(self.old) if not path.exists()]

    def see_moved(self, n_moved: int) -> None:
        """Each new plot exists once, byte for byte; what is left of the old ones is whole."""
        for name, content in self.new.items():
            found = [path for folder in (*self.copies.sources, self.disk) if (path := folder / name).exists()]
            assert len(found) == 1
            assert found[0].read_bytes() == content
        assert sum((self.disk / name).exists() for name in self.new) == n_moved
        for number, path in enumerate(self.old):
            assert not path.exists() or path.read_bytes() == a_plot(number)
        assert not list(self.disk.glob("*.copying"))


V1_BY_V2 = "{name: v1 by v2, old: {version: 1}, new: {suffixes: [.plot2]}}"


def test_a_full_target_gives_up_one_old_plot_for_each_new_one_and_tells_of_each(
    copies: Copies, small_disk: Path
) -> None:
    replacing = Replacing(copies, small_disk, n_old=4, n_new=5)
    replacing.configure("", "1.5MiB")
    assert copies.once(code=1)["targets"][0]["replaceable_bytes"] == 0
    replacing.see_moved(0)
    replacing.configure(f"  replace: [{V1_BY_V2}]\n", "1.5MiB")
    lines = copies.home.run("copy", "--dry-run").stdout.splitlines()
    assert "gives up 1 old plot, 1.00 MiB, once the new one stands there" in lines[0]
    assert f"{plot_name(0)} (rule v1 by v2)" in lines[0]
    assert lines[-2] == "4 old plots, 4.00 MiB, would be deleted"
    assert lines[-1].startswith("4 to move, 4.00 MiB, done in ")
    assert lines[-1].endswith("; 1 have no room, 1.00 MiB")
    document = json.loads(copies.home.run("copy", "--dry-run", "--json").stdout)
    replaced = [each for move in document["moves"] for each in move["replaces"]]
    assert replaced == [{"filepath": str(path), "bytes": MIB, "rule": "v1 by v2"} for path in replacing.old]
    assert document["targets"][0]["replaceable_bytes"] == 4 * MIB
    replacing.see_moved(0)
    assert replacing.gone() == []
    document = copies.once(code=1)
    replacing.see_moved(4)
    assert replacing.gone() == [0, 1, 2, 3]
    told = [path for job in document["jobs"] for path in job["replaced_filepaths"]]
    assert sorted(told) == sorted(str(path) for path in replacing.old)
    assert all(len(job["replaced_filepaths"]) == (job["state"] == "DONE") for job in document["jobs"])
    assert document["targets"][0]["replaceable_bytes"] == 0


def test_where_a_new_plot_cannot_be_written_beside_old_ones_they_go_first_only_if_the_rule_says_so(
    copies: Copies, small_disk: Path
) -> None:
    replacing = Replacing(copies, small_disk, n_old=5, n_new=1, filler=MIB // 2)
    replacing.configure(f"  replace: [{V1_BY_V2}]\n")
    (job,) = copies.once(code=1)["jobs"]
    assert "no old plot that may go first: set copy.reserve to the size of a plot, or" in job["last_error"]
    assert replacing.gone() == []
    replacing.configure(f"  replace: [{V1_BY_V2[:-1]}, when_full: delete_first}}]\n")
    assert (
        "gives up 1 old plot, 1.00 MiB, before the new one can be written"
        in copies.home.run("copy", "--dry-run").stdout
    )
    (job,) = copies.once()["jobs"]
    assert job["replaced_filepaths"] == [str(replacing.old[0])]
    assert replacing.gone() == [0]
    replacing.see_moved(1)


@pytest.mark.parametrize("when_full", ["write_first", "delete_first"])
def test_a_killed_copier_gives_up_no_more_old_plots_than_one_that_is_not(
    copies: Copies, small_disk: Path, when_full: str
) -> None:
    n_old, filler, reserve = (4, 0, "1.5MiB") if when_full == "write_first" else (5, MIB // 2, "0")
    replacing = Replacing(copies, small_disk, n_old=n_old, n_new=3, filler=filler)
    rules = f"  replace: [{V1_BY_V2[:-1]}, when_full: {when_full}}}]\n"
    replacing.configure(f"{rules}  max_bandwidth: 1MB\n", reserve)
    for _ in range(4):
        process = copies.home.start("copy", ready="goes to")
        copies.home.until(lambda: list(small_disk.glob("*.copying")))
        process.kill()
        process.wait()
        assert len(replacing.gone()) <= 3
    replacing.configure(rules, reserve)
    assert copies.once()["copier"]["n_failed"] == 0
    replacing.see_moved(3)
    assert replacing.gone() == [0, 1, 2]
    assert copies.journal == []


def test_a_killed_copier_goes_on_and_every_plot_arrives_once(copies: Copies) -> None:
    copies.configure("  max_bandwidth: 16MB\n")
    copies.write(range(4), 8 * MIB)
    for _ in range(4):
        process = copies.home.start("copy", ready="goes to")
        copies.home.until(copies.are_under_way)
        process.kill()
        process.wait()
        assert copies.in_sources()
    copies.configure()
    document = copies.once()
    copies.see_all_moved(range(4), 8 * MIB)
    assert document["copier"]["n_failed"] == 0
    assert copies.journal == []


def test_on_a_terminal_jobs_are_drawn_in_place_and_the_end_is_one_line(copies: Copies) -> None:
    copies.write(range(3))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chiatea", "copy", "--once"],
        env=copies.home.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    # Source: pty(7): reading fails with EIO when nobody has the other side open any more.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            drawn += piece
    os.close(ours)
    assert process.communicate()[0] == b""
    assert process.returncode == 0
    lines = drawn.decode().split("\r\n")
    for number in range(3):
        assert any("moved " in line and f"{plot_name(number)} to " in line for line in lines)
    assert any("copying" in line and "[...................." in line for line in lines)
    assert lines[-2].endswith("moved 3 plots, 3.00 MiB; 0 failed")
    assert "level=" not in drawn.decode()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if "chiatea.copier.worker" in child.cmdline()]


def test_a_killed_worker_is_replaced_and_its_plot_arrives(copies: Copies) -> None:
    copies.configure("  max_bandwidth: 4MB\n  retry_after: 0.1s\n")
    copies.write(range(1), 4 * MIB)
    process = copies.home.start("copy", ready="goes to")
    copies.home.until(lambda: workers_of(process) and copies.are_under_way())
    workers_of(process)[0].kill()
    copies.home.until(lambda: copies.in_sources() == [] and not copies.journal)
    copies.see_all_moved(range(1), 4 * MIB)


def test_the_service_takes_plots_as_they_appear_and_leaves_off_when_it_is_told_to(copies: Copies) -> None:
    copies.sources[1].rmdir()
    copies.write(range(1))
    process = copies.home.start("copy", ready="moved")
    copies.sources[1].mkdir()
    copies.write(range(1, 4))
    copies.home.until(lambda: copies.in_sources() == [])
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    copies.see_all_moved(range(4))


def test_ended_in_the_middle_it_goes_on_at_the_next_start(copies: Copies) -> None:
    copies.configure("  max_bandwidth: 4MB\n")
    copies.write(range(1), 8 * MIB)
    process = copies.home.start("copy", ready="goes to")
    copies.home.until(copies.are_under_way)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert len(copies.journal) == 1
    copies.configure()
    document = copies.once()
    copies.see_all_moved(range(1), 8 * MIB)
    assert states(document) == {plot_name(0): "DONE"}


def test_a_second_copier_is_refused_with_one_line_and_a_killed_ones_locks_are_free(copies: Copies) -> None:
    process = copies.home.start("copy", ready="watching")
    done = copies.home.run("copy", "--once", check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"another chia-tea copy (process {process.pid})" in done.stderr
    other = copies.home.folder / "other.yml"
    other.write_text(copies.home.config.read_text().replace("name: barn", "name: barn, state_folder: elsewhere"))
    done = copies.home.run("copy", "--once", "--config", str(other), check=False)
    assert done.returncode == 2
    assert str(copies.sources[0]) in done.stderr
    process.kill()
    process.wait()
    copies.once()


def test_without_folders_it_says_what_to_configure(home: Home) -> None:
    done = home.run("copy", "--once", check=False)
    assert done.returncode == 2
    assert "copy.source_folders: is empty" in done.stderr
