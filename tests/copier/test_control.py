"""What is asked of a running job, with a clock of the test's own."""

import threading

import pytest

from chiatea.copier.control import CancelledError, Control, LeftOffError


def step(control: Control, n_bytes: int = 1 << 20) -> list[str]:
    told: list[str] = []
    control.step(n_bytes, lambda: told.append("paused"), lambda: told.append("resumed"))
    return told


def test_without_a_limit_no_step_waits() -> None:
    control = Control(clock=lambda: 0.0)
    for _ in range(1000):
        assert step(control) == []


def test_a_cancelled_job_takes_no_further_step_even_when_it_is_paused() -> None:
    control = Control()
    control.pause()
    control.cancel()
    with pytest.raises(CancelledError):
        step(control)


def test_to_leave_off_comes_before_all_else() -> None:
    control = Control()
    control.pause()
    control.cancel()
    control.leave_off()
    with pytest.raises(LeftOffError):
        step(control)


def test_a_limit_is_kept_over_many_steps() -> None:
    now = 0.0

    class Waiting(Control):
        def _wait(self) -> None:
            nonlocal now
            now += max(0.0, self._seconds_left())

    control = Waiting(10 << 20, clock=lambda: now)
    for _ in range(101):
        step(control)
    assert now == pytest.approx(10.0)


def test_after_a_hold_up_a_limit_lets_no_more_than_a_short_burst_through() -> None:
    now = 100.0

    class Waiting(Control):
        def _wait(self) -> None:
            nonlocal now
            now += max(0.0, self._seconds_left())

    control = Waiting(8 << 20, clock=lambda: now)
    step(control)
    now += 1000
    began = now
    for _ in range(17):
        step(control)
    assert now - began >= 1.5


def test_a_paused_job_tells_so_once_and_goes_on_when_it_may() -> None:
    control = Control()
    control.pause()
    told: list[str] = []
    paused = threading.Event()

    def on_pause() -> None:
        told.append("paused")
        paused.set()

    thread = threading.Thread(target=lambda: control.step(1, on_pause, lambda: told.append("on")))
    thread.start()
    assert paused.wait(10)
    control.limit(1)  # wakes it up, to no avail
    control.resume()
    thread.join(10)
    assert told == ["paused", "on"]
