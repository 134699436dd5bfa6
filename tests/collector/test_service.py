import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from chiatea.collector.service import _ALL_BUT_FACTS, PART_CHANGES, _Following
from chiatea.collector.watch import PACKED_TOPICS, Watch
from chiatea.config import Config
from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ComputerInfo
from chiatea.protobuf.hardware_pb2 import Cpu
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR
from chiatea.state.diff import Change, diff
from chiatea.state.machine_state import MachineState
from chiatea.state.packed import PackedEntries
from chiatea.wire.channel import Server
from chiatea.wire.reporting import Reporting


class Reporter(Reporting):
    """One without a server, that learns what the server has after some parts."""

    def __init__(self) -> None:
        super().__init__(Server("127.0.0.1:1", b"", ""), "m", "m", COLLECTOR, packed_topics=PACKED_TOPICS)
        self.sizes: list[int] = []
        self.learns_after = 0

    async def send(self, changes: Sequence[Change], timestamp: float, state: MachineState) -> None:
        self.sizes.append(len(changes))
        await super().send(changes, timestamp, state)
        if len(self.sizes) == self.learns_after:
            await self._outbox.learn(MachineState(packed_topics=PACKED_TOPICS), 0)


@pytest.fixture
async def following(tmp_path: Path) -> AsyncIterator[_Following]:
    config = Config.model_validate({"machine": {"state_folder": str(tmp_path)}})
    stopping = asyncio.create_task(asyncio.Event().wait())
    yield _Following(config, Watch(config, "m"), Reporter(), stopping)
    stopping.cancel()


def state_of(n_plots: int) -> MachineState:
    state = MachineState(packed_topics=PACKED_TOPICS)
    plots = [HarvesterPlot(id=f"/plots/{number}", k=32) for number in range(n_plots)]
    state.merge(ComputerInfo(timestamp=1, cpu=Cpu(name="x"), harvester_plots=plots))
    return state


def is_shared(known: MachineState, state: MachineState) -> bool:
    ours, theirs = known.of("harvester_plot"), state.of("harvester_plot")
    assert isinstance(ours, PackedEntries)
    assert isinstance(theirs, PackedEntries)
    return ours.messages.is_same(theirs.messages)


async def send(following: _Following, state: MachineState) -> Reporter:
    await following._send(following._throttle, state, _ALL_BUT_FACTS)
    assert isinstance(following._reporting, Reporter)
    return following._reporting


async def test_a_large_state_is_sent_in_parts_and_then_held_in_common(following: _Following) -> None:
    state = state_of(2 * PART_CHANGES + 1)
    reporter = await send(following, state)
    assert reporter.sizes == [PART_CHANGES, PART_CHANGES, 2]
    assert list(diff(reporter.known, state)) == []
    assert is_shared(reporter.known, state)
    less = state_of(2 * PART_CHANGES)
    await send(following, less)
    assert reporter.sizes[3:] == [1]
    assert is_shared(reporter.known, less)


async def test_what_the_server_told_anew_between_two_parts_ends_them_and_the_next_look_finds_the_rest(
    following: _Following,
) -> None:
    state = state_of(3 * PART_CHANGES)
    assert isinstance(following._reporting, Reporter)
    following._reporting.learns_after = 1
    reporter = await send(following, state)
    assert reporter.sizes == [PART_CHANGES]
    await send(following, state)
    assert sum(reporter.sizes) == 3 * PART_CHANGES + 1
    assert is_shared(reporter.known, state)
