from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import Entry
from chiatea.state.totals import totals_of


def farm_of(**machines: list[Disk]) -> FarmState:
    farm = FarmState()
    for machine_id, disks in machines.items():
        farm.machine(machine_id).entries["disk"] = {disk.id: Entry(disk, 0.0) for disk in disks}
    return farm


def disk(point: str, device: str, kind: str, total: int, free: int, *, state: "Disk.State.ValueType" = Disk.OK) -> Disk:
    return Disk(
        id=point,
        device=device,
        filesystem_type=kind,
        state=state,
        total_bytes=total,
        used_bytes=total - free,
        free_bytes=free,
    )


def test_a_disk_s_bytes_count_once_whatever_shows_them() -> None:
    nas = disk("/mnt/nas", "nas:/plots", "nfs4", 1000, 100)
    farm = farm_of(
        a=[
            disk("/mnt/a", "/dev/sda1", "ext4", 100, 40),
            disk("/mnt/b", "/dev/sdb1", "xfs", 100, 10),
            disk("/mnt/all", "/mnt/a:/mnt/b", "fuse.mergerfs", 200, 50),
            disk("/mnt/lost", "/dev/sdc1", "ext4", 100, 10, state=Disk.MOUNT_LOST),
            nas,
        ],
        b=[
            nas,
            disk("/tank/a", "tank/a", "zfs", 300, 200),
            disk("/tank/b", "tank/b", "zfs", 250, 200),
            disk("/", "overlay", "overlay", 10, 5),
        ],
    )
    totals = totals_of(farm)
    assert totals.disk_free_bytes == 40 + 10 + 100 + 200 + 5
    assert totals.disk_total_bytes == 100 + 100 + 1000 + (100 + 50 + 200) + 10
    assert totals.n_disks == 9
