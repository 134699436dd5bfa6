"""Commands to copiers over real gRPC: who may give them, and what becomes of each whoever comes and goes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from chiatea.config import Config
from chiatea.errors import ConnectionFailedError, RefusedError
from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.protobuf.monitoring_service_pb2 import (
    COLLECTOR,
    COPIER,
    ControlCopyRequest,
    CopierMessage,
    EventBatch,
    QueryEventsRequest,
    Reporter,
    ReporterHello,
    ReporterMessage,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import CopyControlStub, MonitoringStub
from chiatea.security.tokens import TokenStore
from chiatea.server import commands as server_commands
from chiatea.server import control, serving
from chiatea.wire.asking import Asking
from chiatea.wire.channel import Server, open_channel
from chiatea.wire.copy_control import send_command

from .conftest import Running, task_of, until


class PlayedCopier:
    """Takes commands and answers as the test says."""

    def __init__(self, server: Running, fate: Callable[[CopyCommand], CopyCommand | None] | None = None) -> None:
        self._server = server
        self._fate = fate or done
        self._says: asyncio.Queue[CopierMessage] = asyncio.Queue()
        self.taken: list[CopyCommand] = []
        self.is_there = asyncio.Event()

    def say(self, answer: CopyCommand) -> None:
        self._says.put_nowait(CopierMessage(answer=answer))

    async def run(self) -> None:
        async with open_channel(self._server.as_seen_by("collector")) as channel:
            async for command in CopyControlStub(channel).CopierSession(self._messages()):
                self.taken.append(command)
                answer = self._fate(command)
                if answer is not None:
                    self.say(answer)

    async def _messages(self) -> AsyncIterator[CopierMessage]:
        yield CopierMessage(hello=ReporterHello(machine_id="m1", reporter=COPIER))
        self.is_there.set()
        while True:
            yield await self._says.get()


def done(command: CopyCommand) -> CopyCommand:
    return CopyCommand(id=command.id, state=CopyCommand.DONE, result="as you wish")


def silent(_: CopyCommand) -> None:
    return None


def pause(command_id: str = "c1", job_id: str = "j1") -> CopyCommand:
    return CopyCommand(id=command_id, action=CopyCommand.PAUSE, job_ids=[job_id])


async def report_machine(server: Running, reporter: Reporter.ValueType = COLLECTOR) -> None:
    """The server knows m1 from now on."""
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate()
        hello = ReporterHello(machine_id="m1", machine_name="barn", reporter=reporter)
        await call.write(ReporterMessage(hello=hello))
        await until(lambda: "m1" in server.serving.farm.infos)
        call.cancel()


@pytest.fixture
async def farm(server: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(control, "ABSENT_SECONDS", 0.05)
    await report_machine(server)
    return server


async def send(server: Running, command: CopyCommand, role: str = "operator") -> CopyCommand:
    seen = server.as_seen_by(role)
    async with open_channel(seen) as channel:
        return await send_command(channel, seen, "m1", command)


def held(server: Running, command_id: str = "c1") -> CopyCommand | None:
    entry = server.serving.farm.machine("m1").of("copy_command").get(command_id)
    return entry.message if entry is not None else None  # type: ignore[return-value]


def state_of(server: Running, command_id: str = "c1") -> str:
    command = held(server, command_id)
    return CopyCommand.State.Name(command.state) if command is not None else "none"


async def history(server: Running) -> list[tuple[str, str, str]]:
    request = QueryEventsRequest(topics=["copy_command"], since=time.time() - 60)
    async with Asking(server.as_seen_by("viewer")) as asking:
        return [
            (event.copy_command.id, CopyCommand.State.Name(event.copy_command.state), event.copy_command.sender)
            async for event in asking.events(request)
        ]


async def test_a_command_is_written_down_handed_over_answered_and_told(farm: Running) -> None:
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        answer = await send(farm, pause())
    assert (answer.state, answer.result) == (CopyCommand.DONE, "as you wish")
    assert answer.finished_time >= answer.sent_time > 0
    assert [(command.id, command.action, list(command.job_ids)) for command in copier.taken] == [
        ("c1", CopyCommand.PAUSE, ["j1"])
    ]
    assert held(farm) == answer
    events = await history(farm)
    assert [state for _, state, _ in events] == ["PENDING", "DONE"]
    assert {sender for _, _, sender in events} == {answer.sender}
    assert answer.sender.endswith("(operator)")


async def test_who_sends_a_command_cannot_say_to_be_another(farm: Running) -> None:
    wanted = pause()
    wanted.sender, wanted.state, wanted.result = "somebody else", CopyCommand.DONE, "done already"
    answer = await send(farm, wanted, role="admin")
    assert answer.state == CopyCommand.PENDING
    assert answer.sender.endswith("(admin)")
    assert not answer.HasField("result")


@pytest.mark.parametrize("role", ["viewer", "collector"])
async def test_only_operators_and_admins_give_commands(farm: Running, role: str) -> None:
    with pytest.raises(RefusedError, match="may not do that"):
        await send(farm, pause(), role=role)
    assert held(farm) is None


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_a_copier_s_token_takes_commands(farm: Running, role: str) -> None:
    async with open_channel(farm.as_seen_by(role)) as channel:
        call = CopyControlStub(channel).CopierSession()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_token_of_one_machine_takes_no_commands_of_another(farm: Running, config: Config) -> None:
    right = farm.as_seen_by("collector")
    store = TokenStore(config.monitoring.auth.token_hashes_filepath)
    for machine_id, is_refused in (("m2", True), ("m1", False)):
        token = f"ct_{machine_id * 21}x"
        store.add(token, "collector", now=time.time(), machine_id=machine_id)  # type: ignore[arg-type]
        async with open_channel(Server(right.address, right.certificate, token)) as channel:
            call = CopyControlStub(channel).CopierSession()
            await call.write(CopierMessage(hello=ReporterHello(machine_id="m1", reporter=COPIER)))
            if is_refused:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call.read()
                assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
            else:
                given = asyncio.create_task(send(farm, pause()))
                command = await call.read()
                assert isinstance(command, CopyCommand)
                assert command.id == "c1"
                await call.write(CopierMessage(answer=done(command)))
                assert (await given).state == CopyCommand.DONE


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"id": ""}, "the id of a command"),
        ({"id": "a\nb"}, "printable"),
        ({"action": 99}, "no such action"),
        ({"job_ids": []}, "PAUSE needs job_ids"),
        ({"action": CopyCommand.MOVE}, "MOVE needs target_id"),
        ({"action": CopyCommand.SET_PRIORITY}, "SET_PRIORITY needs priority"),
        ({"action": CopyCommand.SET_BANDWIDTH, "max_bytes_per_second": -1}, "0 is no limit"),
        ({"job_ids": ["x"] * 1001}, "1000 jobs at most"),
    ],
)
async def test_a_command_that_cannot_be_one_is_refused_and_not_written_down(
    farm: Running, fields: dict[str, Any], complaint: str
) -> None:
    plain: dict[str, Any] = {"id": "c1", "action": CopyCommand.PAUSE, "job_ids": ["j1"]}
    with pytest.raises(ConnectionFailedError, match=complaint):
        await send(farm, CopyCommand(**(plain | fields)))
    assert not farm.serving.farm.machine("m1").of("copy_command")


async def test_a_machine_that_is_not_there_is_named(server: Running) -> None:
    with pytest.raises(ConnectionFailedError, match="there is no machine m1"):
        await send(server, pause())


async def test_a_command_waits_for_a_copier_that_is_away_and_is_done_when_it_comes(farm: Running) -> None:
    assert (await send(farm, pause())).state == CopyCommand.PENDING
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await until(lambda: state_of(farm) == "DONE")
    assert len(copier.taken) == 1


async def test_a_command_that_no_copier_took_in_time_is_never_done(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_commands, "EXPIRE_SECONDS", 0.2)
    assert (await send(farm, pause())).state == CopyCommand.PENDING
    await until(lambda: state_of(farm) == "EXPIRED")
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        assert (await send(farm, pause("c2"))).state == CopyCommand.DONE
    assert [command.id for command in copier.taken] == ["c2"]
    expired = held(farm)
    assert expired is not None
    assert "will not be done" in expired.result


async def test_a_copier_that_is_there_is_waited_for_whatever_the_time(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_commands, "EXPIRE_SECONDS", 0.0)
    monkeypatch.setattr(server_commands, "_LOOK_EVERY_SECONDS", 0.01)
    copier = PlayedCopier(farm, silent)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        given = asyncio.create_task(send(farm, pause()))
        await until(lambda: copier.taken)
        copier.say(done(copier.taken[0]))
        assert (await given).state == CopyCommand.DONE


async def test_what_a_lost_copier_did_counts_when_it_says_so_later(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    copier = PlayedCopier(farm, silent)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        given = asyncio.create_task(send(farm, pause()))
        await until(lambda: copier.taken)
    monkeypatch.setattr(server_commands, "EXPIRE_SECONDS", 0.0)
    assert (await given).state in {CopyCommand.PENDING, CopyCommand.EXPIRED}
    await until(lambda: state_of(farm) == "EXPIRED")
    expired = held(farm)
    assert expired is not None
    assert "lost before it answered" in expired.result
    again = PlayedCopier(farm)
    again.say(done(pause()))
    async with task_of(again.run()):
        await until(lambda: state_of(farm) == "DONE")
    assert again.taken == []


async def test_a_command_sent_twice_is_done_once_and_answered_alike(farm: Running) -> None:
    copier = PlayedCopier(farm, silent)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        given = [asyncio.create_task(send(farm, pause())) for _ in range(3)]
        await until(lambda: copier.taken)
        copier.say(done(copier.taken[0]))
        answers = await asyncio.gather(*given)
        later = await send(farm, pause())
    assert all(answer == later for answer in answers)
    assert len(copier.taken) == 1
    assert len(await history(farm)) == 2


async def test_the_id_of_another_command_is_refused(farm: Running) -> None:
    await send(farm, pause())
    with pytest.raises(ConnectionFailedError, match="another command has this id"):
        await send(farm, pause(job_id="j2"))


async def test_a_pending_command_outlives_its_server(farm: Running) -> None:
    await send(farm, pause())
    await farm.stop()
    await farm.start()
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await until(lambda: state_of(farm) == "DONE")
        assert (await send(farm, pause())).result == "as you wish"
    assert len(copier.taken) == 1
    assert [state for _, state, _ in await history(farm)] == ["PENDING", "DONE"]


async def test_a_command_is_sent_again_to_a_server_that_was_lost_before_it_answered(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ABSENT_SECONDS", 5.0)
    monkeypatch.setattr(serving, "GRACE_SECONDS", 0.1)
    copier = PlayedCopier(farm, silent)
    lost = asyncio.create_task(copier.run())
    await copier.is_there.wait()
    given = asyncio.create_task(send(farm, pause()))
    await until(lambda: copier.taken)
    await farm.stop()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await lost
    await farm.start()
    again = PlayedCopier(farm)
    async with task_of(again.run()):
        assert (await given).result == "as you wish"
    assert [state for _, state, _ in await history(farm)] == ["PENDING", "DONE"]


async def test_a_command_that_expired_while_the_server_was_away_is_not_done(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(farm, pause())
    await farm.stop()
    monkeypatch.setattr(server_commands, "EXPIRE_SECONDS", 0.0)
    await farm.start()
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await until(lambda: state_of(farm) == "EXPIRED")
    assert copier.taken == []


async def test_a_copier_that_comes_back_takes_the_place_of_its_former_self(farm: Running) -> None:
    former, newer = PlayedCopier(farm, silent), PlayedCopier(farm)
    lost = asyncio.create_task(former.run())
    await former.is_there.wait()
    given = asyncio.create_task(send(farm, pause()))
    await until(lambda: former.taken)
    async with task_of(newer.run()):
        assert (await given).state == CopyCommand.DONE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await lost
    assert caught.value.code() == grpc.StatusCode.ABORTED
    assert [command.id for command in newer.taken] == ["c1"]


async def test_old_commands_leave_the_state_and_stay_in_the_history(
    farm: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_commands, "KEPT_FINISHED", 3)
    copier = PlayedCopier(farm)
    async with task_of(copier.run()):
        await copier.is_there.wait()
        for number in range(6):
            await send(farm, pause(f"c{number}"))
        await until(lambda: len(farm.serving.farm.machine("m1").of("copy_command")) == 3)
    assert set(farm.serving.farm.machine("m1").of("copy_command")) == {"c3", "c4", "c5"}
    assert {command_id for command_id, state, _ in await history(farm) if state == "DONE"} == {
        f"c{number}" for number in range(6)
    }


async def test_no_more_wait_than_there_is_room_for(farm: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_commands, "MAX_OPEN", 2)
    await asyncio.gather(send(farm, pause("a")), send(farm, pause("b")))
    with pytest.raises(ConnectionFailedError, match="too many commands wait"):
        await send(farm, pause("c"))


async def test_no_reporter_can_write_commands_by_itself(server: Running) -> None:
    await report_machine(server, COPIER)
    forged = UpdateEvent(timestamp=time.time(), event_type=ADD)
    forged.copy_command.id, forged.copy_command.sender = "c1", "the owner"
    running = UpdateEvent(timestamp=time.time(), event_type=ADD)
    running.copier.is_running = True
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate()
        await call.write(ReporterMessage(hello=ReporterHello(machine_id="m1", reporter=COPIER)))
        await call.write(ReporterMessage(batch=EventBatch(sequence=1, events=[forged, running])))
        await until(lambda: server.serving.farm.machine("m1").of("copier"))
        call.cancel()
    assert held(server) is None


async def test_an_answer_to_what_nobody_asked_changes_nothing(farm: Running) -> None:
    copier = PlayedCopier(farm)
    copier.say(CopyCommand(id="nothing", state=CopyCommand.DONE))
    copier.say(CopyCommand(id="nothing", state=CopyCommand.PENDING))
    async with task_of(copier.run()):
        await copier.is_there.wait()
        assert (await send(farm, pause())).state == CopyCommand.DONE
    assert set(farm.serving.farm.machine("m1").of("copy_command")) == {"c1"}


async def test_a_session_that_is_no_copier_s_is_refused(farm: Running) -> None:
    async with open_channel(farm.as_seen_by("collector")) as channel:
        for hello in (
            CopierMessage(hello=ReporterHello(machine_id="m1", reporter=COLLECTOR)),
            CopierMessage(answer=done(pause())),
        ):
            call = CopyControlStub(channel).CopierSession()
            await call.write(hello)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CopyControlStub(channel).ControlCopy(ControlCopyRequest(machine_id="m1", command=pause()))
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
