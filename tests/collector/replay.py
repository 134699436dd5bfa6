"""The recorded farm told again: any choice of its sources, by the real parsers and rounds, in the order of time."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from chiatea.chia.rpc import NoServiceError
from chiatea.collector.observations import Observation, ServiceStopping, VersionTold
from chiatea.collector.sources.daemon_messages import observation_of_message
from chiatea.collector.sources.harvester_rounds import HarvesterRounds
from chiatea.collector.sources.log.chia_log import ChiaLog
from chiatea.collector.sources.rpc_rounds import FarmerRounds, Rounds
from chiatea.collector.watchdog.watchdog import Watchdog
from chiatea.protobuf.descriptors import EntryId

__all__ = [
    "BEGIN",
    "END",
    "FARMER_NODE",
    "SECOND_NODE",
    "SOURCES",
    "Told",
    "by_time",
    "entries_of",
    "replayed",
    "streams",
]

DATA: Final = Path(__file__).parent.parent / "data" / "chia"
BEGIN: Final = 1_795_463_471.6
END: Final = BEGIN + 275.0
"""A while after the recording, when all of it is judged and Chia, unchanged since, was asked once more."""
FARMER_NODE: Final = "12c5b7d6114bff61c29b66600c14dc0c349130230716b01a7dd7f5da25f962f8"
SECOND_NODE: Final = "49b169855067723ed47b86cb5585b28a4514aa623241ad4c6dc51b1eedbc751f"
SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "farmer": ("log", "rpc", "metrics", "wallet_ui"),
    "harvester2": ("log", "rpc"),
}
"""What each machine has. The recording has no daemon of the second machine."""


@dataclass(frozen=True, slots=True)
class Told:
    """One observation, and when the collector takes it."""

    at: float
    observation: Observation


def _lines(name: str) -> list[Any]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _events(registered_as: str) -> list[Told]:
    told = [
        (entry["at"], observation_of_message(entry["message"], registered_as, entry["at"]))
        for entry in _lines(f"daemon_{registered_as}.jsonl.gz")
    ]
    return [Told(at, observation) for at, observation in told if observation is not None]


def _log(machine: str) -> list[Told]:
    part = ChiaLog(DATA / f"debug_{machine}.log").read_part(1 << 20, END)
    versions = [
        VersionTold(time, service, version)
        for service, (time, version) in part.services.items()
        if service in {"farmer", "harvester"}
    ]
    return [Told(observation.time, observation) for observation in (*part.observations, *versions)]


class _RecordedRpc:
    """One service's RPC: it answers what it answered at that time."""

    def __init__(self, machine: str, service: str) -> None:
        self.now = BEGIN
        recorded_as = "harvester2" if machine == "harvester2" else service
        self.rows = [row for row in _lines("rpc.jsonl.gz") if row["service"] == recorded_as]
        answers = json.loads((DATA / "rpc_answers.json").read_text())
        self._unchanging = {
            name.partition(".")[2]: a for name, a in answers.items() if name.startswith(f"{recorded_as}.")
        }

    def times(self) -> list[float]:
        """One for each round, and one after the recording."""
        calls = {row["call"] for row in self.rows}
        first_call = min(calls, key=lambda call: min(row["time"] for row in self.rows if row["call"] == call))
        return [*(row["time"] for row in self.rows if row["call"] == first_call), END - 2]

    async def ask(self, _place: object, call: str) -> dict[str, Any]:
        """The newest recorded answer."""
        rows = [row for row in self.rows if row["time"] <= self.now + 1.0]
        if "unreachable" in rows[-1]["answer"]:
            raise NoServiceError("nothing listens there")
        rows = [row for row in rows if row["call"] == call]
        answer: dict[str, Any] = rows[-1]["answer"] if rows else self._unchanging.get(call, {})
        return answer

    async def ask_long(self, place: object, call: str, feed: Callable[[bytes], None]) -> None:
        """The same as it comes."""
        feed(json.dumps(await self.ask(place, call)).encode())


async def _rounds_told(client: _RecordedRpc, rounds: Rounds) -> list[Told]:
    told: list[Told] = []
    is_up = False
    for time in client.times():
        client.now = time
        try:
            observations = await rounds.round(None)  # type: ignore[arg-type]
        except NoServiceError:
            if is_up:
                rounds.lost()
                told.append(Told(time, ServiceStopping(time, rounds.service)))
            is_up = False
        else:
            is_up = True
            told += [Told(time, observation) for observation in observations]
    return told


def _rpc(machine: str) -> list[Told]:
    client = _RecordedRpc(machine, "harvester")
    mount_points = ("/",)
    harvester = HarvesterRounds(client, lambda: client.now, lambda: mount_points, lambda: None)  # type: ignore[arg-type]
    told = asyncio.run(_rounds_told(client, harvester))
    if machine == "farmer":
        farmer = _RecordedRpc(machine, "farmer")
        told += asyncio.run(_rounds_told(farmer, FarmerRounds(farmer, lambda: farmer.now, lambda: True)))  # type: ignore[arg-type]
    return by_time(told)


def streams(machine: str) -> dict[str, list[Told]]:
    """What each source of a machine told, in its own order."""
    read = {
        "log": lambda: _log(machine),
        "rpc": lambda: _rpc(machine),
        "metrics": lambda: _events("metrics"),
        "wallet_ui": lambda: _events("wallet_ui"),
    }
    return {source: read[source]() for source in SOURCES[machine]}


def by_time(told: Iterable[Told]) -> list[Told]:
    """In the order of time; of one time in the order as they are."""
    return sorted(told, key=lambda entry: entry.at)


def replayed(told: Iterable[Told]) -> Watchdog:
    """A watchdog that took all of it."""
    watchdog = Watchdog()
    watchdog.mount_points = ("/",)
    for entry in told:
        watchdog.take(entry.observation)
    return watchdog


def entries_of(
    watchdog: Watchdog, now: float = END, running: Sequence[int] = ()
) -> dict[str, Mapping[EntryId, Message]]:
    """What it makes of that."""
    return watchdog.entries(now, frozenset(running))
