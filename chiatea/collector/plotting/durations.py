"""How long plots take on this machine, learned from those that were finished."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chiatea.chia.untrusted import items, mapping, number
from chiatea.collector.sources.plotters.plot_observations import Kind

__all__ = ["Durations", "Way"]

_MOST_WAYS: Final = 16
_MOST_PLOTS: Final = 4
_LEAST_SHARE_OF_STEPS: Final = 0.5
"""A plot of which fewer steps were seen says nothing of their shares."""
_MOST_SECONDS: Final = 1e8


@dataclass(frozen=True, slots=True)
class Way:
    """What a plot's way takes: the whole, and what share of it is done after 0, 1, ... all steps."""

    total_seconds: float | None
    """None where no plot was finished yet: then the shares are the typical ones of its kind."""
    shares: tuple[float, ...]

    @property
    def longest_step_seconds(self) -> float | None:
        """Of a plot on this machine."""
        if self.total_seconds is None:
            return None
        return self.total_seconds * max(
            after - before for before, after in zip(self.shares, self.shares[1:], strict=False)
        )


class Durations:
    """By kind of plotter, size and compression, the newest plots that this machine finished."""

    def __init__(self) -> None:
        """Nothing is learned."""
        self._plots: dict[str, dict[str, tuple[float, dict[str, float]]]] = {}
        self._ways: dict[str, Way] = {}

    def learn(
        self,
        kind: Kind,
        k: int | None,
        level: int | None,
        *,
        plot_id: str,
        total_seconds: float,
        elapsed: Mapping[int, float],
    ) -> None:
        """Takes in a finished plot: `elapsed` has the seconds from its start till so many steps were done.

        The same plot may be told again, as when its log is read again after a restart.
        """
        if total_seconds <= 0 or len(elapsed) < _LEAST_SHARE_OF_STEPS * len(kind.steps):
            return
        key = _key(kind, k, level)
        plots = self._plots.pop(key, {})
        plots.pop(plot_id, None)
        by_step = {kind.steps[n - 1].name: round(seconds, 1) for n, seconds in elapsed.items() if n > 0}
        plots[plot_id] = (round(total_seconds, 1), by_step)
        while len(plots) > _MOST_PLOTS:
            del plots[next(iter(plots))]
        self._plots[key] = plots
        while len(self._plots) > _MOST_WAYS:
            del self._plots[next(iter(self._plots))]
        self._ways.clear()

    def way(self, kind: Kind, k: int | None, level: int | None) -> Way:
        """What such a plot takes here."""
        key = _key(kind, k, level)
        if key not in self._ways:
            plots = self._plots.get(key)
            self._ways[key] = Way(None, kind.shares) if not plots else _mean(kind, list(plots.values()))
            if len(self._ways) > 4 * _MOST_WAYS:
                del self._ways[next(iter(self._ways))]
        return self._ways[key]

    def as_json(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            key: {plot_id: [total, by_step] for plot_id, (total, by_step) in plots.items()}
            for key, plots in self._plots.items()
        }

    def restore(self, memory: object) -> None:
        """The reverse of `as_json`; what is strange is passed over."""
        for key, told in list(mapping(memory).items())[:_MOST_WAYS]:
            plots: dict[str, tuple[float, dict[str, float]]] = {}
            for plot_id, entry in list(mapping(told).items())[-_MOST_PLOTS:]:
                total, steps = (*items(entry), None, None)[:2]
                total_seconds = number(total)
                if total_seconds is None or not 0 < total_seconds < _MOST_SECONDS:
                    continue
                seconds = ((name, number(value)) for name, value in mapping(steps).items())
                plots[plot_id] = (
                    total_seconds,
                    {name: value for name, value in seconds if value is not None and 0 <= value < _MOST_SECONDS},
                )
            if plots:
                self._plots[key] = plots
        self._ways.clear()


def _key(kind: Kind, k: int | None, level: int | None) -> str:
    return f"{kind.name} k{k or '?'} c{level or 0}"


def _mean(kind: Kind, plots: list[tuple[float, dict[str, float]]]) -> Way:
    """Steps that these plots left out take nothing; shares never fall."""
    total = sum(total for total, _ in plots) / len(plots)
    shares = [0.0]
    for step in kind.steps:
        told = [by_step[step.name] / whole for whole, by_step in plots if step.name in by_step]
        share = sum(told) / len(told) if told else shares[-1]
        shares.append(min(1.0, max(share, shares[-1])))
    shares[-1] = 1.0
    return Way(total, tuple(shares))
