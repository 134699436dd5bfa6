"""Takes a block of a log that was sorted: looks at the lines that may tell something, counts the others."""

from typing import Final

import numpy as np

from chiatea.collector.observations import LookupsCounted, SignagePointFinished
from chiatea.collector.sources.log.log_bulk import Kind, SortedLines
from chiatea.collector.sources.log.log_columns import History, history_of
from chiatea.collector.sources.log.log_judge import LineJudge
from chiatea.collector.sources.log.log_part import LogPart
from chiatea.collector.sources.log.log_reader import MAX_LINE_BYTES, text_of
from chiatea.collector.sources.log.log_samples import Samples

__all__ = ["take_sorted"]

_FAR_BACK_BYTES: Final = 128 * 1024 * 1024


def take_sorted(
    lines: SortedLines, part: LogPart, judge: LineJudge, samples: Samples, now: float, *, sums_history: bool
) -> None:
    """Takes all lines of a block: tells the same as judging each would.

    With `sums_history` lookups are told as a sum, and signage points and refreshes that are as the one before are left
    out.
    """
    history = history_of(lines, is_far_back=part.n_behind > _FAR_BACK_BYTES) if sums_history else History()
    if sums_history:
        to_look_at = np.sort(np.concatenate([np.flatnonzero(lines.kinds == Kind.LOOK), history.to_tell])).tolist()
    else:
        to_look_at = np.flatnonzero(lines.kinds != Kind.KNOWN).tolist()
    if history.n_lookups:
        sums = (history.n_lookups, history.eligible_plots, history.proofs, history.v2_qualities)
        part.observations.append(LookupsCounted(now, *sums))
    looked_at: dict[str, int] = {}
    before = newest = -1
    for index in to_look_at:
        if index != before + 1:
            judge.pass_known()
            part.pass_info()
        before = index
        raw = lines.line(index)
        if judge.continues(raw):
            continue
        text = text_of(raw)
        judged = judge.judge(text, now)
        part.take(text, judged, samples)
        if judged.line is not None and judged.time is not None:
            looked_at[judged.line.service] = newest = index
            if index in history.run_ends and isinstance(part.observations[-1], SignagePointFinished):
                point = part.observations[-1]
                part.observations[-1] = SignagePointFinished(point.time, point.index, is_next=True)
    if before != len(lines.starts) - 1:
        judge.pass_known()
        part.pass_info()
    part.n_understood += len(lines.starts) - len(to_look_at)
    part.n_cut += int(np.count_nonzero(lines.ends - lines.starts > MAX_LINE_BYTES))
    for service, index in sorted(lines.last_of_service.items(), key=lambda item: item[1]):
        if index > looked_at.get(service, -1):
            told = judge.time_of(text_of(lines.line(index)), now)
            if told is not None:
                part.services[service] = told
                part.newest_time = told[0] if index > newest else part.newest_time
