"""`chia-tea db`."""

import json
import sys
import time
from pathlib import Path

import click

from chiatea.cli.options import config_option, json_option, load_config

__all__ = ["db"]


@click.group()
def db() -> None:
    """Look into the database."""


@db.command()
@click.argument("statement")
@json_option
@config_option
def sql(config_filepath: Path | None, statement: str, as_json: bool) -> None:
    """Run one SELECT on the database, also while the server runs. Nothing can be changed by it.

    Of each topic there are a table of the state (Cpu, Disk, HarvesterPlot, ...), one of all events (CpuEvents, ...)
    and, with names in place of numbers, the views CpuNamed and CpuEventsNamed.
    """
    config = load_config(config_filepath)
    from chiatea.server.database.query import query  # noqa: PLC0415

    names, rows = query(config.monitoring.server.db_filepath, statement)
    if as_json:
        json.dump([dict(zip(names, row, strict=True)) for row in rows], sys.stdout, ensure_ascii=False, default=_plain)
        sys.stdout.write("\n")
        return
    writer = sys.stdout.write
    writer("\t".join(names) + "\n")
    for row in rows:
        writer("\t".join(_cell(value) for value in row) + "\n")


@db.command()
@json_option
@config_option
def info(config_filepath: Path | None, as_json: bool) -> None:
    """What the database holds, how large it is, and whether it must be brought up to this chia-tea."""
    config = load_config(config_filepath)
    from chiatea.server.database.overview import overview  # noqa: PLC0415
    from chiatea.units import format_bytes  # noqa: PLC0415

    told = overview(config.monitoring.server.db_filepath)
    if as_json:
        json.dump(told, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    click.echo(f"{told['filepath']}: {format_bytes(told['bytes'])}, made by chia-tea {told['written_by']}")
    click.echo(f"machines: {told['n_machines']}")
    click.echo("pending: " + ("; ".join(told["pending"]) if told["pending"] else "nothing, it is of this chia-tea"))
    click.echo(f"{'TOPIC':24}{'ENTRIES':>10}{'EVENTS':>12}  OLDEST EVENT")
    for topic in told["topics"]:
        if topic["n_entries"] or topic["n_events"]:
            oldest = topic["oldest_event"]
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(oldest)) if oldest is not None else "-"
            click.echo(f"{topic['name']:24}{topic['n_entries']:>10}{topic['n_events']:>12}  {when}")


@db.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be changed.")
@json_option
@config_option
def migrate(config_filepath: Path | None, dry_run: bool, as_json: bool) -> None:
    """Bring the database up to this chia-tea, after a backup beside it. The server does the same when it starts."""
    config = load_config(config_filepath)
    from chiatea.server.database.database import Database  # noqa: PLC0415
    from chiatea.server.database.opening import pending_steps  # noqa: PLC0415

    filepath = config.monitoring.server.db_filepath
    steps = pending_steps(filepath)
    if not dry_run:
        with Database(filepath) as database:
            steps = database.migrated
    if as_json:
        click.echo(json.dumps({"filepath": str(filepath), "dry_run": dry_run, "steps": steps}))
        return
    for step in steps:
        click.echo(step)
    if not steps:
        click.echo(f"{filepath}: is of this chia-tea, there is nothing to do")


@db.command(name="import")
@click.argument("filepath", type=click.Path(path_type=Path))
@click.option(
    "--with-state",
    is_flag=True,
    help="Take over what the machines last told, too: for machines that will not report to this chia-tea any more.",
)
@json_option
@config_option
def import_(config_filepath: Path | None, filepath: Path, with_state: bool, as_json: bool) -> None:
    """Take over a database of the first chia-tea: its machines and their history.

    The old file is only read. It can be imported again: nothing is stored twice. Of several old files the oldest goes
    first. The server must not run meanwhile. A machine that reports to this chia-tea has another id here: its state is
    not taken over, so that its disks and plots do not count twice.
    """
    config = load_config(config_filepath)
    from chiatea.server.database.database import Database  # noqa: PLC0415
    from chiatea.server.database.first_chia_tea import import_first  # noqa: PLC0415

    def tell(n_read: int, n_rows: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{n_read} of {n_rows} rows")

    with Database(config.monitoring.server.db_filepath) as database:
        report = import_first(filepath, database, tell, with_state=with_state)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if as_json:
        told = {
            "rows_read": report.rows_read,
            "events_stored": report.events_stored,
            "machines": [{"id": info.machine_id, "name": info.name} for info in report.machines],
            "rows_skipped": [skipped._asdict() for skipped in report.rows_skipped],
            "values_skipped": [skipped._asdict() for skipped in report.values_skipped],
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(f"{report.rows_read} rows read, {report.events_stored} events stored, {len(report.machines)} machines:")
    for machine in report.machines:
        click.echo(f"  {machine.name}")
    for what, left_out in (("rows", report.rows_skipped), ("values", report.values_skipped)):
        for skipped in left_out:
            click.echo(f"{skipped.n_times} {what} of {skipped.where} left out: {skipped.reason}, as {skipped.example}")


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
