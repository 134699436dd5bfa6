"""What can be ordered of copiers: of which rows it can be now, or why not, and the commands that it makes. Pure.

What is refused here would be refused by the copier too (chiatea/copier/job_orders.py), only later.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from chiatea.protobuf.copy_pb2 import CopyCommand, CopyJob, CopyTarget
from chiatea.tui.list_model import Item, entry_of
from chiatea.tui.orders import Orders
from chiatea.tui.panels.copy_cells import ENDED, UNDER_WAY, job_word, plot_name, target_word
from chiatea.tui.plain_text import plain
from chiatea.tui.shown import Shown
from chiatea.tui.view import FarmView
from chiatea.units import format_bytes
from chiatea.wire.copy_control import new_command_id

__all__ = ["ACTIONS", "Choice", "CopyAction", "chosen_for", "commands_for", "hindrance", "move_faults", "room_of"]

MOST_JOBS: Final = 1000
"""The server takes no more in one command (chiatea/server/control.py)."""
PRIORITY_LIMIT: Final = 1000
_OVER: Final = ENDED | {CopyJob.FAILED}


class CopyAction(NamedTuple):
    """One thing to be ordered by a key.

    Attributes:
        name: of it in bindings.
        keys: as Textual names them.
        shown: the key as it is shown; "" as Textual shows it.
        title: on the line of keys.
        tooltip: what it does.
    """

    name: str
    keys: str
    shown: str
    title: str
    tooltip: str


ACTIONS: Final = (
    CopyAction("pause", "p", "", "Pause", "Stop the bytes of copies where they are"),
    CopyAction("resume", "r", "", "Resume", "Let copies go on from where they are"),
    CopyAction("cancel", "x", "", "Cancel", "Give copies up: what was copied so far goes, the source stays"),
    CopyAction("retry", "R", "", "Retry", "Put copies that failed or were cancelled in the queue again"),
    CopyAction("sooner", "plus,equals_sign", "+", "Sooner", "Let a copy begin sooner: its priority goes up"),
    CopyAction("later", "minus", "-", "Later", "Let a copy begin later: its priority goes down"),
    CopyAction("move", "m", "", "Move", "Send copies to another target folder"),
    CopyAction("pause_all", "P", "", "Pause all", "Pause all copies of the machine, or let all go on"),
    CopyAction("drain", "d", "", "Drain", "Give a target folder nothing new, or plots again"),
    CopyAction("bandwidth", "b", "", "Limit", "Limit what a copy, or all of a copier, may move in a second"),
)
_OF_JOBS: Final = frozenset({"pause", "resume", "cancel", "retry", "sooner", "later", "move"})


class Choice(NamedTuple):
    """What an action would work on, and why it does not on the rest.

    Attributes:
        items: jobs, targets or copiers.
        n_left_out: how many of the chosen ones it does not work on.
        why_not: of the first of those.
    """

    items: list[Item]
    n_left_out: int
    why_not: str


def hindrance(shown: Shown) -> str:
    """Why nothing can be ordered at all; "" where it can."""
    if shown.role == "viewer":
        return "this dashboard's token may only look (viewer): copies are steered with an operator's"
    if not shown.connection.is_up:
        return "there is no connection to the server"
    if shown.frozen_since is not None:
        return "the screen is held still, so it is not what is now: z goes on"
    return ""


def chosen_for(action: str, items: Sequence[Item], view: FarmView, orders: Orders, *, is_any: bool = False) -> Choice:
    """What an action works on, of the chosen rows; of `is_any` it is enough that there is one."""
    if not items:
        return Choice([], 0, "there is nothing to choose")
    topic = items[0].topic
    if action in _OF_JOBS and topic != "copy_job":
        return Choice([], 0, "it is for copies: Tab goes to their list")
    if action == "bandwidth" and topic == "copy_target":
        return Choice([], 0, "it is for a copy or a copier: Tab goes to their lists")
    meant = list(_meant(action, items, view))
    if not meant:
        why = "no target folder was chosen for it yet" if topic == "copy_job" else "choose a target folder or a copy"
        return Choice([], 0, why)
    found: list[Item] = []
    why_not = ""
    for item in meant:
        fault = _fault(action, item, view, orders)
        if not fault:
            found.append(item)
            if is_any:
                break
        elif not why_not:
            why_not = fault
    n_left_out = 0 if is_any else len(meant) - len(found)
    if found and action in {"pause_all", "drain"}:
        # Both go to and fro: those that are not stopped are stopped; where all are, all go on.
        running = [item for item in found if not _is_stopped(item, view)]
        found = running or found
    return Choice(found, n_left_out, why_not)


def _meant(action: str, items: Iterable[Item], view: FarmView) -> Iterator[Item]:
    """What an action on rows is about: the copier of a row's machine, or a copy's target, each once."""
    if action == "pause_all":
        yield from dict.fromkeys(Item(item.machine_id, "copier") for item in items)
    elif action == "drain":
        found: dict[Item, None] = {}
        for item in items:
            target_id = item.entry_id
            if item.topic == "copy_job":
                job = entry_of(view, item)
                target_id = job.target_id if job is not None else ""
            if target_id and item.topic != "copier":
                found[Item(item.machine_id, "copy_target", target_id)] = None
        yield from found
    else:
        yield from items


def _is_stopped(item: Item, view: FarmView) -> bool:
    """Whether all of a copier is paused; whether a target is drained, or waits for a person to take its new disk."""
    entry = entry_of(view, item)
    if item.topic == "copier":
        return bool(entry.is_paused)
    return entry.state in {CopyTarget.DRAINED, CopyTarget.NOT_MOUNTED}


def _fault(action: str, item: Item, view: FarmView, orders: Orders) -> str:
    """Why an action does not work on one row."""
    entry = entry_of(view, item)
    if entry is None:
        return "it is there no more"
    machine = view.machine(item.machine_id)
    if not machine.is_copier_online:
        return f"the copier of {machine.name} is not connected"
    waiting = orders.waiting(item)
    if waiting is not None and waiting.action in _SAME.get(action, ()):
        return "it was ordered already, and its copier has not confirmed it yet"
    check = _CHECKS.get(action)
    fault = check(entry, machine.one("copier")) if check is not None and item.topic == "copy_job" else ""
    return f"{plot_name(entry)} {fault}" if fault else ""


def _check_not_over(job: Any, _: Any) -> str:
    return f"is {job_word(job)} already" if job.state in _OVER else ""


def _check_pause(job: Any, _: Any) -> str:
    return f"is {job_word(job)} already" if job.state in _OVER or job.state == CopyJob.PAUSED else ""


def _check_resume(job: Any, copier: Any) -> str:
    if job.state != CopyJob.PAUSED:
        return f"is {job_word(job)}, not paused"
    is_all = copier is not None and copier.is_paused
    return "waits as all copies do: P lets them go on" if is_all else ""


def _check_retry(job: Any, _: Any) -> str:
    if job.state in UNDER_WAY or job.state in {CopyJob.DONE, CopyJob.PAUSED}:
        return f"is {job_word(job)}: there is nothing to try again"
    is_waiting = job.state == CopyJob.QUEUED and not job.last_error
    return "waits for its first attempt" if is_waiting else ""


_CHECKS: Final[dict[str, Callable[[Any, Any], str]]] = {
    "pause": _check_pause,
    "resume": _check_resume,
    "cancel": _check_not_over,
    "retry": _check_retry,
    "sooner": _check_not_over,
    "later": _check_not_over,
    "move": _check_not_over,
    "bandwidth": _check_not_over,
}

_SAME: Final = {
    "pause": (CopyCommand.PAUSE,),
    "resume": (CopyCommand.RESUME,),
    "cancel": (CopyCommand.CANCEL,),
    "retry": (CopyCommand.RETRY,),
    "pause_all": (CopyCommand.PAUSE_ALL, CopyCommand.RESUME_ALL),
    "drain": (CopyCommand.DRAIN_TARGET, CopyCommand.RELEASE_TARGET),
}
"""Commands that are the action's own: given twice before the first is confirmed, they would go to and fro."""
_ACTIONS: Final = {
    "pause": CopyCommand.PAUSE,
    "resume": CopyCommand.RESUME,
    "cancel": CopyCommand.CANCEL,
    "retry": CopyCommand.RETRY,
    "move": CopyCommand.MOVE,
    "bandwidth": CopyCommand.SET_BANDWIDTH,
}


def commands_for(
    action: str, items: Sequence[Item], view: FarmView, orders: Orders, **more: object
) -> list[tuple[str, CopyCommand]]:
    """The commands, by the ids of their machines: jobs of one machine in one, as far as they are told the same.

    Args:
        action: its name.
        items: what it works on, as `chosen_for` found.
        view: the farm.
        orders: what was ordered before.
        more: `target_id` to move to, `max_bytes_per_second` for a limit.
    """
    if action == "pause_all":
        is_paused = _is_stopped(items[0], view) if items else False
        what = CopyCommand.RESUME_ALL if is_paused else CopyCommand.PAUSE_ALL
        return [(item.machine_id, _command(what)) for item in items]
    if action == "drain":
        is_drained = _is_stopped(items[0], view) if items else False
        what = CopyCommand.RELEASE_TARGET if is_drained else CopyCommand.DRAIN_TARGET
        return [(item.machine_id, _command(what, target_id=item.entry_id)) for item in items]
    if action == "bandwidth" and items and items[0].topic == "copier":
        return [(item.machine_id, _command(CopyCommand.SET_BANDWIDTH, **more)) for item in items]
    if action in {"sooner", "later"}:
        return _priorities(1 if action == "sooner" else -1, items, view, orders)
    return _of_jobs(_ACTIONS[action], items, **more)


def _priorities(step: int, items: Iterable[Item], view: FarmView, orders: Orders) -> list[tuple[str, CopyCommand]]:
    wanted: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        job = entry_of(view, item)
        if job is not None:
            now = orders.priority_of(item, job, view.now)
            wanted[max(-PRIORITY_LIMIT, min(PRIORITY_LIMIT, now + step))].append(item)
    return [
        made
        for priority, of_it in wanted.items()
        for made in _of_jobs(CopyCommand.SET_PRIORITY, of_it, priority=priority)
    ]


def _of_jobs(
    action: "CopyCommand.Action.ValueType", items: Iterable[Item], **more: object
) -> list[tuple[str, CopyCommand]]:
    by_machine: dict[str, list[str]] = defaultdict(list)
    for item in items:
        by_machine[item.machine_id].append(str(item.entry_id))
    return [
        (machine_id, _command(action, job_ids=job_ids[first : first + MOST_JOBS], **more))
        for machine_id, job_ids in by_machine.items()
        for first in range(0, len(job_ids), MOST_JOBS)
    ]


def _command(action: "CopyCommand.Action.ValueType", **fields: object) -> CopyCommand:
    return CopyCommand(id=new_command_id(), action=action, **fields)  # type: ignore[arg-type]


def room_of(target: Any) -> int:
    """Bytes that a target can still be promised: chiatea/copier/placement.py, room_bytes."""
    return int(target.free_bytes - target.promised_bytes - target.reserved_bytes)


def move_faults(jobs: Sequence[Any], targets: Iterable[Any]) -> dict[str, str]:
    """Why jobs of one machine cannot be moved to each of its targets, by the target's id; "" where they can."""
    needed = max((job.total_bytes for job in jobs), default=0)
    faults: dict[str, str] = {}
    for target in targets:
        if all(job.target_id == target.id for job in jobs):
            faults[target.id] = "they go there already" if len(jobs) > 1 else "it goes there already"
        elif target.state != CopyTarget.READY:
            faults[target.id] = plain(target.reason) or f"is {target_word(target)}"
        elif room_of(target) < needed:
            faults[target.id] = f"{format_bytes(needed)} are needed"
        else:
            faults[target.id] = ""
    return faults
