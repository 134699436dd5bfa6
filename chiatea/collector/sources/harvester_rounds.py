"""What the harvester's RPC is asked, and how often: its list of plots is long, and dear to make."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from chiatea.chia.place import ChiaPlace
from chiatea.chia.rpc import RpcClient
from chiatea.chia.untrusted import items, text
from chiatea.collector.observations import Observation, PlotsListed
from chiatea.collector.plots import PlotList
from chiatea.collector.sources.plot_stream import AnswerHash, PlotStream
from chiatea.collector.sources.rpc_answers import connections_of
from chiatea.collector.sources.rpc_rounds import Rounds

__all__ = ["HarvesterRounds"]

_PLOTS_EVERY: Final = 30.0
_SHARE_OF_PLOTS: Final = 100.0
"""A list that takes long is asked for so seldom that it costs the harvester one per cent of its time at most."""
_SECONDS_PER_MEGABYTE: Final = 8.0
"""So that reading it costs this machine 0.1 per cent of a core: each eight minutes for 100,000 plots, 60 MB."""
_CHANGED_PLOTS_EVERY_AT_MOST: Final = 40.0
"""Where it is known that plots came or went, the list shows it within a minute, whatever it costs."""
_SHARE_OF_CHANGED_PLOTS: Final = 10.0
_SETTLING_PLOTS_EVERY: Final = 5.0
_SETTLED_AFTER_SAME: Final = 2
"""A harvester that starts loads its plots one by one, with pauses: three equal lists in a row are whole."""


class HarvesterRounds(Rounds):
    """The harvester of this machine."""

    service = "harvester"

    def __init__(
        self,
        client: RpcClient,
        clock: Callable[[], float],
        mount_points: Callable[[], Sequence[str]],
        n_plots_told: Callable[[], int | None],
    ) -> None:
        """`n_plots_told` gives what others say of its plots' number: when it is not the list's, a new one is due."""
        super().__init__(client, clock)
        self._mount_points = mount_points
        self._n_plots_told = n_plots_told
        self._told_before: object = None
        self._mount_points_listed: tuple[str, ...] = ()
        self._is_changed = False
        self._digest = b""
        self._plots_every = _PLOTS_EVERY
        self._changed_plots_every = 0.0
        self._is_settling = False
        self._n_same = 0
        self._plots: PlotList | None = None

    def settle(self, plots: PlotList) -> None:
        """Its plots are known from before: a list is told only once it stays the same, as while Chia starts it does
        not.
        """
        self._is_settling = True
        self._plots = plots

    def lost(self) -> None:
        """When it comes back it loads its plots one by one: they did not all go and come."""
        super().lost()
        self._is_settling = self._plots is not None

    async def ask_due(self, place: ChiaPlace) -> list[Observation]:
        """Connections each time; the list of plots seldom, as it is long."""
        connections = await self.client.ask(place, "get_connections")
        told: list[Observation] = [connections_of(connections, "harvester", self.clock())]
        n_told, mount_points = told_now = (self._n_plots_told(), tuple(self._mount_points()))
        if told_now != self._told_before:
            is_listed = self._plots is not None and n_told == self._plots.totals.n_plots
            self._is_changed |= not is_listed or mount_points != self._mount_points_listed
            self._told_before = told_now
        every = self._changed_plots_every if self._is_changed else self._plots_every
        if self._is_settling:
            every = max(_SETTLING_PLOTS_EVERY, self._changed_plots_every)
        if self.is_due("get_plots", every):
            told += await self._list(place)
        return told

    async def _list(self, place: ChiaPlace) -> list[Observation]:
        mount_points, folders = tuple(self._mount_points()), await self._folders(place)
        is_expected = self._is_changed or self._plots is None
        if self._is_settling or not is_expected:
            answer = AnswerHash()
            await self._ask(place, answer)
            is_same = self._take_digest(answer, mount_points, folders)
            self._is_changed = False
            if self._n_same < _SETTLED_AFTER_SAME if self._is_settling else is_same:
                return []
        stream = PlotStream(mount_points, self._plots)
        await self._ask(place, stream)
        plots = stream.plots()
        is_same = self._take_digest(stream, mount_points, folders)
        self._is_changed = False
        if self._is_settling and not is_same:
            return []
        self._is_settling = False
        self._plots = plots
        self._mount_points_listed = mount_points
        return [PlotsListed(self.clock(), plots, folders)]

    async def _ask(self, place: ChiaPlace, answer: AnswerHash) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self.client.ask_long(place, "get_plots", answer.feed)
        seconds = loop.time() - begun
        self._plots_every = max(_PLOTS_EVERY, _SHARE_OF_PLOTS * seconds, _SECONDS_PER_MEGABYTE * answer.n_bytes / 1e6)
        self._changed_plots_every = min(_CHANGED_PLOTS_EVERY_AT_MOST, _SHARE_OF_CHANGED_PLOTS * seconds)

    def _take_digest(self, answer: AnswerHash, mount_points: tuple[str, ...], folders: tuple[str, ...]) -> bool:
        digest = answer.digest + repr((mount_points, folders)).encode(errors="replace")
        is_same, self._digest = digest == self._digest, digest
        self._n_same = self._n_same + 1 if is_same else 0
        return is_same

    async def _folders(self, place: ChiaPlace) -> tuple[str, ...]:
        answer = await self.asked_if_it_can(self.client.ask(place, "get_plot_directories"))
        return tuple(filter(None, map(text, items(answer.get("directories")))))
