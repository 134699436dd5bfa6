"""`chia-tea certs`."""

import time
from pathlib import Path

import click

from chiatea.cli.options import config_option, load_config, security_files

__all__ = ["certs"]


@click.group()
def certs() -> None:
    """The server's certificate and the tokens of its clients."""


@certs.command()
@click.option(
    "--common-name",
    "common_names",
    multiple=True,
    metavar="NAME",
    help="A host name or IP address of the server, to stand in the certificate; repeatable.",
)
@click.option("--force", is_flag=True, help="Replace key and certificate: every client then needs the new server.cert.")
@config_option
def create(config_filepath: Path | None, common_names: tuple[str, ...], force: bool) -> None:
    """Make server.key, server.cert and a token of each role beside the configuration; print what was made.

    Copy server.cert and collector.token to the configuration's folder of every machine that reports to this server,
    server.cert and viewer.token (or operator.token) to those where somebody looks.
    """
    config = load_config(config_filepath)
    from chiatea.security.certificates import create_certificate  # noqa: PLC0415
    from chiatea.security.first_use import create_missing  # noqa: PLC0415

    files, now = security_files(config), time.time()
    create_certificate(files.key_filepath, files.cert_filepath, common_names, now=now, overwrite=force)
    for filepath in (files.key_filepath, files.cert_filepath, *create_missing(files, now=now)):
        click.echo(filepath)
