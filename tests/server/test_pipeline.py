"""From a reporter's batches over real gRPC to SQLite and to subscribers, through losses of the connection."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from chiatea.config import Config
from chiatea.errors import ConfigurationError, ConnectionFailedError, RefusedError
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, ComputerInfo, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.monitoring_service_pb2 import (
    COLLECTOR,
    COPIER,
    DESCRIPTOR,
    BatchAck,
    EventBatch,
    EventPage,
    ListEntriesRequest,
    MachineStateRequest,
    QueryEventsRequest,
    ReporterHello,
    ReporterMessage,
    SubscribeRequest,
    SubscriberMessage,
)
from chiatea.protobuf.monitoring_service_pb2_grpc import MonitoringStub
from chiatea.security.certificates import create_certificate
from chiatea.server import hub
from chiatea.server.authorization import RULES
from chiatea.server.database.query import query
from chiatea.server.serving import serving
from chiatea.state.diff import diff
from chiatea.state.machine_state import MachineState
from chiatea.wire.channel import Server, open_channel
from chiatea.wire.feed import FarmFeed, fetch_farm
from chiatea.wire.machine_facts import MachineFacts
from chiatea.wire.reporting import Reporting

from .conftest import Running, task_of, until

_times = itertools.count(1_700_000_000.0)


def disk(mount: str, free_bytes: int = 1, event_type: int = UPDATE) -> UpdateEvent:
    event = UpdateEvent(timestamp=next(_times), event_type=event_type)  # type: ignore[arg-type]
    event.disk.id = mount
    event.disk.free_bytes = free_bytes
    return event


def copier_is_running() -> UpdateEvent:
    event = UpdateEvent(timestamp=next(_times), event_type=ADD)
    event.copier.is_running = True
    return event


def reporting(server: Running, machine_id: str = "m1") -> Reporting:
    return Reporting(server.as_seen_by("collector"), machine_id, f"name of {machine_id}", COLLECTOR)


def free_bytes_of(feed: FarmFeed, mount: str) -> int | None:
    entry = feed.farm.machine("m1").of("disk").get(mount)
    return entry.message.free_bytes if entry is not None else None  # type: ignore[attr-defined]


def farm_free_bytes(server: Running) -> int | None:
    entry = server.serving.farm.machine("m1").of("disk").get("/a")
    return entry.message.free_bytes if entry is not None else None  # type: ignore[attr-defined]


def n_committed(server: Running, machine_id: str = "m1") -> int:
    info = server.serving.farm.infos.get(machine_id)
    return info.last_sequence if info is not None else 0


def stored(config: Config, statement: str) -> list[tuple[object, ...]]:
    return list(query(config.monitoring.server.db_filepath, statement)[1])


async def test_what_a_collector_sends_is_stored_and_seen(server: Running, config: Config) -> None:
    feed, sender = FarmFeed(server.as_seen_by("viewer")), reporting(server)
    async with task_of(feed.run()), task_of(sender.run()):
        await until(lambda: feed.has_snapshot and sender.is_ready.is_set())
        sender.put([disk("/a", 5, ADD), disk("/b", 6, ADD)])
        await until(lambda: len(feed.farm.machine("m1").of("disk")) == 2)
        sender.put([disk("/a", 7), disk("/b", 6, DELETE)])
        await until(lambda: len(feed.farm.machine("m1").of("disk")) == 1)
        assert feed.farm.infos["m1"].online
        assert feed.farm.name_of("m1") == "name of m1"
        assert ("m1", "disk") in feed.take_changed()
        assert feed.role == "viewer"
    assert stored(config, "SELECT id, free_bytes FROM Disk") == [("/a", 7)]
    assert stored(config, "SELECT count(*) FROM DiskEvents") == [(4,)]
    await until(lambda: not server.serving.farm.infos["m1"].online)


async def test_a_snapshot_holds_what_came_before(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put(disk(f"/mnt/{n}", n, ADD) for n in range(3000))
        await until(lambda: len(server.serving.farm.machine("m1").of("disk")) == 3000)
        farm = await fetch_farm(server.as_seen_by("viewer"))
    assert len(farm.machine("m1").of("disk")) == 3000


async def test_a_state_of_many_chunks_is_read_back_whole(server: Running) -> None:
    first = reporting(server)
    async with task_of(first.run()):
        await first.is_ready.wait()
        first.put(disk(f"/mnt/{n:0400}", n, ADD) for n in range(12_000))
        await until(lambda: len(server.serving.farm.machine("m1").of("disk")) == 12_000)
    again = reporting(server)
    async with task_of(again.run()):
        await again.is_ready.wait()
        assert len(again.known.of("disk")) == 12_000


async def test_after_a_restart_of_the_server_nothing_is_missing_and_nothing_is_twice(
    server: Running, config: Config
) -> None:
    sender, feed = reporting(server), FarmFeed(server.as_seen_by("viewer"))
    n_events = 0
    async with task_of(sender.run()), task_of(feed.run()):
        await sender.is_ready.wait()
        for _ in range(3):
            for _ in range(20):
                sender.put([disk("/a", n_events + 1), disk("/b", n_events + 1)])
                n_events += 2
                await asyncio.sleep(0)
            await server.stop()
            sender.put([disk("/a", n_events + 1)])
            n_events += 1
            await until(lambda: not feed.connection.is_up)
            await server.start()
        last = n_events
        await until(lambda: feed.connection.is_up)
        await until(lambda: free_bytes_of(feed, "/a") == last)
    assert stored(config, "SELECT count(*) FROM DiskEvents") == [(n_events,)]
    assert stored(config, "SELECT count(DISTINCT timestamp) FROM DiskEvents") == [(n_events,)]


async def test_the_dashboard_keeps_the_last_state_while_the_server_is_gone(server: Running) -> None:
    sender, feed = reporting(server), FarmFeed(server.as_seen_by("viewer"))
    async with task_of(sender.run()), task_of(feed.run()):
        await sender.is_ready.wait()
        sender.put([disk("/a", 5, ADD)])
        await until(lambda: feed.farm.machine("m1").of("disk"))
        await server.stop()
        await until(lambda: not feed.connection.is_up and feed.connection.attempt >= 2)
        assert feed.farm.machine("m1").of("disk")
        assert feed.connection.since is not None
        assert "no server answers at" in feed.connection.error
        await server.start()
        await until(lambda: feed.connection.is_up)


async def test_a_machine_is_offline_after_a_restart_until_its_collector_is_back(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put([disk("/a", 5, ADD)])
        await until(lambda: server.serving.farm.machine("m1").of("disk"))
    await server.stop()
    await server.start()
    farm = await fetch_farm(server.as_seen_by("viewer"))
    assert not farm.infos["m1"].online
    assert farm.infos["m1"].last_sequence == 1


async def test_a_batch_sent_again_is_acked_and_not_stored_again(server: Running, config: Config) -> None:
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate()
        await call.write(ReporterMessage(hello=ReporterHello(machine_id="m1")))
        batch = ReporterMessage(batch=EventBatch(sequence=1, events=[disk("/a")]))
        for _ in range(2):
            await call.write(batch)
            ack = await call.read()
            assert isinstance(ack, BatchAck)
            assert ack.sequence == 1
            call_again = MonitoringStub(channel).SendMonitoringUpdate()
            await call.done_writing()
            call = call_again
            await call.write(ReporterMessage(hello=ReporterHello(machine_id="m1")))
        await call.done_writing()
    assert stored(config, "SELECT count(*) FROM DiskEvents") == [(1,)]


async def test_acks_are_cumulative_and_all_come_before_the_stream_ends(server: Running) -> None:
    messages = [ReporterMessage(hello=ReporterHello(machine_id="m1"))]
    messages += [ReporterMessage(batch=EventBatch(sequence=n, events=[disk("/a", n)])) for n in range(1, 301)]
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate(iter(messages))
        acks = [ack.sequence async for ack in call]
    assert acks == sorted(set(acks))
    assert acks[-1] == 300


async def test_a_stream_that_is_reset_ends_cleanly_and_the_machine_is_offline(server: Running, config: Config) -> None:
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate()
        await call.write(ReporterMessage(hello=ReporterHello(machine_id="m1")))
        await call.write(ReporterMessage(batch=EventBatch(sequence=1, events=[disk("/a")])))
        await call.read()
        assert server.serving.farm.infos["m1"].online
        call.cancel()
        await until(lambda: not server.serving.farm.infos["m1"].online)
    await until(lambda: stored(config, "SELECT online, last_sequence FROM MachineInfo") == [(0, 1)])


async def test_a_stream_that_breaks_the_rules_is_told_so_and_ends(server: Running) -> None:
    for messages in (
        [ReporterMessage(batch=EventBatch(sequence=1))],
        [ReporterMessage(hello=ReporterHello(machine_id="m1")), ReporterMessage(batch=EventBatch(sequence=0))],
        [ReporterMessage(hello=ReporterHello(machine_id="m1")), ReporterMessage(hello=ReporterHello(machine_id="m2"))],
    ):
        async with open_channel(server.as_seen_by("collector")) as channel:
            call = MonitoringStub(channel).SendMonitoringUpdate(iter(messages))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_second_collector_of_one_machine_takes_over(server: Running) -> None:
    first = reporting(server)
    async with task_of(first.run()), open_channel(server.as_seen_by("collector")) as channel:
        await first.is_ready.wait()
        await until(lambda: first.is_connected)
        call = MonitoringStub(channel).SendMonitoringUpdate()
        await call.write(ReporterMessage(hello=ReporterHello(machine_id="m1")))
        await until(lambda: not first.is_connected)
        await call.done_writing()


async def test_collector_and_copier_of_a_machine_number_their_batches_apart(server: Running) -> None:
    collector = reporting(server)
    copier = Reporting(server.as_seen_by("collector"), "m1", "barn", COPIER)
    async with task_of(collector.run()), task_of(copier.run()):
        await collector.is_ready.wait()
        await copier.is_ready.wait()
        collector.put([disk("/a")])
        await until(lambda: n_committed(server) == 1)
        collector.put([disk("/a")])
        copier.put([copier_is_running()])
        farm = server.serving.farm
        await until(lambda: farm.machine("m1").of("copier") and n_committed(server) == 2)
        assert farm.infos["m1"].last_copier_sequence == 1
        assert farm.infos["m1"].copier_online
    again = reporting(server)
    async with task_of(again.run()):
        await again.is_ready.wait()
        assert again.known.of("disk")
        assert not again.known.of("copier")


async def test_what_follows_soon_leaves_together_and_at_the_latest_with_the_end(server: Running) -> None:
    sender = Reporting(server.as_seen_by("collector"), "m1", "barn", COLLECTOR, gather_seconds=3600.0)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put([disk("/a", 1, ADD)])
        await until(lambda: n_committed(server) == 1)
        for n in range(2, 5):
            sender.put([disk("/a", n)], at_once=False)
        assert sender.n_unacked >= 3
        assert n_committed(server) == 1
        sender.close()
        await until(lambda: n_committed(server) == 2)
        await until(lambda: sender.n_unacked == 0)
    assert farm_free_bytes(server) == 4


async def test_what_is_urgent_leaves_at_once_and_takes_along_what_waits(server: Running) -> None:
    sender = Reporting(server.as_seen_by("collector"), "m1", "barn", COLLECTOR, gather_seconds=3600.0)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put([disk("/a", 1, ADD)], at_once=False)
        await until(lambda: n_committed(server) == 1)
        sender.put([disk("/a", 2)], at_once=False)
        sender.put([disk("/b", 3, ADD)])
        await until(lambda: len(server.serving.farm.machine("m1").of("disk")) == 2)
    assert farm_free_bytes(server) == 2


async def test_changes_of_readings_wait_and_news_do_not(server: Running) -> None:
    sender = Reporting(server.as_seen_by("collector"), "m1", "barn", COLLECTOR, gather_seconds=3600.0)
    states = [
        MachineState.from_computer_info(ComputerInfo(disks=[Disk(id="/a", free_bytes=free, state=state)]))
        for free, state in ((1, Disk.OK), (2, Disk.OK), (2, Disk.HANGING))
    ]
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        await sender.send(list(diff(sender.known, states[0])), 1.0, states[0])
        await until(lambda: n_committed(server) == 1)
        await sender.send(list(diff(sender.known, states[1])), 2.0, states[1])
        assert sender.n_unacked >= 1
        assert n_committed(server) == 1
        await sender.send(list(diff(sender.known, states[2])), 3.0, states[2])
        await until(lambda: n_committed(server) == 2)
    assert sender.known.of("disk")["/a"].message is states[2].of("disk")["/a"].message


async def test_a_reporter_cannot_tell_what_is_not_its_own(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put([copier_is_running(), disk("/a")])
        await until(lambda: server.serving.farm.machine("m1").of("disk"))
        assert not server.serving.farm.machine("m1").of("copier")


async def test_a_subscriber_gets_only_the_topics_it_asks_for(server: Running) -> None:
    sender = reporting(server)
    feed = FarmFeed(server.as_seen_by("viewer"), except_topics=("disk",))
    async with task_of(sender.run()), task_of(feed.run()):
        await sender.is_ready.wait()
        cpu = UpdateEvent(timestamp=next(_times), event_type=ADD)
        cpu.cpu.n_logical_cores = 2
        sender.put([disk("/a", 5, ADD), cpu])
        await until(lambda: feed.farm.machine("m1").of("cpu"))
        assert not feed.farm.machine("m1").of("disk")


async def test_a_subscriber_that_reads_nothing_costs_no_more_than_the_state(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()), open_channel(server.as_seen_by("viewer")) as channel:
        await sender.is_ready.wait()
        call = MonitoringStub(channel).Subscribe(SubscribeRequest())
        await call.read()
        for n in range(1, 2001):
            sender.put([disk("/a", n)])
        await until(lambda: farm_free_bytes(server) == 2000)
        assert server.serving.hub.n_subscribers == 1
        assert server.serving.hub.n_waiting <= 1
        call.cancel()


async def test_a_subscriber_that_fell_far_behind_is_sent_the_state_anew(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MAX_FRAMES", 3)
    monkeypatch.setattr(hub, "TICK_SECONDS", 0.0)
    sender = reporting(server)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        sender.put([disk("/a", 0, ADD)])
        await until(lambda: n_committed(server) == 1)
        slow = server.serving.hub.messages(SubscribeRequest(topics=["disk"]))
        first = await anext(slow)
        assert first.snapshot.is_last
        for n in range(1, 30):
            sender.put([disk("/a", n)])
            await until(lambda: n_committed(server) == n + 1)  # noqa: B023 - awaited within its round
        again = await anext(slow)
        assert again.snapshot.is_last
        assert again.snapshot.entries[0].disk.free_bytes == 29
        sender.put([disk("/a", 30)])
        assert (await anext(slow)).delta.events[0].disk.free_bytes == 30
        await slow.aclose()


async def test_a_subscriber_that_comes_back_soon_is_sent_only_what_it_missed(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()), open_channel(server.as_seen_by("viewer")) as channel:
        await sender.is_ready.wait()
        sender.put([disk("/a", 1, ADD), disk("/b", 1, ADD)])
        await until(lambda: n_committed(server) == 1)
        stub = MonitoringStub(channel)
        call = stub.Subscribe(SubscribeRequest())
        snapshot = await call.read()
        assert isinstance(snapshot, SubscriberMessage)
        call.cancel()
        sender.put([disk("/a", 2)])
        await until(lambda: n_committed(server) == 2)
        call = stub.Subscribe(SubscribeRequest(revision=snapshot.revision, server_id=snapshot.server_id))
        hello, missed = await call.read(), await call.read()
        assert isinstance(hello, SubscriberMessage)
        assert isinstance(missed, SubscriberMessage)
        assert hello.HasField("delta")
        assert [event.disk.free_bytes for event in missed.delta.events] == [2]
        call.cancel()
        for revision, server_id in (
            (snapshot.revision, "another"),
            (10**15, snapshot.server_id),
            (-5, snapshot.server_id),
        ):
            call = stub.Subscribe(SubscribeRequest(revision=revision, server_id=server_id))
            anew = await call.read()
            assert isinstance(anew, SubscriberMessage)
            assert len(anew.snapshot.entries) == 2
            call.cancel()


async def test_subscribers_who_want_the_same_share_their_frames(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()):
        await sender.is_ready.wait()
        subscribers = [server.serving.hub.messages(SubscribeRequest(topics=["disk"])) for _ in range(3)]
        for subscriber in subscribers:
            assert (await anext(subscriber)).snapshot.is_last
        sender.put([disk("/a", 1, ADD)])
        frames = [await anext(subscriber) for subscriber in subscribers]
        assert frames[0] is frames[1] is frames[2]
        for subscriber in subscribers:
            await subscriber.aclose()


async def test_history_is_read_back_in_pages_and_both_orders(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()), open_channel(server.as_seen_by("viewer")) as channel:
        await sender.is_ready.wait()
        sender.put(disk(f"/{n % 7}", n) for n in range(1234))
        await until(lambda: n_committed(server) == 3)
        stub = MonitoringStub(channel)

        async def free_bytes(request: QueryEventsRequest) -> list[int]:
            return [e.disk.free_bytes async for page in stub.QueryEvents(request) for e in page.events]

        assert await free_bytes(QueryEventsRequest(topics=["disk"])) == list(range(1234))
        newest = await free_bytes(QueryEventsRequest(newest_first=True, limit=700))
        assert newest == list(range(1233, 533, -1))
        assert await free_bytes(QueryEventsRequest(text="/3", machine_ids=["m1"])) == list(range(3, 1234, 7))
        assert await free_bytes(QueryEventsRequest(machine_ids=["nobody"])) == []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await free_bytes(QueryEventsRequest(topics=["weather"]))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_long_lists_are_paged_sorted_and_filtered_by_the_server(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()), open_channel(server.as_seen_by("viewer")) as channel:
        await sender.is_ready.wait()
        sender.put(disk(f"/mnt/{n:03}", (n * 7) % 500, ADD) for n in range(500))
        await until(lambda: n_committed(server) == 1)
        stub = MonitoringStub(channel)

        async def listed(**more: Any) -> tuple[list[int], int]:
            page = await stub.ListEntries(ListEntriesRequest(topic="disk", **more))
            return [event.disk.free_bytes for event in page.entries], page.n_entries

        assert await listed(sort_by="free_bytes", limit=3) == ([0, 1, 2], 500)
        assert await listed(sort_by="free_bytes", limit=3, offset=3) == ([3, 4, 5], 500)
        assert await listed(sort_by="free_bytes", descending=True, limit=2) == ([499, 498], 500)
        assert await listed(text="/MNT/00", limit=2) == ([0, 7], 10)
        assert await listed(machine_ids=["nobody"]) == ([], 0)
        assert len((await listed(limit=10**6))[0]) == 500
        for wrong in ({"sort_by": "free_bytes; DROP TABLE Disk"}, {"sort_by": "colour"}):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await listed(**wrong)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_history_can_be_followed(server: Running) -> None:
    sender = reporting(server)
    async with task_of(sender.run()), open_channel(server.as_seen_by("viewer")) as channel:
        await sender.is_ready.wait()
        sender.put([disk("/a", 1)])
        await until(lambda: server.serving.farm.machine("m1").of("disk"))
        call = MonitoringStub(channel).QueryEvents(QueryEventsRequest(follow=True))
        for expected in (1, 2):
            page = await call.read()
            assert isinstance(page, EventPage)
            assert [event.disk.free_bytes for event in page.events] == [expected]
            sender.put([disk("/a", expected + 1)])
        call.cancel()


def test_every_method_has_a_rule() -> None:
    methods = {f"/{s.full_name}/{m.name}" for s in DESCRIPTOR.services_by_name.values() for m in s.methods}
    standard = {method for method in RULES if method.startswith("/grpc.")}
    assert methods == RULES.keys() - standard


async def test_health_is_told_to_any_token_and_reflection_to_viewers(server: Running) -> None:
    async with open_channel(server.as_seen_by("collector")) as channel:
        health: Any = HealthStub(channel)
        answer = await health.Check(HealthCheckRequest(service="chiatea.Monitoring"))
        assert answer.status == HealthCheckResponse.SERVING
    async with open_channel(server.as_seen_by("viewer")) as channel:
        stub: Any = ServerReflectionStub(channel)  # type: ignore[arg-type]
        call = stub.ServerReflectionInfo()
        await call.write(ServerReflectionRequest(list_services=""))
        answer = await call.read()
        names = {service.name for service in answer.list_services_response.service}
        assert "chiatea.Monitoring" in names
        await call.done_writing()
    right = server.as_seen_by("viewer")
    async with open_channel(Server(right.address, right.certificate, "ct_" + "A" * 43)) as channel:
        health = HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(HealthCheckRequest())
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("role", "may_write", "may_read"),
    [("collector", True, False), ("viewer", False, True), ("operator", False, True), ("admin", True, True)],
)
async def test_a_role_may_do_its_own_and_no_more(
    server: Running, *, role: str, may_write: bool, may_read: bool
) -> None:
    async with open_channel(server.as_seen_by(role)) as channel:
        stub = MonitoringStub(channel)
        state = stub.GetMachineState(MachineStateRequest(machine_id="m1"))
        snapshot = stub.Subscribe(SubscribeRequest())
        for call, is_allowed in ((state, may_write), (snapshot, may_read)):
            if is_allowed:
                assert await call.read() is not None
                call.cancel()
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call.read()
                assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_machine_is_asked_for_some_of_its_topics_and_gets_those_alone(server: Running) -> None:
    sender, facts = reporting(server), MachineFacts(server.as_seen_by("collector"), "m1", ["disk"])
    try:
        assert facts_of(await facts.ask(limit_seconds=5.0)) == {}
        async with task_of(sender.run()):
            await sender.is_ready.wait()
            cpu = UpdateEvent(timestamp=next(_times), event_type=ADD)
            cpu.cpu.n_logical_cores = 8
            sender.put([disk("/a", 5, ADD), cpu])
            await until(lambda: len(server.serving.farm.machine("m1").of("cpu")) == 1)
            assert facts_of(await facts.ask(limit_seconds=5.0)) == {"disk": ["/a"]}
        await server.stop()
        with pytest.raises(ConnectionFailedError):
            await facts.ask(limit_seconds=5.0)
        await server.start()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(ConnectionFailedError):
                    assert facts_of(await facts.ask(limit_seconds=5.0)) == {"disk": ["/a"]}
                    break
                await asyncio.sleep(0.05)
    finally:
        await facts.close()


def facts_of(state: MachineState) -> dict[str, list[str | int]]:
    """The ids of each topic that is there."""
    return {topic: list(state.of(topic)) for topic in TOPICS if state.of(topic)}


@pytest.mark.parametrize("token", ["", "wrong", "ct_" + "A" * 43])
async def test_a_wrong_token_is_refused_without_saying_why(server: Running, token: str) -> None:
    right = server.as_seen_by("viewer")
    with pytest.raises(RefusedError, match="may not do that"):
        await fetch_farm(Server(right.address, right.certificate, token))


async def test_another_certificate_is_not_trusted(server: Running, tmp_path: Path) -> None:
    create_certificate(tmp_path / "o.key", tmp_path / "o.cert", ["localhost"], now=time.time())
    right = server.as_seen_by("viewer")
    with pytest.raises(ConnectionFailedError, match="is not the one that"):
        await fetch_farm(Server(right.address, (tmp_path / "o.cert").read_bytes(), right.token))


async def test_a_port_in_use_is_named(server: Running, config: Config) -> None:
    with pytest.raises(ConfigurationError, match=rf":{server.serving.port}: the port is in use"):
        async with serving(config, port=server.serving.port):
            pass


@pytest.mark.parametrize("machine_id", ["", "x" * 101, "a\nb"])
async def test_a_machine_id_that_cannot_be_one_is_refused(server: Running, machine_id: str) -> None:
    async with open_channel(server.as_seen_by("collector")) as channel:
        call = MonitoringStub(channel).SendMonitoringUpdate()
        await call.write(ReporterMessage(hello=ReporterHello(machine_id=machine_id)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
