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
    "left_alone" and "unknown_temporary_files". Sizes are bytes, times are UTC seconds since the epoch. With --dry-run
    also "moves" in the order in which they begin, with seconds from now, and "forecast": the sums, and what each group
    of targets lacks for the plots that fit nowhere. How long they take is told from how long earlier moves took.
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
    from chiatea.copier.disk_acceptance import accept_disks  # noqa: PLC0415

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
        from chiatea.cli.copy_plan import document  # noqa: PLC0415

        _print_json(document(outcome))
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


def _print_plan(config: "Config", *, as_json: bool) -> None:
    set_up_logs(config, "copy", console=False)
    from chiatea.cli.copy_plan import plan_document, plan_lines  # noqa: PLC0415
    from chiatea.copier.service import plan  # noqa: PLC0415

    outcome, forecast = asyncio.run(plan(config))
    if as_json:
        _print_json(plan_document(outcome, forecast))
    else:
        for line in plan_lines(outcome, forecast):
            click.echo(line)


def _print_json(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
