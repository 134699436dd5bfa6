from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.jobs import JobState, cancelled, finished, refused
from chiatea.copier.placement import Limits, Load, Target, TargetState, load_of, place, room_bytes

from .jobs_and_targets import GIB, NOW, a_job, a_target, limits, on

NOTHING = Load({}, {})
NO_RESERVE = Limits()


def test_the_disk_with_the_fewest_copies_comes_before_the_one_with_the_most_room() -> None:
    busy, idle = a_target("/busy", free=900 * GIB), a_target("/idle", free=10 * GIB)
    load = Load({}, {busy.disk: 1})
    assert place(GIB, [busy, idle], load, Limits(max_per_target=5)).target == idle


def test_of_idle_disks_the_one_with_the_most_room_is_taken() -> None:
    small, large = a_target("/small", free=10 * GIB), a_target("/large", free=20 * GIB)
    assert place(GIB, [small, large], NOTHING, NO_RESERVE).target == large
    promised = Load({large.device: 15 * GIB}, {})
    assert place(GIB, [small, large], promised, NO_RESERVE).target == small


def test_of_equals_the_order_of_names_decides() -> None:
    targets = [a_target("/b", device=1), a_target("/a", device=1)]
    assert place(GIB, targets, NOTHING, NO_RESERVE).target == targets[1]
    assert place(GIB, targets[::-1], NOTHING, NO_RESERVE).target == targets[1]


def test_a_plot_that_fits_to_the_byte_is_taken_and_one_byte_more_is_not() -> None:
    target = a_target(free=100)
    assert place(90, [target], NOTHING, Limits(reserve_bytes=10)).target == target
    assert place(91, [target], NOTHING, Limits(reserve_bytes=10)).target is None


def test_folders_of_one_file_system_share_what_is_promised() -> None:
    one, other = a_target("/one", free=10, device=7), a_target("/other", free=10, device=7)
    job = on(a_job(n_bytes=6), one)
    load = load_of([job], [one, other])
    assert room_bytes(other, load, NO_RESERVE) == 4
    assert place(5, [one, other], load, Limits(max_per_target=9)).target is None


def test_partitions_of_one_disk_share_its_copies() -> None:
    one, other = a_target("/one", device=1, disk="sda"), a_target("/other", device=2, disk="sda")
    load = load_of([on(a_job(), one)], [one, other])
    placement = place(GIB, [one, other], load, NO_RESERVE)
    assert placement.target is None
    assert "/other has 1 on its disk already" in placement.why


@pytest.mark.parametrize("state", [state for state in TargetState if state is not TargetState.READY])
def test_only_a_ready_target_is_chosen(state: TargetState) -> None:
    assert place(1, [a_target(state=state)], NOTHING, NO_RESERVE).target is None


def test_each_target_that_refuses_says_why() -> None:
    targets = [
        a_target("/full", free=5 * GIB),
        a_target("/gone", state=TargetState.NOT_MOUNTED, reason="is not mounted"),
        a_target("/drained", state=TargetState.DRAINED),
    ]
    placement = place(101 * GIB, targets, NOTHING, NO_RESERVE)
    assert placement.why == "/drained is drained; /full has room for 5.00 GiB, 101 GiB are needed; /gone is not mounted"
    assert place(1, [], NOTHING, NO_RESERVE).why == "there is no target folder"


def test_what_a_copy_took_already_is_not_promised_again() -> None:
    target = a_target(free=100, looked_time=NOW + 1, temporary_bytes={"plot0.plot.copying": 30})
    assert load_of([on(a_job(n_bytes=40), target)], [target]).promised_bytes == {target.device: 10}


def test_a_copy_that_began_after_the_look_is_promised_whole() -> None:
    target = a_target(free=100, looked_time=NOW - 1, temporary_bytes={"plot0.plot.copying": 30})
    assert load_of([on(a_job(n_bytes=40), target)], [target]).promised_bytes == {target.device: 40}


def test_a_copy_that_goes_on_later_is_promised_what_it_lacks_but_is_not_under_way() -> None:
    target = a_target(free=100, temporary_bytes={"plot0.plot.copying": 30})
    job = replace(on(a_job(n_bytes=40), target), state=JobState.QUEUED, must_recover=True, started_time=None)
    load = load_of([job], [target])
    assert load.promised_bytes == {target.device: 10}
    assert load.n_active == {}


def test_a_copy_that_went_on_and_is_over_is_promised_nothing() -> None:
    target = a_target(free=100, temporary_bytes={})
    job = on(replace(a_job(n_bytes=40), must_recover=True), target)
    over = [
        finished(job, plot_hash="ab", verified_bytes=0, now=NOW),
        refused(job, "no", now=NOW),
        cancelled(job, now=NOW),
    ]
    assert load_of(over, [target]) == Load({}, {})
    assert not any(job.must_recover for job in over)


def groups() -> tuple[Target, Target]:
    return a_target("/z", group="fast", group_rank=0), a_target("/a", group="usb", group_rank=1)


def test_the_first_group_is_filled_first_whatever_room_and_peace_the_others_have() -> None:
    fast, usb = replace(groups()[0], free_bytes=2 * GIB), replace(groups()[1], free_bytes=900 * GIB)
    load = Load({}, {fast.disk: 1})
    placement = place(GIB, [usb, fast], load, Limits(max_per_target=2))
    assert placement.target == fast
    assert placement.why.startswith("group fast: one copy under way on its disk")


def test_a_busy_group_with_room_is_waited_for() -> None:
    fast, usb = groups()
    placement = place(GIB, [fast, usb], Load({}, {fast.disk: 1}), NO_RESERVE)
    assert (placement.target, placement.waits_for_rank) == (None, 0)
    assert placement.why == "/z has 1 on its disk already"


def test_a_group_whose_target_is_just_being_looked_at_is_waited_for() -> None:
    fast, usb = groups()
    fast = replace(fast, state=TargetState.UNKNOWN, reason="is being looked at", is_awaited=True)
    assert place(GIB, [fast, usb], NOTHING, NO_RESERVE).waits_for_rank == 0
    assert place(GIB, [replace(fast, is_awaited=False), usb], NOTHING, NO_RESERVE).target == usb


@pytest.mark.parametrize("state", [state for state in TargetState if state is not TargetState.READY])
def test_a_group_that_cannot_be_used_is_passed_by(state: TargetState) -> None:
    fast, usb = groups()
    assert place(GIB, [replace(fast, state=state), usb], NOTHING, NO_RESERVE).target == usb


def test_what_the_first_group_has_no_room_for_goes_to_the_next_one_also_while_it_is_busy() -> None:
    fast, usb = groups()
    fast = replace(fast, free_bytes=GIB - 1)
    assert place(GIB, [fast, usb], Load({}, {fast.disk: 1}), NO_RESERVE).target == usb
    assert place(GIB - 1, [fast, usb], Load({}, {fast.disk: 1}), NO_RESERVE).target is None


targets_of_all_kinds = st.lists(
    st.builds(
        a_target,
        st.sampled_from(["/a", "/b", "/c", "/d"]),
        free=st.integers(0, 80),
        device=st.integers(0, 2),
        state=st.sampled_from(TargetState),
        group_rank=st.integers(0, 2),
        is_awaited=st.booleans(),
    ),
    max_size=5,
)
loads = st.builds(
    Load,
    st.dictionaries(st.integers(0, 2), st.integers(0, 50)),
    st.dictionaries(st.sampled_from(["disk0", "disk1", "disk2"]), st.integers(0, 3)),
)


@given(st.integers(1, 50), targets_of_all_kinds, loads, limits)
def test_no_other_allowed_target_is_better_and_none_is_missed(
    plot_bytes: int, targets: list[Target], load: Load, allowed: Limits
) -> None:
    def badness(target: Target) -> tuple[int, int]:
        return load.n_active.get(target.disk, 0), -room_bytes(target, load, allowed)

    def has_room(target: Target) -> bool:
        room = target.free_bytes - load.promised_bytes.get(target.device, 0) - allowed.reserve_bytes
        return target.state is TargetState.READY and room >= plot_bytes

    ranks = {target.group_rank for target in targets if target.is_awaited or has_room(target)}
    good = [
        target
        for target in targets
        if has_room(target)
        and load.n_active.get(target.disk, 0) < allowed.max_per_target
        and target.group_rank == min(ranks)
    ]
    placement = place(plot_bytes, targets, load, allowed)
    assert placement.why
    assert (placement.target is None) == (not good)
    assert placement.waits_for_rank == (min(ranks) if ranks and not good else None)
    if placement.target is not None:
        assert placement.target in good
        assert badness(placement.target) == min(map(badness, good))
