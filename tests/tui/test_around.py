"""Which events may have to do with a missed challenge, and which have not."""

from typing import Any

import pytest

from chiatea.protobuf.chia_pb2 import (
    ChiaNotice,
    Farmer,
    FullNode,
    Harvester,
    HarvesterViewedFromFarmer,
    MissedChallenge,
    Process,
    Source,
)
from chiatea.protobuf.computer_info_pb2 import DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyJob
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram
from chiatea.tui.around import Scene, reason_of

SCENE = Scene("barn", "farmer", "n1", "n1/7")
Seen = HarvesterViewedFromFarmer


def event(machine_id: str, topic: str, message: Any, event_type: int = UPDATE) -> UpdateEvent:
    made = UpdateEvent(machine_id=machine_id, timestamp=1.7e9, event_type=event_type)  # type: ignore[arg-type]
    getattr(made, topic).CopyFrom(message)
    return made


@pytest.mark.parametrize(
    ("machine_id", "topic", "message", "text"),
    [
        ("barn", "disk", Disk(id="/mnt/a", state=Disk.HANGING), "/mnt/a did not answer"),
        ("barn", "disk", Disk(id="/mnt/a", state=Disk.MOUNT_LOST), "/mnt/a was not mounted any more"),
        ("barn", "disk", Disk(id="/mnt/a", state=Disk.OK, busy_percent=97), "/mnt/a was 97 % busy"),
        ("barn", "harvester", Harvester(is_running=False), "the harvester did not run"),
        ("barn", "harvester", Harvester(is_running=True), "the harvester was not connected to a farmer"),
        (
            "barn",
            "harvester",
            Harvester(is_running=True, is_connected_to_farmer=True, last_lookup_seconds=17.2),
            "a lookup took 17.2 s",
        ),
        ("barn", "chia_notice", ChiaNotice(kind=ChiaNotice.SLOW_LOOKUP, text="slow"), "slow"),
        ("barn", "copy_job", CopyJob(state=CopyJob.COPYING, target_id="/mnt/a"), "a copy: /mnt/a is written to"),
        ("barn", "cpu", Cpu(usage_percent=99), "the processor was 99 % busy"),
        ("barn", "ram", Ram(total_bytes=100, available_bytes=2), "there was hardly any memory left"),
        ("barn", "process", Process(name="chia_harvester", status="disk-sleep"), "chia_harvester waits for a disk"),
        ("farmer", "farmer_harvester", Seen(id="n1", state=Seen.TIMED_OUT), "the farmer had no answer for 60 s"),
        ("farmer", "farmer_harvester", Seen(id="n1", state=Seen.DISCONNECTED), "it was not connected to its farmer"),
        ("farmer", "missed_challenge", MissedChallenge(id="n1/8", harvester_id="n1"), "it missed other challenges too"),
        (
            "farmer",
            "missed_challenge",
            MissedChallenge(id="n2/7", harvester_id="n2"),
            "other harvesters missed challenges too",
        ),
        ("farmer", "full_node", FullNode(is_running=True, is_synced=False), "the full node was not synced"),
        ("farmer", "farmer", Farmer(is_running=False), "the farmer did not run"),
        ("farmer", "source", Source(id="chia daemon", state=Source.FAILING), "chia daemon could not be read"),
    ],
)
def test_what_may_have_kept_a_harvester_from_answering_is_said(
    machine_id: str, topic: str, message: Any, text: str
) -> None:
    reason = reason_of(event(machine_id, topic, message), SCENE)
    assert reason is not None
    assert reason.text == text
    assert reason.style in ("warn", "bad")
    assert reason_of(event("elsewhere", topic, message), SCENE) is None
    assert reason_of(event(machine_id, topic, message, DELETE), SCENE) is None


@pytest.mark.parametrize(
    ("machine_id", "topic", "message"),
    [
        ("barn", "disk", Disk(id="/mnt/a", state=Disk.OK, busy_percent=12)),
        ("barn", "harvester", Harvester(is_running=True, is_connected_to_farmer=True, last_lookup_seconds=0.4)),
        ("barn", "chia_notice", ChiaNotice(kind=ChiaNotice.PROOF_FOUND, text="a proof")),
        ("barn", "copy_job", CopyJob(state=CopyJob.QUEUED)),
        ("barn", "ram", Ram()),
        ("barn", "process", Process(name="x", status="sleeping")),
        ("farmer", "farmer_harvester", Seen(id="n1", state=Seen.ANSWERING)),
        ("farmer", "farmer_harvester", Seen(id="n2", state=Seen.TIMED_OUT)),
        ("farmer", "missed_challenge", MissedChallenge(id="n1/7", harvester_id="n1")),
        (
            "farmer",
            "chia_notice",
            ChiaNotice(kind=ChiaNotice.HARVESTER_TIMED_OUT, harvester_id="n2", text="another one's"),
        ),
        ("farmer", "disk", Disk(id="/mnt/a", state=Disk.HANGING)),
    ],
)
def test_what_is_usual_or_of_another_machine_or_harvester_is_not(machine_id: str, topic: str, message: Any) -> None:
    assert reason_of(event(machine_id, topic, message), SCENE) is None


def test_an_event_that_only_a_newer_chia_tea_knows_is_no_reason() -> None:
    assert reason_of(UpdateEvent(machine_id="barn"), SCENE) is None
