"""A plausible farm that never changes, and a feed that a test moves: for tests and screenshots."""

import asyncio

from chiatea.protobuf.chia_pb2 import (
    Farmer,
    FullNode,
    Harvester,
    HarvesterViewedFromFarmer,
    MissedChallenge,
    Process,
    Source,
    Wallet,
)
from chiatea.protobuf.copy_pb2 import Copier, CopyJob, CopyTarget
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Cpu, Disk, Ram
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import Entry
from chiatea.wire.feed import Connection

NOW = 1_795_463_700.0
TIB = 1 << 40
GIB = 1 << 30


class SampleFeed:
    """Stands in for the connection to a server."""

    def __init__(self, farm: FarmState | None = None) -> None:
        self.farm = farm if farm is not None else FarmState()
        self.connection = Connection(is_up=True, since=NOW - 4000, address="barn:43200")
        self.has_snapshot = farm is not None
        self.clock_ahead_seconds = 0.0
        self.role = "operator"
        self._changed: set[tuple[str, str]] = {("", "")}

    def touch(self, machine_id: str = "", topic: str = "") -> None:
        self._changed.add((machine_id, topic))

    def take_changed(self) -> set[tuple[str, str]]:
        changed, self._changed = self._changed, set()
        return changed

    async def run(self) -> None:
        await asyncio.Event().wait()


def put(farm: FarmState, machine_id: str, topic: str, *messages: object) -> None:
    assert topic in TOPICS, "no machine can tell of it"
    held = farm.machine(machine_id).entries.setdefault(topic, {})
    for message in messages:
        identity = getattr(message, "id", "")
        held[identity] = Entry(message, NOW - 2)  # type: ignore[arg-type]


def disk(mount: str, size_tib: float, used: float, *, busy: float = 1.0, read: float = 2e5, **more: object) -> Disk:
    total = int(size_tib * TIB)
    made = Disk(
        id=mount,
        device=f"/dev/sd{mount[-1]}1",
        filesystem_type="xfs",
        state=Disk.OK,
        total_bytes=total,
        used_bytes=int(total * used),
        free_bytes=int(total * (1 - used)),
        read_bytes_per_second=read,
        write_bytes_per_second=0,
        busy_percent=busy,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def harvester(n_plots: int, lookup: float, **more: object) -> Harvester:
    made = Harvester(
        is_running=True,
        is_connected_to_farmer=True,
        n_plots=n_plots,
        n_plots_v1=n_plots,
        total_plot_bytes=n_plots * 87 * GIB,
        effective_plot_bytes=n_plots * 101 * GIB,
        n_challenges=9216,
        n_eligible_plots=n_plots * 18,
        n_proofs=n_plots // 600,
        last_challenge_time=NOW - 4,
        last_eligible_plots=n_plots // 512,
        last_proofs=0,
        last_lookup_seconds=lookup,
        median_lookup_seconds=lookup * 0.9,
        p99_lookup_seconds=lookup * 3,
        worst_lookup_seconds=lookup * 6,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def sample_farm() -> FarmState:
    farm = FarmState()
    for machine_id, name, age, online in (
        ("a", "barn", 1.0, True),
        ("b", "cellar", 2.5, True),
        ("c", "loft", 3 * 3600.0, False),
    ):
        farm.apply_info(
            MachineInfo(
                machine_id=machine_id,
                name=name,
                first_seen=NOW - 9e6,
                last_seen=NOW - age,
                online=online,
                copier_online=online,
            )
        )
    put(
        farm,
        "a",
        "cpu",
        Cpu(name="Ryzen 9", n_logical_cores=24, usage_percent=17, load_1_minute=2.31, temperature_celsius=61),
    )
    put(
        farm,
        "b",
        "cpu",
        Cpu(name="Celeron J4125", n_logical_cores=4, usage_percent=88, load_1_minute=3.9, temperature_celsius=86),
    )
    put(farm, "c", "cpu", Cpu(name="i5-8500", n_logical_cores=6, usage_percent=4, load_1_minute=0.2))
    put(
        farm,
        "a",
        "ram",
        Ram(total_bytes=64 * GIB, used_bytes=21 * GIB, available_bytes=43 * GIB, swap_total_bytes=8 * GIB),
    )
    put(
        farm,
        "b",
        "ram",
        Ram(
            total_bytes=8 * GIB, used_bytes=7 * GIB, available_bytes=GIB, swap_total_bytes=2 * GIB, swap_used_bytes=GIB
        ),
    )
    put(farm, "c", "ram", Ram(total_bytes=16 * GIB, used_bytes=3 * GIB, available_bytes=13 * GIB))
    put(
        farm,
        "a",
        "disk",
        disk("/", 0.9, 0.41),
        disk("/mnt/plots1", 16.3, 0.97, temperature_celsius=39.0, is_healthy=True),
        disk(
            "/mnt/plots2", 16.3, 0.82, busy=93, write_bytes_per_second=1.9e8, temperature_celsius=61.0, is_healthy=True
        ),
    )
    put(
        farm,
        "a",
        "disk",
        disk("/mnt/plots3", 16.3, 0.995, temperature_celsius=41.0, is_healthy=True, n_pending_sectors=8),
        disk("/mnt/plotting", 3.6, 0.55, busy=71, read=1.9e8, write_bytes_per_second=4.1e8),
    )
    put(
        farm,
        "b",
        "disk",
        disk("/", 0.2, 0.63),
        disk("/mnt/usb-a", 7.2, 0.98, busy=12, read=3.1e6),
        Disk(id="/mnt/usb-b", state=Disk.HANGING),
        disk("/mnt/usb-c", 7.2, 0.44, is_read_only=True),
    )
    put(farm, "c", "disk", disk("/", 0.4, 0.30), disk("/srv/plots", 14.5, 0.88))
    put(farm, "a", "harvester", harvester(418, 0.21))
    put(
        farm,
        "b",
        "harvester",
        harvester(151, 4.8, n_failed_to_open=2, worst_lookup_seconds=31.0, p99_lookup_seconds=17.2),
    )
    put(farm, "c", "harvester", harvester(130, 0.33, is_running=False, last_challenge_time=NOW - 3 * 3600))
    put(
        farm,
        "a",
        "farmer",
        Farmer(
            is_running=True,
            n_harvesters=2,
            n_plots=569,
            effective_plot_bytes=569 * 101 * GIB,
            n_skipped_signage_points=3,
            expected_seconds_to_win=86400 * 4.2,
            n_signage_points=9216,
        ),
    )
    put(
        farm,
        "a",
        "full_node",
        FullNode(is_running=True, is_synced=True, peak_height=8_123_456, netspace_bytes=2.3e19, n_peers=41),
    )
    put(
        farm,
        "a",
        "wallet",
        Wallet(
            is_running=True, is_synced=True, confirmed_balance_mojo=12_750_000_000_000, farmed_mojo=10_000_000_000_000
        ),
    )
    seen = HarvesterViewedFromFarmer
    put(
        farm,
        "a",
        "farmer_harvester",
        seen(
            id="12c5b7d6114b",
            state=seen.ANSWERING,
            host="127.0.0.1",
            n_plots=418,
            total_plot_bytes=418 * 87 * GIB,
            last_answer_time=NOW - 4,
            n_challenges_owed=9216,
            n_challenges_answered=9216,
        ),
        seen(
            id="49b169855067",
            state=seen.TIMED_OUT,
            host="192.168.1.20",
            n_plots=151,
            n_failed_to_open=2,
            total_plot_bytes=151 * 87 * GIB,
            last_answer_time=NOW - 71,
            n_challenges_owed=9209,
            n_challenges_answered=9197,
            missed_challenges=12,
            n_challenges_late=12,
            n_timeouts=1,
        ),
        seen(
            id="98a87cc2c8c6",
            state=seen.DISCONNECTED,
            host="192.168.1.30",
            n_plots=130,
            total_plot_bytes=130 * 87 * GIB,
            last_answer_time=NOW - 3 * 3600,
            n_challenges_owed=8064,
            n_challenges_answered=8063,
            missed_challenges=1,
        ),
    )
    for index in range(5):
        miss = MissedChallenge(
            id=f"49b1/{index}",
            harvester_id="49b169855067",
            signage_point_index=12 + index,
            sent_time=NOW - 70 + index * 9,
        )
        if index < 3:
            miss.late_answer_time = NOW - 4
        put(farm, "a", "missed_challenge", miss)
    for process_id, name, kind, cpu_percent in (
        (4211, "chia_full_node", Process.FULL_NODE, 38),
        (4212, "chia_farmer", Process.FARMER, 2),
        (4213, "chia_harvester", Process.HARVESTER, 4),
        (5120, "bladebit_cuda", Process.PLOTTER, 212),
    ):
        put(
            farm,
            "a",
            "process",
            Process(
                id=process_id,
                name=name,
                kind=kind,
                cpu_percent=cpu_percent,
                resident_bytes=cpu_percent * 40 << 20,
                status="sleeping",
            ),
        )
    put(farm, "b", "source", Source(id="chia log", state=Source.FAILING, error="cannot be read: Permission denied"))
    put(farm, "a", "copier", Copier(is_running=True, n_active=2, n_queued=3, n_done=118, bytes_per_second=3.6e8))
    put(
        farm,
        "a",
        "copy_job",
        CopyJob(
            id="1",
            state=CopyJob.COPYING,
            source_filepath="/mnt/plotting/plot-k32-c05-2026-11-23-18-40-2f77a61d.plot",
            target_id="/mnt/plots2",
            total_bytes=87 * GIB,
            copied_bytes=52 * GIB,
            bytes_per_second=1.9e8,
            remaining_seconds=197,
        ),
        CopyJob(
            id="2",
            state=CopyJob.VERIFYING,
            source_filepath="/mnt/plotting/plot-k32-c05-2026-11-23-18-52-9d01e1c7.plot",
            target_id="/mnt/plots1",
            total_bytes=87 * GIB,
            copied_bytes=87 * GIB,
            verified_bytes=31 * GIB,
            bytes_per_second=1.7e8,
            remaining_seconds=350,
        ),
        CopyJob(
            id="3",
            state=CopyJob.QUEUED,
            source_filepath="/mnt/plotting/plot-k32-c05-2026-11-23-19-04-77b3ab20.plot",
            total_bytes=87 * GIB,
        ),
    )
    put(
        farm,
        "a",
        "copy_target",
        CopyTarget(id="/mnt/plots1", state=CopyTarget.READY, free_bytes=500 * GIB, promised_bytes=87 * GIB, n_active=1),
        CopyTarget(
            id="/mnt/plots2", state=CopyTarget.READY, free_bytes=3000 * GIB, promised_bytes=87 * GIB, n_active=1
        ),
        CopyTarget(id="/mnt/plots3", state=CopyTarget.FULL, free_bytes=80 * GIB),
    )
    return farm
