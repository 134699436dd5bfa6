import pytest

from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.tui.panels.hardware import PANEL
from chiatea.tui.view import FarmView, Recent
from tests.tui.sample_farm import NOW, disk, put


def farm_of(*disks: Disk) -> FarmView:
    farm = FarmState()
    farm.apply_info(MachineInfo(machine_id="a", name="barn", first_seen=NOW - 9, last_seen=NOW, online=True))
    put(farm, "a", "disk", *disks)
    return FarmView(farm, NOW, Recent())


@pytest.mark.parametrize(
    ("shown", "state", "is_fine"),
    [
        (disk("/mnt/a", 16, 0.5), "● fine", True),
        (disk("/mnt/a", 16, 0.5, state=Disk.FAILING, error="Input/output error"), "✗ failing", False),
        (disk("/mnt/a", 16, 0.5, state=Disk.HANGING), "✗ hanging", False),
        (disk("/mnt/a", 16, 0.5, state=Disk.MOUNT_LOST), "✗ lost", False),
        (disk("/mnt/a", 16, 0.5, is_healthy=False, is_read_only=True), "✗ unhealthy", False),
        (disk("/mnt/a", 16, 0.5, is_healthy=True, n_pending_sectors=8), "▲ bad sectors", True),
        (disk("/mnt/a", 16, 0.5, is_read_only=True), "▲ read-only", True),
        (disk("/mnt/a", 16, 0.5, state=Disk.UNKNOWN, error="Permission denied"), "○ unknown", True),
    ],
)
def test_a_disk_s_state_is_the_worst_that_is_known_of_it(shown: Disk, state: str, is_fine: bool) -> None:
    view = farm_of(shown)
    assert PANEL.lines(view, 120)[-1].text.endswith(state)
    assert PANEL.summary(view) == ("1 disk" if is_fine else "1 disk, 1 not fine")
    assert ("not fine" in PANEL.digest(view).text) is not is_fine


def test_temperatures_have_a_column_where_a_disk_tells_one_and_there_is_room() -> None:
    cool, hot = disk("/mnt/a", 16, 0.5), disk("/mnt/b", 16, 0.5, temperature_celsius=71.4)
    assert not [line for line in PANEL.lines(farm_of(cool), 120) if "TEMP" in line.text]
    lines = PANEL.lines(farm_of(cool, hot), 120)
    assert "TEMP" in lines[1].text
    assert [span.style for span in lines[3].spans if span.text.endswith("71 °C")] == ["bad"]
    narrow = PANEL.lines(farm_of(cool, hot), 50)
    assert "TEMP" not in narrow[1].text
    assert all(len(line.text) <= 50 for line in narrow)
