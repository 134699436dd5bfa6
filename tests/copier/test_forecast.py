from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.forecast import Forecast, forecast
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.placement import Limits, Target, TargetState
from chiatea.copier.speeds import Speed

from .jobs_and_targets import GIB, NOW, a_job, a_target, farms, limits, on

Farm = tuple[list[Job], list[Target]]


def even(_: Job, __: Target, ___: int) -> Speed:
    return Speed(GIB, "measured")


def foreseen(jobs: list[Job], targets: list[Target], allowed: Limits | None = None) -> Forecast:
    return forecast(jobs, targets, allowed or Limits(), NOW, even)


def test_every_plot_is_followed_to_its_target_and_those_without_room_say_why() -> None:
    targets = [a_target("/a", free=3 * GIB), a_target("/b", free=2 * GIB)]
    moves = foreseen([a_job(n) for n in range(7)], targets)
    assert Counter(str(move.start.target.folder) for move in moves.moves) == {"/a": 3, "/b": 2}
    assert [job.id for job, _ in moves.left] == ["job0005", "job0006"]
    why = "/a has room for 0 B, 1.00 GiB are needed; /b has room for 0 B, 1.00 GiB are needed"
    assert moves.left[0][1] == f"no target takes it: {why}"


def test_folders_of_one_disk_are_filled_once() -> None:
    targets = [a_target("/a", free=3 * GIB, device=1), a_target("/b", free=3 * GIB, device=1)]
    assert len(foreseen([a_job(n) for n in range(7)], targets).moves) == 3


def test_moves_begin_when_those_before_them_have_ended() -> None:
    def pace(_: Job, target: Target, n_active: int) -> Speed:
        return Speed(GIB / (2 if target.folder.name == "slow" else 1) / n_active, "measured")

    targets = [a_target("/fast", free=9 * GIB), a_target("/slow", free=8 * GIB)]
    moves = forecast([a_job(n) for n in range(4)], targets, Limits(), NOW, pace).moves
    assert [(str(m.start.target.folder), m.begin_seconds, m.end_seconds) for m in moves] == [
        ("/fast", 0, 2),
        ("/slow", 0, 4),
        ("/fast", 2, 4),
        ("/fast", 4, 5),
    ]


def test_the_order_of_priorities_and_of_what_a_journal_knows_is_kept() -> None:
    target = a_target()
    going_on = replace(on(a_job(9), target), state=JobState.QUEUED, must_recover=True, started_time=None)
    moves = foreseen([a_job(1), a_job(2, priority=5), going_on], [target])
    assert [move.start.job.id for move in moves.moves] == ["job0009", "job0002", "job0001"]


def test_what_is_paused_or_waits_for_one_target_is_told_apart_from_what_has_no_room() -> None:
    gone = a_target("/gone", state=TargetState.NOT_MOUNTED, reason="is not mounted")
    going_on = replace(on(a_job(1), gone), state=JobState.QUEUED, must_recover=True, started_time=None)
    jobs = [
        going_on,
        a_job(2, is_held=True),
        a_job(3, wanted_folder=gone.folder),
        a_job(4, n_bytes=200 * GIB),
        a_job(5),
    ]
    moves = foreseen(jobs, [a_target(), gone])
    assert [move.start.job.id for move in moves.moves] == ["job0005"]
    assert [job.id for job, _ in moves.left] == ["job0004"]
    assert {job.id: why for job, why in moves.waiting} == {
        "job0001": "it is half copied, and waits for its target: /gone is not mounted",
        "job0002": "it is paused, as was ordered: `chia-tea jobs resume` lets it go on",
        "job0003": "no target takes it: /gone is not mounted",
    }
    paused = forecast(jobs, [a_target()], Limits(), NOW, even, is_paused=True)
    assert (len(paused.moves), len(paused.left), len(paused.waiting)) == (0, 0, 5)


def test_each_group_says_how_much_room_it_lacks_to_the_byte() -> None:
    targets = [
        a_target("/a", free=10, device=1, group="fast"),
        a_target("/b", free=30, device=2, group="fast"),
        a_target("/b2", free=30, device=2, group="fast"),
        a_target("/c", free=500, device=3, group="usb", group_rank=1, state=TargetState.DRAINED, reason="is drained"),
    ]
    one = foreseen([a_job(n_bytes=40)], targets)
    assert [(lack.group, lack.rank, lack.n_bytes) for lack in one.shortfalls] == [("fast", 0, 10), ("usb", 1, 40)]
    assert one.shortfalls[1].why == "/c is drained"
    two = foreseen([a_job(1, n_bytes=40), a_job(2, n_bytes=50), a_job(3, n_bytes=60)], targets)
    assert two.shortfalls[0].n_bytes == 150 - 10 - 30
    assert foreseen([a_job(n_bytes=30)], targets).shortfalls == ()


@pytest.mark.parametrize("n_bytes", [GIB, 2 * GIB], ids=["that are moved", "that mostly fit nowhere"])
def test_ten_thousand_plots_are_followed(n_bytes: int) -> None:
    targets = [a_target(f"/{n}", free=3000 * GIB if n_bytes == GIB else n_bytes) for n in range(3)]
    moves = foreseen([a_job(n, n_bytes=n_bytes) for n in range(10_000)], targets, Limits(max_per_source=9))
    n_moved = 9000 if n_bytes == GIB else 3
    assert (len(moves.moves), len(moves.left)) == (n_moved, 10_000 - n_moved)


@given(farms(), limits)
def test_each_plot_either_goes_or_stays_and_no_disk_is_overfilled(farm: Farm, allowed: Limits) -> None:
    jobs = [job for job in farm[0] if not job.is_under_way and not job.must_recover]
    moves = foreseen(jobs, farm[1], allowed)
    told = [move.start.job.id for move in moves.moves] + [job.id for job, _ in (*moves.left, *moves.waiting)]
    assert sorted(told) == sorted(job.id for job in jobs if not job.is_over)
    for device in {target.device for target in farm[1]}:
        free = max(target.free_bytes for target in farm[1] if target.device == device)
        moved = sum(move.start.job.total_bytes for move in moves.moves if move.start.target.device == device)
        assert moved == 0 or moved + allowed.reserve_bytes <= free


@given(farms(), limits)
def test_at_no_time_are_more_copies_foreseen_than_are_allowed(farm: Farm, allowed: Limits) -> None:
    jobs = [job for job in farm[0] if not job.is_under_way and not job.must_recover]
    moves = foreseen(jobs, farm[1], allowed).moves
    assert [move.begin_seconds for move in moves] == sorted(move.begin_seconds for move in moves)
    for time in {move.begin_seconds for move in moves}:
        now = [move for move in moves if move.begin_seconds <= time < move.end_seconds]
        assert len(now) <= allowed.max_active
        assert max(Counter(move.start.target.disk for move in now).values()) <= allowed.max_per_target
        assert max(Counter(move.start.job.source_disk for move in now).values()) <= allowed.max_per_source


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 60), limits)
def test_with_as_much_more_room_as_is_lacking_every_plot_fits_and_with_a_byte_less_it_does_not(
    sizes: list[int], free: int, allowed: Limits
) -> None:
    jobs = [a_job(n, n_bytes=n_bytes) for n, n_bytes in enumerate(sizes)]

    def left(more: int) -> Forecast:
        return foreseen(jobs, [a_target(free=free + allowed.reserve_bytes + more)], allowed)

    short = sum(lack.n_bytes for lack in left(0).shortfalls)
    assert short == max(0, sum(sizes) - free)
    assert not left(short).left
    assert not short or left(short - 1).left
