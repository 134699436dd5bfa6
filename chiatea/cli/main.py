"""`chia-tea`: the commands put together, and what happens to their errors."""

import os
import sys
import traceback
from typing import NoReturn

import click

from chiatea import __version__
from chiatea.cli.certs import certs
from chiatea.cli.collect import collect
from chiatea.cli.config import config
from chiatea.cli.copy import copy
from chiatea.cli.db import db
from chiatea.cli.events import events
from chiatea.cli.jobs import jobs
from chiatea.cli.serve import serve
from chiatea.cli.status import status
from chiatea.cli.tui import tui
from chiatea.cli.up import up
from chiatea.errors import ChiaTeaError

__all__ = ["main"]

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chia-tea", message="%(prog)s %(version)s")
def chia_tea() -> None:
    """Watches a Chia farm, in one terminal.

    `chia-tea up` is all of it on one machine, with no set-up. Exit codes: 0 fine, 1 it failed, 2 wrong usage or
    configuration, 130 interrupted.
    """


for command in (up, serve, collect, copy, jobs, tui, status, events, config, certs, db):
    chia_tea.add_command(command)


def main() -> NoReturn:
    """Runs the command line and ends the process with its exit code."""
    wants_traceback = "--debug" in sys.argv
    try:
        code = chia_tea.main(prog_name="chia-tea", standalone_mode=False)
        sys.stdout.flush()
    except ChiaTeaError as error:
        if wants_traceback:
            traceback.print_exc()
        code = _fail(error.lines(), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "chia-tea"
        code = _fail([f"{' '.join(error.format_message().split())}: see `{path} --help`"], 2)
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone, as in `chia-tea status | head`: that is no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        if wants_traceback:
            traceback.print_exc()
        text = " ".join(str(error).split())
        code = _fail([f"a defect in chia-tea: {type(error).__name__}: {text}: --debug shows where"], 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(lines: list[str], code: int) -> int:
    for line in lines:
        sys.stderr.write(f"chia-tea: {line}\n")
    sys.stderr.flush()
    return code
