"""Jobs and targets for tests of what decides."""

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from chiatea.copier.jobs import Job, JobState, begun
from chiatea.copier.placement import Limits, Target, TargetState

NOW = 1_700_000_000.0
GIB = 2**30


def a_job(number: int = 0, *, n_bytes: int = GIB, disk: str = "sda", **more: object) -> Job:
    job = Job(
        id=f"job{number:04}", folder=Path("/in"), name=f"plot{number}.plot", total_bytes=n_bytes, source_disk=disk,
        created_time=NOW + number,
    )  # fmt: skip
    return job if not more else _replaced(job, more)


def _replaced(job: Job, more: dict[str, object]) -> Job:
    return replace(job, **more)  # type: ignore[arg-type]


def a_target(name: str = "/t1", *, free: int = 100 * GIB, device: int | None = None, **more: object) -> Target:
    number = device if device is not None else sum(map(ord, name))
    fields = {"state": TargetState.READY, "device": number, "disk": f"disk{number}", "looked_time": NOW} | more
    return Target(folder=Path(name), free_bytes=free, total_bytes=1000 * GIB, **fields)  # type: ignore[arg-type]


def on(job: Job, target: Target) -> Job:
    return begun(job, target_folder=target.folder, target_device=target.device, target_disk=target.disk, now=NOW)


limits = st.builds(
    Limits,
    reserve_bytes=st.integers(0, 3) | st.integers(0, 100),
    max_per_target=st.integers(1, 3),
    max_per_source=st.integers(1, 3),
    max_active=st.integers(1, 6),
)


@st.composite
def farms(draw: st.DrawFn) -> tuple[list[Job], list[Target]]:
    """Targets on few file systems and disks, and jobs of all kinds; sizes are small so that they matter."""
    disks = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=3, max_size=3))
    free = draw(st.lists(st.integers(0, 60), min_size=3, max_size=3))
    targets = []
    for number in range(draw(st.integers(0, 5))):
        device = draw(st.integers(0, 2))
        targets.append(
            Target(
                folder=Path(f"/t{number}"),
                state=draw(st.sampled_from([TargetState.READY] * 4 + list(TargetState))),
                device=device,
                disk=disks[device],
                free_bytes=free[device],
                total_bytes=1000,
                looked_time=NOW + draw(st.sampled_from([-1.0, 1.0])),
                group_rank=draw(st.integers(0, 2)),
                is_awaited=draw(st.sampled_from([False] * 5 + [True])),
            )
        )
    jobs = []
    for number in range(draw(st.integers(0, 12))):
        job = a_job(
            number, n_bytes=draw(st.integers(1, 25)), disk=draw(st.sampled_from(["x", "y"])),
            priority=draw(st.sampled_from([0, 0, 0, 1, -1])),
        )  # fmt: skip
        kind = draw(st.sampled_from(["queued"] * 4 + ["under way", "later", "over", "going on"]))
        if kind in {"under way", "going on"} and targets:
            job = on(job, draw(st.sampled_from(targets)))
            if kind == "going on":
                job = _replaced(job, {"state": JobState.QUEUED, "must_recover": True, "started_time": None})
        elif kind == "later":
            job = _replaced(job, {"next_attempt_time": NOW + 1})
        elif kind == "over":
            job = _replaced(job, {"state": draw(st.sampled_from([JobState.DONE, JobState.FAILED]))})
        jobs.append(job)
    return jobs, targets
