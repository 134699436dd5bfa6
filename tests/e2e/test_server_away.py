"""The server goes away, the collector too: what happened meanwhile arrives later, in order, each thing once."""

import sqlite3
from functools import partial

from chiatea.protobuf.monitoring_service_pb2 import EventBatch

from .conftest import Home
from .test_one_machine import LINE


def spooled_counts(home: Home) -> list[int]:
    """The numbers of challenges that the spooled events of the harvester tell."""
    connection = sqlite3.connect(f"file:{home.folder / '.chia_tea/state/spool.db'}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT data FROM batch ORDER BY sequence").fetchall()
    finally:
        connection.close()
    events = [event for (data,) in rows for event in EventBatch.FromString(data).events]
    return [event.harvester.n_challenges for event in events if event.HasField("harvester")]


def has_spooled(home: Home, n_challenges: int) -> bool:
    return n_challenges in spooled_counts(home)


def has_counted(home: Home, n_challenges: int) -> bool:
    return bool((home.machine().get("harvester") or {}).get("n_challenges") == n_challenges)


def test_what_happens_while_the_server_is_away_and_the_collector_is_killed_arrives_later_once(home: Home) -> None:
    log = home.chia_root / "log" / "debug.log"
    log.parent.mkdir(parents=True)
    home.run("certs", "create")
    server = home.start("serve")
    collector = home.start("collect", ready="connected to the server")
    n_lines = 0

    def look_up() -> None:
        nonlocal n_lines
        with log.open("a") as file:
            file.write(LINE.format(minute=n_lines, eligible=2, proofs=1, seconds=0.25))
        n_lines += 1

    look_up()
    home.until(partial(has_counted, home, 1))
    server.kill()
    server.wait()
    for _ in range(2):
        look_up()
        home.until(partial(has_spooled, home, n_lines))
    collector.kill()
    collector.wait()
    look_up()
    home.start("collect", ready="going on without the server")
    home.until(partial(has_spooled, home, n_lines))
    look_up()
    home.until(partial(has_spooled, home, n_lines))
    home.start("serve")
    home.until(partial(has_counted, home, n_lines))
    counts = home.sql(
        "SELECT n_challenges AS n FROM HarvesterEvents WHERE n_challenges > 0 ORDER BY sequence, position"
    )
    told = [row["n"] for row in counts]
    assert sorted(set(told)) == list(range(1, n_lines + 1))
    assert told == sorted(told)
    home.until(lambda: not spooled_counts(home))
    home.until(lambda: home.machine()["collector"]["is_spooling"] is False)
    twice = home.sql("SELECT sequence, position FROM HarvesterEvents GROUP BY 1, 2 HAVING count(*) > 1")
    assert twice == []


def test_a_collector_that_ends_while_the_server_is_away_leaves_its_last_events_on_the_disk(home: Home) -> None:
    log = home.chia_root / "log" / "debug.log"
    log.parent.mkdir(parents=True)
    home.run("certs", "create")
    collector = home.start("collect", ready="going on without the server")
    log.write_text(LINE.format(minute=1, eligible=2, proofs=1, seconds=0.25))
    home.until(partial(has_spooled, home, 1))
    collector.terminate()
    assert collector.wait(15) == 0
    home.start("serve")
    home.start("collect", ready="connected to the server")
    home.until(partial(has_counted, home, 1))
    assert home.sql("SELECT max(n_challenges) AS n FROM HarvesterEvents") == [{"n": 1}]
