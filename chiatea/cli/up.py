"""`chia-tea up`: server, collector, copier and dashboard of one machine, from nothing."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chiatea.cli.options import config_option, load_config, security_files
from chiatea.cli.running import run_service, set_up_logs
from chiatea.cli.tui import DASHBOARD_TOKENS, require_terminal

if TYPE_CHECKING:
    from chiatea.config import Config

__all__ = ["up"]


@click.command()
@click.option("--headless", is_flag=True, help="Services without the dashboard, in the foreground, until SIGTERM.")
@config_option
def up(config_filepath: Path | None, headless: bool) -> None:
    """Server, collector and dashboard on this machine, with no set-up.

    The copier too, where copy folders are configured. Certificates and tokens are made on first use; leaving the
    dashboard stops what it started.
    """
    config = load_config(config_filepath, check_folders=True)
    set_up_logs(config, "up", console=headless)
    if not headless:
        require_terminal()
    from chiatea.security.first_use import create_missing  # noqa: PLC0415

    create_missing(security_files(config), now=time.time())
    services = [("serve", "listening on "), ("collect", "")]
    if config.copy_.source_folders and config.copy_.all_target_folders:
        services.append(("copy", ""))
    options = ["--config", str(config_filepath.absolute())] if config_filepath is not None else []
    if "--debug" in sys.argv:
        options.append("--debug")
    if headless:
        run_service(lambda stop: _run(services, options, tell=_to_stderr, until=stop.wait))
    else:
        # On the terminal is the dashboard: what the children say is in their log files.
        asyncio.run(_run(services, options, tell=_to_nobody, until=_dashboard(config)))


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _to_nobody(_: str) -> None:
    return


def _dashboard(config: "Config") -> Callable[[], Awaitable[object]]:
    from chiatea.tui.app import run_async  # noqa: PLC0415
    from chiatea.tui.options import options_of  # noqa: PLC0415
    from chiatea.wire.asking import Asking  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415
    from chiatea.wire.feed import FarmFeed  # noqa: PLC0415

    server = server_of(config, token_files=DASHBOARD_TOKENS)
    options = options_of(config)
    return lambda: run_async(FarmFeed(server, except_topics=("harvester_plot",)), Asking(server), options)


async def _run(
    services: list[tuple[str, str]],
    options: list[str],
    *,
    tell: Callable[[str], None],
    until: Callable[[], Awaitable[object]],
) -> None:
    """Starts the services, waits, and ends them in the reverse order, so that the last words are still heard.

    With the name of each comes how the line begins that says that it is ready; "" is not waited for.
    """
    from chiatea.supervisor import Child  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        for name, ready_when in services:
            child = Child([name, *options], tell=tell)
            stack.push_async_callback(child.end)
            await child.start(ready_when=ready_when)
        await until()
