"""A server that holds many plots: sorts, filters and pages them as the real one, and answers when a test lets it."""

import asyncio

from chiatea.protobuf.chia_pb2 import HarvesterPlot
from chiatea.protobuf.computer_info_pb2 import ADD, UpdateEvent
from chiatea.protobuf.monitoring_service_pb2 import EntryPage, ListEntriesRequest

from .sample_server import SampleServer

__all__ = ["PlotServer"]


class PlotServer(SampleServer):
    """Has plots on machine "a". While `is_held`, answers wait."""

    def __init__(self, n_plots: int) -> None:
        super().__init__()
        self.plots = [
            HarvesterPlot(
                id=f"/mnt/plots{n % 3}/plot-k32-{n:07}.plot",
                state=HarvesterPlot.LOADED,
                k=32,
                file_bytes=(n * 7919) % 1000 << 20,
                disk_id=f"/mnt/plots{n % 3}",
                modified_time=1.7e9,
            )
            for n in range(n_plots)
        ]
        self.plots.sort(key=lambda plot: plot.id)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.n_cancelled = 0

    async def entries(self, request: ListEntriesRequest) -> EntryPage:
        self._ask(request)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        if not request.text and not request.sort_by and not request.descending:
            return self._page(self.plots, request)
        words = request.text.lower().split()
        found = [plot for plot in self.plots if all(word in plot.id.lower() for word in words)]
        found.sort(key=lambda plot: (getattr(plot, request.sort_by, ""), plot.id), reverse=request.descending)
        return self._page(found, request)

    def _page(self, plots: list[HarvesterPlot], request: ListEntriesRequest) -> EntryPage:
        page = EntryPage(n_entries=len(plots))
        for plot in plots[request.offset : request.offset + (request.limit or 200)]:
            page.entries.append(UpdateEvent(machine_id="a", event_type=ADD, harvester_plot=plot))
        return page
