from dataclasses import replace
from pathlib import Path

from chiatea.copier.job_list import JobList
from chiatea.copier.jobs import Job, JobState, finished
from chiatea.copier.journal import EntryState, JournalEntry, SourceIdentity
from chiatea.copier.replacing import GivingUp
from chiatea.copier.sources import FoundPlot, SourceLook

from .full_disk import make_exchange
from .jobs_and_targets import NOW, a_target, on

FOLDER = Path("/in")


class Source:
    """A source folder of which a test says what is in it."""

    def __init__(self) -> None:
        self.told: list[Job] = []
        self.list = JobList(self.told.append)

    def holds(self, *plots: FoundPlot) -> None:
        self.list.take_in(FOLDER, SourceLook((1, 2), "sda", plots, {}, {}, None), NOW)

    def job(self) -> Job:
        (job,) = self.list.jobs.values()
        return job


def plot(number: int = 1, modified_ns: int = 1, *, fault: str = "") -> FoundPlot:
    return FoundPlot(f"{number}.plot", 100, modified_ns, f"job{number}", fault)


def test_a_plot_is_one_job_however_often_it_is_seen() -> None:
    source = Source()
    seen = plot()
    source.holds(seen)
    source.holds(seen)
    assert len(source.told) == 1
    job = source.job()
    assert (job.id, job.source, job.total_bytes, job.source_disk, job.state) == (
        "job1", FOLDER / "1.plot", 100, "sda", JobState.QUEUED,
    )  # fmt: skip


def test_a_plot_that_is_gone_before_it_was_begun_is_no_job_any_more() -> None:
    source = Source()
    source.holds(plot())
    source.holds()
    assert source.list.jobs == {}


def test_a_plot_under_way_is_not_forgotten_when_its_source_is_gone() -> None:
    source = Source()
    source.holds(plot())
    source.list.change(on(source.job(), a_target()))
    source.holds()
    assert source.job().is_under_way


def test_a_faulty_plot_is_a_failed_job_until_it_was_mended() -> None:
    source = Source()
    source.holds(plot(fault="is not moved: it is empty"))
    assert (source.job().state, source.job().last_error) == (JobState.FAILED, "is not moved: it is empty")
    source.holds(plot(modified_ns=2))
    assert source.job().state is JobState.QUEUED


def test_a_look_from_before_the_move_does_not_bring_the_plot_back() -> None:
    source = Source()
    source.holds(plot())
    source.list.change(finished(on(source.job(), a_target()), plot_hash="ab", verified_bytes=0, now=NOW))
    source.holds(plot())
    assert source.job().state is JobState.DONE
    source.holds()
    source.holds(plot(modified_ns=2))
    assert source.job().state is JobState.QUEUED


def test_a_plot_that_comes_again_after_it_went_on_from_a_journal_is_a_job_again() -> None:
    source = Source()
    source.holds(plot())
    went_on = replace(on(source.job(), a_target()), must_recover=True)
    source.list.change(finished(went_on, plot_hash="ab", verified_bytes=0, now=NOW))
    source.holds()
    source.holds(plot(modified_ns=2))
    assert source.job().state is JobState.QUEUED


def test_what_a_journal_says_was_given_up_for_a_plot_is_known_after_a_restart(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, deletes_first=True)
    replacement, first = exchange.move.replacement, exchange.old[0]
    assert replacement is not None
    entry = JournalEntry(
        exchange.move.spec, EntryState.OPENING, SourceIdentity(1, 2, 3), "ab" * 32,
        giving_up=GivingUp(replacement, "before", 5, gone=(first.name,)),
    )  # fmt: skip
    source = Source()
    source.list.take_in_journal([entry], NOW)
    job = source.job()
    assert (job.must_recover, job.is_replacing, job.replaced) == (True, True, (first,))


def test_of_finished_moves_the_last_thousand_are_remembered_and_all_are_counted() -> None:
    source = Source()
    for number in range(1005):
        source.holds(plot(number))
        job = source.list.jobs[f"job{number}"]
        source.list.change(finished(on(job, a_target()), plot_hash="ab", verified_bytes=0, now=NOW))
    assert (len(source.list.jobs), source.list.n_done, source.list.bytes_done) == (1000, 1005, 100_500)
    assert "job4" not in source.list.jobs


def test_only_jobs_that_wait_for_another_attempt_have_a_time_of_it() -> None:
    source = Source()
    source.holds(plot())
    source.list.change(replace(source.job(), next_attempt_time=NOW + 5))
    assert source.list.next_attempts == {"job1": NOW + 5}
    source.list.change(on(source.job(), a_target()))
    assert source.list.next_attempts == {}
