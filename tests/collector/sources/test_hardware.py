import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from chiatea.collector.sources.disk_tables import read_counters
from chiatea.collector.sources.hardware import CpuWatch, NetworkWatch, busy_percent, look_at_ram, look_at_system
from chiatea.collector.sources.rates import Rates
from chiatea.collector.sources.sensors import Sensors


def test_busy_is_what_is_neither_idle_nor_waiting() -> None:
    before = {"user": 1.0, "idle": 1.0, "iowait": 0.0, "guest": 0.0}
    after = {"user": 2.0, "idle": 3.0, "iowait": 1.0, "guest": 1.0}
    assert busy_percent(before, after) == 25.0
    assert busy_percent(after, after) is None


def test_rates_need_two_readings_and_mind_no_reset() -> None:
    rates: Rates[str] = Rates()
    assert rates.of({"a": (100, 0)}, 10.0) == {}
    assert rates.of({"a": (300, 0), "b": (5, 5)}, 12.0) == {"a": (100.0, 0.0)}
    assert rates.of({"a": (0, 0)}, 13.0) == {"a": (0.0, 0.0)}


def test_this_machine_s_processor_memory_and_system_are_told() -> None:
    cpu, cores = CpuWatch().look(55.0)
    assert cpu.n_logical_cores == psutil.cpu_count()
    assert cpu.temperature_celsius == 55.0
    assert cores == {}
    ram = look_at_ram()
    assert ram.total_bytes == psutil.virtual_memory().total
    assert ram.used_bytes + ram.available_bytes == ram.total_bytes
    assert look_at_system().hostname


def test_a_start_time_that_the_system_reckons_anew_is_the_same_start(monkeypatch: pytest.MonkeyPatch) -> None:
    told = look_at_system()
    monkeypatch.setattr(psutil, "boot_time", lambda: told.boot_time + 1.6)
    assert look_at_system(told) == told
    monkeypatch.setattr(psutil, "boot_time", lambda: told.boot_time + 600)
    assert look_at_system(told).boot_time == told.boot_time + 600


def test_the_time_zone_is_told_in_seconds_east() -> None:
    assert look_at_system().utc_offset_seconds == time.localtime().tm_gmtoff


def refuse(*_: object, **__: object) -> object:
    raise NotImplementedError


def test_a_system_without_what_linux_has_is_told_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    monkeypatch.delattr(psutil, "sensors_fans", raising=False)
    monkeypatch.setattr(psutil, "cpu_freq", refuse)
    monkeypatch.setattr(psutil, "swap_memory", refuse)
    monkeypatch.setattr(psutil, "net_io_counters", refuse)
    monkeypatch.setattr("sys.platform", "win32")
    cpu_watch = CpuWatch()
    cpu_watch.look_at_clocks()
    cpu, _ = cpu_watch.look(None)
    assert not cpu.HasField("clock_mhz")
    assert not cpu.HasField("load_1_minute")
    assert look_at_ram().total_bytes > 0
    assert NetworkWatch().look(0.0) == {}
    assert Sensors(tmp_path).look() == {}


def test_a_clock_that_a_file_is_missing_for_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> object:
        raise FileNotFoundError

    monkeypatch.setattr(psutil, "cpu_freq", missing)
    cpu_watch = CpuWatch()
    cpu_watch.look_at_clocks()
    assert not cpu_watch.look(None)[0].HasField("clock_mhz")


def test_disk_counters_of_other_systems_have_no_busy_time(monkeypatch: pytest.MonkeyPatch) -> None:
    Counted = namedtuple("Counted", "read_bytes write_bytes")
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: {"disk0": Counted(5, 7)})
    assert read_counters() == {"disk0": (5, 7)}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: None)
    assert read_counters() == {}
    monkeypatch.setattr(psutil, "disk_io_counters", refuse)
    assert read_counters() == {}
