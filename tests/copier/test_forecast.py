from collections import Counter

from hypothesis import given

from chiatea.copier.forecast import forecast
from chiatea.copier.jobs import Job
from chiatea.copier.placement import Limits, Target

from .jobs_and_targets import GIB, NOW, a_job, a_target, farms, limits


def test_every_plot_is_followed_to_its_target_and_those_without_room_say_why() -> None:
    targets = [a_target("/a", free=3 * GIB), a_target("/b", free=2 * GIB)]
    moves = forecast([a_job(n) for n in range(7)], targets, Limits(), NOW)
    assert Counter(str(start.target.folder) for start in moves.starts) == {"/a": 3, "/b": 2}
    assert [job.id for job, _ in moves.left] == ["job0005", "job0006"]
    assert moves.left[0][1] == "/a has room for 0 B, 1.00 GiB are needed; /b has room for 0 B, 1.00 GiB are needed"


def test_folders_of_one_disk_are_filled_once() -> None:
    targets = [a_target("/a", free=3 * GIB, device=1), a_target("/b", free=3 * GIB, device=1)]
    moves = forecast([a_job(n) for n in range(7)], targets, Limits(), NOW)
    assert len(moves.starts) == 3


def test_thousands_of_plots_are_followed() -> None:
    targets = [a_target(f"/{n}", free=1000 * GIB) for n in range(3)]
    moves = forecast([a_job(n) for n in range(3500)], targets, Limits(max_per_source=9), NOW)
    assert (len(moves.starts), len(moves.left)) == (3000, 500)


@given(farms(), limits)
def test_each_plot_either_goes_or_stays_and_no_disk_is_overfilled(
    farm: tuple[list[Job], list[Target]], allowed: Limits
) -> None:
    jobs = [job for job in farm[0] if not job.is_under_way and not job.must_recover]
    moves = forecast(jobs, farm[1], allowed, NOW)
    told = [start.job.id for start in moves.starts] + [job.id for job, _ in moves.left]
    assert sorted(told) == sorted(job.id for job in jobs if not job.is_over)
    for device in {target.device for target in farm[1]}:
        free = max(target.free_bytes for target in farm[1] if target.device == device)
        moved = sum(start.job.total_bytes for start in moves.starts if start.target.device == device)
        assert moved == 0 or moved + allowed.reserve_bytes <= free
