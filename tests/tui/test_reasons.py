"""Why something is yellow or red."""

from dataclasses import replace
from typing import Any

import pytest

from chiatea.protobuf.chia_pb2 import (
    ChiaNotice,
    Collector,
    Farmer,
    FullNode,
    HarvesterPlot,
    HarvesterViewedFromFarmer,
    MissedChallenge,
    PlotFolder,
    PlotInProgress,
    Pool,
    Process,
    Source,
    Wallet,
)
from chiatea.protobuf.copy_pb2 import Copier, CopyCommand, CopyJob, CopyTarget, ScrubFinding
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram, Sensor, System
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.tui.lists.disks import DISKS
from chiatea.tui.reasons import JUDGES, reasons_of, silence_of
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS, Limits
from chiatea.tui.view import FarmView, Machine
from tests.tui.sample_farm import GIB, NOW, disk, harvester, put, sample_farm

Seen = HarvesterViewedFromFarmer


def machine_of(*messages: tuple[str, Any], age: float = 1.0, online: bool = True) -> Machine:
    farm = FarmState()
    farm.apply_info(MachineInfo(machine_id="a", name="barn", last_seen=NOW - age, online=online))
    for topic, message in messages:
        put(farm, "a", topic, message)
    return FarmView(farm, NOW).machine("a")


def told(topic: str, message: Any, *others: tuple[str, Any]) -> list[tuple[str, str]]:
    found = reasons_of(topic, message, machine_of(*others), DEFAULT_THRESHOLDS, NOW)
    assert all(reason.value and reason.threshold for reason in found)
    return [(reason.severity, reason.field) for reason in found]


WRONG = [
    ("disk", disk("/mnt/a", 16, 0.96), [("warn", "used_bytes")]),
    ("disk", disk("/mnt/a", 16, 0.992), [("bad", "used_bytes")]),
    ("disk", disk("/mnt/a", 16, 0.5, busy=90), [("warn", "busy_percent")]),
    ("disk", disk("/mnt/a", 16, 0.5, temperature_celsius=70.0), [("bad", "temperature_celsius")]),
    ("disk", Disk(id="/mnt/a", state=Disk.HANGING), [("bad", "state")]),
    ("disk", Disk(id="/mnt/a", state=Disk.MOUNT_LOST), [("bad", "state")]),
    ("disk", disk("/mnt/a", 16, 0.5, state=Disk.FAILING, error="Input/output error"), [("bad", "state")]),
    ("disk", disk("/mnt/a", 16, 0.5, is_read_only=True), [("warn", "is_read_only")]),
    ("disk", disk("/mnt/a", 16, 0.5, is_healthy=False), [("bad", "is_healthy")]),
    ("disk", disk("/mnt/a", 16, 0.5, n_pending_sectors=1), [("warn", "n_pending_sectors")]),
    ("cpu", Cpu(usage_percent=86), [("warn", "usage_percent")]),
    ("cpu", Cpu(usage_percent=1, temperature_celsius=99), [("bad", "temperature_celsius")]),
    ("ram", Ram(total_bytes=100, used_bytes=94), [("bad", "used_bytes")]),
    ("ram", Ram(total_bytes=9, swap_total_bytes=100, swap_used_bytes=60), [("warn", "swap_used_bytes")]),
    ("process", Process(id=1, status="disk-sleep"), [("warn", "status")]),
    ("sensor", Sensor(id="x", kind=Sensor.TEMPERATURE_CELSIUS, value=90, high_value=85), [("warn", "value")]),
    ("system", System(clock_ahead_seconds=-40), [("bad", "clock_ahead_seconds")]),
    ("harvester", harvester(9, 0.1, is_running=False), [("bad", "is_running")]),
    ("harvester", harvester(9, 0.1, is_connected_to_farmer=False), [("warn", "is_connected_to_farmer")]),
    ("harvester", harvester(9, 0.1, n_failed_to_open=2), [("bad", "n_failed_to_open")]),
    ("harvester", harvester(9, 0.1, n_no_key=2, n_duplicates=1), [("bad", "n_no_key"), ("warn", "n_duplicates")]),
    ("harvester", harvester(9, 0.1, last_challenge_time=NOW - 90), [("warn", "last_challenge_time")]),
    ("harvester", harvester(9, 0.1, last_lookup_seconds=16.0), [("bad", "last_lookup_seconds")]),
    ("farmer_harvester", Seen(id="x", state=Seen.TIMED_OUT), [("bad", "state")]),
    ("farmer_harvester", Seen(id="x", state=Seen.DISCONNECTED), [("bad", "state")]),
    ("farmer_harvester", Seen(id="x", n_challenges_owed=100, missed_challenges=5), [("bad", "missed_challenges")]),
    ("farmer_harvester", Seen(id="x", n_challenges_owed=999, missed_challenges=1), [("warn", "missed_challenges")]),
    ("farmer_harvester", Seen(id="x", is_syncing=True), [("warn", "is_syncing")]),
    ("missed_challenge", MissedChallenge(id="x", sent_time=NOW - 50), [("bad", "late_answer_time")]),
    ("farmer", Farmer(), [("bad", "is_running")]),
    (
        "farmer",
        Farmer(is_running=True, n_harvesters=1, n_skipped_signage_points=3, last_skipped_time=NOW - 60),
        [("warn", "n_skipped_signage_points")],
    ),
    ("pool", Pool(id="x", n_errors_24h=2), [("warn", "n_errors_24h")]),
    ("harvester_plot", HarvesterPlot(id="/x", state=HarvesterPlot.FAILED_TO_OPEN), [("bad", "state")]),
    ("plot_folder", PlotFolder(id="/x", n_failed_to_open=1), [("bad", "n_failed_to_open")]),
    ("full_node", FullNode(is_running=True), [("bad", "is_synced")]),
    ("full_node", FullNode(is_running=True, is_syncing=True), [("warn", "is_synced")]),
    ("wallet", Wallet(is_running=True), [("warn", "is_synced")]),
    ("source", Source(id="chia log", state=Source.FAILING, error="denied"), [("warn", "state")]),
    ("source", Source(id="chia log", state=Source.STALE, last_news_time=NOW - 900), [("warn", "state")]),
    ("source", Source(id="chia log", state=Source.OK, n_not_understood=1), [("warn", "n_not_understood")]),
    ("plotting_plot", PlotInProgress(id="x", state=PlotInProgress.STALLED), [("bad", "state")]),
    ("chia_notice", ChiaNotice(id="x", kind=ChiaNotice.PLOT_ERROR, text="no"), [("bad", "kind")]),
    ("collector", Collector(is_spooling=True, spooling_since=NOW - 9), [("warn", "is_spooling")]),
    ("collector", Collector(n_dropped_events=9), [("warn", "n_dropped_events")]),
    ("copier", Copier(), [("bad", "is_running")]),
    ("copier", Copier(is_running=True, is_paused=True), [("warn", "is_paused")]),
    ("copier", Copier(is_running=True, slowed_by="lookups are slow"), [("warn", "slowed_by")]),
    ("copy_target", CopyTarget(id="/x", state=CopyTarget.QUARANTINED, reason="EIO"), [("bad", "state")]),
    ("copy_job", CopyJob(id="x", state=CopyJob.FAILED, last_error="no room"), [("bad", "state")]),
    ("copy_job", CopyJob(id="x", state=CopyJob.PAUSED), [("warn", "state")]),
    ("copy_job", CopyJob(id="x", state=CopyJob.COPYING, last_error="EIO", n_attempts=2), [("warn", "last_error")]),
    ("copy_command", CopyCommand(id="x", state=CopyCommand.REFUSED, result="no"), [("bad", "state")]),
    ("scrub_finding", ScrubFinding(id="/x", state=ScrubFinding.ROTTEN), [("bad", "state")]),
]


@pytest.mark.parametrize(("topic", "message", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_field_red_first(
    topic: str, message: Any, expected: list[tuple[str, str]]
) -> None:
    assert told(topic, message) == expected


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("disk", disk("/mnt/a", 16, 0.94, busy=89, temperature_celsius=59.0, is_healthy=True)),
        ("cpu", Cpu(usage_percent=84, temperature_celsius=84)),
        ("ram", Ram(total_bytes=100, used_bytes=79)),
        ("harvester", harvester(9, 0.2)),
        ("farmer", Farmer(is_running=True, n_harvesters=1, last_skipped_time=NOW - 4000)),
        ("farmer_harvester", Seen(id="x", state=Seen.ANSWERING, n_challenges_owed=9)),
        ("full_node", FullNode(is_running=True, is_synced=True)),
        ("wallet", Wallet(is_running=True, is_synced=True)),
        ("source", Source(id="x", state=Source.ABSENT)),
        ("copy_job", CopyJob(id="x", state=CopyJob.DONE, last_error="EIO at first")),
        ("copier", Copier(is_running=True)),
        ("collector", Collector()),
        ("cpu_core", None),
    ],
)
def test_where_nothing_is_wrong_nothing_is_said(topic: str, message: Any) -> None:
    assert told(topic, message) == []


def test_every_judged_topic_is_one_and_bears_an_empty_entry() -> None:
    assert JUDGES.keys() <= TOPICS.keys()
    for topic in JUDGES:
        reasons_of(topic, TOPICS[topic].message_class(), machine_of(), DEFAULT_THRESHOLDS, NOW)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30, 1e300])
def test_absurd_numbers_have_reasons_in_words(value: float) -> None:
    farm = sample_farm()
    view = FarmView(farm, NOW)
    for machine in view.machines():
        for topic, held in machine.state.entries.items():
            for entry in held.values():
                for field in entry.message.DESCRIPTOR.fields:
                    if field.type == field.TYPE_DOUBLE:
                        setattr(entry.message, field.name, value)
                reasons_of(topic, entry.message, machine, DEFAULT_THRESHOLDS, NOW)


def test_a_disk_is_coloured_in_its_list_where_it_has_a_reason_and_nowhere_else() -> None:
    view = FarmView(sample_farm(), NOW, thresholds=replace(DEFAULT_THRESHOLDS, disk_busy_percent=Limits(70, 80)))
    n_odd = 0
    for item in DISKS.items(view):
        machine, entry = view.machine(item.machine_id), view.message(item.machine_id, item.topic, item.entry_id)
        styles = {cell.style for cell in DISKS.row(view, machine, entry)} & {"warn", "bad"}
        reasons = {r.severity for r in reasons_of("disk", entry, machine, view.thresholds, NOW)}
        assert styles == reasons, item
        n_odd += bool(reasons)
    assert n_odd == 7


def test_a_configured_threshold_decides_and_is_told() -> None:
    thresholds = replace(DEFAULT_THRESHOLDS, cpu_percent=Limits(10, 20))
    (reason,) = reasons_of("cpu", Cpu(usage_percent=15), machine_of(), thresholds, NOW)
    assert (reason.severity, reason.threshold) == ("warn", "yellow from 10 %, red from 20 %")


def test_a_slow_lookup_names_the_busiest_disk_of_its_machine_once() -> None:
    slow = harvester(9, 6.0)
    machine = machine_of(("disk", disk("/mnt/idle", 1, 0.5)), ("disk", disk("/mnt/busy", 1, 0.5, busy=88)))
    found = reasons_of("harvester", slow, machine, DEFAULT_THRESHOLDS, NOW)
    assert len(found) == 4
    assert [reason for reason in found if "/mnt/busy, 88 % busy" in reason.advice] == found[:1]


def test_a_machine_that_is_not_heard_of_is_a_reason_of_its_own() -> None:
    assert silence_of(machine_of(), NOW) == []
    (away,) = silence_of(machine_of(age=7200, online=False), NOW)
    assert (away.severity, away.since) == ("bad", NOW - 7200)
    (quiet,) = silence_of(machine_of(age=61), NOW)
    assert (quiet.severity, quiet.value) == ("warn", "silent, nothing heard for 1 min 1 s")


def test_bytes_are_told_as_people_write_them() -> None:
    (reason,) = reasons_of("ram", Ram(total_bytes=64 * GIB, used_bytes=60 * GIB), machine_of(), DEFAULT_THRESHOLDS, NOW)
    assert reason.value == "94 % of 64.0 GiB"
