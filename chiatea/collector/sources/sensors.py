"""Temperatures and fans: Linux's hwmon where there is one, else what psutil has."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from chiatea.chia.untrusted import printable
from chiatea.collector.sources.rates import three_digits
from chiatea.protobuf.hardware_pb2 import Sensor

__all__ = ["Sensors", "cpu_temperature"]

_CPU_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")
_DISK_CHIPS: Final = frozenset({"drivetemp", "nvme"})
_INPUT: Final = re.compile(r"(temp|fan)(\d+)_input")
_CONTROLLER_PATH: Final = re.compile(r"(nvme\d+)c\d+(n\d+)")
_PLAUSIBLE_CELSIUS: Final = (-60.0, 200.0)
"""A pin to which no sensor is wired reads -128 or 255 and the like."""


@dataclass(frozen=True, slots=True)
class _Input:
    """One file that has a value, and what never changes of it."""

    path: str
    id: str
    kind: "Sensor.Kind.ValueType"
    high_value: float | None
    critical_value: float | None


class Sensors:
    """All sensors of this machine.

    Not psutil's where there is hwmon: it asks every chip in one go, those of disks too, and a disk that hangs would
    hold up all others; and it reads five files for each value each time (Linux, Documentation/hwmon/sysfs-interface).
    """

    def __init__(self, sys_folder: Path = Path("/sys")) -> None:
        """`sys_folder` is where sysfs is mounted."""
        self._folder = sys_folder / "class" / "hwmon"
        self._chips: list[str] = []
        self._inputs: list[_Input] = []
        self._disk_inputs: list[tuple[str, str]] = []

    def look(self) -> dict[str, Sensor]:
        """Sensors by chip and label, but those of disks; empty where the machine or the system has none."""
        if not self._find():
            return _told_by_psutil()
        sensors: dict[str, Sensor] = {}
        for place in self._inputs:
            value = _value(place.path, place.kind)
            if value is not None:
                sensors[place.id] = Sensor(
                    id=place.id,
                    kind=place.kind,
                    value=value,
                    high_value=place.high_value,
                    critical_value=place.critical_value,
                )
        return sensors

    def look_at_disks(self) -> dict[str, float]:
        """Degrees Celsius by the whole device's name, where the driver tells without S.M.A.R.T. It may hang."""
        self._find()
        told = {disk: _value(path, Sensor.TEMPERATURE_CELSIUS) for disk, path in self._disk_inputs}
        return {disk: value for disk, value in told.items() if value is not None}

    def _find(self) -> bool:
        """Looks for chips where others are there than before; whether there are any."""
        chips = _names(self._folder)
        if chips != self._chips:
            self._chips, self._inputs, self._disk_inputs = chips, [], []
            ids: set[str] = set()
            # Numbers are given anew with each start of the machine; where a chip sits stays.
            for folder in sorted((self._folder / chip for chip in chips), key=os.path.realpath):
                name = printable(_text(folder / "name"))
                if name in _DISK_CHIPS:
                    first = str(folder / "temp1_input")
                    self._disk_inputs += [(disk, first) for disk in _disks_at(folder / "device")]
                elif name:
                    self._inputs += _inputs_of(folder, name, ids)
        return bool(chips)


def _inputs_of(folder: Path, chip: str, ids: set[str]) -> list[_Input]:
    found = sorted(
        ((match[1], int(match[2])) for match in map(_INPUT.fullmatch, _names(folder)) if match is not None),
        key=lambda one: (one[0] != "temp", one[1]),
    )
    inputs: list[_Input] = []
    for what, number in found:
        sensor_id = f"{chip}/{printable(_text(folder / f'{what}{number}_label')) or f'{what}{number}'}"
        while sensor_id in ids:
            sensor_id += "'"
        ids.add(sensor_id)
        kind = Sensor.TEMPERATURE_CELSIUS if what == "temp" else Sensor.FAN_RPM
        high, critical = (
            _value(str(folder / f"{what}{number}_{limit}"), kind) if what == "temp" else None
            for limit in ("max", "crit")
        )
        inputs.append(_Input(str(folder / f"{what}{number}_input"), sensor_id, kind, high, critical))
    return inputs


def _disks_at(device: Path) -> list[str]:
    """The block devices of a chip's device: a SCSI device has a folder of them, an NVMe controller its namespaces."""
    names = _names(device / "block")
    if names:
        return names
    namespaces = (_CONTROLLER_PATH.sub(r"\1\2", name) for name in _names(device))
    return [name for name in namespaces if re.fullmatch(r"nvme\d+n\d+", name)]


def _value(path: str, kind: "Sensor.Kind.ValueType") -> float | None:
    """Thousandths of degrees, or turns per minute. Not every file that is there can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            told = float(os.read(descriptor, 64))
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
    if kind == Sensor.FAN_RPM:
        return three_digits(told) if 0 <= told < 1e6 else None
    celsius = round(told / 1000, 1)
    return celsius if _PLAUSIBLE_CELSIUS[0] <= celsius <= _PLAUSIBLE_CELSIUS[1] else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, not paths
    except OSError:
        return []


def _told_by_psutil() -> dict[str, Sensor]:
    """What psutil tells of other systems, and of Linux without hwmon."""
    sensors: dict[str, Sensor] = {}
    for kind, function in (
        (Sensor.TEMPERATURE_CELSIUS, "sensors_temperatures"),
        (Sensor.FAN_RPM, "sensors_fans"),
    ):
        if not hasattr(psutil, function):
            continue
        try:
            chips = getattr(psutil, function)()
        except (OSError, RuntimeError, NotImplementedError, ValueError):
            continue
        for chip, readings in chips.items():
            _add_readings(sensors, kind, printable(chip), readings)
    return sensors


def _add_readings(
    sensors: dict[str, Sensor], kind: "Sensor.Kind.ValueType", chip: str, readings: Sequence[Any]
) -> None:
    for index, reading in enumerate(readings):
        name = f"{chip}/{printable(reading.label) if reading.label else index}"
        while name in sensors:
            name += "'"
        value = float(reading.current)
        sensor = Sensor(id=name, kind=kind, value=three_digits(value) if kind == Sensor.FAN_RPM else round(value, 1))
        if getattr(reading, "high", None) is not None:
            sensor.high_value = round(float(reading.high), 1)
        if getattr(reading, "critical", None) is not None:
            sensor.critical_value = round(float(reading.critical), 1)
        sensors[name] = sensor


def cpu_temperature(sensors: Mapping[str, Sensor]) -> float | None:
    """The hottest sensor of the processor."""
    values = [
        sensor.value
        for sensor in sensors.values()
        if sensor.kind == Sensor.TEMPERATURE_CELSIUS and sensor.id.partition("/")[0] in _CPU_CHIPS
    ]
    return max(values, default=None)
