"""Plots in progress: plotters' logs followed, their processes looked at, both put together."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from chiatea.chia.place import one_line
from chiatea.chia.untrusted import mapping
from chiatea.collector.hardware_watch import Pace
from chiatea.collector.plotting.durations import Durations
from chiatea.collector.plotting.entries import complete, entry_of_plot, entry_of_process
from chiatea.collector.plotting.followed_log import FollowedLog
from chiatea.collector.plotting.side import PlottingSide
from chiatea.collector.plotting.writers import writers_of
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.plotters.log_files import newest_logs
from chiatea.collector.sources.plotters.plotter_processes import PlotterProcess, PlotterProcesses
from chiatea.protobuf.chia_pb2 import PlotInProgress, Process
from chiatea.question import Question, UnansweredError

__all__ = ["PlottingWatch"]

_FILES_EVERY: Final = 10.0
_PROCESSES_EVERY: Final = 10.0
_LIMIT_SECONDS: Final = 1.0
_FIRST_LIMIT_SECONDS: Final = 4.0
_GRACE_SECONDS: Final = 60.0
"""A log without a process may be silent for so long before its plots are taken for dead."""
_BEGINNING_SECONDS: Final = 120.0
"""A plotter that writes a log says within this time which plot it makes."""
_SETTLING_SECONDS: Final = 30.0


class PlottingWatch:
    """All plots in progress on this machine."""

    def __init__(self, patterns: Iterable[Path], clock: Callable[[], float]) -> None:
        """`patterns` are the configured logs; those that running plotters write are followed without that."""
        self.health = SourceHealth("plotter logs", clock)
        self._patterns = tuple(patterns)
        self.health.located(", ".join(map(str, self._patterns)))
        self._durations = Durations()
        self._logs: dict[Path, FollowedLog] = {}
        self._files = Question(lambda: newest_logs(self._patterns))
        self._files_pace, self._processes_pace = Pace(_FILES_EVERY), Pace(_PROCESSES_EVERY)
        self._configured: list[Path] = []
        self._found: set[tuple[int, float]] = set()
        self._plotters = PlotterProcesses()
        self._processes_question = Question(lambda: self._plotters.look(sorted(self._found)))
        self._processes: list[PlotterProcess] = []
        self._restored: dict[str, PlotInProgress] = {}
        self._first_time: float | None = None

    def restore(self, memory: Mapping[str, Any], known: Iterable[PlotInProgress]) -> None:
        """Goes on from the memory file and from what the server last held: till the logs are read again, that stays."""
        self._durations.restore(mapping(memory).get("durations"))
        self._restored = {plot.id: plot for plot in known}

    def as_json(self) -> dict[str, Any]:
        """What must survive a restart. Logs are read again from near their ends, so their positions need not."""
        return {"durations": self._durations.as_json()}

    async def look(self, now: float, processes: Iterable[Process]) -> dict[str, PlotInProgress]:
        """The plots in progress by id; `processes` are those of Chia and of plotters that run now."""
        is_first = self._first_time is None
        if self._first_time is None or now < self._first_time:
            self._first_time = now
        limit = _FIRST_LIMIT_SECONDS if is_first else _LIMIT_SECONDS
        alive = {(process.id, process.create_time) for process in processes if process.kind == Process.PLOTTER}
        errors = await self._find(now, alive, limit)
        counts = await asyncio.gather(*(log.look(now, limit) for log in self._logs.values()))
        # Of a log that nobody configured it is no fault that it is not ours to read.
        errors += [self._logs[path].error or "" for path in self._configured if path in self._logs]
        errors = list(filter(None, errors))
        self._tell_health(sum(counts), errors)
        entries = self._entries(now, alive)
        if self._restored:
            is_settled = all(log.is_caught_up or not log.is_readable for log in self._logs.values())
            if is_settled or now > self._first_time + _SETTLING_SECONDS:
                self._restored.clear()
        return {**self._restored, **entries}

    async def _find(self, now: float, alive: set[tuple[int, float]], limit: float) -> list[str]:
        """Which plotters run and which logs there are."""
        errors: list[str] = []
        if self._patterns and self._files_pace.is_due(now):
            try:
                self._configured = await self._files.answer(limit)
            except UnansweredError:
                errors.append("looking for them gives no answer in time")
            except OSError as error:
                errors.append(one_line(error))
        is_due = self._processes_pace.is_due(now)
        if alive != self._found or (alive and is_due):
            self._found = alive
            try:
                self._processes = await self._processes_question.answer(limit)
            except UnansweredError:
                errors.append("plotters' processes give no answer in time")
        wanted = dict.fromkeys(self._configured)
        wanted.update((process.log_filepath, None) for process in self._processes if process.log_filepath is not None)
        self._follow(list(wanted), now)
        return errors

    def _follow(self, wanted: list[Path], now: float) -> None:
        for path in wanted:
            if path not in self._logs:
                self._logs[path] = FollowedLog(path, PlottingSide(self._durations, floor=self._known_percent))
        for path, log in list(self._logs.items()):
            # The last words of a plotter that has just ended are still to be read.
            if path not in wanted and (not log.is_readable or abs(now - log.modified_time) > _GRACE_SECONDS):
                log.close()
                del self._logs[path]

    def _known_percent(self, plot_id: str) -> float:
        known = self._restored.get(plot_id)
        return known.progress_percent if known is not None else 0.0

    def _tell_health(self, n_understood: int, errors: list[str]) -> None:
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            self.health.failed(f"{errors[0]}{more}")
        elif self._logs:
            self.health.succeeded(has_news=n_understood > 0, n_understood=n_understood)
        else:
            self.health.absent()

    def _entries(self, now: float, alive: set[tuple[int, float]]) -> dict[str, PlotInProgress]:
        processes = [process for process in self._processes if (process.pid, process.create_time) in alive]
        writers = writers_of(self._logs.values(), processes, alive)
        entries: dict[str, PlotInProgress] = {}
        for log in sorted(self._logs.values(), key=lambda log: log.modified_time):
            writer = writers.get(log.path)
            is_alive = writer is not None or now - log.modified_time <= _GRACE_SECONDS
            if not log.is_caught_up or not is_alive:
                continue
            for plot in log.side.plots.values():
                entry = entry_of_plot(plot, self._durations, now, str(log.path))
                if writer is not None:
                    complete(entry, writer)
                entries[entry.id] = entry
        told = {writer.pid for path, writer in writers.items() if self._says_enough(self._logs[path], writer, now)}
        for process in processes:
            entry = entry_of_process(process, now)
            if process.pid not in told and entry.id not in entries:
                entries[entry.id] = entry
        return entries

    @staticmethod
    def _says_enough(log: FollowedLog, writer: PlotterProcess, now: float) -> bool:
        """A plotter's log tells of its plots; only one that cannot be read, or tells of none for long, does not."""
        if not log.is_readable:
            return False
        return log.has_told or now - writer.create_time < _BEGINNING_SECONDS

    def close(self) -> None:
        """Lets go of all files."""
        for log in self._logs.values():
            log.close()
