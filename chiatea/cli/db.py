"""`chia-tea db`."""

import json
import sys
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


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
