"""`chia-tea status`."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chiatea.cli.options import address_option, config_option, json_option, load_config

if TYPE_CHECKING:
    from chiatea.state.farm_state import FarmState

__all__ = ["status"]


@click.command()
@address_option
@json_option
@config_option
def status(config_filepath: Path | None, as_json: bool, address: str | None) -> None:
    """The farm as it is now.

    With --json: {"machines": [{"id", "name", "online", "last_seen", and all that the machine tells under the
    names of the protocol}], "totals": {...}}. Sizes are bytes, times are UTC seconds since the epoch, null is
    "not told".
    """
    config = load_config(config_filepath)
    import asyncio  # noqa: PLC0415

    from chiatea.wire.channel import server_of  # noqa: PLC0415
    from chiatea.wire.feed import fetch_farm  # noqa: PLC0415

    names = ("viewer.token", "operator.token", "admin.token")
    farm = asyncio.run(fetch_farm(server_of(config, token_files=names, address=address)))
    if as_json:
        json.dump(_as_plain(farm), sys.stdout, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
    else:
        for line in _lines(farm, time.time()):
            click.echo(line)


def _as_plain(farm: "FarmState") -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    from chiatea.protobuf.descriptors import as_dict  # noqa: PLC0415
    from chiatea.state.totals import totals_of  # noqa: PLC0415

    machines = []
    for machine_id, state in sorted(farm.machines.items(), key=lambda item: farm.name_of(item[0])):
        info = farm.infos.get(machine_id)
        told = state.as_computer_info()
        told.machine_id = machine_id
        told.machine_name = farm.name_of(machine_id)
        server_side = {
            "id": machine_id,
            "name": farm.name_of(machine_id),
            "online": info.online if info is not None else False,
            "last_seen": info.last_seen if info is not None else None,
            "first_seen": info.first_seen if info is not None else None,
            "ip_address": info.ip_address if info is not None else None,
        }
        machines.append(server_side | as_dict(told))
    return {"machines": machines, "totals": asdict(totals_of(farm))}


def _lines(farm: "FarmState", now: float) -> list[str]:
    from chiatea.state.totals import totals_of  # noqa: PLC0415
    from chiatea.units import format_bytes, short_duration  # noqa: PLC0415

    if not farm.machines:
        return ["no machine has reported yet: run `chia-tea collect` on each"]
    rows = [("MACHINE", "STATE", "LAST SEEN", "CPU", "RAM", "DISKS FREE", "PLOTS", "LAST LOOKUP", "MISSED")]
    for machine_id, state in sorted(farm.machines.items(), key=lambda item: farm.name_of(item[0])):
        info = farm.infos.get(machine_id)
        cpu, ram, harvester = (_only(state, topic) for topic in ("cpu", "ram", "harvester"))
        disks = [entry.message for entry in state.of("disk").values()]
        missed = [entry.message.missed_challenges for entry in state.of("farmer_harvester").values()]  # type: ignore[attr-defined]
        rows.append(
            (
                farm.name_of(machine_id),
                "online" if info is not None and info.online else "offline",
                f"{short_duration(now - info.last_seen)} ago" if info is not None and info.last_seen else "never",
                f"{cpu.usage_percent:.0f} %" if cpu is not None and cpu.HasField("usage_percent") else "-",
                f"{format_bytes(ram.used_bytes)} of {format_bytes(ram.total_bytes)}" if ram is not None else "-",
                f"{format_bytes(sum(disk.free_bytes for disk in disks))} on {len(disks)}" if disks else "-",  # type: ignore[attr-defined]
                str(harvester.n_plots) if harvester is not None else "-",
                f"{harvester.last_lookup_seconds:.2f} s"
                if harvester is not None and harvester.HasField("last_lookup_seconds")
                else "-",
                str(sum(missed)) if missed else "-",
            )
        )
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    totals = totals_of(farm)
    summary = (
        f"{totals.n_machines_online} of {totals.n_machines} machines online, {totals.n_plots} plots "
        f"({format_bytes(totals.total_plot_bytes)}), {totals.n_eligible_plots} eligible and {totals.n_proofs} proofs "
        f"in {totals.n_challenges} challenges"
    )
    if totals.n_scrub_findings:
        summary += f"; scrubs found something wrong with {totals.n_scrub_findings} plots: `chia-tea jobs` names them"
    return [*table, "", summary]


def _only(state: Any, topic: str) -> Any:
    entry = state.of(topic).get("")
    return entry.message if entry is not None else None
