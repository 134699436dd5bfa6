"""`chia-tea tui`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chiatea.cli.options import address_option, config_option, load_config, until_stdin_closes_option
from chiatea.cli.running import end_when_stdin_closes, run_service, set_up_logs
from chiatea.errors import ChiaTeaError

if TYPE_CHECKING:
    from chiatea.config import Config

__all__ = ["DASHBOARD_TOKENS", "require_terminal", "tui"]

DASHBOARD_TOKENS = ("operator.token", "viewer.token", "admin.token")


@click.command()
@click.option("--web", "is_web", is_flag=True, help="Show it to browsers on this machine instead, until SIGTERM.")
@click.option("--port", type=click.IntRange(0, 65535), help="With --web: listen here. Default: any that is free.")
@until_stdin_closes_option
@address_option
@config_option
def tui(
    config_filepath: Path | None, address: str | None, is_web: bool, port: int | None, until_stdin_closes: bool
) -> None:
    """The dashboard. `?` in it tells its keys, `q` leaves.

    With --web it is ready when it prints `listening on http://...` on stderr: open the whole of that address in a
    browser. Whoever knows it may do what the dashboard may.
    """
    if port is not None and not is_web:
        raise click.UsageError("--port goes with --web", click.get_current_context())
    config = load_config(config_filepath)
    if is_web:
        _serve_to_browsers(config, config_filepath, address, port or 0)
        return
    set_up_logs(config, "tui", console=False)
    if until_stdin_closes:
        end_when_stdin_closes()
    else:
        require_terminal()
    from chiatea.tui.app import run  # noqa: PLC0415
    from chiatea.tui.options import options_of  # noqa: PLC0415
    from chiatea.wire.asking import Asking  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415
    from chiatea.wire.feed import FarmFeed  # noqa: PLC0415

    server = server_of(config, token_files=DASHBOARD_TOKENS, address=address)
    run(FarmFeed(server, except_topics=("harvester_plot",)), Asking(server), options_of(config))


def _serve_to_browsers(config: "Config", config_filepath: Path | None, address: str | None, port: int) -> None:
    """Each tab gets a `chia-tea tui` of its own, with the same options and no secret among them."""
    set_up_logs(config, "web")
    try:
        from chiatea.tui.web.serving import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual_serve":
            raise
        raise ChiaTeaError(
            "the dashboard in a browser needs textual-serve", "install it: pip install 'chia-tea[web]'"
        ) from None
    from chiatea.wire.channel import server_of  # noqa: PLC0415

    # A certificate or token that is missing is told here, before any tab asks for it.
    server_of(config, token_files=DASHBOARD_TOKENS, address=address)
    command = [sys.executable, "-m", "chiatea", "tui", "--until-stdin-closes"]
    if config_filepath is not None:
        command += ["--config", str(config_filepath.absolute())]
    if address is not None:
        command += ["--address", address]
    if "--debug" in sys.argv:
        command.append("--debug")
    run_service(lambda stop: serve(command, port=port, stop=stop))


def require_terminal() -> None:
    """A dashboard needs a terminal to draw on.

    Raises:
        ChiaTeaError: when there is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ChiaTeaError("the dashboard needs a terminal", "use `chia-tea status` in scripts")
