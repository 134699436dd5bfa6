from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.forecast import Forecast, forecast
from chiatea.copier.jobs import Job, begun
from chiatea.copier.making_room import make_room
from chiatea.copier.placement import Limits, Load, Target, TargetState, room_bytes
from chiatea.copier.replace_rules import ReplaceRule
from chiatea.copier.replacing import Candidate, OldPlot, Replacement, bytes_to_write
from chiatea.copier.scheduler import Start, what_to_start, why_it_waits
from chiatea.copier.speeds import Speed

from .jobs_and_targets import GIB, NOW, a_job, a_target, on

MIB = 1 << 20
NOTHING = Load({}, {})
V1 = ReplaceRule("v1", (".plot",), version=1, new_suffixes=(".plot2",))
AT_ONCE = replace(V1, name="at once", when_full="delete_first")
RESERVE = Limits(reserve_bytes=12 * GIB, max_per_target=2, max_per_source=9, max_active=9)


def old(number: int, n_bytes: int = 10 * GIB, *, rules: tuple[ReplaceRule, ...] = (V1,), made: float = 0) -> Candidate:
    plot_id = f"{number:064x}"
    made_time = made or NOW - 1000 + number
    return Candidate(OldPlot(f"old{number}.plot", n_bytes, 1, number, n_bytes, plot_id, made_time), rules)


def new(number: int = 1, n_bytes: int = 10 * GIB, *, wanted_folder: Path | None = None) -> Job:
    return a_job(
        number,
        n_bytes=n_bytes,
        name=f"plot{number}.plot2",
        version=2,
        modified_ns=int(NOW * 1e9),
        wanted_folder=wanted_folder,
    )


def full(
    name: str = "/t1",
    *,
    free: int = 11 * GIB,
    plots: tuple[Candidate, ...] = (old(1), old(2)),
    device: int | None = None,
    state: TargetState = TargetState.READY,
) -> Target:
    return a_target(name, free=free, old_plots=plots, device=device, state=state)


def starts_of(jobs: list[Job], targets: list[Target], limits: Limits = RESERVE) -> list[Start]:
    return what_to_start(jobs, targets, limits, NOW)


def foreseen(jobs: list[Job], targets: list[Target]) -> Forecast:
    return forecast(jobs, targets, RESERVE, NOW, lambda *_: Speed(GIB, "measured"))


def names(replacement: Replacement | None) -> list[str]:
    assert replacement is not None
    return [chosen.plot.name for chosen in replacement.chosen]


def test_a_target_with_room_is_taken_before_any_old_plot_goes() -> None:
    (start,) = starts_of([new()], [full(), a_target("/roomy")])
    assert (str(start.target.folder), start.replacement) == ("/roomy", None)


def test_a_plot_waits_for_a_busy_target_with_room_and_no_old_plot_goes() -> None:
    roomy = a_target("/roomy")
    under_way = [on(a_job(8), roomy), on(a_job(9), roomy)]
    assert starts_of([new(), *under_way], [full(), roomy]) == []


def test_a_full_target_gives_up_just_enough_the_oldest_first_once_the_new_plot_stands() -> None:
    (start,) = starts_of([new()], [full(plots=(old(3), old(1), old(2)))])
    assert start.replacement is not None
    assert names(start.replacement) == ["old1.plot", "old2.plot"]  # 9 GiB are missing for the plot, 2 for the reserve
    assert not start.replacement.deletes_first
    assert "gives up 2 old plots, 20.0 GiB, once the new one stands there: old1.plot (rule v1), old2.plot" in start.why


def test_one_that_turns_out_not_to_be_needed_is_not_chosen() -> None:
    (start,) = starts_of([new()], [full(free=12 * GIB, plots=(old(1, GIB), old(2, 30 * GIB)))])
    assert names(start.replacement) == ["old2.plot"]


def test_where_it_cannot_be_written_beside_them_none_goes_unless_the_rule_says_so() -> None:
    small = full(free=5 * GIB)
    assert starts_of([new()], [small]) == []
    why = why_it_waits(new(), [small], RESERVE, NOW)
    assert "has 5.00 GiB to write it in, and no old plot that may go first: set copy.reserve" in why
    first = full(free=5 * GIB, plots=(old(1), old(2, rules=(AT_ONCE,)), old(3)))
    (start,) = starts_of([new()], [first])
    assert start.replacement is not None
    assert start.replacement.deletes_first
    assert [(chosen.plot.name, chosen.may_go_first) for chosen in start.replacement.chosen] == [
        ("old2.plot", True),
        ("old1.plot", False),
    ]


def test_one_that_can_write_first_comes_before_one_that_must_delete_first() -> None:
    first = full("/a", free=5 * GIB, plots=(old(1, 90 * GIB, rules=(AT_ONCE,)),))
    (start,) = starts_of([new()], [first, full("/z")])
    assert str(start.target.folder) == "/z"


def test_of_two_full_targets_the_one_that_gives_up_least_is_taken() -> None:
    targets = [full("/a", plots=(old(1, 30 * GIB),)), full("/b", plots=(old(2, 20 * GIB),))]
    (start,) = starts_of([new()], targets)
    assert str(start.target.folder) == "/b"


def test_rules_come_in_their_order_and_each_plot_goes_by_the_first_that_is_for_the_new_one() -> None:
    other = ReplaceRule("other", (".plot",), pattern="old*", new_suffixes=(".plot2",))
    gigahorse = replace(V1, name="not for it", new_suffixes=(".gplot",))
    plots = (old(1, 20 * GIB, rules=(gigahorse, other)), old(2, 20 * GIB, rules=(V1, other)))
    (start,) = starts_of([new()], [full(plots=plots)])
    assert start.replacement is not None
    assert [(chosen.plot.name, chosen.rule) for chosen in start.replacement.chosen] == [("old2.plot", "v1")]


def test_a_plot_that_no_rule_is_for_replaces_none() -> None:
    v1 = replace(new(), name="plot1.plot", version=1)
    assert starts_of([v1], [full()]) == []
    why = why_it_waits(v1, [full()], RESERVE, NOW)
    assert why == "no target takes it: /t1 has room for 0 B, 10.0 GiB are needed"


def test_no_plot_replaces_itself_nor_others_where_it_stands_already() -> None:
    plot_id = "ab" * 32
    same = Candidate(replace(old(7).plot, plot_id=plot_id), (V1,))
    job = replace(new(), name=f"plot-k32-2026-01-01-00-00-{plot_id.upper()}.plot2")
    assert starts_of([job], [full(plots=(same, old(1), old(2)))]) == []
    assert "holds this very plot already" in make_room(job, [full(plots=(same,))], NOTHING, RESERVE, NOW).why


def test_one_new_plot_at_a_time_replaces_old_ones_on_a_file_system() -> None:
    one, other = full("/one", device=7), full("/other", device=7, plots=(old(3), old(4)))
    starts = starts_of([new(1), new(2)], [one, other])
    assert len(starts) == 1
    start = starts[0]
    busy = begun(
        replace(start.job, is_replacing=True), target_folder=start.target.folder, target_device=7, target_disk="disk7",
        now=NOW,
    )  # fmt: skip
    assert starts_of([busy, new(2)], [one, other]) == []
    assert len(starts_of([busy, new(2)], [one, full("/free", device=8)])) == 1


@pytest.mark.parametrize("state", [state for state in TargetState if state is not TargetState.READY])
def test_only_a_ready_target_gives_up_plots(state: TargetState) -> None:
    assert starts_of([new()], [full(state=state)]) == []


def test_a_plot_goes_only_to_the_folder_that_somebody_wants() -> None:
    targets = [full("/a"), full("/b")]
    (start,) = starts_of([new(wanted_folder=Path("/b"))], targets)
    assert str(start.target.folder) == "/b"
    assert starts_of([new(wanted_folder=Path("/c"))], targets) == []


def test_what_will_be_given_up_is_foreseen_to_the_end() -> None:
    plots = tuple(old(number) for number in range(1, 6))
    seen = foreseen([new(number) for number in range(1, 7)], [full(free=22 * GIB, plots=plots)])
    gone = [names(move.start.replacement) if move.start.replacement else [] for move in seen.moves]
    assert gone == [[], ["old1.plot"], ["old2.plot"], ["old3.plot"], ["old4.plot"], ["old5.plot"]]
    seen = foreseen([new(number) for number in range(1, 9)], [full(free=22 * GIB, plots=plots)])
    assert len(seen.moves) == 6
    assert [job.id for job, _ in seen.left] == ["job0007", "job0008"]
    assert [lack.n_bytes for lack in seen.shortfalls] == [20 * GIB]


def test_a_plot_that_no_rule_is_for_gets_what_room_is_left_where_old_ones_went() -> None:
    v1 = replace(new(0, 9 * GIB), name="plot0.plot", version=1)
    seen = foreseen([v1, new(1)], [full(free=22 * GIB - 1, plots=(old(1, 10 * GIB),))])
    assert [move.start.job.id for move in seen.moves] == ["job0000", "job0001"]
    seen = foreseen([v1, new(1)], [full(free=15 * GIB, plots=(old(1, 16 * GIB),))])
    assert [(move.start.job.id, move.begin_seconds) for move in seen.moves] == [("job0001", 0), ("job0000", 10)]
    assert seen.left == ()


def test_no_old_plot_goes_before_every_folder_has_told_what_room_it_has() -> None:
    awaited = a_target("/roomy", state=TargetState.UNKNOWN, reason="is being looked at", is_awaited=True)
    assert starts_of([new()], [full(), awaited]) == []
    assert len(starts_of([new()], [full(), replace(awaited, is_awaited=False)])) == 1


@st.composite
def _full_farms(draw: st.DrawFn) -> tuple[list[Job], list[Target], Limits]:
    number = iter(range(1000))
    rules = st.sampled_from([(V1,), (AT_ONCE,), (AT_ONCE, V1)])
    targets = []
    for name in range(draw(st.integers(1, 3))):
        plots = [
            old(next(number), draw(st.integers(0, 20)) * MIB, rules=draw(rules)) for _ in range(draw(st.integers(0, 5)))
        ]
        device = draw(st.integers(0, 1))
        targets.append(full(f"/t{name}", device=device, free=(10 + 15 * device) * MIB, plots=tuple(plots)))
    jobs = [new(n, draw(st.integers(1, 30)) * MIB) for n in range(draw(st.integers(0, 6)))]
    limits = Limits(draw(st.integers(0, 20)) * MIB, draw(st.integers(1, 3)), 9, 9)
    return jobs, targets, limits


@given(_full_farms())
def test_no_more_is_given_up_than_is_needed_and_never_where_any_target_has_room(
    farm: tuple[list[Job], list[Target], Limits],
) -> None:
    jobs, targets, limits = farm
    promised: dict[int, int] = {}
    devices: list[int] = []
    for start in starts_of(jobs, targets, limits):
        load = Load(promised, {})
        room = room_bytes(start.target, load, limits)
        if start.replacement is not None:
            assert all(room_bytes(target, load, limits) < start.job.total_bytes for target in targets)
            taken = [chosen.plot.taken_bytes for chosen in start.replacement.chosen]
            after = room + sum(taken) - start.job.total_bytes
            assert after >= 0
            first = [c.plot.taken_bytes for c in start.replacement.chosen if c.may_go_first]
            free = room + limits.reserve_bytes
            needed_first = bytes_to_write(start.job.total_bytes) > free
            assert start.replacement.deletes_first == needed_first
            assert free + (sum(first) if needed_first else 0) >= bytes_to_write(start.job.total_bytes)
            if not needed_first:
                assert all(after < n_bytes for n_bytes in taken)
            devices.append(start.target.device)
        promised[start.target.device] = promised.get(start.target.device, 0) + start.job.total_bytes
    assert len(devices) == len(set(devices))
