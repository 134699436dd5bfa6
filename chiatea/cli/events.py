"""`chia-tea events`."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chiatea.cli.options import address_option, config_option, json_option, load_config
from chiatea.errors import ChiaTeaError, ConfigurationError
from chiatea.units import parse_duration

if TYPE_CHECKING:
    from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
    from chiatea.state.farm_state import FarmState
    from chiatea.wire.channel import Server

__all__ = ["events"]


def _since(_: click.Context, __: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--since", default="1h", show_default=True, callback=_since, help="How far back: 30s, 5m, 2h, 90d.")
@click.option("--machine", "machines", multiple=True, metavar="NAME", help="Of this machine only; repeatable.")
@click.option("--topic", "topics", multiple=True, metavar="T", help="Of this topic only, as disk; repeatable.")
@click.option("--text", default="", metavar="TEXT", help="Only events in which this text stands.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@click.option("--newest-first", is_flag=True, help="The newest first, instead of last.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@address_option
@json_option
@config_option
def events(
    config_filepath: Path | None,
    as_json: bool,
    address: str | None,
    since: float,
    machines: tuple[str, ...],
    topics: tuple[str, ...],
    text: str,
    limit: int | None,
    newest_first: bool,
    follow: bool,
) -> None:
    """What changed on the farm.

    With --json: a list of {"time", "machine", "machine_id", "topic", "event_type", "entry"}; with --follow --json one
    such object a line.
    """
    if follow and newest_first:
        raise ConfigurationError("--follow and --newest-first exclude each other", "leave one of them out")
    config = load_config(config_filepath)
    import asyncio  # noqa: PLC0415

    from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest  # noqa: PLC0415
    from chiatea.wire.channel import server_of  # noqa: PLC0415

    server = server_of(config, token_files=("viewer.token", "operator.token", "admin.token"), address=address)
    request = QueryEventsRequest(
        topics=topics, since=time.time() - since, text=text, limit=limit or 0, newest_first=newest_first, follow=follow
    )
    asyncio.run(_print(server, request, machines, as_json=as_json))


async def _print(server: "Server", request: "QueryEventsRequest", names: tuple[str, ...], *, as_json: bool) -> None:
    from chiatea.state.event_dict import event_as_dict  # noqa: PLC0415
    from chiatea.wire.asking import Asking  # noqa: PLC0415
    from chiatea.wire.feed import fetch_farm  # noqa: PLC0415

    farm = await fetch_farm(server, topics=("system",))
    request.machine_ids.extend(_ids(farm, names))
    async with Asking(server) as asking:
        if as_json and not request.follow:
            found = [event_as_dict(event, farm.name_of) async for event in asking.events(request)]
            json.dump(found, sys.stdout, ensure_ascii=False, allow_nan=False)
            sys.stdout.write("\n")
            return
        async for event in asking.events(request):
            plain = event_as_dict(event, farm.name_of)
            line = json.dumps(plain, ensure_ascii=False, allow_nan=False) if as_json else _line(plain)
            sys.stdout.write(line + "\n")
            if request.follow:
                sys.stdout.flush()


def _ids(farm: "FarmState", names: tuple[str, ...]) -> list[str]:
    by_name = {farm.name_of(machine_id): machine_id for machine_id in farm.machines}
    unknown = [name for name in names if name not in by_name and name not in farm.machines]
    if unknown:
        known = ", ".join(sorted(by_name)) or "none"
        raise ChiaTeaError(f"there is no machine {', '.join(unknown)}", f"machines are {known}")
    return [by_name.get(name, name) for name in names]


def _line(plain: dict[str, Any]) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(plain["time"]))
    entry = plain["entry"] or {}
    told = " ".join(f"{name}={_shown(value)}" for name, value in entry.items() if value not in (None, "", [], 0, False))
    line = f"{moment}  {plain['machine']}  {plain['topic']}  {plain['event_type']}  {told}"
    # What comes from other machines may not move the cursor of this terminal.
    return "".join(character if character.isprintable() else "?" for character in line)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
