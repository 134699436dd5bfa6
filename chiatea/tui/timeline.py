"""A field's history in steps as what is known of each step: gaps are unknown, never zero. Pure."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from chiatea.protobuf.monitoring_service_pb2 import Series

__all__ = ["Band", "bands_of", "known_steps"]

SILENCE_SECONDS: Final = 60.0
"""A machine that tells nothing for longer was not there."""


class Band(NamedTuple):
    """What a number was in one step: between which values, and the last one."""

    least: float
    greatest: float
    last: float


def known_steps(heartbeat: Series | None, n_steps: int, step_seconds: float) -> list[bool]:
    """In which steps a machine was there, by a field of it that always moves.

    Args:
        heartbeat: the field's history; without any event it says nothing, and all steps count as known.
        n_steps: steps that were asked for.
        step_seconds: how long each is.
    """
    if heartbeat is None or not heartbeat.steps:
        return [True] * n_steps
    heard = [False] * n_steps
    for step in heartbeat.steps:
        if 0 <= step.index < n_steps:
            heard[step.index] = True
    patience = math.ceil(SILENCE_SECONDS / step_seconds) if step_seconds > 0 else 1
    known, begin = list(heard), 0
    while begin < n_steps:
        end = begin
        while end < n_steps and not heard[end]:
            end += 1
        # What is silent for a shorter time than that was not away.
        if end - begin < patience:
            known[begin:end] = [True] * (end - begin)
        begin = end + 1
    return known


def bands_of(series: Series | None, known: Sequence[bool]) -> list[Band | None]:
    """What a field was in each step; without an event it stays what it was. None where that is not known."""
    found: list[Band | None] = [None] * len(known)
    if series is None:
        return found
    told = {step.index: step for step in series.steps}
    held = series.before if series.HasField("before") else None
    for index, is_known in enumerate(known):
        step = told.get(index)
        if step is not None and math.isfinite(step.least + step.greatest + step.last):
            found[index] = Band(step.least, step.greatest, step.last)
            held = step.last
        elif is_known and held is not None and math.isfinite(held):
            found[index] = Band(held, held, held)
    return found
