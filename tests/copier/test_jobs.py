from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.job_events import FailureKind
from chiatea.copier.jobs import (
    RETRIED_ELSEWHERE,
    Job,
    JobState,
    RetryPolicy,
    cancelled,
    failed,
    finished,
    progressed,
    refused,
)
from chiatea.copier.placement import TargetState
from chiatea.protobuf.copy_pb2 import CopyJob, CopyTarget

from .jobs_and_targets import GIB, NOW, a_job, a_target, on

POLICY = RetryPolicy(retries=2, after_seconds=10.0)


def test_states_have_the_names_of_the_protocol() -> None:
    assert {state.value for state in JobState} == set(CopyJob.State.keys()) - {"UNKNOWN"}
    assert {state.value for state in TargetState} == set(CopyTarget.State.keys())


@pytest.mark.parametrize("kind", ["source", "source_changed", "internal"])
def test_a_plot_is_tried_again_later_each_time_twice_as_late_and_then_given_up(kind: FailureKind) -> None:
    job, pauses = a_job(), []
    while not job.is_over:
        job = failed(on(job, a_target()), kind, "it broke", now=NOW, policy=POLICY)
        pauses.append(job.next_attempt_time)
    assert pauses == [NOW + 10, NOW + 20, None]
    assert (job.state, job.n_attempts, job.last_error) == (JobState.FAILED, 3, "it broke")


def test_no_pause_is_longer_than_an_hour() -> None:
    assert RetryPolicy(1000, 30.0).pause_seconds(1000) == 3600


@pytest.mark.parametrize("kind", sorted(RETRIED_ELSEWHERE))
def test_a_target_that_fails_costs_the_plot_no_attempt_and_no_time(kind: FailureKind) -> None:
    job = failed(on(a_job(), a_target()), kind, "the disk is gone", now=NOW, policy=POLICY)
    assert job.is_due(NOW)
    assert (job.n_attempts, job.target_folder, job.last_error) == (0, None, "the disk is gone")


@pytest.mark.parametrize("kind", ["header", "name_taken"])
def test_what_only_a_person_can_mend_is_not_tried_again(kind: FailureKind) -> None:
    job = failed(on(a_job(), a_target()), kind, "no plot", now=NOW, policy=POLICY)
    assert (job.state, job.finished_time) == (JobState.FAILED, NOW)


def test_speed_is_what_was_moved_in_the_time_between() -> None:
    job = on(a_job(n_bytes=10 * GIB), a_target())
    for second in range(1, 4):
        job = progressed(job, JobState.COPYING, copied_bytes=second * GIB, verified_bytes=0, now=NOW + second)
    assert job.bytes_per_second == GIB
    job = progressed(job, JobState.VERIFYING, copied_bytes=3 * GIB, verified_bytes=2 * GIB, now=NOW + 4)
    assert (job.state, job.bytes_per_second) == (JobState.VERIFYING, 2 * GIB)


def test_progress_of_a_job_that_is_over_changes_nothing() -> None:
    for job in (
        finished(on(a_job(), a_target()), plot_hash="ab", verified_bytes=0, now=NOW),
        cancelled(a_job(), now=NOW),
        a_job(),
    ):
        assert progressed(job, JobState.COPYING, copied_bytes=1, verified_bytes=0, now=NOW) == job


def test_a_finished_job_tells_where_the_plot_is_and_has_forgotten_its_last_error() -> None:
    job = finished(on(replace(a_job(), last_error="once"), a_target()), plot_hash="ab", verified_bytes=0, now=NOW + 1)
    assert (job.state, job.hash, job.copied_bytes, job.last_error) == (JobState.DONE, "ab", GIB, "")
    assert (job.target_folder, job.finished_time) == (a_target().folder, NOW + 1)


@given(st.lists(st.sampled_from([*get_args(FailureKind), "start", "refuse", "finish"]), max_size=30))
def test_whatever_happens_a_job_is_one_thing_at_a_time(steps: list[str]) -> None:
    job: Job = a_job()
    for number, step in enumerate(steps):
        now = NOW + number * 10_000
        if job.is_over:
            break
        if step == "start" and job.is_due(now):
            job = on(job, a_target())
        elif job.is_under_way and step == "finish":
            job = finished(job, plot_hash="ab", verified_bytes=0, now=now)
        elif job.is_under_way and step in get_args(FailureKind):
            job = failed(job, step, "error", now=now, policy=POLICY)  # type: ignore[arg-type]
        elif step == "refuse":
            job = refused(job, "no", now=now)
        assert job.is_over + job.is_under_way + (job.state is JobState.QUEUED) == 1
        assert job.n_attempts <= POLICY.retries + 1
        assert job.is_over == (job.finished_time is not None)
        if job.state is JobState.QUEUED:
            assert job.target_folder is None
            assert job.copied_bytes == job.verified_bytes == 0
