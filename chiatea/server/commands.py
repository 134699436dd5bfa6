"""Orders to copiers: each written down before it is handed over, answered, and done once."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from chiatea.errors import ChiaTeaError, ProtocolError
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, EventType
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.descriptors import TOPICS
from chiatea.server.ingest import Ingest
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import event_of

__all__ = ["EXPIRE_SECONDS", "Commands", "Order"]

_log = logging.getLogger(__name__)

EXPIRE_SECONDS: Final = 60.0
"""An order that no copier took for so long is not what its sender wants any more."""
KEPT_FINISHED: Final = 50
"""So many of each machine stand in the state; what was before is history."""
MAX_OPEN: Final = 200
"""So many of one machine may wait."""
_MAX_RESULT_LENGTH: Final = 1000
_LOOK_EVERY_SECONDS: Final = 1.0
_TOPIC: Final = TOPICS["copy_command"]

_NOT_TAKEN: Final = "no copier of this machine came to take it: it will not be done"
_NOT_ANSWERED: Final = "the copier was lost before it answered: its jobs show whether it was done"

Deliver = Callable[[CopyCommand | None], None]
"""Takes what is for a copier; None: another one took its place."""


@dataclass(slots=True)
class Order:
    """One command that is not finished, or whose end is not stored yet."""

    machine_id: str
    command: CopyCommand
    timestamp: float
    is_recorded: bool = False
    may_be_taken: bool = False
    """A copier may have got it."""
    taken_by: Deliver | None = None
    """The session that it was handed to last."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once what became of it is stored."""


class Commands:
    """All machines' commands, also those that an earlier server wrote down."""

    def __init__(self, farm: FarmState, ingest: Ingest, *, clock: Callable[[], float] = time.time) -> None:
        """Takes up what the farm's state holds as pending."""
        self._farm = farm
        self._ingest = ingest
        self._clock = clock
        self._copiers: dict[str, Deliver] = {}
        self._open: dict[tuple[str, str], Order] = {}
        self._being_forgotten: set[tuple[str, str]] = set()
        for machine_id, state in farm.machines.items():
            for entry in state.of(_TOPIC.name).values():
                if isinstance(entry.message, CopyCommand) and entry.message.state == CopyCommand.PENDING:
                    self._reopen(machine_id, entry.message, entry.timestamp)

    def has_copier(self, machine_id: str) -> bool:
        """Whether its copier is connected."""
        return machine_id in self._copiers

    def give(self, machine_id: str, wanted: CopyCommand, sender: str) -> Order | CopyCommand:
        """Takes a command in, unless it was given before; what became of it already is given back.

        Raises:
            ProtocolError: another command has its id.
            ChiaTeaError: nothing can be stored now, or too many wait.
        """
        order = self._open.get((machine_id, wanted.id))
        held = self._held(machine_id, wanted.id)
        known = order.command if order is not None else held
        if known is not None:
            if not _is_same(known, wanted):
                raise ProtocolError("another command has this id: each needs one of its own")
            return order if order is not None else known
        if self._ingest.failure:
            raise ChiaTeaError("the server can store nothing now, so it takes no command")
        if sum(of == machine_id for of, _ in self._open) >= MAX_OPEN:
            raise ChiaTeaError("too many commands wait for this machine's copier")
        now = self._clock()
        command = _copied(wanted)
        command.state, command.sender, command.sent_time = CopyCommand.PENDING, sender, now
        command.ClearField("finished_time")
        command.ClearField("result")
        order = self._open[machine_id, wanted.id] = Order(machine_id, command, now)
        self._tell(order, ADD, lambda: self._on_recorded(order))
        _log.info("%s orders %s of %s", sender, _said(command), self._farm.name_of(machine_id))
        return order

    def connect(self, machine_id: str, deliver: Deliver) -> None:
        """A copier is there: it gets all that waits, and what comes."""
        former = self._copiers.get(machine_id)
        if former is not None:
            former(None)
        self._copiers[machine_id] = deliver
        for order in [order for order in self._open.values() if order.machine_id == machine_id]:
            self._hand_over(order)

    def disconnect(self, machine_id: str, deliver: Deliver) -> None:
        """It is gone, unless another one took its place."""
        if self._copiers.get(machine_id) is deliver:
            del self._copiers[machine_id]

    def answer(self, machine_id: str, answer: CopyCommand) -> None:
        """What a copier says became of a command; said again, it changes nothing.

        It may come after the command expired, where the copier was lost in between: then it is what counts.
        """
        if answer.state not in {CopyCommand.DONE, CopyCommand.REFUSED}:
            return
        order = self._open.get((machine_id, answer.id))
        if order is None:
            held, entry = self._held(machine_id, answer.id), self._farm.machine(machine_id).of(_TOPIC.name)
            if held is None or held.state != CopyCommand.EXPIRED:
                return
            order = self._reopen(machine_id, held, entry[answer.id].timestamp)
        if order.is_recorded:
            self._finish(order, answer.state, answer.result)

    def expire(self) -> None:
        """Ends what no copier took in time, nor has now."""
        now = self._clock()
        for order in list(self._open.values()):
            is_with_copier = order.taken_by is not None and self._copiers.get(order.machine_id) is order.taken_by
            # A clock that was set back is no reason to wait for hours.
            is_late = not -EXPIRE_SECONDS < now - order.command.sent_time < EXPIRE_SECONDS
            if order.is_recorded and is_late and not is_with_copier:
                why = _NOT_ANSWERED if order.may_be_taken else _NOT_TAKEN
                self._finish(order, CopyCommand.EXPIRED, why)

    async def run(self) -> None:
        """Looks for what expired, for ever."""
        while True:
            self.expire()
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    def _reopen(self, machine_id: str, stored: CopyCommand, timestamp: float) -> Order:
        order = Order(machine_id, _copied(stored), timestamp, is_recorded=True, may_be_taken=True)
        order.command.state = CopyCommand.PENDING
        self._open[machine_id, stored.id] = order
        return order

    def _on_recorded(self, order: Order) -> None:
        order.is_recorded = True
        self._hand_over(order)

    def _hand_over(self, order: Order) -> None:
        deliver = self._copiers.get(order.machine_id)
        if deliver is not None and order.is_recorded and order.command.state == CopyCommand.PENDING:
            order.taken_by, order.may_be_taken = deliver, True
            deliver(order.command)

    def _finish(self, order: Order, state: "CopyCommand.State.ValueType", result: str) -> None:
        if order.command.state != CopyCommand.PENDING:
            return
        command = order.command = _copied(order.command)
        command.state, command.finished_time, command.result = state, self._clock(), result[:_MAX_RESULT_LENGTH]
        self._tell(order, UPDATE, lambda: self._on_finished(order))
        name = self._farm.name_of(order.machine_id)
        _log.info("%s of %s: %s: %s", _said(command), name, CopyCommand.State.Name(state), command.result)

    def _on_finished(self, order: Order) -> None:
        self._open.pop((order.machine_id, order.command.id), None)
        order.finished.set()
        self._forget_old(order.machine_id)

    def _forget_old(self, machine_id: str) -> None:
        entries = self._farm.machine(machine_id).of(_TOPIC.name)
        finished = sorted(
            (entry.timestamp, entry.message.id)
            for entry in entries.values()
            if isinstance(entry.message, CopyCommand) and entry.message.state != CopyCommand.PENDING
        )
        for timestamp, command_id in finished[: max(0, len(finished) - KEPT_FINISHED)]:
            key = (machine_id, command_id)
            if key not in self._being_forgotten:
                self._being_forgotten.add(key)
                event = event_of(_TOPIC, CopyCommand(id=command_id), DELETE, max(self._clock(), timestamp + 1e-6))
                self._ingest.tell(machine_id, [event], lambda _, key=key: self._being_forgotten.discard(key))  # type: ignore[misc]

    def _tell(self, order: Order, event_type: "EventType.ValueType", then: Callable[[], None]) -> None:
        order.timestamp = max(self._clock(), order.timestamp + 1e-6)
        event = event_of(_TOPIC, order.command, event_type, order.timestamp)
        self._ingest.tell(order.machine_id, [event], lambda _: then())

    def _held(self, machine_id: str, command_id: str) -> CopyCommand | None:
        state = self._farm.machines.get(machine_id)
        entry = state.of(_TOPIC.name).get(command_id) if state is not None else None
        return entry.message if entry is not None and isinstance(entry.message, CopyCommand) else None


def _copied(command: CopyCommand) -> CopyCommand:
    copy = CopyCommand()
    copy.CopyFrom(command)
    return copy


def _is_same(known: CopyCommand, wanted: CopyCommand) -> bool:
    """Whether two say the same is to be done."""
    names = ("action", "target_id", "priority", "max_bytes_per_second")
    return list(known.job_ids) == list(wanted.job_ids) and all(
        getattr(known, name) == getattr(wanted, name) for name in names
    )


def _said(command: CopyCommand) -> str:
    what = [CopyCommand.Action.Name(command.action), *command.job_ids[:3]]
    what += [f"and {len(command.job_ids) - 3} more"] if len(command.job_ids) > 3 else []
    return " ".join([*what, *([command.target_id] if command.HasField("target_id") else [])])
