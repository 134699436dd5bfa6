"""Which full target gives up which old plots for a new one: a function of plain data, asked when none has room."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from chiatea.copier.jobs import Job
from chiatea.copier.placement import Limits, Load, Target, TargetState, room_bytes
from chiatea.copier.replace_rules import PlotFacts, ReplaceRule, plot_facts
from chiatea.copier.replacing import Candidate, Chosen, Replacement, bytes_to_write
from chiatea.copier.shown import shown
from chiatea.units import format_bytes

__all__ = ["Exchange", "facts_of", "make_room", "rules_of"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A full target and what it gives up; or neither, and why none does, "" where no rule is for this plot."""

    target: Target | None
    replacement: Replacement | None
    why: str


def facts_of(job: Job) -> PlotFacts:
    """What rules ask of a new plot."""
    return plot_facts(job.name, job.version, job.modified_ns)


def rules_of(targets: Iterable[Target]) -> set[ReplaceRule]:
    """Those by which any target may give up anything."""
    return {rule for target in targets for old in target.old_plots for rule in old.rules}


def make_room(
    job: Job,
    targets: Iterable[Target],
    load: Load,
    limits: Limits,
    now: float,
    *,
    giving_up: Container[int] = (),
) -> Exchange:
    """A full target that gives up just enough old plots: one that does so once the new plot stands before one that must
    do so first, then of the first group, then on the disk with the fewest copies under way, then the one that gives up
    least.

    Args:
        job: the new plot.
        targets: those that it may go to.
        load: what is under way.
        limits: what the configuration allows.
        now: UTC seconds since the epoch.
        giving_up: devices on which old plots are given up just now: one new plot at a time.
    """
    found: list[tuple[tuple[bool, int, int, int, str], Target, Replacement]] = []
    refusals: list[str] = []
    for target in targets:
        if target.state is not TargetState.READY or not target.old_plots:
            continue
        n_active = load.n_active.get(target.disk, 0)
        chosen = _chosen(job, target, room_bytes(target, load, limits), limits.reserve_bytes, now)
        if isinstance(chosen, str):
            refusals += [f"{target.folder} {chosen}"] if chosen else []
        elif target.device in giving_up:
            refusals.append(f"{target.folder} gives up old plots for another one just now")
        elif n_active >= limits.max_per_target:
            refusals.append(f"{target.folder} has {n_active} on its disk already")
        else:
            key = (chosen.deletes_first, target.group_rank, n_active, chosen.n_bytes, str(target.folder))
            found.append((key, target, chosen))
    if not found:
        return Exchange(None, None, "; ".join(sorted(refusals)))
    _, target, replacement = min(found, key=lambda each: each[0])
    return Exchange(target, replacement, _why(replacement))


def _chosen(job: Job, target: Target, room: int, reserve_bytes: int, now: float) -> Replacement | str:
    """What a target would give up; or why it does not, "" where it has nothing to give up for this plot."""
    if any(candidate.plot.plot_id in job.name.lower() for candidate in target.old_plots):
        return "holds this very plot already"
    ranked = _ranked(target.old_plots, facts_of(job), now)
    if not ranked:
        return ""
    free = room + reserve_bytes
    missing_first = bytes_to_write(job.total_bytes) - free
    first = _enough([chosen for chosen in ranked if chosen.may_go_first], missing_first)
    if first is None:
        has = format_bytes(max(0, free))
        return (
            f"has {has} to write it in, and no old plot that may go first: set copy.reserve to the size of a plot, or "
            "the rule's when_full to delete_first"
        )
    left = [chosen for chosen in ranked if chosen not in first]
    given = sum(chosen.plot.taken_bytes for chosen in first)
    after = _enough(left, job.total_bytes - room - given)
    if after is None:
        return f"cannot give up as much as {format_bytes(job.total_bytes - room)} by its rules"
    return Replacement((*first, *after), reserve_bytes, deletes_first=bool(first))


def _ranked(candidates: Iterable[Candidate], new: PlotFacts, now: float) -> list[Chosen]:
    """Those that may go for a new plot: by the order of the rules, and of one rule's the oldest first."""
    ranked: list[tuple[tuple[int, float, str], Chosen]] = []
    for candidate in candidates:
        plot = candidate.plot
        for place_of_rule, rule in enumerate(candidate.rules):
            if rule.is_for(new, now):
                chosen = Chosen(plot, rule.name, rule.when_full == "delete_first")
                ranked.append(((place_of_rule, plot.made_time, plot.name), chosen))
                break
    return [chosen for _, chosen in sorted(ranked, key=lambda each: each[0])]


def _enough(ranked: Iterable[Chosen], n_bytes: int) -> list[Chosen] | None:
    """The first ones that give back so much, without any that turns out not to be needed; None: all are not enough."""
    taken: list[Chosen] = []
    missing = n_bytes
    for chosen in ranked:
        if missing <= 0:
            break
        if chosen.plot.taken_bytes > 0:
            taken.append(chosen)
            missing -= chosen.plot.taken_bytes
    if missing > 0:
        return None
    for chosen in list(taken):
        if missing + chosen.plot.taken_bytes <= 0:
            taken.remove(chosen)
            missing += chosen.plot.taken_bytes
    return taken


def _why(replacement: Replacement) -> str:
    names = ", ".join(f"{shown(chosen.plot.name)} (rule {chosen.rule})" for chosen in replacement.chosen)
    n_plots = len(replacement.chosen)
    plots = "1 old plot" if n_plots == 1 else f"{n_plots} old plots"
    when = "before the new one can be written" if replacement.deletes_first else "once the new one stands there"
    return f"no target has room; this one gives up {plots}, {format_bytes(replacement.n_bytes)}, {when}: {names}"
