from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.jobs import Job, JobState
from chiatea.copier.placement import Limits, Target, TargetState
from chiatea.copier.scheduler import what_to_start

from .jobs_and_targets import GIB, NOW, a_job, a_target, farms, limits, on

MANY = Limits(max_per_target=9, max_per_source=9, max_active=9)
Farm = tuple[list[Job], list[Target]]


def ids(jobs: list[Job], targets: list[Target], allowed: Limits = MANY, now: float = NOW) -> list[str]:
    return [start.job.id for start in what_to_start(jobs, targets, allowed, now)]


def test_two_plots_that_fit_alone_but_not_together_are_not_both_promised() -> None:
    target = a_target(free=15 * GIB)
    assert ids([a_job(1, n_bytes=10 * GIB), a_job(2, n_bytes=10 * GIB)], [target]) == ["job0001"]


def test_a_smaller_plot_takes_the_room_that_is_too_small_for_the_first() -> None:
    jobs = [a_job(1, n_bytes=10 * GIB), a_job(2, n_bytes=12 * GIB), a_job(3, n_bytes=4 * GIB)]
    assert ids(jobs, [a_target(free=15 * GIB)]) == ["job0001", "job0003"]


def test_two_copies_go_to_two_disks() -> None:
    starts = what_to_start([a_job(1), a_job(2), a_job(3)], [a_target("/a"), a_target("/b")], Limits(), NOW)
    assert len({start.target.folder for start in starts}) == len(starts) == 2


def test_source_disks_are_read_side_by_side() -> None:
    jobs = [a_job(n, disk="fast") for n in range(5)] + [a_job(9, disk="other")]
    starts = what_to_start(jobs, [a_target(f"/{n}") for n in range(2)], Limits(max_per_source=5), NOW)
    assert {start.job.source_disk for start in starts} == {"fast", "other"}


def test_one_source_disk_is_read_by_no_more_than_its_limit() -> None:
    jobs = [a_job(n) for n in range(5)]
    assert ids(jobs, [a_target(f"/{n}") for n in range(5)], Limits(max_per_source=2)) == ["job0000", "job0001"]


def test_priority_comes_first_then_age() -> None:
    jobs = [a_job(3), a_job(1), a_job(2, priority=1)]
    assert ids(jobs, [a_target()]) == ["job0002", "job0001", "job0003"]


def test_what_a_journal_knows_comes_before_all_else_and_goes_where_it_was() -> None:
    full = a_target("/full", free=0, state=TargetState.FULL)
    going_on = replace(on(a_job(9), full), state=JobState.QUEUED, must_recover=True, started_time=None)
    starts = what_to_start([a_job(1, priority=5), going_on], [a_target("/new"), full], MANY, NOW)
    assert [(start.job.id, str(start.target.folder)) for start in starts] == [("job0009", "/full"), ("job0001", "/new")]


def test_what_a_journal_knows_waits_for_its_own_target() -> None:
    gone = a_target("/gone", state=TargetState.NOT_MOUNTED)
    going_on = replace(on(a_job(9), gone), state=JobState.QUEUED, must_recover=True, started_time=None)
    assert ids([going_on], [a_target("/other"), gone]) == []


def test_a_job_waits_for_its_next_attempt() -> None:
    job = a_job(1, next_attempt_time=NOW + 5)
    assert ids([job], [a_target()]) == []
    assert ids([job], [a_target()], now=NOW + 5) == ["job0001"]


def test_two_plots_of_one_name_are_not_copied_into_one_folder_at_once() -> None:
    jobs = [a_job(1), replace(a_job(2), name=a_job(1).name)]
    assert ids(jobs, [a_target("/only")]) == ["job0001"]
    assert ids(jobs, [a_target("/one"), a_target("/two")]) == ["job0001", "job0002"]


def test_a_small_plot_waits_for_its_group_and_a_large_one_that_does_not_fit_there_goes_on() -> None:
    fast, usb = a_target("/fast", free=3 * GIB, group_rank=0), a_target("/usb", group_rank=1)
    under_way = on(a_job(0, n_bytes=GIB), fast)
    jobs = [under_way, a_job(1, n_bytes=GIB), a_job(2, n_bytes=5 * GIB), a_job(3, n_bytes=2 * GIB)]
    starts = what_to_start(jobs, [fast, usb], Limits(max_per_source=9), NOW)
    assert [(start.job.id, str(start.target.folder)) for start in starts] == [("job0002", "/usb")]


def test_a_job_for_a_later_group_does_not_wait_for_the_first_one() -> None:
    fast, usb = a_target("/fast", group_rank=0), a_target("/usb", group_rank=1)
    jobs = [on(a_job(0), fast), a_job(1), a_job(2, wanted_folder=usb.folder)]
    assert ids(jobs, [fast, usb], Limits(max_per_source=9)) == ["job0002"]


@given(st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=40), st.integers(1, 5), st.data())
def test_no_source_disk_gets_a_second_copy_while_another_one_that_has_plots_is_read_less(
    disks: list[str], n_slots: int, data: st.DataObject
) -> None:
    """Through all of a move: copies end in any order."""
    jobs = {job.id: job for job in (a_job(n, disk=disk) for n, disk in enumerate(disks))}
    targets = [a_target(f"/{n}") for n in range(n_slots)]
    while jobs:
        under_way = [job for job in jobs.values() if job.is_under_way]
        reads = Counter(job.source_disk for job in under_way)
        waiting = Counter(job.source_disk for job in jobs.values() if not job.is_under_way)
        for start in what_to_start(jobs.values(), targets, Limits(max_per_source=3), NOW):
            disk = start.job.source_disk
            assert all(reads[disk] <= reads[other] for other in waiting if waiting[other])
            reads[disk], waiting[disk] = reads[disk] + 1, waiting[disk] - 1
            jobs[start.job.id] = on(start.job, start.target)
        under_way = [job for job in jobs.values() if job.is_under_way]
        assert len(under_way) == min(n_slots, len(jobs), sum(min(3, n) for n in (reads + waiting).values()))
        del jobs[data.draw(st.sampled_from(under_way)).id]


@given(farms(), limits)
def test_no_file_system_is_promised_more_than_it_has_above_the_reserve(farm: Farm, allowed: Limits) -> None:
    jobs, targets = farm
    before = {job.id for job in jobs if job.is_under_way or (job.must_recover and job.state is JobState.QUEUED)}
    for device in {target.device for target in targets}:
        free = max(target.free_bytes for target in targets if target.device == device)
        held = sum(job.total_bytes for job in jobs if job.id in before and job.target_device == device)
        starts = what_to_start(jobs, targets, allowed, NOW)
        new = [start for start in starts if start.target.device == device and start.job.id not in before]
        assert not new or held + sum(start.job.total_bytes for start in new) + allowed.reserve_bytes <= free


@given(farms(), limits)
def test_no_limit_is_passed(farm: Farm, allowed: Limits) -> None:
    jobs, targets = farm
    under_way = [job for job in jobs if job.is_under_way]
    starts = what_to_start(jobs, targets, allowed, NOW)
    assert not starts or len(under_way) + len(starts) <= allowed.max_active
    by_disk = Counter([job.target_disk for job in under_way])
    by_source = Counter([job.source_disk for job in under_way])
    for start in starts:
        by_disk[start.target.disk] += 1
        by_source[start.job.source_disk] += 1
        assert by_disk[start.target.disk] <= allowed.max_per_target
        assert by_source[start.job.source_disk] <= allowed.max_per_source


@given(farms(), limits)
def test_only_what_waits_is_started_once_and_only_where_it_may_be(farm: Farm, allowed: Limits) -> None:
    jobs, targets = farm
    starts = what_to_start(jobs, targets, allowed, NOW)
    assert len({start.job.id for start in starts}) == len(starts)
    for start in starts:
        assert start.job.is_due(NOW)
        assert start.why
        if start.job.must_recover:
            assert start.target.folder == start.job.target_folder
            assert start.target.state in {TargetState.READY, TargetState.FULL, TargetState.DRAINED}
        else:
            assert start.target.state is TargetState.READY


@given(farms(), limits)
def test_after_a_round_there_is_nothing_more_to_start(farm: Farm, allowed: Limits) -> None:
    jobs, targets = farm
    started = {start.job.id: on(start.job, start.target) for start in what_to_start(jobs, targets, allowed, NOW)}
    # (A copy that has just begun is promised whole, as in the round.)
    stale = [replace(target, looked_time=NOW - 1) for target in targets]
    assert what_to_start([started.get(job.id, job) for job in jobs], stale, allowed, NOW) == []


@given(farms(), limits, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_told_does_not_matter(farm: Farm, allowed: Limits, random: object) -> None:
    jobs, targets = farm
    starts = what_to_start(jobs, targets, allowed, NOW)
    random.shuffle(jobs)  # type: ignore[attr-defined]
    random.shuffle(targets)  # type: ignore[attr-defined]
    assert what_to_start(jobs, targets, allowed, NOW) == starts


def test_a_hundred_thousand_plots_that_fit_nowhere_are_decided_on_in_one_pass() -> None:
    jobs = [a_job(n, n_bytes=GIB + n % 7) for n in range(100_000)]
    assert ids(jobs, [a_target(free=GIB - 1)]) == []


def test_a_hundred_thousand_plots_that_wait_for_a_busy_group_are_decided_on_in_one_pass() -> None:
    fast, usb = a_target("/fast", group_rank=0), a_target("/usb", group_rank=1)
    jobs = [on(a_job(0), fast), *(a_job(n, n_bytes=GIB + n % 7) for n in range(1, 100_000))]
    assert ids(jobs, [fast, usb], Limits(max_per_source=9)) == []
