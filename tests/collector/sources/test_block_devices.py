import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.sources.block_devices import BlockDevices, has_smart, parse_diskstats


def add(sys_folder: Path, place: str, *, is_partition: bool = False, slaves: tuple[str, ...] = ()) -> None:
    """A device at its place below /sys/devices, and the link to it in /sys/class/block."""
    folder = sys_folder / "devices" / place
    folder.mkdir(parents=True)
    if is_partition:
        (folder / "partition").write_text("1\n")
    for slave in slaves:
        (folder / "slaves" / slave).mkdir(parents=True)
    if not is_partition and "virtual" not in place:
        (folder / "device").mkdir()
        (folder / "device" / "model").write_text("ST16000NM001G   \n")
    links = sys_folder / "class" / "block"
    links.mkdir(parents=True, exist_ok=True)
    (links / folder.name).symlink_to(os.path.relpath(folder, links))


def test_the_disks_under_partitions_device_mapper_and_raid_are_found(tmp_path: Path) -> None:
    add(tmp_path, "pci/ata1/sda")
    add(tmp_path, "pci/ata1/sda/sda1", is_partition=True)
    add(tmp_path, "pci/ata2/sdb")
    add(tmp_path, "pci/ata2/sdb/sdb1", is_partition=True)
    add(tmp_path, "pci/nvme0/nvme0n1")
    add(tmp_path, "pci/nvme0/nvme0n1/nvme0n1p2", is_partition=True)
    add(tmp_path, "virtual/md0", slaves=("sda1", "sdb1"))
    add(tmp_path, "virtual/dm-0", slaves=("md0",))
    add(tmp_path, "virtual/loop0")
    devices = BlockDevices(tmp_path)
    assert devices.disks_of(("sda1",)) == ("sda",)
    assert devices.disks_of(("sdb",)) == ("sdb",)
    assert devices.disks_of(("nvme0n1p2",)) == ("nvme0n1",)
    assert devices.disks_of(("dm-0",)) == ("sda", "sdb")
    assert devices.disks_of(("sda1", "sdb1", "sda")) == ("sda", "sdb")
    assert devices.disks_of(("loop0",)) == devices.disks_of(("gone",)) == devices.disks_of(()) == ()
    assert (devices.model_of("sda"), devices.model_of("gone")) == ("ST16000NM001G", "")


def test_devices_that_lie_under_each_other_do_not_go_round_for_ever(tmp_path: Path) -> None:
    add(tmp_path, "virtual/dm-0", slaves=("dm-1",))
    add(tmp_path, "virtual/dm-1", slaves=("dm-0",))
    assert BlockDevices(tmp_path).disks_of(("dm-0",)) == ()


def test_what_is_no_device_has_no_parts(tmp_path: Path) -> None:
    devices = BlockDevices(tmp_path)
    for device in ("nas:/plots", "//nas/plots", "pool/plots", "/mnt/a:/mnt/b", "tmpfs", "C:\\"):
        assert devices.parts_of(device, "any") == ()
    assert devices.parts_of("/dev/sda1", "ext4") == ("sda1",)


def test_a_name_may_mean_another_device_once_mounts_changed(tmp_path: Path) -> None:
    add(tmp_path, "virtual/dm-0", slaves=("sda",))
    add(tmp_path, "pci/sda")
    devices = BlockDevices(tmp_path)
    assert devices.disks_of(("dm-0",)) == ("sda",)
    (tmp_path / "devices" / "virtual" / "dm-0" / "slaves" / "sda").rmdir()
    assert devices.disks_of(("dm-0",)) == ("sda",)
    devices.forget()
    assert devices.disks_of(("dm-0",)) == ()


def test_disks_that_may_know_smart_are_known_by_their_names() -> None:
    assert all(map(has_smart, ("sda", "sdab", "hda", "nvme10n1")))
    assert not any(map(has_smart, ("sda1", "vda", "mmcblk0", "dm-0", "md0", "loop0", "nvme0n1p1", "sr0", "")))


def test_the_counters_are_in_bytes_and_milliseconds() -> None:
    table = b" 254 0 vda 43746 11674 5513698 27190 172395 110391 11586808 59735 0 17352 91402 30491 59 2800016 2277\n"
    assert parse_diskstats(table) == {"vda": (5513698 * 512, 11586808 * 512, 17352)}


@given(st.binary() | st.text(alphabet="0123456789 \nsda-x").map(str.encode))
def test_any_table_of_counters_at_all_is_read(table: bytes) -> None:
    parse_diskstats(table)
