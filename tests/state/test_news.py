"""A number read again is a reading; whatever somebody waits for is news."""

import pytest

from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState
from chiatea.state.news import READINGS, is_news


def the_change(before: ComputerInfo, after: ComputerInfo) -> bool:
    (change,) = diff(MachineState.from_computer_info(before), MachineState.from_computer_info(after))
    return is_news(change)


def info(**fields: object) -> ComputerInfo:
    return ComputerInfo(disks=[Disk(id="/a", **fields)])  # type: ignore[arg-type]


def test_another_number_of_a_disk_is_a_reading() -> None:
    assert not the_change(info(free_bytes=1), info(free_bytes=2))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (info(state=Disk.OK), info(state=Disk.HANGING)),
        (info(is_read_only=False), info(is_read_only=True)),
        (info(), ComputerInfo()),
        (ComputerInfo(), info()),
    ],
)
def test_what_comes_goes_or_takes_another_state_is_news(before: ComputerInfo, after: ComputerInfo) -> None:
    assert the_change(before, after)


def test_what_a_harvester_did_is_news() -> None:
    before, after = ComputerInfo(), ComputerInfo()
    before.harvester.n_challenges, after.harvester.n_challenges = 1, 2
    assert the_change(before, after)


def test_only_what_is_read_all_the_time_is_a_reading() -> None:
    assert not {"harvester", "farmer", "missed_challenge", "chia_notice", "copy_job", "harvester_plot"} & READINGS
