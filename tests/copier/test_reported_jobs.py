"""Which jobs are reported: never all of a hundred thousand, always those that matter."""

from dataclasses import replace

import pytest

from chiatea.copier import reported_jobs
from chiatea.copier.jobs import Job, JobState
from chiatea.copier.reported_jobs import ReportedJobs

from .jobs_and_targets import a_job


def numbered(number: int, state: JobState = JobState.QUEUED, finished: float | None = None) -> Job:
    return a_job(number, id=f"j{number:05}", state=state, finished_time=finished)


def by_id(*jobs: Job) -> dict[str, Job]:
    return {job.id: job for job in jobs}


def test_what_changed_is_told_once_and_what_is_gone_is_taken_back() -> None:
    reported, jobs = ReportedJobs(), by_id(numbered(1), numbered(2))
    for job in jobs.values():
        reported.change(job)
    assert ([job.id for job in reported.take(jobs)[0]], reported.take(jobs)) == (["j00001", "j00002"], ([], []))
    del jobs["j00002"]
    assert reported.take(jobs) == ([], ["j00002"])


def test_of_those_that_wait_the_next_are_told_and_others_when_it_is_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported_jobs, "MOST_WAITING", 10)
    reported, jobs = ReportedJobs(), by_id(*(numbered(number) for number in range(100)))
    for job in jobs.values():
        reported.change(job)
    news, gone = reported.take(jobs)
    assert ([job.id for job in news], gone) == ([f"j{number:05}" for number in range(10)], [])
    for number in range(6):
        jobs[f"j{number:05}"] = numbered(number, JobState.COPYING)
        reported.change(jobs[f"j{number:05}"])
    news, gone = reported.take(jobs)
    assert sorted(job.id for job in news) == [f"j{number:05}" for number in (*range(6), *range(10, 16))]
    assert gone == []


def test_one_that_is_put_before_all_others_takes_the_place_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported_jobs, "MOST_WAITING", 3)
    reported, jobs = ReportedJobs(), by_id(*(numbered(number) for number in range(9)))
    for job in jobs.values():
        reported.change(job)
    reported.take(jobs)
    jobs["j00008"] = replace(jobs["j00008"], priority=1)
    reported.change(jobs["j00008"])
    news, gone = reported.take(jobs)
    assert ([job.id for job in news], gone) == (["j00008"], ["j00002"])


def test_of_those_that_are_over_the_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported_jobs, "MOST_OVER", 2)
    reported = ReportedJobs()
    jobs = by_id(*(numbered(number, JobState.DONE, finished=float(number)) for number in range(4)))
    for job in jobs.values():
        reported.change(job)
    assert {job.id for job in reported.take(jobs)[0]} == {"j00002", "j00003"}


def test_one_that_came_and_went_between_two_looks_is_never_told() -> None:
    reported = ReportedJobs()
    reported.change(numbered(1))
    assert reported.take({}) == ([], [])
