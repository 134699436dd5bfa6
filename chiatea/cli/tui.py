"""`chia-tea tui`."""

from pathlib import Path

import click

from chiatea.cli.options import address_option, config_option, load_config
from chiatea.cli.running import set_up_logs
from chiatea.errors import ChiaTeaError

__all__ = ["DASHBOARD_TOKENS", "tui"]

DASHBOARD_TOKENS = ("operator.token", "viewer.token", "admin.token")


@click.command()
@address_option
@config_option
def tui(config_filepath: Path | None, address: str | None) -> None:
    """The dashboard. `?` in it tells its keys, `q` leaves."""
    config = load_config(config_filepath)
    set_up_logs(config, "tui", console=False)
    require_terminal()
    from chiatea.tui.app import run  # noqa: PLC0415
    from chiatea.tui.options import options_of  # noqa: PLC0415
    from chiatea.wire.asking import Asking  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415
    from chiatea.wire.feed import FarmFeed  # noqa: PLC0415

    server = server_of(config, token_files=DASHBOARD_TOKENS, address=address)
    run(FarmFeed(server, except_topics=("harvester_plot",)), Asking(server), options_of(config))


def require_terminal() -> None:
    """A dashboard needs a terminal to draw on.

    Raises:
        ChiaTeaError: when there is none.
    """
    import sys  # noqa: PLC0415

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ChiaTeaError("the dashboard needs a terminal", "use `chia-tea status` in scripts")
