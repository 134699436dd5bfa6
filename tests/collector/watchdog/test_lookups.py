from chiatea.collector.watchdog.lookups import figures_of, median_interval


def test_figures_are_median_nearest_rank_p99_and_worst() -> None:
    figures = figures_of(n / 100 for n in range(1, 401))
    assert figures == (2.005, 3.96, 4.0)
    assert figures_of([0.5]) == (0.5, 0.5, 0.5)
    assert figures_of([]) is None


def test_one_long_stop_does_not_change_the_usual_interval() -> None:
    assert median_interval([0.0, 9.4, 18.8, 50_000.0, 50_009.4]) == 9.4
    assert median_interval([1.0]) is None
