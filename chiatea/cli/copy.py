"""`chia-tea copy`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chiatea.cli.options import config_option, json_option, load_config, until_stdin_closes_option
from chiatea.cli.running import run_service, set_up_logs
from chiatea.cli.scrub import scrub
from chiatea.errors import ChiaTeaError

if TYPE_CHECKING:
    from chiatea.config import Config
    from chiatea.copier.forecast import Forecast
    from chiatea.copier.service import Outcome
    from chiatea.wire.channel import Server

__all__ = ["copy"]


@click.group(invoke_without_command=True)
@click.option("--once", is_flag=True, help="Move what is there now, then exit: with 1 if any plot was not moved.")
@click.option("--dry-run", is_flag=True, help="Say what would go where, and why; change nothing.")
@click.option(
    "--accept-disk",
    "accepted",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Take what is at a target folder now for its disk, then exit; repeatable.",
)
@json_option
@until_stdin_closes_option
@config_option
def copy(
    config_filepath: Path | None,
    once: bool,
    dry_run: bool,
    accepted: tuple[Path, ...],
    as_json: bool,
    until_stdin_closes: bool,
) -> None:
    """The copier: moves finished plots from copy.source_folders to copy.target_folders.

    A plot leaves its source when its copy is complete, read back from the disk, and has its final name. What is half
    copied when this ends, in whatever way, goes on at the next start.

    The disk at each target folder is remembered: an empty mount point, or another disk, gets nothing before it is
    accepted, by --accept-disk, which a copier that runs hears of, or by `chia-tea jobs release`.

    With --json, at the end: {"jobs": [...], "targets": [...]} under the names of the protocol, "copier": the sums,
    "left_alone" and "unknown_temporary_files". Sizes are bytes, times are UTC seconds since the epoch.
    """
    if _is_for_another_command(click.get_current_context()):
        return
    config = load_config(config_filepath)
    if accepted:
        _accept_disks(config, accepted)
        return
    if dry_run:
        _print_plan(config, as_json=as_json)
        return
    is_terminal = sys.stderr.isatty()
    set_up_logs(config, "copy", console=not is_terminal)
    from chiatea.cli.copy_progress import CopyProgress  # noqa: PLC0415
    from chiatea.copier import service  # noqa: PLC0415

    server = _server_of(config)
    progress = CopyProgress(sys.stderr) if is_terminal else None
    outcome: Outcome | None = None

    async def run(stop: asyncio.Event) -> None:
        nonlocal outcome
        if progress is None:
            outcome = await service.copy(config, stop=stop, once=once, server=server)
            return
        with progress.shown(config.copy_.verification):
            outcome = await service.copy(config, stop=stop, once=once, tell=progress.tell, server=server)

    try:
        run_service(run, until_stdin_closes=until_stdin_closes)
    finally:
        if outcome is not None:
            _print_end(outcome, as_json=as_json)
    if once and outcome is not None and (outcome.n_failed or outcome.n_waiting):
        sys.exit(1)


def _accept_disks(config: "Config", folders: tuple[Path, ...]) -> None:
    from chiatea.copier.service import accept_disks  # noqa: PLC0415

    for line in asyncio.run(accept_disks(config, [folder.absolute() for folder in folders])):
        click.echo(line)


copy.add_command(scrub)


def _is_for_another_command(context: click.Context) -> bool:
    """Options of the copier before the name of another command would do nothing."""
    if context.invoked_subcommand is None:
        return False
    for name in context.params:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"options of {context.invoked_subcommand} come after its name")
    return True


def _server_of(config: "Config") -> "Server | None":
    """The server to tell; None where this machine knows none: plots are moved all the same."""
    import logging  # noqa: PLC0415

    log = logging.getLogger("chiatea.copier")
    if not config.monitoring.auth.cert_filepath.exists():
        log.debug("nobody hears of the moves: there is no %s", config.monitoring.auth.cert_filepath)
        return None
    from chiatea.wire.channel import server_of  # noqa: PLC0415

    try:
        return server_of(config, token_files=("collector.token", "admin.token"))
    except ChiaTeaError as error:
        log.warning("nobody hears of the moves: %s", error)
        return None


def _print_end(outcome: "Outcome", *, as_json: bool) -> None:
    if as_json:
        _print_json(_document(outcome))
    elif sys.stderr.isatty():
        click.echo(_summary(outcome), err=True)
    else:
        import logging  # noqa: PLC0415

        logging.getLogger("chiatea.copier").info("%s", _summary(outcome))


def _summary(outcome: "Outcome") -> str:
    from chiatea.units import format_bytes  # noqa: PLC0415

    plots = "plot" if outcome.n_done == 1 else "plots"
    text = f"moved {outcome.n_done} {plots}, {format_bytes(outcome.bytes_done)}; {outcome.n_failed} failed"
    return f"{text}, {outcome.n_waiting} wait" if outcome.n_waiting else text


def _document(outcome: "Outcome") -> dict[str, Any]:
    from chiatea.copier.entries import copier_sums, copy_job, copy_target, path_text  # noqa: PLC0415
    from chiatea.protobuf.descriptors import as_dict  # noqa: PLC0415

    settings = outcome.settings
    return {
        "jobs": [as_dict(copy_job(job, settings.verification)) for job in outcome.jobs],
        "targets": [as_dict(copy_target(target, outcome.load, settings.limits)) for target in outcome.targets],
        "copier": as_dict(copier_sums(outcome.jobs, n_done=outcome.n_done, bytes_done=outcome.bytes_done)),
        "left_alone": [{"filepath": path_text(path), "reason": why} for path, why in outcome.left_alone.items()],
        "unknown_temporary_files": [path_text(path) for path in outcome.unknown_temporary_files],
    }


def _print_plan(config: "Config", *, as_json: bool) -> None:
    set_up_logs(config, "copy", console=False)
    from chiatea.copier.service import plan  # noqa: PLC0415

    outcome, moves = asyncio.run(plan(config))
    if as_json:
        _print_json(_plan_document(outcome, moves))
    else:
        for line in _plan_lines(outcome, moves):
            click.echo(line)


def _plan_document(outcome: "Outcome", moves: "Forecast") -> dict[str, Any]:
    from chiatea.copier.entries import path_text  # noqa: PLC0415

    document = _document(outcome)
    whys = {start.job.id: (start.target.folder, start.why) for start in moves.starts}
    given_up = {start.job.id: start.replacement.chosen for start in moves.starts if start.replacement is not None}
    left = {job.id: why for job, why in moves.left}
    document["moves"] = [
        {
            "id": job.id,
            "source_filepath": path_text(job.source),
            "target_id": path_text(whys[job.id][0]) if job.id in whys else None,
            "reason": path_text(whys[job.id][1] if job.id in whys else left.get(job.id, job.last_error)),
            "replaces": [
                {
                    "filepath": path_text(whys[job.id][0] / chosen.plot.name),
                    "bytes": chosen.plot.taken_bytes,
                    "rule": chosen.rule,
                }
                for chosen in given_up.get(job.id, ())
            ],
        }
        for job in outcome.jobs
    ]
    return document


def _plan_lines(outcome: "Outcome", moves: "Forecast") -> list[str]:
    from chiatea.copier.shown import shown  # noqa: PLC0415
    from chiatea.units import format_bytes  # noqa: PLC0415

    lines = [
        f"{shown(start.job.source)} -> {shown(start.target.folder)}: {format_bytes(start.job.total_bytes)}: {start.why}"
        for start in moves.starts
    ]
    lines += [f"{shown(job.source)} stays: no target takes it: {shown(why)}" for job, why in moves.left]
    faults = [(job.source, job.last_error.removeprefix("is not moved: ")) for job in outcome.jobs if job.last_error]
    lines += [f"{shown(source)} stays: {fault}" for source, fault in faults]
    lines += [f"{shown(path)} stays: {why}" for path, why in outcome.left_alone.items()]
    lines += [f"{shown(path)}: no journal knows of this copy" for path in outcome.unknown_temporary_files]
    lines += [f"{shown(folder)} {problem}" for folder, problem in outcome.problems.items()]
    n_bytes = sum(start.job.total_bytes for start in moves.starts)
    given_up = [chosen.plot for start in moves.starts if start.replacement for chosen in start.replacement.chosen]
    if given_up:
        n_given_up = sum(plot.taken_bytes for plot in given_up)
        plots = "1 old plot" if len(given_up) == 1 else f"{len(given_up)} old plots"
        lines.append(f"{plots}, {format_bytes(n_given_up)}, would be deleted")
    return [*lines, f"{len(moves.starts)} to move, {format_bytes(n_bytes)}; {len(moves.left)} have no room"]


def _print_json(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
