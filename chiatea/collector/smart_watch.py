"""S.M.A.R.T. of every disk, asked slowly: one disk at a time, and none that sleeps is woken."""

import asyncio
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from chiatea.chia.place import one_line
from chiatea.collector.source_health import SourceHealth
from chiatea.collector.sources.block_devices import has_smart
from chiatea.collector.sources.limited_command import CommandHungError, output_of
from chiatea.collector.sources.smart import ARGUMENTS, SmartReport, parse_smart
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.question import Question, UnansweredError

__all__ = ["SmartWatch", "fill_health"]

_LIMIT_SECONDS: Final = 20.0
"""A disk at work answers within seconds; one that has to read a bad sector first takes longer."""
_PATIENCE_SECONDS: Final = 3.0
"""How much longer than its limit a program may take to be killed."""
_ADMINISTRATORS_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_MOST_BYTES: Final = 1 << 20
_DENIED_HINT: Final = (
    "this user may not ask the disks: run the collector as root, or set hardware.smartctl to `sudo -n smartctl`"
    " and allow that in sudoers"
)


class SmartWatch:
    """Asks each disk now and then, in the background."""

    def __init__(
        self,
        command: str,
        every_seconds: float,
        clock: Callable[[], float],
        *,
        limit_seconds: float = _LIMIT_SECONDS,
    ) -> None:
        """`command` is smartctl, with words before it where it takes some; "" asks nothing."""
        self.health = SourceHealth("smart", clock)
        self.reports: dict[str, SmartReport] = {}
        """What each whole device last said while it was awake."""
        self._words = shlex.split(command)
        self._every_seconds = every_seconds
        self._limit_seconds = limit_seconds
        self._types: dict[str, tuple[str, ...]] = {}
        self._asked: dict[str, float] = {}
        self._questions: dict[str, Question[bytes]] = {}
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._wait_until = float("-inf")

    def step(self, time: float, disks: Iterable[str]) -> None:
        """Begins to ask the disk whose turn it is, where none is being asked. `time` is of a clock that nobody sets."""
        wanted = [disk for disk in dict.fromkeys(disks) if has_smart(disk)]
        self._forget_all_but(wanted)
        if self._task is not None and not self._task.done():
            return
        if not self._words or sys.platform != "linux" or not wanted:
            self.health.absent()
            return
        if time < self._wait_until:
            return
        disk = min(wanted, key=lambda disk: self._asked.get(disk, float("-inf")))
        if time - self._asked.get(disk, float("-inf")) < self._every_seconds:
            return
        # Ordinary users do not have it in their PATH everywhere.
        program = shutil.which(self._words[0]) or shutil.which(self._words[0], path=_ADMINISTRATORS_PATH)
        if program is None:
            self._wait_until = time + self._every_seconds
            self.health.absent()
            return
        self.health.located(program)
        self._asked[disk] = time
        self._words[0] = program
        self._task = asyncio.create_task(self._ask(disk, time), name=f"smart {disk}")

    async def close(self) -> None:
        """Ends what runs."""
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        for question in self._questions.values():
            await question.is_answered_within(_PATIENCE_SECONDS)

    async def _ask(self, disk: str, time: float) -> None:
        report = await self._report(disk)
        if report.is_unknown_bridge and disk not in self._types:
            self._types[disk] = ("-d", "sat")
            report = await self._report(disk)
        if report.is_denied:
            # Whom one disk refuses all others refuse too.
            self._wait_until = time + self._every_seconds
            self._say_denied()
            return
        if not report.is_asleep:
            self.reports[disk] = report
        if report.error is None:
            # Not as news: a source that tells something each ten minutes is not stale in between.
            self.health.succeeded(has_news=False)
        elif all(other.error is not None for other in self.reports.values()):
            self.health.failed(f"{disk}: {report.error}")

    def _say_denied(self) -> None:
        """Most who install smartmontools let root alone use it: that is no failing, once it worked it is."""
        self.health.absent(_DENIED_HINT)
        self.health.entry.error = _DENIED_HINT

    async def _report(self, disk: str) -> SmartReport:
        command = (*self._words, *ARGUMENTS, *self._types.get(disk, ()), f"/dev/{disk}")
        question = self._questions.get(disk)
        if question is None or not question.is_unanswered:
            question = self._questions[disk] = Question(lambda: self._output(command))
        try:
            output = await question.answer(self._limit_seconds + _PATIENCE_SECONDS)
        except (CommandHungError, UnansweredError):
            return SmartReport(error=f"smartctl gave no answer within {self._limit_seconds:g} s")
        except (OSError, ValueError) as error:
            return SmartReport(error=one_line(error))
        return parse_smart(output) or SmartReport(error="it told no JSON: smartmontools 7 or newer is needed")

    def _output(self, command: Sequence[str]) -> bytes:
        return output_of(command, limit_seconds=self._limit_seconds, most_bytes=_MOST_BYTES, stopped=self._stopped)

    def _forget_all_but(self, wanted: Sequence[str]) -> None:
        for gone in self._questions.keys() - set(wanted):
            if not self._questions[gone].is_unanswered:
                del self._questions[gone]
        for known in (self.reports, self._asked, self._types):
            for gone in known.keys() - set(wanted):
                del known[gone]


def fill_health(
    disk: Disk, devices: Sequence[str], reports: Mapping[str, SmartReport], celsius: Mapping[str, float]
) -> None:
    """Writes into a disk what is known of the devices under it: of several the hottest, the sums, and who is not well.

    Args:
        disk: gets temperature and health.
        devices: the whole devices under it.
        reports: what S.M.A.R.T. says, by device.
        celsius: what drivers say, by device: newer than what S.M.A.R.T. said.
    """
    told = {device: reports[device] for device in devices if device in reports}
    temperatures = [celsius.get(device, _temperature(told.get(device))) for device in devices]
    known = [temperature for temperature in temperatures if temperature is not None]
    if known:
        disk.temperature_celsius = max(known)
    verdicts = [report.is_healthy for report in told.values() if report.is_healthy is not None]
    if verdicts and (len(verdicts) == len(devices) or not all(verdicts)):
        disk.is_healthy = all(verdicts)
    words = {device: report.health or report.error or "" for device, report in told.items()}
    if len(devices) > 1 and set(words.values()) != {"passed"}:
        disk.health = "; ".join(f"{device}: {said}" for device, said in words.items() if said != "passed")
    else:
        disk.health = next(iter(words.values()), "")
    if not disk.health:
        disk.ClearField("health")
    if len(devices) == 1:
        for report in told.values():
            _fill_identity(disk, report)
    for name in ("n_reallocated_sectors", "n_pending_sectors"):
        counts = [count for report in told.values() if (count := getattr(report, name)) is not None]
        if counts:
            setattr(disk, name, sum(counts))


def _temperature(report: SmartReport | None) -> float | None:
    return report.temperature_celsius if report is not None else None


def _fill_identity(disk: Disk, report: SmartReport) -> None:
    if report.model is not None:
        disk.model = report.model
    if report.serial_number is not None:
        disk.serial_number = report.serial_number
    if report.power_on_hours is not None:
        disk.power_on_hours = report.power_on_hours
