"""`chia-tea serve`."""

from pathlib import Path

import click

from chiatea.cli.options import config_option, load_config, until_stdin_closes_option
from chiatea.cli.running import run_service, set_up_logs

__all__ = ["serve"]


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of at monitoring.server.port; 0: any.")
@until_stdin_closes_option
@config_option
def serve(config_filepath: Path | None, port: int | None, until_stdin_closes: bool) -> None:
    """The server: takes in what collectors tell, keeps it, shows it to dashboards.

    It is ready when it prints `listening on HOST:PORT` on stderr.
    """
    config = load_config(config_filepath, check_folders=True)
    set_up_logs(config, "serve")
    from chiatea.server.serving import serve as run  # noqa: PLC0415

    run_service(lambda stop: run(config, port=port, stop=stop), until_stdin_closes=until_stdin_closes)
