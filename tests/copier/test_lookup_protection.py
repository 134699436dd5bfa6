from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.lookup_protection import EVERY_DISK, Lookup, LookupsTold, Protection, SlowPlot, protected

NOW = 1_700_000_000.0
SLOW = 5.0
MIB = 1 << 20


@dataclass
class Farm:
    """Copies on the disks a and b, and time that passes."""

    now: float = NOW
    disks: tuple[str, ...] = ("a", "b")
    median: float | None = None
    protection: Protection = field(default_factory=Protection)

    def hear(self, *seconds: float, plots: tuple[tuple[float, str], ...] = (), after: float = 10.0) -> None:
        self.now += after
        told = LookupsTold(
            tuple(Lookup(self.now, one) for one in seconds),
            tuple(SlowPlot(self.now, one, disk) for one, disk in plots),
            self.median,
        )
        self.protection = protected(
            self.protection, told, slow_seconds=SLOW, copying_disks=set(self.disks), now=self.now
        )

    def rate(self, *disks: str) -> int:
        return self.protection.max_bytes_per_second(disks or self.disks)


def test_fast_lookups_slow_down_nothing() -> None:
    farm = Farm()
    farm.hear(0.1, 4.9)
    assert (farm.rate(), farm.protection.slowed_by) == (0, "")


def test_each_slow_lookup_is_a_step_down_to_what_is_as_good_as_a_pause() -> None:
    farm, rates = Farm(), []
    for _ in range(4):
        farm.hear(6.0)
        rates.append(farm.rate())
    assert rates == [40 * MIB, 10 * MIB, MIB, MIB]
    assert farm.protection.slowed_by == "a lookup took 6.0 s: each copy moves 1.00 MiB/s at most"


def test_a_very_slow_lookup_is_two_steps() -> None:
    farm = Farm()
    farm.hear(7.9)
    assert farm.rate() == 40 * MIB
    farm = Farm()
    farm.hear(plots=((12.0, "a"),))
    assert farm.rate("a") == 10 * MIB


def test_a_step_is_given_the_time_to_help_before_the_next_one() -> None:
    farm = Farm()
    farm.hear(6.0)
    farm.hear(6.0, after=3.0)
    assert farm.rate() == 40 * MIB


def test_copies_go_faster_again_step_by_step_when_lookups_are_fast() -> None:
    farm = Farm()
    farm.hear(6.0)
    farm.hear(6.0)
    rates = []
    for _ in range(13):
        farm.hear(0.2)
        rates.append(farm.rate())
    assert rates == [10 * MIB] * 5 + [40 * MIB] * 6 + [0] * 2


def test_lookups_that_are_neither_fast_nor_slow_change_nothing() -> None:
    farm = Farm()
    farm.hear(6.0)
    for _ in range(30):
        farm.hear(3.0)
    assert farm.rate() == 40 * MIB


def test_where_lookups_always_take_that_long_they_count_as_fast() -> None:
    farm = Farm(median=3.0)
    farm.hear(6.0)
    for _ in range(7):
        farm.hear(3.1)
    assert farm.rate() == 0


def test_only_copies_on_the_disk_of_the_slow_plot_go_slower() -> None:
    farm = Farm()
    farm.hear(9.0, plots=((9.0, "a"),))
    farm.hear()
    assert (farm.rate("a"), farm.rate("b"), farm.rate("a", "b")) == (40 * MIB, 0, 40 * MIB)
    assert farm.protection.slowed_by == "a lookup on a took 9.0 s: each copy on a moves 40.0 MiB/s at most"


def test_a_plot_on_a_disk_that_no_copy_touches_is_not_slow_because_of_copies() -> None:
    farm = Farm()
    farm.hear(9.0, plots=((9.0, "c"),))
    farm.hear()
    assert farm.rate() == 0


def test_what_is_told_long_after_it_was_slows_down_nothing() -> None:
    farm = Farm()
    told = LookupsTold((Lookup(NOW - 61, 6.0),), (SlowPlot(NOW - 61, 9.0, "a"),))
    protection = protected(farm.protection, told, slow_seconds=SLOW, copying_disks={"a"}, now=NOW)
    assert protection.levels == {}


def test_a_clock_that_is_set_back_holds_back_no_copy() -> None:
    farm = Farm()
    farm.hear(6.0)
    farm.hear(after=-7200.0)
    assert farm.rate() == 0


def test_where_nothing_is_copied_no_lookup_is_slow_because_of_copies() -> None:
    farm = Farm(disks=())
    farm.hear(6.0)
    farm.disks = ("a",)
    assert farm.rate() == 0


def test_the_plot_of_a_lookup_is_waited_for_where_chia_names_it_and_else_all_copies_go_slower() -> None:
    farm = Farm()
    farm.hear(9.0)
    assert farm.rate() == 0
    farm.hear(plots=((9.0, "a"),), after=3.0)
    assert (farm.rate("a"), farm.rate("b")) == (40 * MIB, 0)

    farm = Farm()
    farm.hear(9.0)
    farm.hear(after=3.0)
    assert (farm.rate("a"), farm.rate("b")) == (40 * MIB, 40 * MIB)


def test_a_plot_that_chia_named_on_an_unknown_disk_slows_down_all_copies() -> None:
    farm = Farm()
    farm.hear(plots=((9.0, EVERY_DISK),))
    assert farm.rate("a") == farm.rate("b") == 40 * MIB


def test_lookups_that_stay_slow_though_copies_hardly_move_are_not_slow_because_of_them() -> None:
    farm = Farm()
    for _ in range(62):
        farm.hear(6.0)
        assert farm.rate() != 0
    farm.hear(6.0)
    assert (farm.rate(), farm.protection.in_vain) == (0, {EVERY_DISK})
    for _ in range(359):
        farm.hear(6.0)
        assert farm.rate() == 0
    farm.hear(6.0)
    assert (farm.rate(), farm.protection.in_vain) == (40 * MIB, set())


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 100.0),
            st.lists(st.floats(0.0, 40.0), max_size=2),
            st.lists(st.tuples(st.floats(5.0, 40.0), st.sampled_from(["a", "b", "c", EVERY_DISK])), max_size=2),
            st.sampled_from([(), ("a",), ("a", "b")]),
        ),
        max_size=40,
    )
)
def test_whatever_was_heard_five_minutes_of_fast_lookups_let_copies_go_as_fast_as_they_can(
    heard: list[tuple[float, list[float], list[tuple[float, str]], tuple[str, ...]]],
) -> None:
    farm = Farm()
    for after, seconds, plots, disks in heard:
        farm.disks = disks
        farm.hear(*seconds, plots=tuple(plots), after=after)
        assert set(farm.protection.levels) <= {"a", "b", EVERY_DISK}
        assert farm.rate() in {0, 40 * MIB, 10 * MIB, MIB}
        assert (farm.protection.slowed_by == "") == (not farm.protection.levels)
    for _ in range(31):
        farm.hear(0.1)
    assert farm.protection.levels == {}
