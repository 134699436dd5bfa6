"""Orders to copiers on their way: what was sent, whether its copier confirmed it, and what its rows say of it.

It outlives every screen, and does no I/O but to send.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from chiatea.errors import ConnectionFailedError
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.state.farm_state import FarmState
from chiatea.tui.farm_server import FarmServer
from chiatea.tui.lines import Cell
from chiatea.tui.list_model import Item
from chiatea.tui.order_words import doing, what_of
from chiatea.tui.plain_text import plain

__all__ = ["Order", "OrderNote", "Orders", "Outcome"]

DONE_SHOWN_SECONDS: Final = 4.0
"""By then the copier's own state shows what was ordered."""
FAILED_SHOWN_SECONDS: Final = 300.0
"""What went wrong stays in its rows until another order is given to them, and no longer than this."""
FAILED_IN_STATE_SECONDS: Final = 10.0
LOST_SECONDS: Final = 90.0
"""The server expires an order after 60 s, or keeps telling of it as pending."""
_NOT_TOLD: Final = "the server tells no more of it: `chia-tea events --topic copy_command` shows what became of it"


class Outcome(Enum):
    """What became of an order."""

    WAITING = auto()
    DONE = auto()
    REFUSED = auto()
    EXPIRED = auto()
    FAILED = auto()
    """It could not be sent, or nobody tells of it; what the server tells later counts."""


_OUTCOMES: Final = {
    CopyCommand.PENDING: Outcome.WAITING,
    CopyCommand.DONE: Outcome.DONE,
    CopyCommand.REFUSED: Outcome.REFUSED,
    CopyCommand.EXPIRED: Outcome.EXPIRED,
}
_FINAL: Final = (Outcome.DONE, Outcome.REFUSED)


@dataclass(eq=False, slots=True)
class Order:
    """One that was given here. Times are UTC seconds since the epoch."""

    machine_id: str
    command: CopyCommand
    sent_time: float
    outcome: Outcome = Outcome.WAITING
    result: str = ""
    ended_time: float = 0.0
    is_answered: bool = False

    @property
    def went_wrong(self) -> bool:
        """Whether a person is to be told."""
        return self.outcome in (Outcome.REFUSED, Outcome.EXPIRED, Outcome.FAILED)

    def take(self, told: CopyCommand, now: float) -> bool:
        """Takes over what the server tells; says whether it is news."""
        outcome = _OUTCOMES.get(told.state)
        if outcome is None or outcome is self.outcome or self.outcome in _FINAL:
            return False
        if outcome is Outcome.WAITING and self.outcome is Outcome.EXPIRED:
            return False
        self.outcome, self.result, self.ended_time = outcome, plain(told.result), now
        return True

    def fail(self, text: str, now: float) -> None:
        """It was not sent, or nobody tells what became of it."""
        self.outcome, self.result, self.ended_time = Outcome.FAILED, plain(text), now

    @property
    def told(self) -> str:
        """What became of it, in one line."""
        return f"{what_of(self.command)} {self.outcome.name.lower()}: {self.result or 'no reason was told'}"


class OrderNote(NamedTuple):
    """What a row says of the newest order that is for it.

    Attributes:
        text: all of it, in one line.
        style: of both.
        word: what stands in place of the row's state: all the time until it is confirmed, for a moment where it failed.
    """

    text: str
    style: str
    word: str = ""


def items_of_command(machine_id: str, command: CopyCommand) -> list[Item]:
    """What an order is for: jobs, a target or the copier."""
    if command.job_ids:
        return [Item(machine_id, "copy_job", job_id) for job_id in command.job_ids]
    if command.HasField("target_id"):
        return [Item(machine_id, "copy_target", command.target_id)]
    return [Item(machine_id, "copier")]


class Orders:
    """All orders that were given here and may still be told of, and those of others that wait."""

    def __init__(self) -> None:
        """None yet."""
        self._by_command: dict[tuple[str, str], Order] = {}
        self._newest: dict[str, Order] = {}
        self._of_others: dict[str, dict[str, CopyCommand]] = {}

    def begin(self, machine_id: str, command: CopyCommand, now: float) -> Order:
        """An order is given: its rows say so from now on."""
        order = Order(machine_id, command, now)
        self._by_command[machine_id, command.id] = order
        for item in items_of_command(machine_id, command):
            self._newest[item.id] = order
        return order

    async def send(self, order: Order, server: FarmServer, clock: Callable[[], float]) -> bool:
        """Sends it and takes over the answer; says whether that is news."""
        try:
            answer = await server.send(order.machine_id, order.command)
        except ConnectionFailedError as error:
            is_news = order.outcome is Outcome.WAITING
            if is_news:
                order.fail(str(error), clock())
            return is_news
        finally:
            order.is_answered = True
        return order.take(answer, clock())

    def observe(self, farm: FarmState, changed: Iterable[tuple[str, str]], now: float) -> list[Order]:
        """Takes over what changed in the farm; gives the orders of which that is news."""
        news: list[Order] = []
        for machine_id, topic in changed:
            if topic == "copy_command":
                news += self._observe_machine(farm, machine_id, now)
        for order in list(self._by_command.values()):
            if order.outcome is Outcome.WAITING:
                if order.is_answered and now - order.sent_time > LOST_SECONDS and not _is_told(farm, order):
                    order.fail(_NOT_TOLD, now)
                    news.append(order)
            elif not 0 <= now - order.ended_time <= FAILED_SHOWN_SECONDS:
                self._forget(order)
        return news

    def _observe_machine(self, farm: FarmState, machine_id: str, now: float) -> Iterator[Order]:
        waiting: dict[str, CopyCommand] = {}
        for command in _commands(farm, machine_id):
            own = self._by_command.get((machine_id, command.id))
            if own is not None:
                if own.take(command, now):
                    yield own
            elif command.state == CopyCommand.PENDING:
                waiting |= {item.id: command for item in items_of_command(machine_id, command)}
        self._of_others[machine_id] = waiting

    def _forget(self, order: Order) -> None:
        del self._by_command[order.machine_id, order.command.id]
        for item in items_of_command(order.machine_id, order.command):
            if self._newest.get(item.id) is order:
                del self._newest[item.id]

    def waiting(self, item: Item) -> CopyCommand | None:
        """The order for a row that its copier has not confirmed yet."""
        order = self._newest.get(item.id)
        if order is not None and order.outcome is Outcome.WAITING:
            return order.command
        return self._of_others.get(item.machine_id, {}).get(item.id)

    def note(self, item: Item, now: float) -> OrderNote | None:
        """What is to be said of the newest order for a row."""
        waiting = self.waiting(item)
        if waiting is not None:
            word = f"… {doing(waiting)}"
            text = f"… {what_of(waiting)} is ordered: its copier has not confirmed it yet"
            return OrderNote(text, "accent", word)
        order = self._newest.get(item.id)
        if order is None:
            return None
        own = _part(order.result, item) if len(order.command.job_ids) > 1 else order.result
        if order.outcome is Outcome.DONE:
            if now - order.ended_time > DONE_SHOWN_SECONDS:
                return None
            return OrderNote(f"✓ {own or what_of(order.command)}", "good")
        if order.outcome is Outcome.REFUSED and own and own != order.result:
            # Of several jobs some may have done as they were told: each has its own words.
            return OrderNote(f"▲ {own}", "warn")
        word = f"✗ {order.outcome.name.lower()}" if now - order.ended_time <= FAILED_IN_STATE_SECONDS else ""
        return OrderNote(f"✗ {order.told}", "bad", word)

    def cells(self, item: Item, now: float, state: Cell, note: Cell) -> tuple[Cell, Cell]:
        """The cells of a row's state and of its note, with what is to be said of the newest order for it."""
        told = self.note(item, now)
        if told is None:
            return state, note
        return Cell(told.word, told.style) if told.word else state, Cell(told.text, told.style)

    def priority_of(self, item: Item, job: Any, now: float) -> int:
        """A job's priority, as it was last ordered: the copier may not have told of that yet."""
        order = self._newest.get(item.id)
        is_due = order is not None and (
            order.outcome is Outcome.WAITING
            or (order.outcome is Outcome.DONE and now - order.ended_time <= DONE_SHOWN_SECONDS)
        )
        if order is not None and is_due and order.command.action == CopyCommand.SET_PRIORITY:
            return order.command.priority
        return int(job.priority)


def _commands(farm: FarmState, machine_id: str) -> Iterator[CopyCommand]:
    state = farm.machines.get(machine_id)
    for entry in state.of("copy_command").values() if state is not None else ():
        if isinstance(entry.message, CopyCommand):
            yield entry.message


def _is_told(farm: FarmState, order: Order) -> bool:
    return any(command.id == order.command.id for command in _commands(farm, order.machine_id))


def _part(result: str, item: Item) -> str:
    """Of "JOB: what happened; JOB: what happened" what is said of one; "" where nothing is."""
    begin = f"{item.entry_id}: "
    return next((part.removeprefix(begin) for part in result.split("; ") if part.startswith(begin)), "")
