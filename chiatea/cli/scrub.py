"""`chia-tea copy scrub`."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from chiatea.cli.options import config_option, json_option, load_config
from chiatea.cli.running import run_service, set_up_logs
from chiatea.units import parse_bytes, parse_duration

if TYPE_CHECKING:
    from chiatea.config import Config
    from chiatea.copier.control import Control
    from chiatea.copier.known_plots import KnownPlots

__all__ = ["scrub"]

_FOR_EVER_SECONDS: Final = 1e9
_LEAVE_OFF_SECONDS: Final = 5.0


def _parsed(parse: Callable[[str], float]) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    def callback(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
        try:
            return parse(value) if value is not None else None
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--rate", default="20MB", show_default=True, callback=_parsed(parse_bytes), metavar="RATE",
    help="Bytes read in a second; 0: as fast as the disk is.",
)  # fmt: skip
@click.option(
    "--older-than", callback=_parsed(parse_duration), metavar="AGE",
    help="Only plots that were last read longer ago: 30d.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="So many plots at most, then exit.")
@click.option("--adopt", is_flag=True, help="Take the hashes of plots as they are now: of those not moved by chia-tea.")
@click.option("--forget", is_flag=True, help="Forget the hashes of plots that were moved away or removed.")
@click.option("--dry-run", is_flag=True, help="Say which plots that would be, and what was found so far; read nothing.")
@json_option
@config_option
def scrub(config_filepath: Path | None, paths: tuple[Path, ...], adopt: bool, forget: bool, **options: Any) -> None:
    """Reads plots again, from their disks, and tells of those that are not any more what they were.

    Each plot that the copier moved is known by the hashes of its 64 MiB blocks. PATH is a plot, or a folder with all
    below it; without one it is all known plots. What was read longest ago comes first. It reads slowly and at idle
    priority, may run beside the copier and beside other scrubs, one for each disk say, and goes on where it stopped
    when it is ended in whatever way.

    \b
    rotten      same size and time, other bytes: of which blocks, is told
    unreadable  its disk cannot read some of it
    missing     it is gone; --forget PATH when it was moved away or removed
    changed     somebody wrote it; --adopt PLOT when that is right

    A plot that is fine again, as when it was put back, is no finding any more. --adopt PATH takes new plots below a
    folder; of one that is known and has a finding only when it is named itself. --forget FOLDER forgets the plots below
    it that are not there; those of a disk that is not mounted only when FOLDER is their very folder.

    Exit code 1: something is wrong with a plot, or one could not be looked at. With --json: {"plots": those that were
    looked at, "findings": all that stand, under the names of the protocol, "sums"}.
    """  # noqa: D301 - click's own sign for lines that stay as they are
    config = load_config(config_filepath)
    _check(paths, adopt=adopt, forget=forget, **options)
    set_up_logs(config, "scrub", console=not sys.stderr.isatty())
    from chiatea.copier.known_plots import KnownPlots  # noqa: PLC0415
    from chiatea.copier.settings import settings_of  # noqa: PLC0415

    places = tuple(path.absolute() for path in paths)
    with KnownPlots(settings_of(config, once=True).known_plots_filepath) as known:
        if forget:
            _forget(known, places, dry_run=options["dry_run"], as_json=options["as_json"])
        else:
            _run(config, known, places, adopt=adopt, **options)


def _check(
    paths: tuple[Path, ...], *, adopt: bool, forget: bool, older_than: float | None, limit: int | None, **_: object
) -> None:
    if adopt and forget:
        raise click.UsageError("--adopt and --forget exclude each other")
    if (adopt or forget) and not paths:
        raise click.UsageError(f"{'--adopt' if adopt else '--forget'} needs a PATH")
    if older_than is not None and (adopt or forget):
        raise click.UsageError("--older-than is for plots that are read again")
    if limit is not None and forget:
        raise click.UsageError("--limit is for plots that are read")


def _forget(known: "KnownPlots", places: tuple[Path, ...], *, dry_run: bool, as_json: bool) -> None:
    from chiatea.copier.entries import path_text  # noqa: PLC0415
    from chiatea.copier.scrub_choice import to_forget  # noqa: PLC0415
    from chiatea.copier.shown import shown  # noqa: PLC0415

    gone, away = to_forget(known, places)
    if not dry_run:
        known.forget(gone)
    forgotten = "would be forgotten" if dry_run else "forgotten"
    if as_json:
        document = {forgotten.replace(" ", "_"): [*map(path_text, gone)], "away_folders": [*map(path_text, away)]}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for path in gone:
        click.echo(f"{shown(path)}: {forgotten}")
    for folder in away:
        click.echo(f"{shown(folder)} is not there or not mounted: its plots stay known; name it itself to forget them")
    click.echo(f"{len(gone)} {forgotten}")


def _run(
    config: "Config",
    known: "KnownPlots",
    places: tuple[Path, ...],
    *,
    adopt: bool,
    rate: int,
    older_than: float | None,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    import time  # noqa: PLC0415

    from chiatea.cli.scrub_report import ScrubReport  # noqa: PLC0415
    from chiatea.copier.control import Control  # noqa: PLC0415
    from chiatea.copier.scrub import Scrub  # noqa: PLC0415
    from chiatea.copier.scrub_choice import known_below, to_adopt  # noqa: PLC0415

    read_before = time.time() - older_than if older_than is not None else None
    plots = [] if adopt else known_below(known, places, read_before=read_before)
    new = to_adopt(known, places, config.copy_.suffixes) if adopt else []
    report = ScrubReport(known, sys.stderr if sys.stderr.isatty() else None, limit or len(plots) + len(new))
    if dry_run:
        report.print_plan(plots, new, rate, as_json=as_json)
        return
    control = Control(rate)
    scrub = Scrub(known, known.filepath.with_name("scrub.lock"), control, report.progress)
    results = scrub.adopt(new, config.copy_.settle_seconds) if adopt else scrub.again(plots)
    _be_idle()

    def read() -> None:
        for result in results:
            report.tell(result, is_quiet=as_json)
            if report.n_read >= report.n_chosen:
                return

    try:
        run_service(lambda stop: _until_stopped(read, control, stop))
    finally:
        report.print_end(as_json=as_json)
    if report.is_anything_wrong:
        sys.exit(1)


def _be_idle() -> None:
    """Whoever else wants the processor or a disk comes first; the thread that reads takes it over from this one."""
    import contextlib  # noqa: PLC0415
    import os  # noqa: PLC0415

    import psutil  # noqa: PLC0415

    with contextlib.suppress(OSError):
        os.nice(19)
    if hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        with contextlib.suppress(OSError, psutil.Error):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


async def _until_stopped(read: Callable[[], None], control: "Control", stop: asyncio.Event) -> None:
    """Reads in a thread: a disk that hangs does not keep this command from ending."""
    from chiatea.question import Question  # noqa: PLC0415

    reading = asyncio.create_task(Question(read).answer(_FOR_EVER_SECONDS))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    control.leave_off()
    await asyncio.wait({reading}, timeout=_LEAVE_OFF_SECONDS)
    stopping.cancel()
    if reading.done():
        reading.result()
    else:
        reading.cancel()
