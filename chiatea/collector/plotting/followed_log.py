"""One plotter's log followed, and the plots that it tells of."""

from pathlib import Path
from typing import Final

from chiatea.collector.hardware_watch import Pace
from chiatea.collector.plotting.side import PlottingSide
from chiatea.collector.sources.plotters.plotter_command import FAMILY_OF
from chiatea.collector.sources.plotters.plotter_log import LogNews, PlotterLog
from chiatea.collector.sources.plotters.plotter_processes import PlotterProcess
from chiatea.question import Question, UnansweredError

__all__ = ["FollowedLog"]

_QUIET_EVERY: Final = 10.0
_QUIET_AFTER: Final = 600.0
_CLOCK_SLACK: Final = 2.0


class FollowedLog:
    """One log file: read in a thread of its own, so that a dead mount holds up nothing else."""

    def __init__(self, path: Path, side: PlottingSide) -> None:
        """Reads nothing yet."""
        self.path = path
        self.side = side
        self.modified_time = 0.0
        self.is_caught_up = False
        self.has_told = False
        """It told of a plot, ever."""
        self.is_readable = True
        """The last time it was, or it was not tried yet."""
        self.error: str | None = None
        """Why not, where that is no mere absence."""
        self.linked: tuple[int, float] | None = None
        """The process that is known to write it."""
        self._log = PlotterLog(path)
        self._now = 0.0
        self._question = Question(self._read)
        self._quiet_pace = Pace(_QUIET_EVERY)

    def is_quiet(self, now: float) -> bool:
        """Nothing goes on in it."""
        return self.is_caught_up and not self.side.plots and abs(now - self.modified_time) > _QUIET_AFTER

    async def look(self, now: float, limit_seconds: float) -> int:
        """Takes in what was added; gives how many facts that was."""
        if self.is_quiet(now) and not self._quiet_pace.is_due(now):
            return 0
        self._now = now
        try:
            news = await self._question.answer(limit_seconds)
        except UnansweredError:
            self.is_readable = False
            self.error = f"{self.path}: reading it gives no answer in time"
            return 0
        except OSError as error:
            self.is_readable = False
            self.error = None if isinstance(error, FileNotFoundError) else f"{self.path}: {error.strerror or error}"
            return 0
        self.is_readable, self.error = True, None
        self.modified_time = news.modified_time
        self.is_caught_up = self.is_caught_up or news.is_at_end
        self.side.take_all(news.observations)
        self.has_told = self.has_told or bool(self.side.plots)
        return len(news.observations)

    def _read(self) -> LogNews:
        return self._log.read(self._now)

    def close(self) -> None:
        """Lets go of the file, unless a thread is stuck reading it."""
        if not self._question.is_unanswered:
            self._log.close()

    def may_be_of(self, process: PlotterProcess) -> bool:
        """Whether a process may be what computes the plots that are under way: one of the same family of plotters,
        that was there when the log was last written to.
        """
        families = {FAMILY_OF.get(plot.kind.plotter) for plot in self.side.plots.values()}
        is_old_enough = process.create_time <= self.modified_time + _CLOCK_SLACK
        return is_old_enough and FAMILY_OF.get(process.command.plotter) in families

    @property
    def told_pids(self) -> set[int]:
        """The plotters' processes as the log names them."""
        return {plot.told.process_id for plot in self.side.plots.values() if plot.told.process_id is not None}
