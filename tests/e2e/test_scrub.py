"""`chia-tea copy scrub` as a process, beside the copier that moved the plots, and as the server hears of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.copier.small_plots import a_plot, plot_name, write_plot

from .conftest import Home
from .test_copy import MIB, Copies


class Scrubbing(Copies):
    """Plots that were moved."""

    def scrub(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = self.home.run("copy", "scrub", "--json", "--rate", "0", *arguments, check=False)
        assert done.returncode == code, done.stderr + done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def start_scrub(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "chiatea", "copy", "scrub", *arguments],
            env=self.home.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def plot(self, number: int) -> Path:
        (path,) = [path for folder in self.targets for path in folder.glob(plot_name(number))]
        return path

    def moved(self, numbers: range, n_bytes: int = MIB) -> None:
        self.write(numbers, n_bytes)
        self.once()

    @property
    def database(self) -> Path:
        return self.home.folder / ".chia_tea/state/copy/plots.db"


@pytest.fixture
def copies(home: Home) -> Scrubbing:
    return Scrubbing(home)


def rot(path: Path, place: int) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def states(document: dict[str, Any]) -> dict[str, str]:
    return {Path(plot["filepath"]).name: plot["state"] for plot in document["plots"]}


def test_moved_plots_are_read_again_and_what_is_wrong_is_told_until_it_is_right(copies: Scrubbing) -> None:
    copies.moved(range(5))
    names = [plot_name(number) for number in range(5)]
    assert states(copies.scrub()) == dict.fromkeys(names, "FINE")
    rotten = copies.plot(0)
    rot(rotten, 500_000)
    copies.plot(1).unlink()
    os.truncate(copies.plot(2), 1000)
    document = copies.scrub(code=1)
    assert states(document) == {
        names[0]: "ROTTEN", names[1]: "MISSING", names[2]: "CHANGED", names[3]: "FINE", names[4]: "FINE",
    }  # fmt: skip
    found = {Path(finding["id"]).name: finding for finding in document["findings"]}
    assert {name: finding["state"] for name, finding in found.items()} == {
        names[0]: "ROTTEN", names[1]: "MISSING", names[2]: "CHANGED",
    }  # fmt: skip
    assert found[names[0]]["text"] == f"1 of 1 blocks hold other bytes: bytes 0-{MIB - 1}"
    assert found[names[0]]["expected_hash"] != found[names[0]]["found_hash"]
    assert document["sums"]["n_known_hashes"] == document["sums"]["n_scrubbed"] == 5

    text = copies.home.run("copy", "scrub", "--dry-run").stdout.splitlines()
    assert sum(": rotten, found " in line for line in text) == 1
    assert text[-1].endswith("; 3 findings")

    rotten.write_bytes(a_plot(0))
    done = copies.home.run("copy", "scrub", str(rotten), "--rate", "0")
    assert done.stdout.splitlines()[0].startswith(f"{rotten}: is fine again")
    forgotten = copies.home.run("copy", "scrub", "--forget", str(copies.targets[0].parent)).stdout.splitlines()
    assert forgotten[-1] == "1 forgotten"
    assert names[1] in forgotten[0]
    copies.scrub("--adopt", str(copies.plot(3)))  # it is fine as it is: nothing to do
    os.truncate(copies.plot(2), 0)
    copies.scrub("--adopt", str(copies.plot(2)), code=1)  # a plot that is no plot is not made right
    copies.plot(2).write_bytes(a_plot(2))
    assert copies.scrub()["findings"] == []


def test_nothing_is_read_by_a_dry_run_and_what_was_read_lately_not_where_that_is_not_asked_for(
    copies: Scrubbing,
) -> None:
    copies.moved(range(3))
    assert copies.scrub("--older-than", "1h")["plots"] == []
    assert len(copies.scrub("--dry-run")["would_read"]) == 3
    assert copies.scrub("--dry-run")["sums"]["n_scrubbed"] == 0
    first = states(copies.scrub("--limit", "2"))
    assert len(first) == 2
    assert states(copies.scrub("--limit", "1")).keys() == {plot_name(number) for number in range(3)} - first.keys()


def test_a_killed_or_interrupted_scrub_goes_on_where_it_stopped(copies: Scrubbing) -> None:
    copies.moved(range(1), 200 * MIB)
    rot(copies.plot(0), 10)
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, 0)):
        before = n_blocks_read(copies)
        process = copies.start_scrub("--rate", "100MB")
        # A block of 64 MiB, Python itself, and some of the next block.
        copies.home.until(partial(has_read, process.pid, 100 * MIB))
        process.send_signal(how)
        said, _ = process.communicate(timeout=10)
        assert process.returncode == code, said
        if how is not signal.SIGKILL:
            assert b"nothing was read, 1 left" in said
            assert n_blocks_read(copies) == before + 1
        else:
            assert n_blocks_read(copies) == before
    document = copies.scrub(code=1)
    (plot,) = document["plots"]
    assert plot["text"] == f"1 of 4 blocks hold other bytes: bytes 0-{64 * MIB - 1}"
    assert n_blocks_read(copies) == 0


def has_read(pid: int, n_bytes: int) -> bool:
    return bool(psutil.Process(pid).io_counters().read_chars > n_bytes)


def n_blocks_read(copies: Scrubbing) -> int:
    script = f"import sqlite3; print(sqlite3.connect({str(copies.database)!r}).execute("
    script += "'SELECT count(*) FROM reading_block').fetchone()[0])"
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)


def test_a_scrub_is_as_slow_as_it_was_told_to_be_and_lets_all_others_go_first(copies: Scrubbing) -> None:
    copies.moved(range(1), 20 * MIB)
    process = copies.start_scrub("--rate", "10MB")
    copies.home.until(lambda: os.getpriority(os.PRIO_PROCESS, process.pid) == 19)
    began = time.monotonic()
    assert process.wait(30) == 0
    assert 1.0 < time.monotonic() - began < 6
    process.communicate()


def test_bytes_that_the_disk_cannot_read_are_told_with_their_place(copies: Scrubbing) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    copies.moved(range(2), 3 * MIB)
    plot = copies.plot(0)
    fault = ["strace", "-f", "-qq", "-o", str(copies.home.folder / "trace"), "-P", str(plot)]
    fault += ["-e", "trace=preadv2,preadv", "-e", "inject=preadv2,preadv:error=EIO:when=2"]
    scrub = [sys.executable, "-m", "chiatea", "copy", "scrub", "--json", "--rate", "0"]
    done = subprocess.run([*fault, *scrub], env=copies.home.environment, capture_output=True, timeout=30, check=False)
    if b"not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert states(document) == {plot_name(0): "UNREADABLE", plot_name(1): "FINE"}
    (finding,) = document["findings"]
    assert finding["text"] == (
        f"1 of 1 blocks cannot be read: bytes 0-{3 * MIB - 1}: first the plot: cannot be read back at byte {MIB}: "
        "Input/output error"
    )
    assert copies.scrub()["findings"] == []


def test_plots_of_others_are_adopted_while_the_copier_and_two_scrubs_are_at_work(copies: Scrubbing) -> None:
    copies.configure("  max_bandwidth: 8MB\n")
    for number in range(20, 24):
        write_plot(copies.targets[number % 2], number, 4 * MIB)
    copies.write(range(6), 4 * MIB)
    copier = copies.home.start("copy", ready="goes to")
    adopting = [copies.start_scrub("--adopt", str(folder), "--rate", "8MB") for folder in copies.targets]
    for process in adopting:
        said, errors = process.communicate(timeout=30)
        assert process.returncode == 0, said + errors
    copies.home.until(lambda: copies.in_sources() == [])
    copier.send_signal(signal.SIGTERM)
    assert copier.wait(10) == 0
    document = copies.scrub()
    assert states(document) == {plot_name(number): "FINE" for number in (*range(6), *range(20, 24))}


def test_the_server_hears_of_what_a_scrub_found_and_of_what_is_right_again(
    copies: Scrubbing,
) -> None:
    home = copies.home
    home.run("certs", "create")
    home.start("serve")
    copies.moved(range(3))
    home.start("copy", ready="connected to the server")
    plot = copies.plot(1)
    rot(plot, 77)
    copies.scrub(code=1)

    def listed(name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = json.loads(home.run("jobs", "--json").stdout)[name]
        return entries

    home.until(lambda: listed("scrub_findings"))
    (finding,) = listed("scrub_findings")
    assert (finding["id"], finding["state"], finding["machine"]) == (str(plot), "ROTTEN", "barn")
    (copier,) = listed("copiers")
    assert (copier["n_known_hashes"], copier["n_scrubbed"]) == (3, 3)
    assert time.time() - copier["last_scrub_time"] < 60
    text = home.run("jobs").stdout
    assert "3 of 3 known plots scrubbed, last " in text
    assert f"barn: {plot} is rotten, found " in text
    assert "scrubs found something wrong with 1 plots" in home.run("status").stdout
    assert home.status()["totals"]["n_scrub_findings"] == 1

    plot.write_bytes(a_plot(1))
    copies.scrub()
    home.until(lambda: not listed("scrub_findings"))
    events = json.loads(home.run("events", "--json", "--topic", "scrub_finding").stdout)
    assert [event["event_type"] for event in events] == ["ADD", "DELETE"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["copy", "--once", "scrub"], "options of scrub come after its name"),
        (["copy", "scrub", "--adopt"], "--adopt needs a PATH"),
        (["copy", "scrub", "--adopt", "--forget", "x"], "--adopt and --forget exclude each other"),
        (["copy", "scrub", "--rate", "fast"], "'fast' is no size"),
        (["copy", "scrub", "--older-than", "old"], "'old' is no duration"),
        (["copy", "scrubs"], "No such command 'scrubs'"),
    ],
)
def test_wrong_usage_is_one_line(home: Home, arguments: list[str], said: str) -> None:
    done = home.run(*arguments, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_a_path_of_which_nothing_is_known_is_one_line(copies: Scrubbing) -> None:
    done = copies.home.run("copy", "scrub", "elsewhere", check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "elsewhere: no plot is known there: `chia-tea copy scrub --adopt PATH`" in done.stderr
    assert copies.home.run("copy", "scrub").stdout.startswith("nothing was read; 0 B")
    assert "scrub" in copies.home.run("copy", "--help").stdout
