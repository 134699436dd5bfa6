"""What the panels are drawn from: the farm, the time, and the little that is remembered for sparklines."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from chiatea.protobuf.descriptors import EntryId
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import MachineState
from chiatea.tui.growth import Growth
from chiatea.tui.plain_text import plain
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS, STALE_AFTER_SECONDS, Thresholds

__all__ = ["FarmView", "Machine", "Recent"]

_T = TypeVar("_T")

N_RECENT: Final = 60


class Recent:
    """The newest values of what is drawn as a sparkline, by machine."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lookups: dict[str, deque[tuple[float, float]]] = {}

    def observe(self, farm: FarmState, changed: Iterable[tuple[str, str]]) -> None:
        """Takes over what changed."""
        for machine_id, topic in changed:
            state = farm.machines.get(machine_id)
            if topic != "harvester" or state is None:
                continue
            for entry in state.of("harvester").values():
                harvester: Any = entry.message
                if not harvester.HasField("last_lookup_seconds"):
                    continue
                lookups = self._lookups.setdefault(machine_id, deque(maxlen=N_RECENT))
                if not lookups or lookups[-1][0] != harvester.last_challenge_time:
                    lookups.append((harvester.last_challenge_time, harvester.last_lookup_seconds))

    def lookups(self, machine_id: str) -> list[float]:
        """The newest lookup times in seconds, the oldest first."""
        return [value for _, value in self._lookups.get(machine_id, ())]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine for the panels: names are harmless, entries are the messages themselves."""

    id: str
    name: str
    is_online: bool
    is_copier_online: bool
    age_seconds: float | None
    state: MachineState

    @property
    def is_stale(self) -> bool:
        """Whether what it told may not be true any more."""
        return not self.is_online or self.age_seconds is None or self.age_seconds > STALE_AFTER_SECONDS

    @property
    def is_copier_stale(self) -> bool:
        """Whether what its copier told may not be true any more: a copier at rest is silent, a collector is not."""
        return not self.is_copier_online or (self.is_online and self.is_stale)

    def one(self, topic: str) -> Any:
        """The entry of a topic that a machine has once; None where it has none."""
        entry = self.state.of(topic).get("")
        return entry.message if entry is not None else None

    def all(self, topic: str) -> list[Any]:
        """The entries of a topic, by id."""
        held = self.state.of(topic)
        return [held[identity].message for identity in sorted(held, key=str)]


@dataclass(slots=True)
class FarmView:
    """One moment of the farm."""

    farm: FarmState
    now: float
    recent: Recent = field(default_factory=Recent)
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    growth: Growth = field(default_factory=Growth)
    _machines: dict[str, Machine] = field(default_factory=dict)
    _found: dict[Any, Any] = field(default_factory=dict)

    def machines(self) -> Iterator[Machine]:
        """All machines by name."""
        for machine_id in sorted(self.farm.machines, key=lambda m: (self.farm.name_of(m), m)):
            yield self.machine(machine_id)

    def machine(self, machine_id: str) -> Machine:
        """One machine; an empty one where the farm has it no more."""
        made = self._machines.get(machine_id)
        if made is None:
            info = self.farm.infos.get(machine_id)
            made = self._machines[machine_id] = Machine(
                machine_id,
                plain(self.farm.name_of(machine_id)),
                info.online if info is not None else False,
                info.copier_online if info is not None else False,
                max(0.0, self.now - info.last_seen) if info is not None and info.last_seen > 0 else None,
                self.farm.machines.get(machine_id) or MachineState(),
            )
        return made

    def once(self, find: Callable[["FarmView"], _T]) -> _T:
        """What a function finds in this moment: it is called once, however many rows ask."""
        if find not in self._found:
            self._found[find] = find(self)
        found: _T = self._found[find]
        return found

    def message(self, machine_id: str, topic: str, entry_id: EntryId) -> Any:
        """An entry as it is now; None where there is none any more."""
        state = self.farm.machines.get(machine_id)
        entry = state.of(topic).get(entry_id) if state is not None else None
        return entry.message if entry is not None else None
