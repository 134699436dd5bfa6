"""This machine's harvester as it sees itself, folded from its RPC, its daemon and its log."""

import bisect
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

from chiatea.chia.untrusted import integer, items, mapping, number
from chiatea.collector.observations import (
    Lookup,
    LookupsCounted,
    PeerLost,
    PlotFailed,
    PlotsListed,
    PlotsRefreshed,
    SlowPlot,
)
from chiatea.collector.plots import PlotList, PlotTotals
from chiatea.collector.watchdog.lookups import (
    KEPT_LOOKUPS,
    ToldOnce,
    figures_of,
    median_interval,
    newest_lookups_as_json,
    newest_lookups_of,
)
from chiatea.collector.watchdog.notices import Notices, notice_id
from chiatea.protobuf.chia_pb2 import ChiaNotice, Harvester
from chiatea.protobuf.hardware_pb2 import Disk

__all__ = ["SLOW_LOOKUP_SECONDS", "CopiesAt", "DiskAt", "HarvesterSide", "no_copies_at", "no_disk_at"]

DiskAt = Callable[[str | None, float, float], Disk | None]
"""What a disk (its id) did before a time (UTC seconds) for so many seconds; None where that is not known."""
CopiesAt = Callable[[str | None, float], int | None]
"""How many copies read or wrote a disk (its id) at a time (UTC seconds); None where that is not known."""

SLOW_LOOKUP_SECONDS: Final = 8.0
"""From here Chia 2.7.5 warns of a lookup (harvester_api.py). Older releases warned from 5 s: where there is a warning,
the lookup was slow, whatever its time."""
_SAME_LOOKUP_SECONDS: Final = 1.0
"""Chia times each plot from the start of the whole lookup (harvester_api.py): what began this close together is one."""
_PLOTS_TOLD_BY_RPC_SECONDS: Final = 600.0
_FAILED_SECONDS: Final = 2700.0
"""Chia tries a file that did not open again after 20 minutes and says so if it fails again
(plots_refresh_parameter.retry_invalid_seconds): what was not said for twice as long and more opened, or went."""
_KEPT_FAILED: Final = 1000


def no_disk_at(_disk_id: str | None, _time: float, _seconds: float) -> Disk | None:
    """Where nobody watches the disks."""
    return None


def no_copies_at(_disk_id: str | None, _time: float) -> int | None:
    """Where nobody watches the copies."""
    return None


class HarvesterSide:
    """Folds what is told of the harvester into one entry."""

    def __init__(
        self,
        notices: Notices,
        disk_of: Callable[[str], str | None],
        disk_at: DiskAt = no_disk_at,
        copies_at: CopiesAt = no_copies_at,
    ) -> None:
        """A harvester of which nothing was told.

        `disk_of` gives the disk's id of a path, `disk_at` how busy a disk was, `copies_at` how many copies it had.
        """
        self.draft = Harvester()
        self.is_seen = False
        self.plots = PlotList.of(())
        self.folders: tuple[str, ...] = ()
        self._notices = notices
        self._disk_of = disk_of
        self._disk_at = disk_at
        self._copies_at = copies_at
        self._told = ToldOnce()
        self._newest: deque[tuple[float, float]] = deque(maxlen=KEPT_LOOKUPS)
        self._slow_starts: deque[float] = deque(maxlen=50)
        self._link_time = float("-inf")
        self._refreshed_time = float("-inf")
        self._failed_files: OrderedDict[str, float] = OrderedDict()
        self._log_counted = [0, 0]
        """Plots that came and went by the log's word since the RPC last listed them: its next list has them too."""
        self._counted_until = float("-inf")
        self._plots_listed_time = float("-inf")
        self._has_baseline = False
        self._has_new_lookups = True
        self._refreshed_plots: int | None = None
        self.n_plots_told: int | None = None
        """What a lookup or a refresh last said of the number of plots."""

    def restore(self, entry: Harvester | None, plots: PlotList, memory: dict[str, Any] | None) -> None:
        """Goes on from before a restart: from the memory file, else from what the server knew.

        Without memory the log is read from its start again; lookups that the server's counters hold already are then
        not counted a second time.
        """
        if entry is not None:
            self.draft.CopyFrom(entry)
            self.draft.is_running = False
            self.is_seen = True
        self.plots = plots
        self._has_baseline = bool(plots)
        if memory is not None:
            self._told.fill(memory.get("told"))
            self._refreshed_plots = integer(memory.get("refreshed_plots"))
            self._newest = newest_lookups_of(memory.get("lookups"))
            self._counted_until = number(memory.get("counted_until")) or float("-inf")
            self._plots_listed_time = number(memory.get("plots_listed_time")) or float("-inf")
            self._refreshed_time = number(memory.get("refreshed_time")) or float("-inf")
            self._link_time = number(memory.get("link_time")) or float("-inf")
            self._slow_starts.extend(filter(None, map(number, items(memory.get("slow_starts")))))
            self._log_counted = [integer(n) or 0 for n in items(memory.get("log_counted"))[:2]] or [0, 0]
            for path, time in mapping(memory.get("failed_files")).items():
                self._failed_files[path] = number(time) or 0.0
        elif entry is not None and entry.HasField("last_challenge_time"):
            self._counted_until = entry.last_challenge_time

    def count_only_newer(self) -> None:
        """The log is read from its start: what is in it up to the newest known lookup was counted before."""
        if self.draft.HasField("last_challenge_time"):
            self._counted_until = max(self._counted_until, self.draft.last_challenge_time)

    def as_json(self) -> dict[str, Any]:
        """What the entry does not say and must survive a restart."""
        return {
            "told": self._told.as_json(),
            "refreshed_plots": self._refreshed_plots,
            "lookups": newest_lookups_as_json(self._newest),
            "counted_until": _finite(self._counted_until),
            "plots_listed_time": _finite(self._plots_listed_time),
            "refreshed_time": _finite(self._refreshed_time),
            "link_time": _finite(self._link_time),
            "slow_starts": list(self._slow_starts),
            "log_counted": self._log_counted,
            "failed_files": dict(self._failed_files),
        }

    def looked_up(self, lookup: Lookup) -> None:
        """One lookup, told by the daemon or the log."""
        self.is_seen = True
        self.link_told(lookup.time, is_connected=True)
        draft = self.draft
        if lookup.time >= max(draft.last_challenge_time, self._refreshed_time):
            self.n_plots_told = lookup.n_plots
            if not self._is_listed_by_rpc(lookup.time):
                draft.n_plots = lookup.n_plots
        if not self._told.is_new(lookup.key, lookup.source):
            return
        self._keep(lookup.time, lookup.seconds)
        if lookup.time >= draft.last_challenge_time:
            draft.last_challenge_time = lookup.time
            draft.last_challenge_hash = lookup.challenge_prefix
            draft.last_eligible_plots = lookup.eligible_plots
            draft.last_proofs = lookup.proofs
            draft.last_lookup_seconds = lookup.seconds
        if lookup.time <= self._counted_until:
            return
        draft.n_challenges += 1
        draft.n_eligible_plots += lookup.eligible_plots
        draft.n_proofs += lookup.proofs
        draft.n_v2_qualities += lookup.v2_qualities
        if lookup.seconds >= SLOW_LOOKUP_SECONDS:
            self._count_slow(lookup.time - lookup.seconds)
        if lookup.proofs:
            draft.last_proof_time = max(draft.last_proof_time, lookup.time)
            self._notices.add(_proof_notice(lookup))

    def counted(self, told: LookupsCounted) -> None:
        """Lookups of long ago."""
        self.is_seen = True
        self.draft.n_challenges += told.n_lookups
        self.draft.n_eligible_plots += told.eligible_plots
        self.draft.n_proofs += told.proofs
        self.draft.n_v2_qualities += told.v2_qualities

    def _keep(self, time: float, seconds: float) -> None:
        """Among the newest by their own time: a log that is read from its start comes after what the daemon told."""
        self._has_new_lookups = True
        newest = self._newest
        if not newest or time >= newest[-1][0]:
            newest.append((time, seconds))
        elif len(newest) < KEPT_LOOKUPS or time > newest[0][0]:
            kept = list(newest)
            bisect.insort(kept, (time, seconds))
            self._newest = deque(kept, maxlen=KEPT_LOOKUPS)

    def _is_listed_by_rpc(self, time: float) -> bool:
        """Whether the RPC listed the plots at about that time: then its word on them is the better one."""
        return abs(time - self._plots_listed_time) < _PLOTS_TOLD_BY_RPC_SECONDS

    def rpc_answered(self, time: float) -> None:
        """It tells its list of plots only where that changed: while it answers, the list that it told holds."""
        if self._plots_listed_time > float("-inf"):
            self._plots_listed_time = max(time, self._plots_listed_time)

    def link_told(self, time: float, *, is_connected: bool) -> None:
        """Whether the harvester has its farmer. Of all that is told of it the newest counts."""
        if time >= self._link_time:
            self._link_time = time
            self.draft.is_connected_to_farmer = is_connected

    def clock_is(self, now: float) -> None:
        """The clock may have been set back: what is ahead of `now` was so until now."""
        draft = self.draft
        for name in ("last_challenge_time", "last_proof_time"):
            if draft.HasField(name):
                setattr(draft, name, min(getattr(draft, name), now))
        self._link_time = min(self._link_time, now)
        self._plots_listed_time = min(self._plots_listed_time, now)
        self._refreshed_time = min(self._refreshed_time, now)
        self._newest = deque(sorted((min(time, now), s) for time, s in self._newest), maxlen=KEPT_LOOKUPS)

    def slow_plot(self, slow: SlowPlot) -> None:
        """Chia's warning that names the slow plot."""
        self.is_seen = True
        notice = ChiaNotice(
            id=notice_id(ChiaNotice.SLOW_LOOKUP, slow.filepath, slow.time),
            kind=ChiaNotice.SLOW_LOOKUP,
            time=slow.time,
            service="harvester",
            text=f"a lookup took {slow.seconds:.1f} s",
            plot_filepath=slow.filepath,
            lookup_seconds=round(slow.seconds, 5),
            disk_id=self._disk_of(slow.filepath),
        )
        n_copies = self._copies_at(notice.disk_id, slow.time)
        if n_copies is not None:
            notice.n_active_copies_on_disk = n_copies
        disk = self._disk_at(notice.disk_id, slow.time, slow.seconds)
        if disk is not None and disk.HasField("busy_percent"):
            notice.disk_busy_percent = disk.busy_percent
        if disk is not None and disk.HasField("read_bytes_per_second"):
            notice.disk_read_bytes_per_second = disk.read_bytes_per_second
        if self._notices.add(notice) and slow.time > self._counted_until:
            self._count_slow(slow.time - slow.seconds)

    def _count_slow(self, start: float) -> None:
        if all(abs(start - other) > _SAME_LOOKUP_SECONDS for other in self._slow_starts):
            self._slow_starts.append(start)
            self.draft.n_slow_lookups += 1

    def plot_failed(self, failed: PlotFailed) -> None:
        """A plot with which something is wrong; Chia tries again each 20 minutes, so it is said once a day."""
        self.is_seen = True
        if not failed.is_open:
            self._failed_files[failed.filepath] = max(failed.time, self._failed_files.pop(failed.filepath, failed.time))
        while len(self._failed_files) > _KEPT_FAILED:
            self._failed_files.popitem(last=False)
        self._notices.add(
            ChiaNotice(
                id=notice_id(ChiaNotice.PLOT_ERROR, f"{int(failed.time // 86400)}/{failed.filepath}"),
                kind=ChiaNotice.PLOT_ERROR,
                time=failed.time,
                service="harvester",
                text=failed.reason,
                plot_filepath=failed.filepath,
                disk_id=self._disk_of(failed.filepath),
            )
        )

    def farmer_lost(self, lost: PeerLost) -> None:
        """The connection to the farmer ended."""
        self.is_seen = True
        self.link_told(lost.time, is_connected=False)
        self._notices.add(
            ChiaNotice(
                id=notice_id(ChiaNotice.PEER_LOST, f"harvester/{lost.node_id}", lost.time),
                kind=ChiaNotice.PEER_LOST,
                time=lost.time,
                service="harvester",
                text=f"the connection to the farmer at {lost.host} closed",
            )
        )

    def refreshed(self, told: PlotsRefreshed) -> None:
        """The log's word of plots that came and went: taken where the RPC does not list them."""
        self.is_seen = True
        before = self._refreshed_plots
        if told.n_plots is None or told.time < self._refreshed_time:
            return
        self._refreshed_time = told.time
        self._refreshed_plots = told.n_plots
        if told.time >= self.draft.last_challenge_time:
            self.n_plots_told = told.n_plots
        if self._is_listed_by_rpc(told.time):
            return
        if told.time >= self.draft.last_challenge_time:
            self.draft.n_plots = told.n_plots
        if before is not None:
            is_restarted = before + told.n_loaded - told.n_removed != told.n_plots
            change = told.n_plots - before
            # A harvester that starts loads all of its plots: they did not all come.
            n_added = max(0, change) if is_restarted else told.n_loaded
            n_lost = max(0, -change) if is_restarted else told.n_removed
            self.draft.n_plots_added += n_added
            self.draft.n_plots_lost += n_lost
            self._log_counted = [self._log_counted[0] + n_added, self._log_counted[1] + n_lost]

    def listed(self, told: PlotsListed) -> None:
        """The harvester's own list."""
        self.is_seen = True
        self._plots_listed_time = told.time
        self.folders = told.folders
        if self._has_baseline:
            self.draft.n_plots_added += max(0, told.plots.n_loaded_beside(self.plots) - self._log_counted[0])
            self.draft.n_plots_lost += max(0, self.plots.n_loaded_beside(told.plots) - self._log_counted[1])
        self._has_baseline = True
        self._log_counted = [0, 0]
        self.plots = told.plots
        _fill_totals(self.draft, told.plots.totals)

    def entry(self, now: float, *, is_running: bool) -> Harvester:
        """The harvester now."""
        draft = self.draft
        if not self._is_listed_by_rpc(now):
            draft.n_failed_to_open = sum(abs(now - time) < _FAILED_SECONDS for time in self._failed_files.values())
        draft.is_running = is_running
        if not is_running:
            draft.is_connected_to_farmer = False
        if self._has_new_lookups:
            self._has_new_lookups = False
            self._fill_figures()
        return draft

    def _fill_figures(self) -> None:
        draft = self.draft
        figures = figures_of(seconds for _, seconds in self._newest)
        if figures is not None:
            draft.median_lookup_seconds, draft.p99_lookup_seconds, draft.worst_lookup_seconds = figures
        interval = median_interval([time for time, _ in self._newest])
        if interval is not None:
            draft.seconds_between_challenges = interval


def _finite(time: float) -> float | None:
    return time if time > 0 else None


def _fill_totals(draft: Harvester, totals: PlotTotals) -> None:
    draft.n_plots = totals.n_plots
    draft.n_plots_v1 = totals.n_plots_v1
    draft.n_plots_v2 = totals.n_plots_v2
    draft.total_plot_bytes = totals.total_plot_bytes
    draft.effective_plot_bytes = totals.effective_plot_bytes
    draft.n_failed_to_open = totals.n_failed_to_open
    draft.n_no_key = totals.n_no_key


def _proof_notice(lookup: Lookup) -> ChiaNotice:
    subject = f"{lookup.challenge_prefix[:10]}/{lookup.seconds:.5f}"
    proofs = "1 proof" if lookup.proofs == 1 else f"{lookup.proofs} proofs"
    return ChiaNotice(
        id=notice_id(ChiaNotice.PROOF_FOUND, subject),
        kind=ChiaNotice.PROOF_FOUND,
        time=lookup.time,
        service="harvester",
        text=f"{proofs} found in {lookup.eligible_plots} eligible plots",
        count=lookup.proofs,
        lookup_seconds=round(lookup.seconds, 5),
    )
