"""A copier steered from elsewhere: real server, real copier, real plots, slowed down so that there is time."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.copier.small_plots import a_plot, plot_name, write_plot

from .conftest import Home
from .test_copy import Copies

MIB = 1 << 20
SLOW = "  max_bandwidth: 1MB\n"


class Farm(Copies):
    """A server and a copier of one machine, and a plot of 64 MiB that would take a minute."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.configure(SLOW)
        self.source = write_plot(self.sources[0], 1, 64 * MIB)
        home.run("certs", "create")
        self.server = home.start("serve")

    def start_copier(self) -> subprocess.Popen[str]:
        return self.home.start("copy", ready="connected to the server")

    def listed(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.home.run("jobs", "--json").stdout)
        return document

    def job(self) -> dict[str, Any]:
        jobs = self.listed()["jobs"]
        return jobs[0] if jobs else {}

    def copier(self) -> dict[str, Any]:
        copiers = self.listed()["copiers"]
        return copiers[0] if copiers else {}

    def until_state(self, state: str) -> dict[str, Any]:
        self.home.until(lambda: self.job().get("state") == state)
        return self.job()

    def order(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        done = self.home.run("jobs", *arguments, "--json", check=False)
        assert done.returncode == code, done.stderr + done.stdout
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    def copied_bytes(self) -> int:
        """What the disk of the target has, asked of it alone."""
        files = [path for folder in self.targets for path in folder.glob("*.copying")]
        return sum(path.stat().st_blocks for path in files) * 512

    def history(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.home.run("events", "--json", "--topic", "copy_command", *arguments)
        return [event["entry"] for event in json.loads(done.stdout)]


@pytest.fixture
def farm(home: Home) -> Farm:
    return Farm(home)


def test_a_running_copy_is_paused_goes_on_and_is_cancelled_and_all_of_it_is_in_the_history(farm: Farm) -> None:
    farm.start_copier()
    farm.until_state("COPYING")
    farm.home.until(lambda: farm.job()["copied_bytes"] > 0)
    job_id = farm.job()["id"]
    assert job_id[:8] in farm.home.run("jobs").stdout

    (paused,) = farm.order("pause", job_id[:5])
    assert paused["state"] == "DONE"
    assert paused["result"].startswith("paused at ")
    assert paused["finished_time"] - paused["sent_time"] < 1.0
    before = farm.until_state("PAUSED")["copied_bytes"]
    time.sleep(0.6)  # two reports would have come
    assert farm.job()["copied_bytes"] == before > 0

    (resumed,) = farm.order("resume", job_id)
    assert resumed["result"].startswith("goes on from ")
    farm.home.until(lambda: farm.job()["copied_bytes"] > before)

    (cancelled,) = farm.order("cancel", job_id)
    assert cancelled["result"] == "cancelled: its temporary copy is gone, the source stays"
    assert farm.until_state("CANCELLED")["source_filepath"] == str(farm.source)
    assert farm.in_targets() == []
    assert farm.source.read_bytes() == a_plot(1, 64 * MIB)
    farm.home.until(lambda: farm.copier()["n_active"] == 0)

    events = farm.history()
    assert [(event["action"], event["state"]) for event in events] == [
        (action, state) for action in ("PAUSE", "RESUME", "CANCEL") for state in ("PENDING", "DONE")
    ]
    assert {event["sender"].partition(" ")[2] for event in events} == {"(operator)"}
    (refused,) = farm.order("pause", job_id, code=1)
    assert (refused["state"], refused["result"]) == ("REFUSED", f"{job_id} is cancelled already")


def test_what_was_ordered_outlives_the_copier(farm: Farm) -> None:
    copier = farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    farm.order("pause", farm.job()["id"])
    farm.order("bandwidth", "3MB")
    farm.order("drain", str(farm.targets[0]))
    copier.send_signal(signal.SIGKILL)
    copier.wait()
    farm.start_copier()
    farm.home.until(lambda: farm.copier().get("max_bytes_per_second") == 3_000_000)
    job = farm.until_state("PAUSED")
    states = {target["id"]: target["state"] for target in farm.listed()["targets"]}
    assert states == {str(farm.targets[0]): "DRAINED", str(farm.targets[1]): "READY"}
    (released,) = farm.order("release", str(farm.targets[0]))
    assert released["result"] == "gets plots again"
    farm.order("bandwidth", "0")
    farm.order("resume", job["id"])
    farm.until_state("DONE")
    farm.see_all_moved(range(1, 2), 64 * MIB)


def test_a_cancelled_job_stays_cancelled_until_it_is_tried_again(farm: Farm) -> None:
    copier = farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    job_id = farm.job()["id"]
    farm.order("cancel", job_id)
    copier.terminate()
    assert copier.wait(15) == 0
    farm.start_copier()
    farm.until_state("CANCELLED")
    farm.order("bandwidth", "0")
    (retried,) = farm.order("retry", job_id)
    assert retried["result"] == "is in the queue again"
    farm.until_state("DONE")
    farm.see_all_moved(range(1, 2), 64 * MIB)


def test_a_job_is_sent_to_another_target(farm: Farm) -> None:
    farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    job = farm.job()
    (other,) = {str(path) for path in farm.targets} - {job["target_id"]}
    (moved,) = farm.order("move", other, job["id"])
    assert moved["result"] == f"goes to {other}"
    farm.home.until(lambda: farm.job()["target_id"] == other)
    assert not list(Path(job["target_id"]).iterdir())
    (refused,) = farm.order("move", other, job["id"], code=1)
    assert refused["result"] == f"{job['id']} goes to {other} already"
    farm.order("bandwidth", "0")
    farm.until_state("DONE")
    assert [path.name for path in Path(other).iterdir()] == [plot_name(1)]


def test_all_copies_are_paused_and_go_on(farm: Farm) -> None:
    write_plot(farm.sources[1], 2, 64 * MIB)
    farm.configure(f"{SLOW}  max_per_target: 2\n")
    farm.start_copier()
    farm.home.until(lambda: farm.copier().get("n_active") == 2)
    (paused,) = farm.order("pause", "--all")
    assert paused["action"] == "PAUSE_ALL"
    farm.home.until(lambda: [job["state"] for job in farm.listed()["jobs"]] == ["PAUSED", "PAUSED"])
    assert farm.copier()["is_paused"]
    write_plot(farm.sources[1], 3, MIB)
    farm.home.until(lambda: farm.copier()["n_queued"] == 1)
    (refused,) = farm.order("resume", farm.job()["id"], code=1)
    assert refused["result"] == "all is paused: resume all"
    farm.order("bandwidth", "0")
    farm.order("resume", "--all")
    farm.home.until(lambda: farm.copier()["n_done"] == 3)
    assert farm.in_sources() == []


def test_what_is_ordered_while_the_copier_is_away_waits_for_it(farm: Farm) -> None:
    copier = farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    copier.terminate()
    assert copier.wait(15) == 0
    farm.home.until(lambda: not farm.copier()["is_running"])
    assert "its copier is not there" in farm.home.run("jobs").stdout
    (waiting,) = farm.order("pause", farm.job()["id"], code=1)
    assert waiting["state"] == "PENDING"
    farm.server.terminate()
    assert farm.server.wait(15) == 0
    farm.home.start("serve")
    farm.start_copier()
    farm.until_state("PAUSED")
    farm.home.until(lambda: [command["state"] for command in farm.history()] == ["PENDING", "DONE"])


def test_a_copier_without_its_server_moves_on_and_says_it_once(farm: Farm) -> None:
    farm.configure("  max_bandwidth: 32MB\n")
    farm.start_copier()
    farm.home.until(lambda: farm.copied_bytes() > 0)
    farm.server.kill()
    farm.server.wait()
    farm.home.until(lambda: farm.in_targets() == [plot_name(1)] and farm.in_sources() == [])
    log = (farm.home.folder / "1.stderr").read_text()
    assert sum("level=warning" in line for line in log.splitlines()) == 1, log
    farm.home.start("serve")
    farm.until_state("DONE")


def test_a_job_that_is_not_there_and_an_ambiguous_one_are_told(farm: Farm) -> None:
    for number in range(2, 20):
        write_plot(farm.sources[0], number, MIB)
    farm.start_copier()
    farm.home.until(lambda: len(farm.listed()["jobs"]) == 19)
    unknown = farm.home.run("jobs", "pause", "nothing", check=False)
    assert unknown.returncode == 1
    assert unknown.stderr == "chia-tea: there is no job nothing: `chia-tea jobs list --all` shows all\n"
    ids = [job["id"] for job in farm.listed()["jobs"]]
    first = next(job_id[0] for job_id in ids if sum(other[0] == job_id[0] for other in ids) > 1)
    ambiguous = farm.home.run("jobs", "cancel", first, check=False)
    assert ambiguous.returncode == 1
    assert "is the beginning of" in ambiguous.stderr
    assert farm.home.run("jobs", "pause", check=False).returncode == 2
    elsewhere = farm.home.run("jobs", "pause", ids[0], "--machine", "nowhere", check=False)
    assert elsewhere.stderr == "chia-tea: there is no machine nowhere: machines are barn\n"


def test_a_priority_lets_a_job_begin_sooner(farm: Farm) -> None:
    for number in range(2, 6):
        write_plot(farm.sources[0], number, MIB)
    farm.configure(f"{SLOW}  max_active: 1\n")
    farm.start_copier()
    farm.home.until(lambda: len(farm.listed()["jobs"]) == 5)
    last = max(farm.listed()["jobs"], key=lambda job: (job["created_time"], job["source_filepath"]))
    assert last["state"] == "QUEUED"
    (answer,) = farm.order("priority", "7", last["id"])
    assert answer["result"] == "has priority 7"
    running = next(job for job in farm.listed()["jobs"] if job["state"] == "COPYING")
    farm.order("cancel", running["id"])
    farm.home.until(
        lambda: next(j for j in farm.listed()["jobs"] if j["id"] == last["id"])["state"] not in {"QUEUED", "PAUSED"}
    )


def test_a_running_copy_gets_a_limit_of_its_own_and_loses_it_again(farm: Farm) -> None:
    farm.configure("  max_bandwidth_per_job: 1MB\n")
    farm.start_copier()
    job = farm.until_state("COPYING")
    (answer,) = farm.order("bandwidth", job["id"], "500kB")
    assert (answer["state"], answer["result"]) == ("DONE", "at most 488 KiB/s")
    farm.home.until(lambda: farm.job().get("max_bytes_per_second") == 500_000)
    assert any("(at most 488 KiB/s)" in line for line in farm.home.run("jobs").stdout.splitlines())
    began = time.monotonic()
    (answer,) = farm.order("bandwidth", job["id"], "0")
    assert answer["result"] == "has no limit of its own"
    farm.home.until(lambda: farm.job().get("state") == "DONE")
    # At its limits it would have taken a minute or two.
    assert time.monotonic() - began < 20
    farm.see_all_moved(range(1, 2), 64 * MIB)
    (answer,) = farm.order("bandwidth", job["id"], "1MB", code=1)
    assert answer["state"] == "REFUSED"


def test_targets_are_listed_with_their_groups_in_the_order_in_which_they_are_filled(farm: Farm) -> None:
    one, two = farm.targets
    farm.configure(f"{SLOW}  target_groups: [{{name: fast, folders: [{two}]}}]\n", targets=[one])
    dry = farm.home.run("copy", "--dry-run").stdout.splitlines()
    assert f"1. {farm.source} -> {two} " in dry[0]
    assert ": group fast: no copy under way on its disk" in dry[0]
    farm.start_copier()
    farm.until_state("COPYING")
    head, first, second = farm.home.run("jobs", "targets").stdout.splitlines()
    assert head.split() == ["MACHINE", "TARGET", "GROUP", "STATE", "FREE", "PROMISED", "COPIES", "WHY"]
    assert first.split()[1:4] == [str(two), "fast", "ready"]
    assert second.split()[1:4] == [str(one), "-", "ready"]
    listed = json.loads(farm.home.run("jobs", "targets", "--json").stdout)["targets"]
    assert {(target["id"], target["group"], target["group_rank"]) for target in listed} == {
        (str(two), "fast", 0),
        (str(one), "", 1),
    }


def test_a_dry_run_heeds_what_was_ordered(farm: Farm) -> None:
    copier = farm.start_copier()
    job = farm.until_state("COPYING")
    farm.order("drain", str(farm.targets[0]))
    farm.order("pause", job["id"])
    copier.send_signal(signal.SIGTERM)
    assert copier.wait(30) == 0
    write_plot(farm.sources[1], 2, MIB)
    lines = farm.home.run("copy", "--dry-run").stdout.splitlines()
    assert f"{farm.source} stays: it is paused, as was ordered: `chia-tea jobs resume` lets it go on" in lines
    assert f" -> {farm.targets[1]} " in lines[0]
    assert lines[-1].endswith("; 0 have no room; 1 wait")


def test_a_viewer_sees_jobs_and_orders_nothing(farm: Farm) -> None:
    farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    job_id = farm.job()["id"]
    folder = farm.home.config.parent
    for name in ("operator.token", "admin.token"):
        (folder / name).unlink()
    (folder / "viewer.token").rename(folder / "operator.token")
    refused = farm.home.run("jobs", "cancel", job_id, check=False)
    assert refused.returncode == 1
    assert "this token may not do that" in refused.stderr
    assert farm.job()["state"] == "COPYING"


def test_on_a_terminal_cancel_says_what_is_lost_and_asks(farm: Farm) -> None:
    farm.start_copier()
    farm.home.until(lambda: farm.job().get("copied_bytes", 0) > 0)
    command = [sys.executable, "-m", "chiatea", "jobs", "cancel", farm.job()["id"]]
    for answer, code, state in (("n", 130, "COPYING"), ("y", 0, "CANCELLED")):
        terminal, end = pty.openpty()
        process = subprocess.Popen(
            command, env=farm.home.environment, stdin=end, stdout=subprocess.DEVNULL, stderr=end, text=True
        )
        os.close(end)
        said = b""
        while b"?" not in said or b"]:" not in said:
            said += os.read(terminal, 1000)
        assert b"The temporary copy is lost" in said
        assert b"the source stays" in said
        os.write(terminal, f"{answer}\n".encode())
        assert process.wait(20) == code
        os.close(terminal)
        farm.until_state(state)


def test_up_runs_the_copier_too_where_copy_folders_are_configured(home: Home) -> None:
    copies = Copies(home)
    copies.write(range(3))
    home.start("up", "--headless")
    home.until(lambda: (home.machine().get("copier") or {}).get("n_done") == 3)
    machine = home.machine()
    assert machine["copier"]["is_running"]
    assert {target["id"] for target in machine["copy_targets"]} == {str(path) for path in copies.targets}
    assert [job["state"] for job in machine["copy_jobs"]] == ["DONE"] * 3
    copies.see_all_moved(range(3))
