"""Folds what the sources observe of this machine's harvester into its entry. Pure: clocks are passed in."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from chiatea.collector.sources.log_lines import (
    BlockFarmed,
    FarmerConnected,
    FarmerLost,
    Lookup,
    Observation,
    PlotFailed,
    PlotsRefreshed,
    SlowLookup,
)
from chiatea.protobuf.chia_pb2 import ChiaNotice, Harvester

__all__ = ["Watchdog"]

N_LOOKUPS: Final = 400
"""About one hour of signage points: one each 9.375 s (Chia: 64 in a sub-slot of 600 s)."""
N_NOTICES: Final = 200
RUNNING_WITHIN_SECONDS: Final = 90.0
"""A harvester that farms answers every 10 s or so; nine missing answers are no accident."""
_COUNTERS: Final = ("n_challenges", "n_eligible_plots", "n_proofs", "n_slow_lookups")


class Watchdog:
    """What is known of this machine's harvester from what it says of itself."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._told = Harvester()
        self._lookups: deque[float] = deque(maxlen=N_LOOKUPS)
        self._notices: OrderedDict[str, ChiaNotice] = OrderedDict()
        self._has_told = False
        self._counted_until = -math.inf

    def continue_from(self, known: Harvester | None, notices: Iterable[ChiaNotice]) -> None:
        """Goes on counting from what the server knows."""
        for notice in sorted(notices, key=lambda n: n.time):
            self._keep(notice)
        if known is None:
            return
        for name in _COUNTERS:
            setattr(self._told, name, getattr(known, name))
        if known.HasField("last_challenge_time"):
            self._told.last_challenge_time = self._counted_until = known.last_challenge_time
            self._told.last_challenge_hash = known.last_challenge_hash
            self._told.last_eligible_plots = known.last_eligible_plots
            self._told.last_proofs = known.last_proofs
            self._told.last_lookup_seconds = known.last_lookup_seconds
            self._has_told = True

    def observe(self, observation: Observation) -> None:
        """Takes one observation over."""
        if isinstance(observation, Lookup):
            self._on_lookup(observation)
        elif isinstance(observation, SlowLookup):
            self._told.n_slow_lookups += 1
            self._notice(
                ChiaNotice.SLOW_LOOKUP,
                observation.time,
                f"a lookup took {observation.lookup_seconds:.1f} s",
                plot_filepath=observation.plot_filepath,
                lookup_seconds=observation.lookup_seconds,
            )
        elif isinstance(observation, PlotFailed):
            # Chia says it at every refresh: one notice for each plot and reason.
            self._notice(ChiaNotice.PLOT_ERROR, observation.time, observation.reason, plot_filepath=observation[1])
        elif isinstance(observation, PlotsRefreshed):
            self._told.n_plots = observation.total_plots
            self._has_told = True
        elif isinstance(observation, BlockFarmed):
            self._notice(ChiaNotice.BLOCK_FARMED, observation.time, f"block {observation.block_hash}")
        elif isinstance(observation, FarmerConnected):
            self._told.is_connected_to_farmer = True
        elif isinstance(observation, FarmerLost):
            self._told.is_connected_to_farmer = False

    def _on_lookup(self, lookup: Lookup) -> None:
        if lookup.time <= self._counted_until:
            return
        told = self._told
        if told.HasField("last_challenge_time") and 0 < lookup.time - told.last_challenge_time < 3600:
            told.seconds_between_challenges = round(lookup.time - told.last_challenge_time, 3)
        told.n_challenges += 1
        told.n_eligible_plots += lookup.eligible_plots
        told.n_proofs += lookup.proofs
        told.last_challenge_time = lookup.time
        told.last_challenge_hash = lookup.challenge_hash
        told.last_eligible_plots = lookup.eligible_plots
        told.last_proofs = lookup.proofs
        told.last_lookup_seconds = lookup.lookup_seconds
        told.n_plots = lookup.total_plots
        if lookup.proofs:
            told.last_proof_time = lookup.time
        # A harvester that answers challenges has a farmer that sends them.
        told.is_connected_to_farmer = True
        self._lookups.append(lookup.lookup_seconds)
        self._has_told = True

    def _notice(self, kind: "ChiaNotice.Kind.ValueType", time: float, text: str, **fields: Any) -> None:
        subject = fields.get("plot_filepath", "")
        identity = f"{ChiaNotice.Kind.Name(kind)} {subject or text}"
        if kind != ChiaNotice.PLOT_ERROR:
            identity = f"{identity} {time:.0f}"
        if identity in self._notices:
            return
        self._keep(ChiaNotice(id=identity, kind=kind, time=time, service="harvester", text=text, **fields))

    def _keep(self, notice: ChiaNotice) -> None:
        self._notices[notice.id] = notice
        while len(self._notices) > N_NOTICES:
            self._notices.popitem(last=False)

    @property
    def notices(self) -> list[ChiaNotice]:
        """The newest, the oldest first."""
        return list(self._notices.values())

    def harvester(self, now: float, rpc: Harvester | None, *, has_process: bool) -> Harvester | None:
        """The harvester's entry now; None where nothing ever told of one.

        Args:
            now: UTC seconds.
            rpc: what its RPC tells of it; None while that does not answer.
            has_process: whether its process is seen.
        """
        if rpc is None and not self._has_told and not has_process:
            return None
        entry = Harvester()
        entry.CopyFrom(self._told)
        age = now - self._told.last_challenge_time
        entry.is_running = rpc is not None or has_process or abs(age) < RUNNING_WITHIN_SECONDS
        if not entry.is_running:
            entry.is_connected_to_farmer = False
        if self._lookups:
            ordered = sorted(self._lookups)
            entry.median_lookup_seconds = _quantile(ordered, 0.5)
            entry.p99_lookup_seconds = _quantile(ordered, 0.99)
            entry.worst_lookup_seconds = ordered[-1]
        if rpc is not None:
            # Its own word on its plots is newer and says more than the log's.
            for field in rpc.DESCRIPTOR.fields:
                if field.name.startswith(("n_plots", "n_failed", "n_not", "n_no", "n_dup", "total_", "effective_")):
                    setattr(entry, field.name, getattr(rpc, field.name))
            entry.is_connected_to_farmer = rpc.is_connected_to_farmer
            if rpc.HasField("version"):
                entry.version = rpc.version
        return entry

    def as_memory(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {"harvester": MessageToDict(self._told), "lookups": list(self._lookups), "has_told": self._has_told}

    def remember(self, memory: Any) -> None:
        """Takes over what `as_memory` gave.

        Raises:
            ValueError: when it is something else.
        """
        try:
            told = ParseDict(memory["harvester"], Harvester(), ignore_unknown_fields=True)
            lookups = [float(seconds) for seconds in memory["lookups"]]
            self._has_told = bool(memory["has_told"])
        except (KeyError, TypeError, ParseError) as error:
            raise ValueError(f"this is no memory of a watchdog: {error}") from None
        self._told = told
        self._counted_until = -math.inf
        self._lookups = deque((s for s in lookups if math.isfinite(s)), maxlen=N_LOOKUPS)


def _quantile(ordered: list[float], share: float) -> float:
    """The smallest value that is not exceeded by that share of all (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
