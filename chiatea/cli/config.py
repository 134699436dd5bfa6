"""`chia-tea config`."""

from pathlib import Path

import click

from chiatea.cli.options import config_option, json_option, load_config
from chiatea.errors import ConfigurationError

__all__ = ["config"]


@click.group()
def config() -> None:
    """Make, find, show and check the configuration. chia-tea runs without one, too."""


@config.command()
@click.option("--force", is_flag=True, help="Replace a file that is there; the old one is kept as config.yml.bak.")
@config_option
def init(config_filepath: Path | None, force: bool) -> None:
    """Write a configuration in which every key stands with its meaning and its default."""
    from chiatea.config import default_filepath, example  # noqa: PLC0415

    path = (config_filepath or default_filepath()).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not force:
            raise ConfigurationError(f"{path}: is there already", "edit it, or replace it with --force")
        if path.exists():
            path.replace(path.with_name(path.name + ".bak"))
        with path.open("x", encoding="utf-8") as file:
            file.write(example())
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written: {error.strerror}", "choose another with --config"
        ) from None
    click.echo(path)


@config.command()
@config_option
def path(config_filepath: Path | None) -> None:
    """Print which file is read, whether it is there or not."""
    from chiatea.config import default_filepath  # noqa: PLC0415

    click.echo((config_filepath or default_filepath()).expanduser().absolute())


@config.command()
@json_option
@config_option
def show(config_filepath: Path | None, as_json: bool) -> None:
    """Print the configuration in force, defaults filled in and paths whole."""
    loaded = load_config(config_filepath)
    click.echo(loaded.model_dump_json(by_alias=True, indent=2) if as_json else loaded.as_yaml(), nl=as_json)


@config.command()
@json_option
@config_option
def validate(config_filepath: Path | None, as_json: bool) -> None:
    """Check the configuration and the folders it names; every fault is told, with exit code 2."""
    loaded = load_config(config_filepath, check_folders=True)
    is_there = loaded.filepath.exists()
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"filepath": str(loaded.filepath), "exists": is_there, "valid": True}))
    elif is_there:
        click.echo(f"{loaded.filepath}: is fine")
    else:
        click.echo(f"{loaded.filepath}: is not there, so every key has its default: that is fine")
