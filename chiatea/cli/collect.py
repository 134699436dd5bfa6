"""`chia-tea collect`."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chiatea.cli.options import address_option, config_option, json_option, load_config, until_stdin_closes_option
from chiatea.cli.running import run_service, set_up_logs

if TYPE_CHECKING:
    from chiatea.config import Config

__all__ = ["collect"]


@click.command()
@click.option("--once", is_flag=True, help="Look once, print what was seen as JSON, send nothing.")
@click.option(
    "--explain",
    "explained_filepath",
    metavar="FILE",
    help="Print what each line of a log of Chia's is understood to say, and what is not; - reads stdin. --json too.",
)
@json_option
@address_option
@until_stdin_closes_option
@config_option
def collect(
    config_filepath: Path | None,
    once: bool,
    explained_filepath: str | None,
    as_json: bool,
    address: str | None,
    until_stdin_closes: bool,
) -> None:
    """The collector: watches this machine and its Chia, and sends what changed."""
    if explained_filepath is not None:
        if once:
            raise click.UsageError("--once and --explain are two things")
        from chiatea.cli.explain import explain  # noqa: PLC0415

        explain(explained_filepath, as_json=as_json)
        return
    if as_json and not once:
        raise click.UsageError("--json goes with --once or --explain")
    config = load_config(config_filepath, check_folders=True)
    set_up_logs(config, "collect")
    if once:
        _print_once(config)
        return
    from chiatea.collector.service import collect as run  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415

    server = server_of(config, token_files=("collector.token",), address=address)
    run_service(lambda stop: run(config, server, stop=stop), until_stdin_closes=until_stdin_closes)


def _print_once(config: "Config") -> None:
    import json  # noqa: PLC0415

    from chiatea.collector.service import collect_once  # noqa: PLC0415
    from chiatea.protobuf.descriptors import as_dict  # noqa: PLC0415

    info = asyncio.run(collect_once(config))
    json.dump(as_dict(info), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
