"""Targets whose disks come, go and are replaced, with a table of mounts that the test writes."""

import json
import os
from pathlib import Path

import pytest

from chiatea.copier import known_disks
from chiatea.copier.known_disks import KnownDisks
from chiatea.copier.mounts import Mounted, mounted_at
from chiatea.errors import ChiaTeaError


class Machine:
    """One target folder, and what is mounted there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.filepath = folder / "state" / "disks.json"
        self.data = folder / "data"
        self.disk = self.data / "disk"
        self.target = self.disk / "plots"
        self.target.mkdir(parents=True)
        self.now: Mounted | None = Mounted(self.disk, "uuid:one")
        monkeypatch.setattr(known_disks, "mounted_at", lambda _: self.now)

    def fault(self, now: Mounted | None = None) -> str:
        self.now = now or self.now
        return KnownDisks(self.filepath).fault(self.target)

    def accept(self, *, even_unmounted: bool = False) -> str:
        return KnownDisks(self.filepath).accept(self.target, even_unmounted=even_unmounted)

    def unmounted(self) -> Mounted:
        return Mounted(self.data, "uuid:data")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_disk_that_was_seen_once_and_is_gone_is_not_mounted_until_it_is_back(machine: Machine) -> None:
    assert machine.fault() == ""
    fault = machine.fault(machine.unmounted())
    assert fault == (
        f"is not mounted: its disk was at {machine.disk}, where there is none now: mount it, or let "
        f"`chia-tea copy --accept-disk {machine.target}` take what is there"
    )
    assert machine.fault(Mounted(Path("/"), "uuid:root")) != ""
    assert machine.fault(Mounted(machine.disk, "uuid:one")) == ""


def test_another_disk_gets_nothing_before_a_person_takes_it(machine: Machine) -> None:
    machine.fault()
    assert f"has another disk than before, uuid:two at {machine.disk}" in machine.fault(
        Mounted(machine.disk, "uuid:two")
    )
    assert machine.accept() == f"uuid:two at {machine.disk}"
    assert machine.fault() == ""
    assert machine.fault(Mounted(machine.disk, "uuid:one")) != ""


def test_a_release_never_takes_an_empty_mount_point_and_a_person_on_the_machine_may(machine: Machine) -> None:
    machine.fault()
    machine.fault(machine.unmounted())
    assert machine.accept() == ""
    assert machine.fault() != ""
    assert machine.accept(even_unmounted=True) == f"uuid:data at {machine.data}"
    assert machine.fault() == ""
    assert machine.accept(even_unmounted=True) == ""


def test_a_disk_that_is_mounted_after_its_empty_mount_point_was_seen_is_taken_and_remembered(
    machine: Machine,
) -> None:
    assert machine.fault(machine.unmounted()) == ""
    assert machine.fault(Mounted(machine.disk, "uuid:one")) == ""
    assert machine.fault(machine.unmounted()) != ""


def test_the_systems_own_disk_is_not_remembered(machine: Machine) -> None:
    assert machine.fault(Mounted(Path("/"), "uuid:root")) == ""
    assert not machine.filepath.exists()
    assert machine.fault(Mounted(machine.disk, "uuid:one")) == ""
    assert machine.fault(Mounted(Path("/"), "uuid:root")) != ""
    machine.accept(even_unmounted=True)
    assert machine.fault() == ""
    assert json.loads(machine.filepath.read_text()) == {"disks": {}}


@pytest.mark.parametrize(
    ("known", "now", "is_fault", "kept"),
    [
        ("uuid:one", "", False, "uuid:one"),
        ("", "uuid:one", False, "uuid:one"),
        ("fsid:1", "uuid:one", False, "uuid:one"),
        ("uuid:one", "fsid:1", False, "uuid:one"),
        ("fsid:1", "fsid:2", True, "fsid:1"),
        ("nfs4:nas:/plots", "nfs4:nas:/other", True, "nfs4:nas:/plots"),
        ("nfs4:nas:/plots", "uuid:one", True, "nfs4:nas:/plots"),
    ],
)
def test_file_systems_are_compared_where_they_can_be(
    machine: Machine, known: str, now: str, is_fault: bool, kept: str
) -> None:
    machine.fault(Mounted(machine.disk, known))
    assert bool(machine.fault(Mounted(machine.disk, now))) == is_fault
    (entry,) = json.loads(machine.filepath.read_text())["disks"].values()
    assert entry["file_system"] == kept


def test_a_dry_run_remembers_nothing(machine: Machine) -> None:
    assert KnownDisks(machine.filepath, keeps=False).fault(machine.target) == ""
    assert not machine.filepath.exists()


def test_where_the_system_tells_of_no_mounts_nothing_is_held_against_a_target(machine: Machine) -> None:
    machine.fault()
    machine.now = None
    assert machine.fault() == ""
    assert machine.accept(even_unmounted=True) == ""


@pytest.mark.parametrize("content", ["", "{", '{"disks": {"/t": {"point": 1}}}', "[]"])
def test_what_is_damaged_is_not_taken_for_nothing(machine: Machine, content: str) -> None:
    machine.filepath.parent.mkdir()
    machine.filepath.write_text(content)
    with pytest.raises(ChiaTeaError, match=f"{machine.filepath}: is damaged: remove it once every disk is mounted"):
        machine.fault()
    assert machine.filepath.read_text() == content


def test_a_mount_is_found_with_what_tells_it_from_others(tmp_path: Path) -> None:
    here = tmp_path / "my disk"
    folder = here / "plots"
    folder.mkdir(parents=True)
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    table, by_uuid = tmp_path / "mountinfo", tmp_path / "by-uuid"
    by_uuid.mkdir()
    (by_uuid / "gone").symlink_to(tmp_path / "nowhere")
    escaped = str(here).replace(" ", "\\040")

    def found(*lines: str) -> Mounted | None:
        table.write_text("".join(f"{line}\n" for line in lines))
        return mounted_at(folder, table, by_uuid)

    root = f"27 1 0:99 / / rw,relatime - ext4 /dev/vda rw\n28 27 0:98 / {tmp_path}/my rw - ext4 /dev/vdb rw"
    mount = f"30 27 {number} / {escaped} rw,nosuid shared:1 master:2 -"
    assert found(root, f"{mount} nfs4 nas:/my\\040plots rw") == Mounted(here, "nfs4:nas:/my plots")
    assert found(root, f"{mount} tmpfs none rw") == Mounted(here, "")
    assert found(root, f"{mount} fuse.mergerfs a:b rw") == Mounted(here, "")
    assert found(root, f"{mount} ext4 /dev/nothing rw") == Mounted(here, f"fsid:{os.statvfs(folder).f_fsid:x}")
    # One that is hidden by another one, and one that is mounted only when somebody looks.
    assert found(root, f"31 27 0:97 / {folder} rw - tmpfs none rw", f"{mount} tmpfs none rw") == Mounted(here, "")
    assert found(f"27 1 {number} / / rw - tmpfs none rw", f"30 27 {number} / {escaped} rw - autofs x rw") == Mounted(
        Path("/"), ""
    )
    assert found("nonsense", "") is None
    assert mounted_at(folder, tmp_path / "no table", by_uuid) is None


def test_a_disk_with_a_uuid_is_known_by_it(tmp_path: Path) -> None:
    null = Path("/dev/null").stat().st_rdev
    (tmp_path / "by-uuid").mkdir()
    (tmp_path / "by-uuid" / "1234-ABCD").symlink_to("/dev/null")
    table = tmp_path / "mountinfo"
    for number, source in ((f"{os.major(null)}:{os.minor(null)}", "none"), ("0:99", "/dev/null")):
        table.write_text(f"27 1 {number} / / rw - btrfs {source} rw\n")
        assert mounted_at(tmp_path, table, tmp_path / "by-uuid") == Mounted(Path("/"), "uuid:1234-ABCD")
