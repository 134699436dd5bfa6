import io
import logging
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chiatea.cli.copy_progress import CopyProgress, cells, fitted, job_line
from chiatea.copier.jobs import Job, JobState, finished, progressed

from .jobs_and_targets import GIB, NOW, a_job, a_target, on
from .screen import Screen


class Terminal:
    """Progress lines on a terminal that is so wide."""

    def __init__(self, columns: int = 80) -> None:
        self.stream = io.StringIO()
        self.now = 0.0
        self.progress = CopyProgress(self.stream, clock=lambda: self.now, columns=lambda: columns)
        self.screen = Screen(columns)

    def tell(self, job: Job) -> None:
        self.now += 1.0
        self.progress.tell(job)

    def shows(self) -> list[str]:
        self.screen.write(self.stream.getvalue())
        self.stream.seek(0)
        self.stream.truncate()
        return self.screen.lines()


def half(job: Job) -> Job:
    return progressed(job, JobState.COPYING, copied_bytes=GIB // 2, verified_bytes=0, now=NOW + 4)


def test_a_job_is_one_line_that_is_drawn_anew_in_place() -> None:
    terminal = Terminal()
    job = on(a_job(1), a_target("/farm"))
    terminal.tell(job)
    assert terminal.shows() == ["copying     0 %  [....................]  plot1.plot -> /farm"]
    terminal.tell(half(job))
    assert terminal.shows() == ["copying    50 %  [##########..........]  128 MiB/s  12 s left  plot1.plot"]


def test_a_finished_job_becomes_a_line_that_stays_above_the_others() -> None:
    terminal = Terminal()
    first, second = on(a_job(1), a_target("/farm")), on(a_job(2), a_target("/farm"))
    for job in (first, second, finished(first, plot_hash="ab", verified_bytes=0, now=NOW)):
        terminal.tell(job)
    lines = terminal.shows()
    assert lines[0] == "moved /in/plot1.plot to /farm"
    assert lines[1].endswith("plot2.plot -> /farm")
    assert len(lines) == 2


def test_a_deleted_old_plot_is_a_line_that_stays() -> None:
    terminal = Terminal()
    job = on(a_job(1), a_target("/farm"))
    for each in (
        job,
        replace(job, replaced=(Path("/farm/old.plot"),)),
        replace(job, replaced=(Path("/farm/old.plot"),)),
    ):
        terminal.tell(each)
    lines = terminal.shows()
    assert lines[0] == "deleted /farm/old.plot for /in/plot1.plot"
    assert len(lines) == 2


def test_how_many_wait_is_told_below_those_under_way() -> None:
    terminal = Terminal()
    for number in range(3):
        terminal.tell(a_job(number))
    terminal.tell(on(a_job(0), a_target("/farm")))
    assert terminal.shows()[-1] == "2 more wait"


def test_warnings_stand_above_and_at_the_end_the_jobs_are_gone() -> None:
    terminal = Terminal()
    with terminal.progress.shown("full"):
        terminal.tell(on(a_job(1), a_target("/farm")))
        logging.getLogger("chiatea.copier").warning("target folder /x\x1b[2J is not there")
        assert terminal.shows()[0] == "target folder /x\\x1b[2J is not there"
    assert terminal.shows() == ["target folder /x\\x1b[2J is not there"]


def test_names_that_would_move_the_cursor_are_shown_as_escapes() -> None:
    job = replace(on(a_job(1), a_target("/farm")), name="a\x1b[2J\n.plot")
    assert "a\\x1b[2J\\n.plot" in job_line(job, "full", 79)


texts = st.text(st.sampled_from("abc漢字é\u0301-/"), max_size=80)


@given(texts, st.integers(0, 60))
def test_a_text_that_is_fitted_takes_no_more_cells_than_there_are(text: str, width: int) -> None:
    assert cells(fitted(text, width)) <= width


@given(texts, st.integers(1, 200), st.integers(0, GIB), st.sampled_from([JobState.COPYING, JobState.VERIFYING]))
def test_a_jobs_line_is_never_wider_than_the_terminal(name: str, width: int, done: int, state: JobState) -> None:
    job = replace(on(a_job(1), a_target("/farm")), name=name, state=state, bytes_per_second=1e8)
    job = replace(job, copied_bytes=done, verified_bytes=done)
    assert cells(job_line(job, "full", width)) <= width
