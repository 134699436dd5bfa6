"""Harvesters as they see themselves, matched with what their farmers see. Pure.

A farmer knows a harvester by its node id and the host it connects from; a harvester's own collector knows neither. They
are taken for one where

1. the farmer sees it connect from the address that the machine's collector connects from, or from the farmer's own
   machine (a loopback address);
2. else the farmer's host is the machine's name or host name;
3. else the machine's collector runs beside the server (a loopback address, which no farmer elsewhere sees), and it is
   the only such one that is left, as is the harvester that comes from an address of no machine.

Several of one machine, as after a new certificate: the connected one that was heard last. Several machines of one
address: the one with the same number of plots. What is left is a row of its own, which says what is missing.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from chiatea.protobuf.chia_pb2 import HarvesterViewedFromFarmer
from chiatea.tui.list_model import Item
from chiatea.tui.plain_text import plain
from chiatea.tui.view import FarmView, Machine

__all__ = ["HarvesterPair", "Seen", "pair_of", "pairs_by_item", "pairs_by_node", "pairs_of"]


class Seen(NamedTuple):
    """A harvester as a farmer sees it."""

    farmer: Machine
    entry: Any

    @property
    def is_connected(self) -> bool:
        """Whether it is connected, answering or not."""
        return self.entry.state in (HarvesterViewedFromFarmer.ANSWERING, HarvesterViewedFromFarmer.TIMED_OUT)

    @property
    def heard_time(self) -> float:
        """When the farmer last heard of it."""
        heard: float = max(self.entry.last_answer_time, self.entry.last_message_time, self.entry.connected_since)
        return heard


class HarvesterPair(NamedTuple):
    """One harvester: its own machine with its own word, and its farmer's; one of the two may be missing."""

    machine: Machine | None
    seen: Seen | None

    @property
    def own(self) -> Any:
        """The harvester's own entry; None where no collector tells of it."""
        return self.machine.one("harvester") if self.machine is not None else None

    @property
    def theirs(self) -> Any:
        """The farmer's entry; None where no farmer tells of it."""
        return self.seen.entry if self.seen is not None else None

    @property
    def item(self) -> Item:
        """Its place in a list: its own machine's, where there is one."""
        if self.machine is not None:
            return Item(self.machine.id, "harvester")
        assert self.seen is not None
        return Item(self.seen.farmer.id, "farmer_harvester", self.seen.entry.id)

    @property
    def name(self) -> str:
        """Its machine's name, else where it connects from and its node id."""
        if self.machine is not None:
            return self.machine.name
        return f"{plain(self.theirs.host) or 'harvester'} {plain(self.theirs.id)[:8]}"


def pairs_by_item(view: FarmView) -> dict[str, HarvesterPair]:
    """All harvesters, by the ids of their items."""
    return {pair.item.id: pair for pair in view.once(pairs_of)}


def pair_of(view: FarmView, item: Item) -> HarvesterPair | None:
    """The harvester of an item as it is now; None where it is there no more."""
    return view.once(pairs_by_item).get(item.id)


def pairs_by_node(view: FarmView) -> dict[tuple[str, str], HarvesterPair]:
    """The harvesters that farmers tell of, by the farmer's machine and their node id."""
    return {(pair.seen.farmer.id, pair.seen.entry.id): pair for pair in view.once(pairs_of) if pair.seen is not None}


def pairs_of(view: FarmView) -> list[HarvesterPair]:
    """All harvesters: machines with a harvester by name, then those that only a farmer tells of."""
    machines = list(view.machines())
    owners = [machine for machine in machines if machine.one("harvester") is not None]
    left = [Seen(machine, entry) for machine in machines for entry in machine.all("farmer_harvester")]
    left.sort(key=lambda seen: (not seen.is_connected, -seen.heard_time, seen.entry.id))
    found: dict[str, Seen] = {}
    addresses = {machine.id: _collector_address(view, machine) for machine in machines}
    by_address = _grouped((addresses[machine.id], machine) for machine in owners)
    by_name = _grouped((name, machine) for machine in owners for name in _names(machine))
    left = _matched(left, found, lambda seen: _by_address(seen, by_address, owners))
    left = _matched(left, found, lambda seen: by_name.get(seen.entry.host.lower(), []))
    left = _matched_beside_the_server(owners, addresses, left, found)
    pairs = [HarvesterPair(machine, found.get(machine.id)) for machine in owners]
    left.sort(key=lambda seen: (seen.entry.host, seen.entry.id))
    return pairs + [HarvesterPair(None, seen) for seen in left]


def _grouped(named: Iterable[tuple[str, Machine]]) -> dict[str, list[Machine]]:
    groups: dict[str, list[Machine]] = {}
    for name, machine in named:
        if name:
            groups.setdefault(name, []).append(machine)
    return groups


def _names(machine: Machine) -> set[str]:
    system = machine.one("system")
    return {machine.name.lower(), system.hostname.lower() if system is not None else ""}


def _by_address(seen: Seen, by_address: Mapping[str, list[Machine]], owners: list[Machine]) -> list[Machine]:
    if _is_loopback(seen.entry.host):
        return [machine for machine in owners if machine.id == seen.farmer.id]
    return by_address.get(_address(seen.entry.host), [])


def _matched(left: list[Seen], found: dict[str, Seen], machines_of: Callable[[Seen], list[Machine]]) -> list[Seen]:
    """Those that no machine is found for."""
    rest = []
    for seen in left:
        free = [machine for machine in machines_of(seen) if machine.id not in found]
        if len(free) > 1:
            free = [machine for machine in free if machine.one("harvester").n_plots == seen.entry.n_plots]
        if len(free) == 1:
            found[free[0].id] = seen
        else:
            rest.append(seen)
    return rest


def _matched_beside_the_server(
    owners: Iterable[Machine], addresses: Mapping[str, str], left: list[Seen], found: dict[str, Seen]
) -> list[Seen]:
    beside = [machine for machine in owners if machine.id not in found and _is_loopback(addresses[machine.id])]
    known = set(addresses.values())
    strangers = [
        seen
        for seen in left
        if seen.is_connected and not _is_loopback(seen.entry.host) and _address(seen.entry.host) not in known
    ]
    if len(beside) != 1 or len(strangers) != 1:
        return left
    found[beside[0].id] = strangers[0]
    return [seen for seen in left if seen is not strangers[0]]


def _collector_address(view: FarmView, machine: Machine) -> str:
    info = view.farm.infos.get(machine.id)
    return _address(info.ip_address) if info is not None else ""


@lru_cache(maxsize=4096)
def _address(host: str) -> str:
    """An address in one form: IPv4 within IPv6 is the same machine; what is none stays as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address in ("localhost", "::1") or (address.startswith("127.") and address.count(".") == 3)
