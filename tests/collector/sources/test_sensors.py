from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from chiatea.collector.sources.sensors import Sensors, cpu_temperature
from chiatea.protobuf.hardware_pb2 import Sensor


def chip(folder: Path, number: int, place: str, **files: str) -> Path:
    made = folder / "devices" / place
    made.mkdir(parents=True)
    for name, text in files.items():
        (made / name).write_text(text + "\n")
    links = folder / "class" / "hwmon"
    links.mkdir(parents=True, exist_ok=True)
    (links / f"hwmon{number}").symlink_to(made)
    return made


@pytest.fixture
def sys_folder(tmp_path: Path) -> Path:
    chip(
        tmp_path,
        0,
        "platform/coretemp",
        name="coretemp",
        temp1_input="48000",
        temp1_label="Package id 0",
        temp1_max="84000",
        temp1_crit="100000",
        temp2_input="51500",
    )
    chip(
        tmp_path,
        1,
        "platform/nct6775",
        name="nct6775",
        fan1_input="1187",
        fan2_input="0",
        temp1_input="-128000",
        temp2_input="nothing",
    )
    return tmp_path


def disk(folder: Path, number: int, name: str, celsius: int) -> Path:
    place = chip(folder, number, f"ata{number}/hwmon", name="drivetemp", temp1_input=str(celsius * 1000))
    (place / "device" / "block" / name).mkdir(parents=True)
    return place


def test_temperatures_and_fans_are_told_with_their_limits(sys_folder: Path) -> None:
    sensors = Sensors(sys_folder).look()
    assert sensors == {
        "coretemp/Package id 0": Sensor(
            id="coretemp/Package id 0",
            kind=Sensor.TEMPERATURE_CELSIUS,
            value=48.0,
            high_value=84.0,
            critical_value=100.0,
        ),
        "coretemp/temp2": Sensor(id="coretemp/temp2", kind=Sensor.TEMPERATURE_CELSIUS, value=51.5),
        "nct6775/fan1": Sensor(id="nct6775/fan1", kind=Sensor.FAN_RPM, value=1190),
        "nct6775/fan2": Sensor(id="nct6775/fan2", kind=Sensor.FAN_RPM, value=0),
    }
    assert cpu_temperature(sensors) == 51.5


def test_a_disk_s_temperature_is_told_with_the_disk_and_not_among_the_sensors(sys_folder: Path) -> None:
    disk(sys_folder, 2, "sda", 38)
    disk(sys_folder, 3, "sdb", 44)
    nvme = chip(sys_folder, 4, "pci/nvme1/hwmon4", name="nvme", temp1_input="51850", temp2_input="70000")
    (nvme / "device" / "nvme1n1").mkdir(parents=True)
    (nvme / "device" / "nvme2c1n1").mkdir()
    watch = Sensors(sys_folder)
    assert watch.look_at_disks() == {"sda": 38.0, "sdb": 44.0, "nvme1n1": 51.9, "nvme2n1": 51.9}
    assert not [name for name in watch.look() if name.startswith(("drivetemp", "nvme"))]


def test_a_value_that_cannot_be_read_now_is_left_out_and_a_new_chip_is_found(sys_folder: Path) -> None:
    watch = Sensors(sys_folder)
    assert len(watch.look()) == 4
    (sys_folder / "devices" / "platform" / "coretemp" / "temp2_input").unlink()
    assert "coretemp/temp2" not in watch.look()
    disk(sys_folder, 2, "sda", 38)
    assert watch.look_at_disks() == {"sda": 38.0}


def test_two_chips_of_one_name_stay_apart_whatever_their_numbers(tmp_path: Path) -> None:
    for folder, numbers in (("one", (0, 1)), ("two", (1, 0))):
        for number, place in zip(numbers, ("pci-0", "pci-1"), strict=True):
            chip(tmp_path / folder, number, place, name="amdgpu", temp1_input=f"{place[-1]}0000")
    assert Sensors(tmp_path / "one").look() == Sensors(tmp_path / "two").look()
    assert set(Sensors(tmp_path / "one").look()) == {"amdgpu/temp1", "amdgpu/temp1'"}


def test_where_there_is_no_hwmon_psutil_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Temperature = namedtuple("Temperature", "label current high critical")
    Fan = namedtuple("Fan", "label current")
    monkeypatch.setattr(
        psutil, "sensors_temperatures", lambda: {"cpu_thermal": [Temperature("", 61.23, None, 110.0)]}, raising=False
    )
    monkeypatch.setattr(psutil, "sensors_fans", lambda: {"smc": [Fan("left", 2003)]}, raising=False)
    sensors = Sensors(tmp_path).look()
    assert (sensors["cpu_thermal/0"].value, sensors["cpu_thermal/0"].critical_value) == (61.2, 110.0)
    assert sensors["smc/left"].value == 2000
    assert cpu_temperature(sensors) == 61.2

    def refuse() -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(psutil, "sensors_temperatures", refuse)
    assert list(Sensors(tmp_path).look()) == ["smc/left"]
