"""What a copier did, as plain data, and what one would do, as lines and as plain data."""

from collections.abc import Sequence
from typing import Any, Final

from chiatea.copier.entries import copier_sums, copy_job, copy_target, path_text
from chiatea.copier.forecast import Forecast, Move, Shortfall
from chiatea.copier.jobs import JobState
from chiatea.copier.replacing import Chosen
from chiatea.copier.service import Outcome
from chiatea.copier.shown import shown
from chiatea.protobuf.descriptors import as_dict
from chiatea.units import format_bytes, short_duration

__all__ = ["document", "plan_document", "plan_lines"]

_ORIGINS: Final = {
    "measured": "",
    "limited": ", as its limit lets it",
    "other targets": ", as other targets were",
    "assumed": ", which is assumed: nothing was moved yet",
}


def document(outcome: Outcome) -> dict[str, Any]:
    """What was done, under the names of the protocol."""
    settings = outcome.settings
    return {
        "jobs": [as_dict(copy_job(job, settings.verification)) for job in outcome.jobs],
        "targets": [as_dict(copy_target(target, outcome.load, settings.limits)) for target in outcome.targets],
        "copier": as_dict(copier_sums(outcome.jobs, n_done=outcome.n_done, bytes_done=outcome.bytes_done)),
        "left_alone": [{"filepath": path_text(path), "reason": why} for path, why in outcome.left_alone.items()],
        "unknown_temporary_files": [path_text(path) for path in outcome.unknown_temporary_files],
    }


def plan_document(outcome: Outcome, forecast: Forecast) -> dict[str, Any]:
    """What would be done: first what moves, in order, then what stays."""
    stays = [*forecast.left, *forecast.waiting]
    stays += [(job, job.last_error) for job in outcome.jobs if job.state is JobState.FAILED]
    moves = [_move(number, move) for number, move in enumerate(forecast.moves, 1)]
    moves += [
        {
            "id": job.id,
            "source_filepath": path_text(job.source),
            "target_id": None,
            "reason": path_text(why),
            "replaces": [],
        }
        for job, why in stays
    ]
    totals = {
        "n_to_move": len(forecast.moves),
        "bytes_to_move": _bytes_to_move(forecast),
        "seconds": forecast.seconds,
        "n_left": len(forecast.left),
        "bytes_left": _bytes_left(forecast),
        "n_waiting": len(forecast.waiting),
        "shortfalls": [
            {"group": path_text(lack.group), "group_rank": lack.rank, "n_bytes": lack.n_bytes, "reason": lack.why}
            for lack in forecast.shortfalls
        ],
    }
    return {**document(outcome), "moves": moves, "forecast": totals}


def _move(number: int, move: Move) -> dict[str, Any]:
    target = move.start.target
    return {
        "id": move.start.job.id,
        "order": number,
        "source_filepath": path_text(move.start.job.source),
        "total_bytes": move.start.job.total_bytes,
        "target_id": path_text(target.folder),
        "disk_id": target.disk,
        "group": path_text(target.group),
        "reason": path_text(move.start.why),
        "replaces": [
            {
                "filepath": path_text(target.folder / chosen.plot.name),
                "bytes": chosen.plot.taken_bytes,
                "rule": chosen.rule,
            }
            for chosen in _given_up(move)
        ],
        "begin_seconds": move.begin_seconds,
        "end_seconds": move.end_seconds,
        "bytes_per_second": move.speed.bytes_per_second,
        "speed_origin": move.speed.origin,
    }


def plan_lines(outcome: Outcome, forecast: Forecast) -> list[str]:
    """What would be done, for a person: moves in order, what stays and why, what is lacking, and the sums."""
    lines = [_move_line(number, move) for number, move in enumerate(forecast.moves, 1)]
    stays = (*forecast.left, *forecast.waiting)
    lines += [f"{shown(job.source)} stays: {shown(why)}" for job, why in stays]
    faults = [(job.source, job.last_error.removeprefix("is not moved: ")) for job in outcome.jobs if job.last_error]
    lines += [f"{shown(source)} stays: {fault}" for source, fault in faults]
    lines += [f"{shown(path)} stays: {why}" for path, why in outcome.left_alone.items()]
    lines += [f"{shown(path)}: no journal knows of this copy" for path in outcome.unknown_temporary_files]
    lines += [f"{shown(folder)} {problem}" for folder, problem in outcome.problems.items()]
    lines += [_shortfall_line(forecast, lack) for lack in forecast.shortfalls]
    if given_up := [chosen.plot.taken_bytes for move in forecast.moves for chosen in _given_up(move)]:
        plots = "1 old plot" if len(given_up) == 1 else f"{len(given_up)} old plots"
        lines.append(f"{plots}, {format_bytes(sum(given_up))}, would be deleted")
    moved = f"{len(forecast.moves)} to move, {format_bytes(_bytes_to_move(forecast))}"
    moved += f", done in {short_duration(forecast.seconds)}" if forecast.moves else ""
    left = f"{len(forecast.left)} have no room"
    left += f", {format_bytes(_bytes_left(forecast))}" if forecast.left else ""
    waiting = f"; {len(forecast.waiting)} wait" if forecast.waiting else ""
    return [*lines, f"{moved}; {left}{waiting}"]


def _move_line(number: int, move: Move) -> str:
    job, target = move.start.job, move.start.target
    begin = f"begins in {short_duration(move.begin_seconds)}" if move.begin_seconds else "begins at once"
    speed = f"{format_bytes(move.speed.bytes_per_second)}/s{_ORIGINS[move.speed.origin]}"
    return (
        f"{number}. {shown(job.source)} -> {shown(target.folder)} ({target.disk}): {format_bytes(job.total_bytes)}, "
        f"{begin}, done in {short_duration(move.end_seconds)} at {speed}: {shown(move.start.why)}"
    )


def _shortfall_line(forecast: Forecast, lack: Shortfall) -> str:
    group = f"group {shown(lack.group)}" if lack.group else "target_folders"
    plots = "one plot does" if len(forecast.left) == 1 else f"{len(forecast.left)} plots do"
    return f"{group}: {plots} not fit, {format_bytes(lack.n_bytes)} short: {shown(lack.why)}"


def _given_up(move: Move) -> Sequence[Chosen]:
    return move.start.replacement.chosen if move.start.replacement is not None else ()


def _bytes_left(forecast: Forecast) -> int:
    return sum(job.total_bytes for job, _ in forecast.left)


def _bytes_to_move(forecast: Forecast) -> int:
    return sum(move.start.job.total_bytes for move in forecast.moves)
