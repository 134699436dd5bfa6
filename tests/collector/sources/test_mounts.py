from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.sources.mounts import Mount, disks_among, lost_mounts, parse_mounts


def mount(device: str, point: str, kind: str = "ext4", options: str = "rw") -> Mount:
    return Mount(device, point, kind, options)


def chosen(*mounts: Mount) -> list[str]:
    return [disk.mount_point for disk in disks_among(mounts)]


def test_disks_are_real_file_systems_network_mounts_and_the_root_whatever_it_is() -> None:
    assert chosen(
        mount("proc", "/proc", "proc"),
        mount("overlay", "/", "overlay"),
        mount("overlay", "/var/lib/docker/overlay2/x/merged", "overlay"),
        mount("/dev/loop3", "/snap/core/1", "squashfs", "ro"),
        mount("/dev/sda1", "/mnt/a"),
        mount("nas:/plots", "/mnt/nas", "nfs4"),
        mount("//nas/plots", "/mnt/smb", "cifs"),
        mount("tmpfs", "/run", "tmpfs"),
        mount("tmpfs", "/mnt/ramdisk", "tmpfs"),
        mount("pool/plots", "/tank", "zfs"),
    ) == ["/", "/mnt/a", "/mnt/nas", "/mnt/smb", "/mnt/ramdisk", "/tank"]


def test_a_device_is_one_disk_however_often_it_is_mounted() -> None:
    assert chosen(
        mount("/dev/sda1", "/mnt/a"), mount("/dev/sda1", "/srv/bound"), mount("/dev/sdb1", "/mnt/b", "btrfs")
    ) == ["/mnt/a", "/mnt/b"]


def test_what_covers_a_mount_point_is_what_is_seen_there() -> None:
    covering = disks_among([mount("/dev/sda1", "/mnt/a"), mount("/dev/sdb1", "/mnt/a")])
    assert [disk.device for disk in covering] == ["/dev/sdb1"]


def test_a_mount_is_lost_only_where_plots_are_expected() -> None:
    assert lost_mounts(["/", "/mnt/a", "/mnt/b", "/mnt/c"], {"/", "/mnt/c"}, ["/mnt/a/plots"]) == ["/mnt/a"]


def test_a_mount_that_a_later_one_covers_is_not_seen() -> None:
    assert chosen(
        mount("/dev/sda1", "/"),
        mount("/dev/sdb1", "/mnt/plots/one"),
        mount("/dev/sdc1", "/mnt/plots"),
        mount("/dev/sdd1", "/mnt/plots/two"),
    ) == ["/", "/mnt/plots", "/mnt/plots/two"]


def test_of_several_mounts_of_a_device_the_preferred_one_is_the_disk() -> None:
    mounts = [mount("/dev/sda1", "/etc/hosts"), mount("/dev/sda1", "/data"), mount("/dev/sda1", "/plots")]
    assert [disk.mount_point for disk in disks_among(mounts, (), (["/nowhere"], ["/plots"], ["/data"]))] == ["/plots"]
    assert [disk.mount_point for disk in disks_among(mounts, ["/etc/hosts"])] == ["/data"]


def test_the_table_s_names_may_hold_anything() -> None:
    table = (
        b"/dev/sda1 /mnt/my\\040plots ext4 rw,relatime 0 0\n"
        b"/dev/sdb1 /mnt/a\\012b\\011c\\134040 xfs ro 0 0\n"
        b"/dev/sdc1 /mnt/\xff\x0b\xe2\x80\xa8\r ext4 rw 0 0\n"
        b"/dev/sdd1 /mnt/\\043x ext4 rw 0 0\n"
        b"cut\n"
    )
    assert [mount.mount_point for mount in parse_mounts(table)] == [
        "/mnt/my plots",
        "/mnt/a\nb\tc\\040",
        "/mnt/\udcff\x0b\u2028\r",
        "/mnt/#x",
    ]


@given(st.binary())
def test_any_table_at_all_is_read(table: bytes) -> None:
    disks_among(parse_mounts(table))


def test_what_an_error_did_to_a_mount_is_seen_in_its_options() -> None:
    assert mount("/dev/sda1", "/a", options="ro,relatime").is_read_only
    assert mount("/dev/sda1", "/a", options="rw,emergency_ro").is_read_only
    assert not mount("/dev/sda1", "/a", options="rw,errors=remount-ro").is_read_only
    assert mount("/dev/sda1", "/a", options="rw,shutdown").is_shut_down
