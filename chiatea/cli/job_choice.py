"""Which jobs, targets and copiers an order is for, and the orders on their way."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from chiatea.errors import ChiaTeaError
from chiatea.protobuf.copy_pb2 import CopyCommand, CopyJob
from chiatea.state.farm_state import FarmState
from chiatea.wire.channel import Server, open_channel
from chiatea.wire.copy_control import new_command_id, send_command

__all__ = ["Farm", "answer_line", "plain", "send_orders"]

_AT_ONCE: Final = 16
"""Orders on their way at one time."""


class Farm:
    """What some machines' copiers tell, or all machines'."""

    def __init__(self, server: Server, state: FarmState, names: Sequence[str]) -> None:
        """Raises ChiaTeaError where there is no machine of a name."""
        self.server = server
        self._state = state
        by_name: dict[str, list[str]] = {}
        for machine_id in state.machines:
            by_name.setdefault(state.name_of(machine_id), []).append(machine_id)
        unknown = [name for name in names if name not in by_name and name not in state.machines]
        if unknown:
            known = ", ".join(sorted(by_name)) or "none"
            raise ChiaTeaError(f"there is no machine {', '.join(unknown)}", f"machines are {known}")
        wanted = [machine_id for name in names for machine_id in by_name.get(name, [name])]
        self.machine_ids = sorted(wanted or state.machines, key=state.name_of)

    def name_of(self, machine_id: str) -> str:
        """The machine's name."""
        return self._state.name_of(machine_id)

    def is_online(self, machine_id: str) -> bool:
        """Whether its copier is connected."""
        info = self._state.infos.get(machine_id)
        return info is not None and info.copier_online

    def named(self, machine_id: str, entry: dict[str, Any]) -> dict[str, Any]:
        """An entry as plain data, with its machine."""
        return {"machine": self.name_of(machine_id), "machine_id": machine_id, **entry}

    def entries(self, topic: str) -> Iterator[tuple[str, Any]]:
        """All entries of a topic, with the ids of their machines."""
        for machine_id in self.machine_ids:
            for entry in self._state.machine(machine_id).of(topic).values():
                yield machine_id, entry.message

    def copier_ids(self) -> list[str]:
        """The machines that have a copier; those that were named, in any case.

        Raises:
            ChiaTeaError: there is none.
        """
        ids = [machine_id for machine_id, _ in self.entries("copier")]
        if not ids:
            raise ChiaTeaError("no machine has a copier", "run `chia-tea copy` where plots are to be moved")
        return ids

    def chosen_jobs(self, beginnings: Sequence[str]) -> list[tuple[str, CopyJob]]:
        """The job of each id, or of what only one id begins with.

        Raises:
            ChiaTeaError: there is none, or more than one.
        """
        found: dict[tuple[str, str], CopyJob] = {}
        jobs = list(self.entries("copy_job"))
        for beginning in beginnings:
            fitting = [(machine_id, job) for machine_id, job in jobs if job.id.startswith(beginning)]
            exact = [(machine_id, job) for machine_id, job in fitting if job.id == beginning]
            fitting = exact or fitting
            if not fitting:
                raise ChiaTeaError(f"there is no job {beginning}", "`chia-tea jobs list --all` shows all")
            if len(fitting) > 1:
                ids = ", ".join(f"{job.id} on {self.name_of(machine_id)}" for machine_id, job in fitting[:4])
                raise ChiaTeaError(f"{beginning} is the beginning of {len(fitting)} jobs: {ids}", "write more of it")
            machine_id, job = fitting[0]
            found[machine_id, job.id] = job
        return [(machine_id, job) for (machine_id, _), job in found.items()]

    def chosen_targets(self, target_ids: Sequence[str]) -> list[tuple[str, str]]:
        """The machine of each target folder.

        Raises:
            ChiaTeaError: there is none, or it is on more than one machine.
        """
        targets = [(machine_id, target.id) for machine_id, target in self.entries("copy_target")]
        chosen = []
        for target_id in target_ids:
            ids = [machine_id for machine_id, known in targets if known == target_id]
            if not ids:
                known = ", ".join(sorted({known for _, known in targets})) or "none"
                raise ChiaTeaError(f"{target_id} is no target folder", f"those are {known}")
            if len(ids) > 1:
                names = ", ".join(map(self.name_of, ids))
                raise ChiaTeaError(f"{target_id} is a target folder of {names}", "say which with --machine")
            chosen.append((ids[0], target_id))
        return chosen


async def send_orders(
    server: Server, action: str, orders: Sequence[tuple[str, dict[str, Any]]]
) -> list[tuple[str, CopyCommand]]:
    """Sends orders, each a machine's id and the fields of a command, and gathers what became of them."""
    some = asyncio.Semaphore(_AT_ONCE)
    async with open_channel(server) as channel:

        async def send(machine_id: str, fields: dict[str, Any]) -> tuple[str, CopyCommand]:
            command = CopyCommand(id=new_command_id(), action=CopyCommand.Action.Value(action), **fields)
            async with some:
                return machine_id, await send_command(channel, server, machine_id, command)

        return await asyncio.gather(*(send(machine_id, fields) for machine_id, fields in orders))


def answer_line(machine: str, answer: CopyCommand) -> str:
    """What became of one order."""
    what = ", ".join(answer.job_ids) or answer.target_id or "all copies"
    if answer.state == CopyCommand.PENDING:
        return plain(f"{machine}: {what}: waits for its copier; within a minute it is done, or never")
    word = {CopyCommand.DONE: "", CopyCommand.REFUSED: "refused: ", CopyCommand.EXPIRED: "expired: "}
    return plain(f"{machine}: {what}: {word.get(answer.state, '')}{answer.result}")


def plain(text: str) -> str:
    """What comes from other machines may not move the cursor of this terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
