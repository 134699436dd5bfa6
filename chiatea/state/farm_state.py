"""The state of all machines, as the server and every dashboard hold it."""

from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.event_key import EventKey
from chiatea.state.machine_state import MachineState

__all__ = ["FarmState"]


class FarmState:
    """Every machine by its id: what the server knows of it, and what it told."""

    __slots__ = ("infos", "machines")

    def __init__(self) -> None:
        """A farm without machines."""
        self.infos: dict[str, MachineInfo] = {}
        self.machines: dict[str, MachineState] = {}

    def machine(self, machine_id: str) -> MachineState:
        """The state of one machine, empty at first."""
        state = self.machines.get(machine_id)
        if state is None:
            state = self.machines[machine_id] = MachineState()
        return state

    def apply(self, event: UpdateEvent) -> bool:
        """Takes over one event; says whether it touched the state."""
        return self.machine(event.machine_id).apply(event)

    def apply_keyed(self, key: EventKey, event: UpdateEvent) -> bool:
        """As `apply`, of an event whose key is known already."""
        machine_id, name, entry_id = key
        return self.machine(machine_id).apply_known(TOPICS[name], entry_id, event)

    def apply_info(self, info: MachineInfo) -> None:
        """Takes over what the server knows of a machine."""
        self.infos[info.machine_id] = info
        self.machine(info.machine_id)

    def copy(self) -> "FarmState":
        """A farm that stays as this one is now: entries are shared, since they are never changed in place."""
        copied = FarmState()
        copied.infos = dict(self.infos)
        copied.machines = {machine_id: state.copy() for machine_id, state in self.machines.items()}
        return copied

    def name_of(self, machine_id: str) -> str:
        """The machine's name; its id while the name is not known."""
        info = self.infos.get(machine_id)
        return info.name if info is not None and info.name else machine_id
