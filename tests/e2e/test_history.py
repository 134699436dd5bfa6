"""History and the database's own commands, as their users type them."""

import json
import sqlite3
import subprocess
import sys

import psutil

from tests.server.test_first_chia_tea import old_statements

from .conftest import Home


def test_events_are_listed_filtered_and_followed(home: Home) -> None:
    home.start("up", "--headless")
    home.until(lambda: home.machine().get("cpu") and home.machine()["disks"])
    listed = json.loads(home.run("events", "--json", "--topic", "ram").stdout)
    assert listed[0]["event_type"] == "ADD"
    assert listed[0]["machine"] == "barn"
    assert listed[0]["entry"]["total_bytes"] == psutil.virtual_memory().total
    times = [event["time"] for event in json.loads(home.run("events", "--json", "--newest-first").stdout)]
    assert times == sorted(times, reverse=True)
    assert "barn  ram  ADD  total_bytes=" in home.run("events", "--machine", "barn", "--limit", "20").stdout
    assert json.loads(home.run("events", "--json", "--text", "no such text").stdout) == []
    follower = subprocess.Popen(
        [sys.executable, "-m", "chiatea", "events", "--follow", "--json", "--topic", "cpu", "--since", "1s"],
        env=home.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    n_before = home.sql("SELECT count(*) AS n FROM CpuEvents")[0]["n"]
    home.until(lambda: home.sql("SELECT count(*) AS n FROM CpuEvents")[0]["n"] > n_before)
    assert json.loads(follower.stdout.readline())["topic"] == "cpu"
    follower.terminate()
    follower.wait(10)
    follower.stdout.close()


def test_what_there_is_not_is_named(home: Home) -> None:
    home.run("certs", "create")
    home.start("serve")
    for arguments, text in (
        (("--topic", "weather"), "there is no topic weather"),
        (("--machine", "attic"), "there is no machine attic"),
    ):
        done = home.run("events", *arguments, check=False)
        assert done.returncode == 1
        assert text in done.stderr
    assert home.run("events", "--since", "yesterday", check=False).returncode == 2
    assert home.run("events", "--follow", "--newest-first", check=False).returncode == 2


def test_a_database_of_the_first_chia_tea_is_taken_over(home: Home) -> None:
    old = home.folder / "old.db"
    connection = sqlite3.connect(old)
    for statement in old_statements():
        connection.execute(statement)
    connection.execute("INSERT INTO MachineInfo VALUES (42, '10.0.0.1', 1650000000.0, 'old barn')")
    connection.execute("INSERT INTO Ram VALUES (42, 64, 32, 8, 4)")
    connection.execute("INSERT INTO RamEvents VALUES (1650000000.0, 42, 1, 64, 32, 8, 4)")
    connection.commit()
    connection.close()
    for _ in range(2):
        told = json.loads(home.run("db", "import", str(old), "--json").stdout)
        assert [machine["name"] for machine in told["machines"]] == ["old barn"]
    assert home.sql("SELECT machine_name, total_bytes FROM RamEventsNamed WHERE event_type = 'ADD'") == [
        {"machine_name": "old barn", "total_bytes": 64}
    ]
    assert home.sql("SELECT count(*) AS n FROM Ram") == [{"n": 0}]
    home.run("db", "import", str(old), "--with-state")
    assert home.sql("SELECT total_bytes FROM Ram") == [{"total_bytes": 64}]
    assert home.run("db", "import", "/none.db", check=False).returncode == 2


def test_the_database_says_what_it_holds_and_what_is_pending(home: Home) -> None:
    assert home.run("db", "info", check=False).returncode == 1
    home.run("certs", "create")
    server = home.start("serve")
    told = json.loads(home.run("db", "info", "--json").stdout)
    assert told["pending"] == []
    assert {"name": "Disk", "n_entries": 0, "n_events": 0, "oldest_event": None} in told["topics"]
    assert json.loads(home.run("db", "migrate", "--dry-run", "--json").stdout)["steps"] == []
    assert "another chia-tea server has it open" in home.run("db", "migrate", check=False).stderr
    server.terminate()
    server.wait(10)
    assert "nothing to do" in home.run("db", "migrate").stdout
