"""`chia-tea jobs`: plots on their way, on every machine, and orders to the copiers that move them."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from chiatea.cli.options import address_option, config_option, json_option, load_config
from chiatea.units import parse_bytes

if TYPE_CHECKING:
    from chiatea.cli.job_choice import Farm

__all__ = ["jobs"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_TOKENS: Final = ("operator.token", "admin.token")


class _ListByDefault(click.Group):
    """`chia-tea jobs --json` is `chia-tea jobs list --json`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"}):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def jobs() -> None:
    """Plots on their way, and orders to the copiers that move them, on any machine.

    JOB is the id that `list` shows, or enough of its beginning. An order is done within a second where its copier is
    there; where it is not, within a minute or never. Exit code 1: something was refused, or waits still.
    """


def _common(command: _Command) -> _Command:
    machine = click.option("--machine", "machines", multiple=True, metavar="NAME", help="On this machine; repeatable.")
    return machine(address_option(json_option(config_option(command))))


_job_ids = click.argument("job_ids", nargs=-1, metavar="[JOB]...")
_all = click.option("--all", "is_all", is_flag=True, help="All copies, and what comes, instead of some.")


@jobs.command(name="list")
@click.option("--all", "is_all", is_flag=True, help="Also those that are over.")
@_common
def list_(
    config_filepath: Path | None, as_json: bool, address: str | None, machines: tuple[str, ...], is_all: bool
) -> None:
    """Jobs, targets and copiers as they are now, and plots with which a scrub found something wrong.

    With --json: {"jobs", "targets", "copiers", "scrub_findings"}, all of them, under the names of the protocol, each
    with "machine" and "machine_id".
    """
    from chiatea.cli.job_table import document, lines  # noqa: PLC0415

    farm = _farm(config_filepath, address, machines, tokens=("viewer.token", *_TOKENS))
    if as_json:
        _print_json(document(farm))
        return
    for line in lines(farm, is_all=is_all):
        click.echo(line)


@jobs.command()
@_common
def targets(config_filepath: Path | None, as_json: bool, address: str | None, machines: tuple[str, ...]) -> None:
    """Target folders as they are now, in the order in which their groups are filled.

    With --json as `list`.
    """
    from chiatea.cli.job_table import document, target_lines  # noqa: PLC0415

    farm = _farm(config_filepath, address, machines, tokens=("viewer.token", *_TOKENS))
    if as_json:
        _print_json(document(farm))
        return
    for line in target_lines(farm):
        click.echo(line)


@jobs.command()
@_job_ids
@_all
@_common
def pause(job_ids: tuple[str, ...], is_all: bool, **where: Any) -> None:
    """Stops the bytes of jobs where they are; those that wait are not begun."""
    _order_some("PAUSE", job_ids, is_all=is_all, **where)


@jobs.command()
@_job_ids
@_all
@_common
def resume(job_ids: tuple[str, ...], is_all: bool, **where: Any) -> None:
    """Lets jobs go on from where they are."""
    _order_some("RESUME", job_ids, is_all=is_all, **where)


@jobs.command()
@_job_ids
@click.option("--yes", is_flag=True, help="Without asking.")
@_common
def cancel(job_ids: tuple[str, ...], yes: bool, **where: Any) -> None:
    """Gives jobs up: what was copied so far goes, the source stays."""
    from chiatea.units import format_bytes  # noqa: PLC0415

    def ask(chosen: Sequence[Any]) -> None:
        if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        lost = sum(job.copied_bytes for _, job in chosen)
        what = "this job" if len(chosen) == 1 else f"these {len(chosen)} jobs"
        click.confirm(
            f"cancel {what}? The temporary copy is lost, {format_bytes(lost)} so far; the source stays",
            abort=True,
            err=True,
        )

    _order_jobs("CANCEL", job_ids, ask=ask, **where)


@jobs.command()
@_job_ids
@_common
def retry(job_ids: tuple[str, ...], **where: Any) -> None:
    """Puts jobs that failed or were cancelled in the queue again; those that wait for another attempt begin now."""
    _order_jobs("RETRY", job_ids, **where)


@jobs.command()
@click.argument("priority", type=click.IntRange(-1000, 1000))
@_job_ids
@_common
def priority(priority: int, job_ids: tuple[str, ...], **where: Any) -> None:
    """Lets jobs begin sooner: of those that wait the highest PRIORITY comes first; 0 is what all have.

    A negative one comes after `--`: `chia-tea jobs priority -- -5 JOB`.
    """
    _order_jobs("SET_PRIORITY", job_ids, {"priority": priority}, **where)


@jobs.command()
@click.argument("target")
@_job_ids
@_common
def move(target: str, job_ids: tuple[str, ...], **where: Any) -> None:
    """Sends jobs to the target folder TARGET; what was copied elsewhere so far goes."""
    _order_jobs("MOVE", job_ids, {"target_id": target}, **where)


@jobs.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@_common
def drain(targets: tuple[str, ...], **where: Any) -> None:
    """Gives target folders nothing new, until they are released; what is under way to them is ended."""
    _order_targets("DRAIN_TARGET", targets, **where)


@jobs.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@_common
def release(targets: tuple[str, ...], **where: Any) -> None:
    """Gives target folders plots again, on another disk too if that is mounted there now."""
    _order_targets("RELEASE_TARGET", targets, **where)


@jobs.command()
@_job_ids
@click.argument("rate")
@_common
def bandwidth(job_ids: tuple[str, ...], rate: str, **where: Any) -> None:
    """What all copies of a machine together, or each JOB, may move in a second: 200MB; 0: as fast as the disks are.

    For all it holds until copy.bandwidth_by_time says another, or until that or copy.max_bandwidth is changed in that
    machine's configuration; for a JOB until it is moved, within what all may.
    """
    try:
        n_bytes = parse_bytes(rate)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="RATE") from None
    if job_ids:
        _order_jobs("SET_BANDWIDTH", job_ids, {"max_bytes_per_second": n_bytes}, **where)
        return
    farm = _farm(where["config_filepath"], where["address"], where["machines"])
    orders = [(machine_id, {"max_bytes_per_second": n_bytes}) for machine_id in farm.copier_ids()]
    _send(farm, "SET_BANDWIDTH", orders, as_json=where["as_json"])


def _order_some(action: str, job_ids: tuple[str, ...], *, is_all: bool, **where: Any) -> None:
    if not is_all:
        _order_jobs(action, job_ids, **where)
        return
    if job_ids:
        raise click.UsageError("name jobs, or --all, not both")
    farm = _farm(where["config_filepath"], where["address"], where["machines"])
    _send(farm, f"{action}_ALL", [(machine_id, {}) for machine_id in farm.copier_ids()], as_json=where["as_json"])


def _order_jobs(
    action: str,
    job_ids: tuple[str, ...],
    more: dict[str, Any] | None = None,
    *,
    ask: Callable[[Sequence[Any]], None] = lambda _: None,
    **where: Any,
) -> None:
    if not job_ids:
        raise click.UsageError("name one JOB or more: `chia-tea jobs list` shows their ids")
    farm = _farm(where["config_filepath"], where["address"], where["machines"])
    chosen = farm.chosen_jobs(job_ids)
    ask(chosen)
    orders = [(machine_id, {"job_ids": [job.id], **(more or {})}) for machine_id, job in chosen]
    _send(farm, action, orders, as_json=where["as_json"])


def _order_targets(action: str, targets: tuple[str, ...], **where: Any) -> None:
    farm = _farm(where["config_filepath"], where["address"], where["machines"])
    orders = [(machine_id, {"target_id": target_id}) for machine_id, target_id in farm.chosen_targets(targets)]
    _send(farm, action, orders, as_json=where["as_json"])


def _farm(
    config_filepath: Path | None, address: str | None, machines: tuple[str, ...], *, tokens: tuple[str, ...] = _TOKENS
) -> "Farm":
    config = load_config(config_filepath)
    import asyncio  # noqa: PLC0415

    from chiatea.cli.job_choice import Farm  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415
    from chiatea.wire.feed import fetch_farm  # noqa: PLC0415

    server = server_of(config, token_files=tokens, address=address)
    state = asyncio.run(fetch_farm(server, topics=("copier", "copy_target", "copy_job", "scrub_finding")))
    return Farm(server, state, machines)


def _send(farm: "Farm", action: str, orders: Sequence[tuple[str, dict[str, Any]]], *, as_json: bool) -> None:
    import asyncio  # noqa: PLC0415

    from chiatea.cli.job_choice import answer_line, send_orders  # noqa: PLC0415
    from chiatea.protobuf.copy_pb2 import CopyCommand  # noqa: PLC0415
    from chiatea.protobuf.descriptors import as_dict  # noqa: PLC0415

    answers = asyncio.run(send_orders(farm.server, action, orders))
    if as_json:
        _print_json([farm.named(machine_id, as_dict(answer)) for machine_id, answer in answers])
    else:
        for machine_id, answer in answers:
            click.echo(answer_line(farm.name_of(machine_id), answer))
    if any(answer.state != CopyCommand.DONE for _, answer in answers):
        sys.exit(1)


def _print_json(document: Any) -> None:
    import json  # noqa: PLC0415

    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
