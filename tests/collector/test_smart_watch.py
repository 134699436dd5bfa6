import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chiatea.collector.smart_watch import SmartWatch, fill_health
from chiatea.collector.sources.smart import SmartReport, parse_smart
from chiatea.protobuf.chia_pb2 import Source
from chiatea.protobuf.hardware_pb2 import Disk

DATA = Path(__file__).parents[1] / "data" / "smart"
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Clock = Any


class FakeSmartctl:
    """An executable that answers as smartctl does: DISK.json in its folder, or what DISK.sh says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "smartctl"
        self.program.write_text(
            "#!/bin/sh\n"
            f'cd "{folder}"\n'
            'echo "$@" >> asked\n'
            "for device; do :; done\n"
            'name=$(basename "$device")\n'
            'case "$*" in *"-d sat"*) name="$name.sat";; esac\n'
            '[ -e "$name.sh" ] && . "./$name.sh"\n'
            'cat "$name.json"\n'
            "exit 4\n"
        )
        self.program.chmod(0o755)

    def answers(self, disk: str, name: str) -> None:
        (self.folder / f"{disk}.json").write_bytes((DATA / f"{name}.json").read_bytes())

    def does(self, disk: str, script: str) -> None:
        (self.folder / f"{disk}.sh").write_text(script)

    @property
    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def smartctl(tmp_path: Path) -> FakeSmartctl:
    return FakeSmartctl(tmp_path)


async def step(watch: SmartWatch, time: float, *disks: str) -> None:
    """One step, and what it began awaited."""
    watch.step(time, disks)
    if watch._task is not None:
        await watch._task


async def test_disks_are_asked_one_at_a_time_each_at_its_pace(smartctl: FakeSmartctl, clock: Clock) -> None:
    smartctl.answers("sda", "ata_healthy")
    smartctl.answers("nvme0n1", "nvme")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    watch.step(0.0, ["sda", "nvme0n1", "loop0", "dm-1", "vda"])
    watch.step(0.0, ["sda", "nvme0n1"])
    assert watch._task is not None
    await watch._task
    assert smartctl.asked == ["-j -H -A -i -n standby /dev/sda"]
    for time in (2.0, 4.0, 300.0):
        await step(watch, time, "sda", "nvme0n1")
    assert [line.split()[-1] for line in smartctl.asked] == ["/dev/sda", "/dev/nvme0n1"]
    assert watch.reports["sda"].health == "passed"
    assert watch.reports["nvme0n1"].temperature_celsius == 47
    entry = watch.health.entry
    assert (entry.state, entry.location) == (Source.OK, str(smartctl.program))
    await step(watch, 601.0, "sda", "nvme0n1")
    assert len(smartctl.asked) == 3
    await step(watch, 603.0, "sda")
    assert list(watch.reports) == ["sda"]


async def test_a_source_that_tells_each_ten_minutes_is_not_stale_in_between(
    smartctl: FakeSmartctl, clock: Clock
) -> None:
    smartctl.answers("sda", "ata_healthy")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    await step(watch, 0.0, "sda")
    clock.now += 599
    assert watch.health.aged().state == Source.OK


async def test_a_disk_that_sleeps_keeps_what_it_said_awake(smartctl: FakeSmartctl, clock: Clock) -> None:
    smartctl.answers("sda", "ata_healthy")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    await step(watch, 0.0, "sda")
    smartctl.answers("sda", "standby")
    await step(watch, 600.0, "sda")
    assert watch.reports["sda"].health == "passed"
    assert watch.health.entry.state == Source.OK


async def test_without_permission_it_is_said_once_and_no_disk_after_disk_is_tried(
    smartctl: FakeSmartctl, clock: Clock
) -> None:
    for disk in ("sda", "sdb", "sdc"):
        smartctl.answers(disk, "no_permission")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    for time in range(0, 600, 2):
        await step(watch, float(time), "sda", "sdb", "sdc")
    assert len(smartctl.asked) == 1
    assert watch.health.entry.state == Source.ABSENT
    assert "run the collector as root" in watch.health.entry.error
    smartctl.answers("sdb", "ata_healthy")
    await step(watch, 600.0, "sda", "sdb", "sdc")
    assert (watch.health.entry.state, watch.health.entry.HasField("error")) == (Source.OK, False)
    await step(watch, 602.0, "sda", "sdb", "sdc")
    assert watch.health.entry.state == Source.FAILING, "it was allowed before"


async def test_a_usb_bridge_that_is_not_known_is_asked_as_most_of_them_answer(
    smartctl: FakeSmartctl, clock: Clock
) -> None:
    smartctl.answers("sdc", "usb_bridge_unknown")
    smartctl.answers("sdc.sat", "usb_sat")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    for time in (0.0, 600.0):
        await step(watch, time, "sdc")
    assert watch.reports["sdc"].health == "passed; 1 reallocated sector"
    assert [line.count("-d sat") for line in smartctl.asked] == [0, 1, 1]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("sleep 60", "smartctl gave no answer within 0.5 s"),
        ("echo garbage; exit 1", "it told no JSON: smartmontools 7 or newer is needed"),
        ("yes", "smartctl gave no answer within 0.5 s"),
        ("kill -9 $$", "it told no JSON: smartmontools 7 or newer is needed"),
    ],
)
async def test_a_smartctl_that_hangs_or_prints_garbage_is_one_disk_s_error(
    smartctl: FakeSmartctl, clock: Clock, script: str, error: str
) -> None:
    smartctl.does("sda", script)
    smartctl.answers("sdb", "ata_healthy")
    watch = SmartWatch(str(smartctl.program), 600, clock, limit_seconds=0.5 if script in {"sleep 60", "yes"} else 20)
    await step(watch, 0.0, "sda", "sdb")
    assert watch.health.entry.error == f"sda: {error}"
    await step(watch, 2.0, "sda", "sdb")
    assert watch.health.entry.state == Source.OK
    assert (watch.reports["sda"].error, watch.reports["sdb"].health) == (error, "passed")


async def test_no_smartctl_no_such_disk_or_a_wish_for_none_is_absent(clock: Clock) -> None:
    for command, disk in (("", "sda"), ("/nowhere/smartctl", "sda"), ("sh", "vda")):
        watch = SmartWatch(command, 600, clock)
        await step(watch, 0.0, disk)
        assert watch.health.entry.state == Source.ABSENT
        assert watch.reports == {}


async def test_words_before_it_are_taken(smartctl: FakeSmartctl, clock: Clock) -> None:
    smartctl.answers("sda", "ata_healthy")
    watch = SmartWatch(f"env X=1 '{smartctl.program}'", 600, clock)
    await step(watch, 0.0, "sda")
    assert watch.reports["sda"].health == "passed"


async def test_the_end_does_not_wait_for_a_smartctl_that_hangs(
    smartctl: FakeSmartctl, clock: Clock, until: Until
) -> None:
    smartctl.does("sda", "echo $$ > pid; exec sleep 60")
    watch = SmartWatch(str(smartctl.program), 600, clock)
    watch.step(0.0, ["sda"])
    pid = smartctl.folder / "pid"
    await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    await watch.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def reports(**names: str) -> dict[str, SmartReport]:
    told = {disk: parse_smart((DATA / f"{name}.json").read_bytes()) for disk, name in names.items()}
    return {disk: report for disk, report in told.items() if report is not None}


def test_a_disk_s_health_is_its_device_s_and_the_driver_s_temperature_is_newer() -> None:
    disk = Disk()
    fill_health(disk, ("sda",), reports(sda="ata_failing"), {"sda": 52.0})
    assert (disk.temperature_celsius, disk.is_healthy, disk.n_pending_sectors) == (52.0, False, 312)
    assert disk.health.startswith("FAILING; 4096 reallocated sectors")
    assert (disk.model, disk.serial_number, disk.power_on_hours) == ("ST16000NM001G-2KK103", "ZL2AAAA2", 35211)


def test_of_several_devices_the_hottest_the_sums_and_who_is_not_well_are_told() -> None:
    disk = Disk()
    fill_health(disk, ("sda", "sdb", "nvme0n1"), reports(sda="ata_healthy", sdb="ata_failing"), {"nvme0n1": 60.0})
    assert (disk.temperature_celsius, disk.is_healthy, disk.n_pending_sectors) == (60.0, False, 312)
    assert disk.health.startswith("sdb: FAILING;")
    assert not disk.HasField("serial_number")
    both = Disk()
    fill_health(both, ("sda", "sdb"), reports(sda="ata_healthy", sdb="ata_healthy"), {})
    assert (both.is_healthy, both.health) == (True, "passed")


def test_of_a_disk_that_nothing_is_known_of_nothing_is_told() -> None:
    for devices in ((), ("sda",)):
        disk = Disk()
        fill_health(disk, devices, {}, {})
        assert disk == Disk()
    refused = Disk()
    fill_health(refused, ("sdc",), reports(sdc="usb_bridge_unknown"), {})
    assert refused.health == "/dev/sdc: Unknown USB bridge [0x152d:0x0578 (0x3103)]"
    assert not refused.HasField("is_healthy")
