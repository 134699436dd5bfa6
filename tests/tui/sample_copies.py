"""A farm whose copiers have all that a copier can have: for tests and screenshots."""

from chiatea.protobuf.chia_pb2 import PlotInProgress
from chiatea.protobuf.copy_pb2 import Copier, CopyJob, CopyTarget, ScrubFinding
from chiatea.state.farm_state import FarmState

from .sample_farm import GIB, NOW, put, sample_farm

PLOT = 87 * GIB


def plot_path(number: int, folder: str = "/mnt/plotting") -> str:
    return f"{folder}/plot-k32-c05-2026-11-23-18-{number % 60:02}-{number * 2654435761 % 2**32:08x}.plot"


def job(number: int, state: CopyJob.State.ValueType, **more: object) -> CopyJob:
    made = CopyJob(
        id=f"j{number}",
        state=state,
        source_filepath=plot_path(number),
        total_bytes=PLOT,
        created_time=NOW - 9000 + number,
        verification=CopyJob.FULL,
        farming=CopyJob.NOT_WATCHED,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def copies_farm() -> FarmState:
    """On machine a jobs in every state, on b a copier that is paused, on c one that is gone."""
    farm = sample_farm()
    for topic in ("copier", "copy_job", "copy_target"):
        farm.machine("a").entries.pop(topic, None)
    put(
        farm,
        "a",
        "copier",
        Copier(
            is_running=True,
            version="2.0.0",
            n_active=3,
            n_queued=2,
            n_done=118,
            n_failed=1,
            n_not_farming=2,
            bytes_done=118 * PLOT,
            bytes_per_second=3.6e8,
            max_bytes_per_second=400_000_000,
            slowed_by="lookups are slow",
            start_time=NOW - 86400,
            n_known_hashes=118,
            n_scrubbed=40,
        ),
    )
    put(farm, "b", "copier", Copier(is_running=True, version="2.0.0", is_paused=True, n_active=1, n_done=7))
    put(farm, "c", "copier", Copier(is_running=False, version="2.0.0", n_done=31))
    put(
        farm,
        "a",
        "copy_target",
        CopyTarget(
            id="/mnt/plots1",
            state=CopyTarget.READY,
            group="old disks",
            free_bytes=500 * GIB,
            total_bytes=16_000 * GIB,
            promised_bytes=PLOT,
            n_active=1,
            bytes_per_second=1.7e8,
        ),
        CopyTarget(
            id="/mnt/plots2",
            state=CopyTarget.READY,
            group="old disks",
            free_bytes=3000 * GIB,
            total_bytes=16_000 * GIB,
            promised_bytes=PLOT,
            reserved_bytes=10 * GIB,
            n_active=1,
            bytes_per_second=1.9e8,
        ),
        CopyTarget(
            id="/mnt/plots3",
            state=CopyTarget.FULL,
            group="new disks",
            group_rank=1,
            free_bytes=80 * GIB,
            reason="has no room above copy.reserve and what is promised",
        ),
        CopyTarget(
            id="/mnt/plots4",
            state=CopyTarget.QUARANTINED,
            group="new disks",
            group_rank=1,
            free_bytes=900 * GIB,
            reason="cannot be written: Input/output error",
            retry_time=NOW + 400,
        ),
    )
    put(
        farm,
        "b",
        "copy_target",
        CopyTarget(id="/mnt/usb-a", state=CopyTarget.DRAINED, free_bytes=140 * GIB),
        CopyTarget(
            id="/mnt/usb-b", state=CopyTarget.NOT_MOUNTED, reason="has another disk than before, WDC WD80EFAX-1"
        ),
    )
    under_way = {"n_attempts": 1, "started_time": NOW - 300}
    put(
        farm,
        "a",
        "copy_job",
        job(
            1,
            CopyJob.COPYING,
            target_id="/mnt/plots2",
            target_filepath=plot_path(1, "/mnt/plots2"),
            copied_bytes=52 * GIB,
            bytes_per_second=1.9e8,
            remaining_seconds=197,
            **under_way,
        ),
        job(
            2,
            CopyJob.VERIFYING,
            target_id="/mnt/plots1",
            copied_bytes=PLOT,
            verified_bytes=31 * GIB,
            bytes_per_second=1.7e8,
            remaining_seconds=350,
            max_bytes_per_second=200_000_000,
            **under_way,
        ),
        job(3, CopyJob.PAUSED, target_id="/mnt/plots2", copied_bytes=4 * GIB, **under_way),
        job(4, CopyJob.QUEUED, priority=-2),
        job(5, CopyJob.QUEUED, n_attempts=2, last_error="No space left on device", next_attempt_time=NOW + 95),
        job(6, CopyJob.FAILED, n_attempts=5, last_error="its source cannot be read: Input/output error"),
        job(7, CopyJob.DONE, target_id="/mnt/plots1", finished_time=NOW - 400, farming=CopyJob.FARMING),
        job(8, CopyJob.DONE, target_id="/mnt/plots1", finished_time=NOW - 90, farming=CopyJob.WAITING),
        job(9, CopyJob.CANCELLED, finished_time=NOW - 700),
    )
    put(farm, "b", "copy_job", job(20, CopyJob.PAUSED, target_id="/mnt/usb-a", copied_bytes=40 * GIB, **under_way))
    put(farm, "b", "scrub_finding", ScrubFinding(id=plot_path(90), state=ScrubFinding.ROTTEN))
    put(
        farm,
        "a",
        "plotting_plot",
        PlotInProgress(
            id="2f77a61d" * 8,
            plotter=PlotInProgress.BLADEBIT_CUDA,
            state=PlotInProgress.RUNNING,
            k=32,
            compression_level=5,
            start_time=NOW - 130,
            last_progress_time=NOW - 2,
            phase=2,
            n_phases=3,
            step="Compressing tables 4 and 5",
            progress_percent=61.5,
            remaining_seconds=81,
            temporary_folder="/mnt/plotting",
            target_folder="/mnt/plotting/done",
        ),
        PlotInProgress(
            id="9d01e1c7" * 8,
            plotter=PlotInProgress.MADMAX,
            state=PlotInProgress.STALLED,
            k=32,
            start_time=NOW - 9000,
            last_progress_time=NOW - 3700,
            phase=1,
            n_phases=4,
            step="Table 5",
            progress_percent=22,
            temporary_folder="/mnt/nvme/tmp",
        ),
    )
    put(
        farm,
        "b",
        "plotting_plot",
        PlotInProgress(id="77b3ab20" * 8, plotter=PlotInProgress.CHIAPOS, state=PlotInProgress.COPYING_OUT, k=33),
    )
    return farm
