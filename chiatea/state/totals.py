"""Sums over the whole farm."""

from dataclasses import dataclass
from typing import Any, Final

from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import MachineState

__all__ = ["FarmTotals", "totals_of"]

_OVER_OTHERS: Final = frozenset(
    ["aufs", "fuse.mergerfs", "fuse.mhddfs", "fuse.unionfs", "fuse.unionfs-fuse", "mergerfs", "overlay"]
)
"""File systems that only show what is on other disks."""
_OF_THE_NETWORK: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "ceph", "glusterfs", "fuse.glusterfs")


@dataclass(slots=True)
class FarmTotals:
    """What a farm has in all. Plots are counted where harvesters report them themselves.

    Bytes of disks are counted once: not again of a mergerfs over them, of a network mount that several machines have,
    and the free ones of a ZFS pool not with each of its datasets.
    """

    n_machines: int = 0
    n_machines_online: int = 0
    n_harvesters: int = 0
    n_plots: int = 0
    n_plots_v1: int = 0
    n_plots_v2: int = 0
    total_plot_bytes: int = 0
    effective_plot_bytes: int = 0
    n_plots_failed_to_open: int = 0
    n_challenges: int = 0
    n_eligible_plots: int = 0
    n_proofs: int = 0
    missed_challenges: int = 0
    n_disks: int = 0
    disk_total_bytes: int = 0
    disk_free_bytes: int = 0
    n_plots_in_progress: int = 0
    n_active_copies: int = 0
    n_failing_sources: int = 0
    n_scrub_findings: int = 0


def totals_of(farm: FarmState) -> FarmTotals:
    """The sums over all machines, online or not."""
    totals = FarmTotals(n_machines=len(farm.machines))
    totals.n_machines_online = sum(info.online for info in farm.infos.values())
    shares: set[str] = set()
    for state in farm.machines.values():
        _add(totals, state)
        _add_disks(totals, _messages(state, "disk"), shares)
    return totals


def _messages(state: MachineState, topic: str) -> list[Any]:
    return [entry.message for entry in state.of(topic).values()]


def _add(totals: FarmTotals, state: MachineState) -> None:
    for harvester in _messages(state, "harvester"):
        totals.n_harvesters += 1
        totals.n_plots += harvester.n_plots
        totals.n_plots_v1 += harvester.n_plots_v1
        totals.n_plots_v2 += harvester.n_plots_v2
        totals.total_plot_bytes += harvester.total_plot_bytes
        totals.effective_plot_bytes += harvester.effective_plot_bytes
        totals.n_plots_failed_to_open += harvester.n_failed_to_open
        totals.n_challenges += harvester.n_challenges
        totals.n_eligible_plots += harvester.n_eligible_plots
        totals.n_proofs += harvester.n_proofs
    for seen in _messages(state, "farmer_harvester"):
        totals.missed_challenges += seen.missed_challenges
    totals.n_plots_in_progress += len(state.of("plotting_plot"))
    for copier in _messages(state, "copier"):
        totals.n_active_copies += copier.n_active
    totals.n_scrub_findings += len(state.of("scrub_finding"))
    for source in _messages(state, "source"):
        totals.n_failing_sources += source.state == source.FAILING


def _add_disks(totals: FarmTotals, disks: list[Any], shares: set[str]) -> None:
    """Adds one machine's disks; `shares` are the network mounts counted already."""
    free_in_pools: dict[str, int] = {}
    for disk in disks:
        totals.n_disks += 1
        if disk.state == Disk.MOUNT_LOST or (disk.filesystem_type in _OVER_OTHERS and disk.id != "/"):
            continue
        if disk.filesystem_type.startswith(_OF_THE_NETWORK):
            if disk.device in shares:
                continue
            shares.add(disk.device)
        if disk.filesystem_type == "zfs":
            pool = disk.device.partition("/")[0]
            free_in_pools[pool] = max(disk.free_bytes, free_in_pools.get(pool, 0))
            totals.disk_total_bytes += disk.used_bytes
            continue
        totals.disk_total_bytes += disk.total_bytes
        totals.disk_free_bytes += disk.free_bytes
    totals.disk_total_bytes += sum(free_in_pools.values())
    totals.disk_free_bytes += sum(free_in_pools.values())
