"""What the first chia-tea knew is taken over: once, whole, under the new names, whatever state its file is in."""

import contextlib
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from chiatea.errors import ConfigurationError
from chiatea.protobuf.chia_pb2 import (
    Farmer,
    FullNode,
    Harvester,
    HarvesterPlot,
    HarvesterViewedFromFarmer,
    PlotInProgress,
    Process,
    Wallet,
)
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, NONE, UPDATE
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.database import Database
from chiatea.server.database.first_chia_tea import PAGE_ROWS, ImportReport, import_first, machine_id_of
from chiatea.server.database.query import query
from chiatea.server.database.schema import TABLES

BARN: Final = 0x0242AC110002
SHED: Final = 0x00E04C680001
BARN_ID: Final = "old-0242ac110002"
SHED_ID: Final = "old-00e04c680001"
NOON: Final = 1_636_545_600.0
PLOT_KEY: Final = "0x" + "8a" * 48
POOL_KEY: Final = "0x" + "b1" * 48
PLOT_ID: Final = "0x" + "c7" * 32
NODE_ID: Final = "1e0f" * 16

# The types as the first chia-tea declared them: SQLite knows neither READ nor STRING, and keeps what looks like a
# number as a number.
OLD_TABLES: Final = {
    "Cpu": "name STRING, clock_speed READ, usage READ, temperature READ, n_vcores INTEGER",
    "Ram": "total_ram INTEGER, used_ram INTEGER, total_swap INTEGER, used_swap INTEGER",
    "Disk": "id STRING, name STRING, total_space READ, used_space READ, device STRING, mountpoint STRING, "
    "fstype STRING, mount_options STRING, temperature READ, read_activity READ, write_activity READ, read_speed READ, "
    "write_speed READ, read_total_tbw READ, write_total_tbw READ",
    "Farmer": "is_running INTEGER, total_challenges INTEGER",
    "HarvesterViewedFromFarmer": "id STRING, connection_time READ, time_last_msg_received READ, "
    "time_last_msg_sent READ, ip_address STRING, missed_challenges INTEGER, n_plots INTEGER",
    "HarvesterPlot": "id STRING, filename STRING, filesize INTEGER, pool_contract_puzzle_hash STRING, "
    "pool_public_key STRING, size INTEGER, time_modified READ, plot_seed STRING, disk_id STRING",
    "Harvester": "is_running INTEGER, n_proofs INTEGER",
    "Wallet": "is_running INTEGER, is_synced INTEGER",
    "Process": "name STRING, executable STRING, command STRING, create_time READ, id INTEGER, cpu_usage READ, "
    "used_physical_ram READ, used_virtual_ram READ, opened_files STRING, network_connections STRING",
    "PlotInProgress": "id STRING, pool_public_key STRING, start_time READ, progress READ, state STRING",
    "FullNode": "is_running INTEGER, is_synced INTEGER, sync_blockchain_height INTEGER, sync_node_height INTEGER",
}


def old_statements() -> Iterator[str]:
    for name, columns in OLD_TABLES.items():
        key = ",id" if "id STRING" in columns.split(", ") or "id INTEGER" in columns.split(", ") else ""
        yield (
            f"CREATE TABLE IF NOT EXISTS {name}Events(timestamp READ, machine_id INTEGER, event_type INTEGER, {columns}"
            f",PRIMARY KEY(timestamp,machine_id{key}))"
        )
        yield f"CREATE TABLE IF NOT EXISTS {name}(machine_id INTEGER, {columns},PRIMARY KEY(machine_id{key}))"
    yield (
        "CREATE TABLE IF NOT EXISTS MachineInfo(machine_id INTEGER, ip_address STRING, time_last_msg READ, name STRING"
        ",PRIMARY KEY(machine_id))"
    )
    yield "CREATE TABLE IF NOT EXISTS EventType(name STRING, value INTEGER,PRIMARY KEY(name))"
    for name, value in {"NONE": 0, "ADD": 1, "UPDATE": 2, "DELETE": 3}.items():
        yield f"INSERT OR REPLACE INTO EventType (name, value) VALUES('{name}',{value})"


class OldFile:
    """A database as the first chia-tea's server wrote it: each event, and the state that follows from it."""

    def __init__(self, filepath: Path) -> None:
        self.filepath = filepath
        self._connection = sqlite3.connect(filepath)
        for statement in old_statements():
            self._connection.execute(statement)

    def machine(self, machine_id: int, name: str, time: float, peer: str = "ipv4:192.168.1.7:51844") -> None:
        self.put("MachineInfo", machine_id=machine_id, name=name, ip_address=peer, time_last_msg=time)

    def tell(self, time: float, table: str, event_type: int = UPDATE, machine_id: int = BARN, **values: Any) -> None:
        told = {}
        for column in OLD_TABLES[table].split(", "):
            name, kind = column.split()
            told[name] = values.pop(name, "" if kind == "STRING" else 0)
        assert not values
        self.put(f"{table}Events", timestamp=time, machine_id=machine_id, event_type=event_type, **told)
        if event_type in {ADD, UPDATE}:
            self.put(table, machine_id=machine_id, **told)
        elif event_type == DELETE:
            same = " AND id = :id" if "id" in told else ""
            self.run(f"DELETE FROM {table} WHERE machine_id = :machine{same}", machine=machine_id, id=told.get("id"))

    def put(self, table: str, **values: Any) -> None:
        marks = ", ".join(f":{name}" for name in values)
        self.run(f"INSERT OR REPLACE INTO {table} ({', '.join(values)}) VALUES ({marks})", **values)

    def run(self, statement: str, **values: Any) -> None:
        self._connection.execute(statement, values)

    def save(self) -> Path:
        self._connection.commit()
        self._connection.close()
        return self.filepath


@pytest.fixture
def old(tmp_path: Path) -> OldFile:
    return OldFile(tmp_path / "monitoring.db")


@pytest.fixture
def filepath(tmp_path: Path) -> Path:
    return tmp_path / "farm.db"


def imported(source: Path, filepath: Path) -> ImportReport:
    with Database(filepath) as database:
        return import_first(source, database)


def rows(filepath: Path, statement: str) -> list[tuple[object, ...]]:
    return list(query(filepath, statement)[1])


def content(filepath: Path) -> dict[str, list[tuple[object, ...]]]:
    names = ["MachineInfo", *(table.name for tables in TABLES.values() for table in (tables.state, tables.events))]
    return {name: rows(filepath, f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for name in names}


def held(filepath: Path, topic: str, machine_id: str = BARN_ID) -> list[Any]:
    with Database(filepath) as database:
        return [entry.message for entry in database.load().machine(machine_id).of(topic).values()]


def tell_all(old: OldFile) -> None:
    """Two machines and every topic."""
    old.machine(BARN, "barn", NOON + 60)
    old.machine(SHED, "shed", NOON + 90, "ipv6:%5B::1%5D:51844")
    old.tell(NOON, "Cpu", name="AMD Ryzen 9", clock_speed=3_600.5, usage=12.5, temperature=48.25, n_vcores=24)
    old.tell(NOON, "Cpu", machine_id=SHED, name="Cortex-A72", usage=99, n_vcores=4)
    old.tell(NOON, "Ram", total_ram=64 << 30, used_ram=16 << 30, total_swap=8 << 30, used_swap=1 << 20)
    old.tell(
        NOON, "Disk", ADD, id="/mnt/a", mountpoint="/mnt/a", device="/dev/sda1", fstype="ext4",
        mount_options="rw,noatime", total_space=16e12, used_space=15.5e12,
    )  # fmt: skip
    old.tell(NOON, "Disk", ADD, id="/mnt/b", mountpoint="/mnt/b", mount_options="ro,relatime")
    old.tell(NOON, "Farmer", is_running=1)
    old.tell(
        NOON, "HarvesterViewedFromFarmer", ADD, id=NODE_ID, connection_time=NOON - 3600.5, ip_address="192.168.1.9",
        time_last_msg_received=NOON - 1, time_last_msg_sent=NOON - 2, missed_challenges=3, n_plots=812,
    )  # fmt: skip
    old.tell(NOON, "Harvester", is_running=1, n_proofs=7)
    old.tell(
        NOON, "HarvesterPlot", ADD, id=PLOT_KEY, filename="/mnt/a/plot-k32-x.plot", filesize=108_878_195_752, size=32,
        pool_public_key=POOL_KEY, time_modified=NOON - 1e6, plot_seed=PLOT_ID,
    )  # fmt: skip
    old.tell(NOON, "Wallet", is_running=1, is_synced=1)
    old.tell(NOON, "FullNode", is_running=1, sync_blockchain_height=1_390_736, sync_node_height=70_000)
    old.tell(
        NOON, "Process", ADD, id=1374, name="chia_harvester", executable="/usr/bin/python3", command="chia_harvester",
        create_time=NOON - 5000, cpu_usage=130.5, used_physical_ram=2.0**28, used_virtual_ram=2.0**31,
        opened_files="/mnt/a/plot-k32-x.plot",
    )  # fmt: skip
    old.tell(
        NOON, "PlotInProgress", ADD, id="5f" * 32, pool_public_key="b1" * 48, start_time=NOON - 600, progress=0.25,
        state="Plotting Phase1",
    )  # fmt: skip


def test_every_topic_comes_over_under_its_new_names_and_units(old: OldFile, filepath: Path) -> None:
    tell_all(old)
    report = imported(old.save(), filepath)
    assert report.rows_skipped == report.values_skipped == ()
    assert held(filepath, "cpu") == [
        Cpu(name="AMD Ryzen 9", n_logical_cores=24, usage_percent=12.5, clock_mhz=3600.5, temperature_celsius=48.25)
    ]
    assert held(filepath, "ram") == [
        Ram(
            total_bytes=64 << 30,
            used_bytes=16 << 30,
            available_bytes=48 << 30,
            swap_total_bytes=8 << 30,
            swap_used_bytes=1 << 20,
        )
    ]
    assert held(filepath, "disk") == [
        Disk(
            id="/mnt/a",
            device="/dev/sda1",
            filesystem_type="ext4",
            mount_options="rw,noatime",
            state=Disk.OK,
            total_bytes=16 * 10**12,
            used_bytes=155 * 10**11,
        ),
        Disk(id="/mnt/b", mount_options="ro,relatime", is_read_only=True, state=Disk.OK, total_bytes=0, used_bytes=0),
    ]
    assert held(filepath, "farmer") == [Farmer(is_running=True)]
    assert held(filepath, "farmer_harvester") == [
        HarvesterViewedFromFarmer(
            id=NODE_ID,
            host="192.168.1.9",
            connected_since=NOON - 3600.5,
            last_message_time=NOON - 1,
            missed_challenges=3,
            n_plots=812,
        )
    ]
    assert held(filepath, "harvester") == [Harvester(is_running=True, n_proofs=7)]
    assert held(filepath, "harvester_plot") == [
        HarvesterPlot(
            id="/mnt/a/plot-k32-x.plot",
            plot_id="c7" * 32,
            state=HarvesterPlot.LOADED,
            plot_version=1,
            k=32,
            file_bytes=108_878_195_752,
            plot_public_key="8a" * 48,
            pool_public_key="b1" * 48,
            modified_time=NOON - 1e6,
        )
    ]
    assert held(filepath, "wallet") == [Wallet(is_running=True, is_synced=True)]
    assert held(filepath, "full_node") == [
        FullNode(is_running=True, is_synced=False, sync_tip_height=1_390_736, sync_progress_height=70_000)
    ]
    assert held(filepath, "process") == [
        Process(
            id=1374,
            name="chia_harvester",
            kind=Process.HARVESTER,
            executable="/usr/bin/python3",
            create_time=NOON - 5000,
            cpu_percent=130.5,
            resident_bytes=1 << 28,
            virtual_bytes=1 << 31,
        )
    ]
    assert held(filepath, "plotting_plot") == [
        PlotInProgress(
            id="5f" * 32,
            plotter=PlotInProgress.MADMAX,
            state=PlotInProgress.RUNNING,
            start_time=NOON - 600,
            phase=1,
            n_phases=4,
            step="Plotting Phase1",
            progress_percent=25.0,
        )
    ]


def test_machines_come_over_offline_with_their_names_addresses_and_times(old: OldFile, filepath: Path) -> None:
    tell_all(old)
    report = imported(old.save(), filepath)
    barn = MachineInfo(machine_id=BARN_ID, name="barn", ip_address="192.168.1.7", first_seen=NOON, last_seen=NOON + 60)
    shed = MachineInfo(machine_id=SHED_ID, name="shed", ip_address="::1", first_seen=NOON, last_seen=NOON + 90)
    assert report.machines == (shed, barn)
    with Database(filepath) as database:
        assert database.load().infos == {BARN_ID: barn, SHED_ID: shed}


def test_the_report_counts_rows_events_and_machines(old: OldFile, filepath: Path) -> None:
    tell_all(old)
    report = imported(old.save(), filepath)
    n_events = sum(len(of) for name, of in content(filepath).items() if name.endswith("Events"))
    assert report.events_stored == n_events == 13
    assert report.rows_read == 2 + 13 + 13
    assert report.n_rows_skipped == report.n_values_skipped == 0


def test_imported_twice_it_is_there_once(old: OldFile, filepath: Path) -> None:
    tell_all(old)
    for seconds in range(1, 50):
        old.tell(NOON + seconds, "Disk", id="/mnt/a", total_space=16e12, used_space=15.5e12 + seconds)
    old.tell(NOON + 55, "Disk", DELETE, id="/mnt/a")
    source = old.save()
    first = imported(source, filepath)
    once = content(filepath)
    assert imported(source, filepath) == first
    assert content(filepath) == once


def test_rows_that_lie_elsewhere_in_the_file_are_still_the_same(old: OldFile, filepath: Path) -> None:
    for seconds in range(9):
        old.tell(NOON + seconds, "Cpu", usage=seconds)
    source = old.save()
    imported(source, filepath)
    once = content(filepath)
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE CpuEvents SET rowid = rowid + 1000")
    connection.close()
    imported(source, filepath)
    assert content(filepath) == once


def test_of_a_file_that_has_grown_the_new_is_added(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Disk", id="/mnt/a", used_space=1)
    imported(old.save(), filepath)
    grown = OldFile(old.filepath)
    grown.tell(NOON, "Disk", ADD, id="/mnt/b", used_space=2)
    grown.tell(NOON + 1, "Disk", id="/mnt/a", used_space=3)
    imported(grown.save(), filepath)
    assert rows(filepath, "SELECT id, used_bytes FROM Disk") == [("/mnt/a", 3), ("/mnt/b", 2)]
    assert rows(filepath, "SELECT count(*) FROM DiskEvents") == [(3,)]


def test_more_rows_than_a_page_come_over_in_order_and_tell_how_far_it_is(old: OldFile, filepath: Path) -> None:
    n_events = 2 * PAGE_ROWS + 10
    for index in range(n_events):
        old.tell(NOON + index, "Cpu", usage=index % 100)
    told: list[tuple[int, int]] = []
    with Database(filepath) as database:
        import_first(old.save(), database, lambda done, total: told.append((done, total)))
    n_rows = n_events + 1
    assert told == [(PAGE_ROWS, n_rows), (2 * PAGE_ROWS, n_rows), (n_rows - 1, n_rows), (n_rows, n_rows)]
    assert rows(filepath, "SELECT count(*) FROM CpuEvents") == [(n_events,)]
    assert rows(filepath, "SELECT usage_percent FROM Cpu") == [((n_events - 1) % 100,)]


def test_what_was_deleted_is_history_and_not_state(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Process", ADD, id=7, name="chia_farmer")
    old.tell(NOON + 5, "Process", DELETE, id=7, name="chia_farmer")
    imported(old.save(), filepath)
    assert rows(filepath, "SELECT count(*) FROM Process") == [(0,)]
    events = rows(filepath, "SELECT machine_name, timestamp, event_type, name FROM ProcessEventsNamed ORDER BY 2")
    assert [event[1:] for event in events] == [(NOON, "ADD", "chia_farmer"), (NOON + 5, "DELETE", "chia_farmer")]


def test_a_plot_that_moved_to_another_disk_leaves_its_old_place(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "HarvesterPlot", ADD, id=PLOT_KEY, filename="/mnt/a/x.plot")
    old.tell(NOON + 5, "HarvesterPlot", id=PLOT_KEY, filename="/mnt/b/x.plot")
    source = old.save()
    for _ in range(2):
        report = imported(source, filepath)
        assert report.events_stored == 3
        assert rows(filepath, "SELECT id, timestamp FROM HarvesterPlot") == [("/mnt/b/x.plot", NOON + 5)]
        events = "SELECT id, event_type, timestamp FROM HarvesterPlotEventsNamed ORDER BY timestamp, position"
        assert rows(filepath, events) == [
            ("/mnt/a/x.plot", "ADD", NOON),
            ("/mnt/b/x.plot", "UPDATE", NOON + 5),
            ("/mnt/a/x.plot", "DELETE", NOON + 5),
        ]


def test_state_whose_events_are_gone_comes_over_with_the_time_its_machine_was_last_seen(
    old: OldFile, filepath: Path
) -> None:
    old.machine(BARN, "barn", NOON)
    old.tell(NOON - 10, "Disk", ADD, id="/mnt/a", used_space=5)
    old.run("DELETE FROM DiskEvents")
    imported(old.save(), filepath)
    assert rows(filepath, "SELECT id, used_bytes, timestamp FROM Disk") == [("/mnt/a", 5, NOON)]


def test_what_the_old_state_no_longer_has_is_no_state(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Disk", ADD, id="/mnt/a")
    old.tell(NOON, "Disk", ADD, id="/mnt/b")
    old.run("DELETE FROM Disk WHERE id = '/mnt/a'")
    source = old.save()
    for _ in range(2):
        imported(source, filepath)
        assert rows(filepath, "SELECT id FROM Disk") == [("/mnt/b",)]


def test_without_a_state_table_the_newest_events_are_the_state(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Disk", ADD, id="/mnt/a")
    old.run("DROP TABLE Disk")
    imported(old.save(), filepath)
    assert rows(filepath, "SELECT id FROM Disk") == [("/mnt/a",)]


def test_zero_where_the_first_chia_tea_did_not_know_is_not_told(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Cpu", name="x")
    old.tell(NOON, "FullNode", is_running=1, is_synced=1)
    old.tell(NOON, "HarvesterViewedFromFarmer", ADD, id=NODE_ID)
    imported(old.save(), filepath)
    assert rows(filepath, "SELECT usage_percent, clock_mhz, temperature_celsius FROM Cpu") == [(0.0, None, None)]
    assert rows(filepath, "SELECT sync_tip_height, sync_progress_height FROM FullNode") == [(None, None)]
    assert rows(filepath, "SELECT connected_since, last_message_time FROM HarvesterViewedFromFarmer") == [(None, None)]


@pytest.mark.parametrize("came_with_state_before", [False, True])
def test_history_can_come_over_without_the_state(old: OldFile, filepath: Path, *, came_with_state_before: bool) -> None:
    tell_all(old)
    old.run("DELETE FROM WalletEvents")
    old.run("DROP TABLE Ram")
    old.run("DELETE FROM Process")
    old.put("Process", machine_id=BARN, id=None)
    source = old.save()
    if came_with_state_before:
        imported(source, filepath)
    for _ in range(2):
        with Database(filepath) as database:
            report = import_first(source, database, with_state=False)
        with Database(filepath) as database:
            farm = database.load()
        assert {info.name for info in farm.infos.values()} == {"barn", "shed"}
        assert all(not state.of(topic) for state in farm.machines.values() for topic in TOPICS)
        assert [skipped.where for skipped in report.rows_skipped] == ["Process.id"]
        assert rows(filepath, "SELECT event_type, timestamp FROM DiskEventsNamed WHERE id = '/mnt/a' ORDER BY 2") == [
            ("ADD", NOON),
            ("DELETE", NOON + 60),
        ]


def test_after_a_clock_was_set_back_the_old_state_is_the_state(old: OldFile, filepath: Path) -> None:
    old.tell(NOON + 500, "Disk", ADD, id="/mnt/a")
    old.tell(NOON + 500, "Disk", ADD, id="/mnt/b", used_space=1)
    old.tell(NOON + 500, "Disk", DELETE, id="/mnt/c")
    old.tell(NOON, "Disk", DELETE, id="/mnt/a")
    old.tell(NOON + 1, "Disk", id="/mnt/b", used_space=2)
    old.tell(NOON + 2, "Disk", ADD, id="/mnt/c", used_space=3)
    source = old.save()
    imported(source, filepath)
    assert rows(filepath, "SELECT id, used_bytes FROM Disk") == [("/mnt/b", 2), ("/mnt/c", 3)]
    once = content(filepath)
    imported(source, filepath)
    assert content(filepath) == once


def test_an_older_backup_taken_over_later_adds_history_alone(old: OldFile, tmp_path: Path, filepath: Path) -> None:
    old.machine(BARN, "barn", NOON)
    old.tell(NOON, "Cpu", usage=1)
    backup = tmp_path / "backup.db"
    shutil.copy(old.save(), backup)
    later = OldFile(old.filepath)
    later.machine(BARN, "big barn", NOON + 50)
    later.run("DELETE FROM CpuEvents")
    later.tell(NOON + 40, "Cpu", usage=2)
    later.save()
    imported(later.filepath, filepath)
    imported(backup, filepath)
    with Database(filepath) as database:
        info = database.load().infos[BARN_ID]
    assert (info.name, info.first_seen, info.last_seen) == ("big barn", NOON, NOON + 50)
    assert rows(filepath, "SELECT usage_percent FROM Cpu") == [(2.0,)]
    assert rows(filepath, "SELECT usage_percent FROM CpuEvents ORDER BY timestamp") == [(1.0,), (2.0,)]


def test_an_import_that_was_interrupted_is_finished_by_the_next_one(old: OldFile, tmp_path: Path) -> None:
    tell_all(old)
    old.tell(NOON + 5, "Disk", DELETE, id="/mnt/a")
    old.tell(NOON + 5, "HarvesterPlot", id=PLOT_KEY, filename="/mnt/b/plot-k32-x.plot")
    source = old.save()
    imported(source, tmp_path / "whole.db")
    whole = content(tmp_path / "whole.db")

    for n_steps in range(1, 20, 3):
        steps = iter(range(n_steps))

        def stop(done: int, total: int, steps: Iterator[int] = steps) -> None:
            if next(steps, None) is None:
                raise KeyboardInterrupt

        torn = tmp_path / f"torn{n_steps}.db"
        with Database(torn) as database, pytest.raises(KeyboardInterrupt):
            import_first(source, database, stop)
        assert content(torn) != whole
        imported(source, torn)
        assert content(torn) == whole


JUNK: Final = (
    None, "", "x", "1e999", "a\0b", "ü ☕", b"", b"\xff", -1, 0, 1, 2, 0.5, -0.5, 1e308, -1e308, float("inf"),
    float("-inf"), 2**31, 2**63 - 1, -(2**63), 9.3e18, NOON,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_whatever_stands_in_its_cells_a_file_is_taken_over_and_twice_is_once(
    old: OldFile, filepath: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        tell_all(old)
    for table, columns in OLD_TABLES.items():
        names = [column.split()[0] for column in columns.split(", ")]
        for time in range(40):
            old.tell(NOON + time % 7, table, chance.choice((ADD, UPDATE, DELETE)), chance.choice((BARN, SHED)))
            name, events_name = chance.choice(names), chance.choice(["timestamp", "machine_id", "event_type", *names])
            for of, column in ((table, name), (f"{table}Events", events_name)):
                row = chance.randrange(1, 12)
                with contextlib.suppress(sqlite3.IntegrityError):
                    old.run(f"UPDATE {of} SET {column} = :junk WHERE rowid = {row}", junk=chance.choice(JUNK))
    old.run("UPDATE DiskEvents SET device = CAST(X'ff' AS TEXT) WHERE rowid % 2")
    old.run("UPDATE MachineInfo SET name = CAST(X'ff' AS TEXT), time_last_msg = 'late'")
    source = old.save()
    first = imported(source, filepath)
    assert first.n_rows_skipped > 0
    assert first.n_values_skipped > 0
    once = content(filepath)
    assert imported(source, filepath) == first
    assert content(filepath) == once


def test_a_name_that_sqlite_kept_as_a_number_is_a_name_again(old: OldFile, filepath: Path) -> None:
    old.machine(BARN, "42", NOON)
    report = imported(old.save(), filepath)
    assert [info.name for info in report.machines] == ["42"]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("total_space", None, "NULL where a number belongs"),
        ("total_space", "much", "text where a number belongs"),
        ("total_space", b"\x01", "text where a number belongs"),
        ("total_space", -5, "a negative number"),
        ("total_space", float("inf"), "an infinite number"),
        ("total_space", float("nan"), "NULL where a number belongs"),
        ("total_space", 1e300, "too large a number"),
        ("device", None, "NULL where text belongs"),
        ("device", b"\xff", "no text"),
    ],
)
def test_an_impossible_value_is_left_out_and_the_rest_of_its_row_kept(
    old: OldFile, filepath: Path, column: str, value: Any, reason: str
) -> None:
    old.tell(NOON, "Disk", ADD, **{"id": "/mnt/a", "fstype": "xfs", column: value})
    report = imported(old.save(), filepath)
    assert [(skipped.where, skipped.reason) for skipped in report.values_skipped] == [
        (f"DiskEvents.{column}", reason),
        (f"Disk.{column}", reason),
    ]
    assert report.n_values_skipped == 2
    assert report.values_skipped[0].example.startswith("row 1: ")
    assert report.rows_skipped == ()
    assert rows(filepath, "SELECT id, filesystem_type FROM Disk") == [("/mnt/a", "xfs")]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("timestamp", None, "NULL where a number belongs"),
        ("timestamp", "noon", "text where a number belongs"),
        ("timestamp", -1.0, "a negative number"),
        ("timestamp", 0, "no time"),
        ("timestamp", float("inf"), "an infinite number"),
        ("timestamp", 1e18, "too large a number"),
        ("machine_id", None, "no machine's number"),
        ("machine_id", "barn", "no machine's number"),
        ("event_type", NONE, "neither ADD, UPDATE nor DELETE"),
        ("event_type", 9, "neither ADD, UPDATE nor DELETE"),
        ("event_type", None, "neither ADD, UPDATE nor DELETE"),
        ("id", "", "it tells no id"),
        ("id", None, "NULL where text belongs"),
        ("id", b"\xff\xfe", "no text"),
    ],
)
def test_a_row_that_cannot_be_placed_is_left_out_and_the_next_one_kept(
    old: OldFile, filepath: Path, column: str, value: object, reason: str
) -> None:
    old.tell(NOON, "Disk", ADD, id="/mnt/a")
    told = {"timestamp": NOON + 1, "machine_id": BARN, "event_type": UPDATE, "id": "/mnt/a", "used_space": -1}
    old.put("DiskEvents", **{**told, column: value})
    old.tell(NOON + 2, "Disk", ADD, id="/mnt/b")
    report = imported(old.save(), filepath)
    (skipped,) = report.rows_skipped
    assert skipped[:3] == (f"DiskEvents.{column}", reason, 1)
    assert skipped.example.startswith("row 2: ")
    assert report.values_skipped == ()
    assert report.n_rows_skipped == 1
    assert rows(filepath, "SELECT count(*) FROM DiskEvents") == [(2,)]
    assert rows(filepath, "SELECT id FROM Disk") == [("/mnt/a",), ("/mnt/b",)]


def test_state_of_a_machine_that_nothing_tells_a_time_of_is_left_out(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Cpu", name="x")
    old.run("DELETE FROM CpuEvents")
    report = imported(old.save(), filepath)
    assert [skipped.reason for skipped in report.rows_skipped] == ["nothing tells when its machine was there"]
    assert report.machines == ()


def test_text_that_is_not_utf_8_costs_its_value_alone(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Disk", ADD, id="/mnt/a", fstype="xfs")
    old.run("UPDATE DiskEvents SET device = CAST(X'ff' AS TEXT)")
    old.run("UPDATE Disk SET device = CAST(X'ff' AS TEXT)")
    report = imported(old.save(), filepath)
    assert report.rows_skipped == ()
    assert [skipped[:3] for skipped in report.values_skipped] == [
        ("DiskEvents.device", "no text", 1),
        ("Disk.device", "no text", 1),
    ]
    assert rows(filepath, "SELECT filesystem_type FROM Disk") == [("xfs",)]


def test_a_plot_just_begun_has_no_id_yet_and_is_left_out(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "PlotInProgress", ADD, state="Init", start_time=NOON)
    old.tell(NOON + 1, "PlotInProgress", ADD, id="5f" * 32, state="Plotting Done", start_time=NOON, progress=1)
    report = imported(old.save(), filepath)
    assert {skipped.reason for skipped in report.rows_skipped} == {"it tells no id"}
    assert rows(filepath, "SELECT id, phase, step, progress_percent FROM PlotInProgress") == [
        ("5f" * 32, None, "Plotting Done", 100.0)
    ]


def test_columns_and_tables_that_an_older_one_had_not_yet_are_not_told(tmp_path: Path, filepath: Path) -> None:
    source = tmp_path / "older.db"
    with sqlite3.connect(source) as connection:
        connection.execute("CREATE TABLE CpuEvents(timestamp READ, machine_id INTEGER, event_type INTEGER, usage READ)")
        connection.execute("INSERT INTO CpuEvents VALUES (5, 1, 2, 50)")
    connection.close()
    report = imported(source, filepath)
    assert report.rows_skipped == report.values_skipped == ()
    assert rows(filepath, "SELECT machine_id, usage_percent FROM Cpu") == [("old-000000000001", 50.0)]


def test_a_damaged_page_costs_the_rest_of_its_table_alone(old: OldFile, filepath: Path) -> None:
    for seconds in range(500):
        old.tell(NOON + seconds, "Disk", id="/mnt/a", device="d" * 200)
    old.tell(NOON, "Wallet", is_running=1)
    source = old.save()
    with sqlite3.connect(source) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'DiskEvents'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    damaged = bytearray(source.read_bytes())
    # The page that the root of the table names last: bytes 8 to 12 of a page that has no rows itself.
    begin = (root - 1) * size
    damaged[begin + 8 : begin + 12] = (2**31 - 1).to_bytes(4, "big")
    source.write_bytes(damaged)
    report = imported(source, filepath)
    assert [(skipped.where, skipped.reason) for skipped in report.rows_skipped] == [
        ("DiskEvents", "the rest of the table cannot be read")
    ]
    ((n_events,),) = rows(filepath, "SELECT count(*) FROM DiskEvents")
    assert isinstance(n_events, int)
    assert 0 < n_events < 500
    assert rows(filepath, "SELECT id FROM Disk") == [("/mnt/a",)]
    assert rows(filepath, "SELECT is_running FROM Wallet") == [(1,)]


def test_the_old_file_stays_as_it_is(old: OldFile, filepath: Path) -> None:
    tell_all(old)
    source = old.save()
    before = source.read_bytes()
    beside = sorted(source.parent.iterdir())
    imported(source, filepath)
    assert source.read_bytes() == before
    assert [path for path in sorted(source.parent.iterdir()) if path.name.startswith("monitoring")] == beside


def test_the_first_chia_tea_may_go_on_writing_while_it_is_read(old: OldFile, filepath: Path) -> None:
    for index in range(PAGE_ROWS + 1):
        old.tell(NOON + index, "Cpu", usage=1)
    source = old.save()
    n_written = 0

    def write(done: int, total: int) -> None:
        nonlocal n_written
        with sqlite3.connect(source, timeout=0) as connection:
            connection.execute("INSERT INTO MachineInfo (machine_id, name) VALUES (?, 'x')", (n_written,))
        connection.close()
        n_written += 1

    with Database(filepath) as database:
        report = import_first(source, database, write)
    assert n_written > 2
    assert report.rows_skipped == ()
    assert report.events_stored == PAGE_ROWS + 1


def test_an_old_machine_can_never_be_one_of_this_chia_tea() -> None:
    ids = [machine_id_of(number) for number in (0, 1, BARN, 2**48 - 1, 2**63 - 1, -1, -(2**63))]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("old-[0-9a-f]{12,16}", machine_id) for machine_id in ids)


def refused(source: Path, filepath: Path) -> str:
    with Database(filepath) as database:
        with pytest.raises(ConfigurationError) as refusal:
            import_first(source, database)
        assert database.load().infos == {}
    (line,) = refusal.value.lines()
    assert str(source) in line
    return line


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, filepath: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.db", filepath)
    assert "there is no such file" in refused(tmp_path, filepath)
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, filepath: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("a shopping list\n" * 100)
    assert "it is no database" in refused(source, filepath)


def test_an_empty_file_is_refused(tmp_path: Path, filepath: Path) -> None:
    source = tmp_path / "empty.db"
    source.touch()
    assert "has no tables of the first chia-tea" in refused(source, filepath)


def test_a_database_of_something_else_is_refused(tmp_path: Path, filepath: Path) -> None:
    source = tmp_path / "photos.db"
    with sqlite3.connect(source) as connection:
        connection.execute("CREATE TABLE Photos(id, name)")
    connection.close()
    assert "has no tables of the first chia-tea" in refused(source, filepath)


def test_a_database_of_this_chia_tea_is_refused(tmp_path: Path, filepath: Path) -> None:
    source = tmp_path / "other.db"
    Database(source).close()
    assert "is a database of this chia-tea" in refused(source, filepath)
    assert "is a database of this chia-tea" in refused(filepath, filepath)
    with sqlite3.connect(source) as connection:
        connection.execute("PRAGMA application_id = 0")
    connection.close()
    assert "has no tables of the first chia-tea" in refused(source, filepath)


def test_a_database_without_a_single_row_is_taken_over_as_nothing(old: OldFile, filepath: Path) -> None:
    assert imported(old.save(), filepath) == ImportReport(0, 0, (), (), ())


def test_a_file_that_was_not_closed_cleanly_is_refused_with_what_to_do(old: OldFile, filepath: Path) -> None:
    old.tell(NOON, "Cpu", name="x")
    source = old.save()
    connection = sqlite3.connect(source, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    for index in range(2000):
        connection.execute("INSERT INTO EventType VALUES (?, ?)", (f"some name {index}" * 10, index))
    torn = source.with_name("torn.db")
    shutil.copy(source, torn)
    shutil.copy(f"{source}-journal", f"{torn}-journal")
    connection.close()
    assert "open it once with `sqlite3" in refused(torn, filepath)
    with sqlite3.connect(torn) as opened:
        opened.execute("SELECT count(*) FROM sqlite_schema")
    opened.close()
    assert imported(torn, filepath).events_stored == 1
