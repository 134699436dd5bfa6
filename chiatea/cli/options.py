"""Options that many commands take, and the configuration they lead to."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from chiatea.config import Config
    from chiatea.security.first_use import SecurityFiles

__all__ = [
    "address_option",
    "config_option",
    "debug_option",
    "json_option",
    "load_config",
    "security_files",
    "until_stdin_closes_option",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def config_option(command: _Command) -> _Command:
    """--config PATH."""
    return click.option(
        "--config",
        "config_filepath",
        type=click.Path(path_type=Path),
        help="The configuration. Default: $CHIA_TEA_CONFIG, else ~/.chia_tea/config/config.yml.",
    )(debug_option(command))


def debug_option(command: _Command) -> _Command:
    """--debug, which `main` looks for by itself."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Log more; show a traceback where something fails."
    )(command)


def json_option(command: _Command) -> _Command:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, and nothing else.")(
        command
    )


def address_option(command: _Command) -> _Command:
    """--address HOST:PORT."""
    return click.option(
        "--address",
        metavar="HOST:PORT",
        callback=_checked_address,
        help="The server. Default: monitoring.client.address and port.",
    )(command)


def until_stdin_closes_option(command: _Command) -> _Command:
    """For a parent that must not leave children behind: see supervisor.py."""
    return click.option("--until-stdin-closes", is_flag=True, hidden=True)(command)


def _checked_address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, as in localhost:43200")
    return value


def security_files(config: "Config") -> "SecurityFiles":
    """Where the server's key, certificate and tokens are."""
    from chiatea.security.first_use import SecurityFiles  # noqa: PLC0415

    auth = config.monitoring.auth
    return SecurityFiles(auth.key_filepath, auth.cert_filepath, auth.token_hashes_filepath, config.folder)


def load_config(filepath: Path | None, *, check_folders: bool = False) -> "Config":
    """The configuration of a command.

    Raises:
        ConfigurationError: names every fault.
    """
    from chiatea import config as configuration  # noqa: PLC0415 - pydantic takes longer to load than click to run

    config = configuration.load(filepath)
    if check_folders:
        configuration.check_folders(config)
    return config
