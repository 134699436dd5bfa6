"""A real farm of Chia's own services, seen through chia-tea's own commands.

The tests run in this order on one farm: what costs time, the freeze, begins early, and others go on meanwhile.
"""

import signal
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from .conftest import Freeze
from .farm import ChiaRoot, Point, RealFarm, until
from .tea import Tea

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

MISSED_AFTER_SECONDS = 25.0


def node_id_of(harvester: Mapping[str, Any]) -> str:
    return str(harvester["connection"]["node_id"]).removeprefix("0x")


def answered(points: list[Point], root: ChiaRoot) -> list[tuple[Point, float]]:
    """Each signage point that a harvester answered, with the time of its answer by its own log."""
    times = defaultdict(list)
    for lookup in root.lookups():
        times[lookup.challenge].append(lookup.time)
    return [(point, times[point.challenge].pop(0)) for point in points if times[point.challenge]]


def totals(harvester: Mapping[str, Any]) -> tuple[int, int, int]:
    return harvester["n_plots"], harvester["total_plot_bytes"], harvester["effective_plot_bytes"]


def has_chias_own_totals(farm: RealFarm, tea: Tea, machine: str) -> bool:
    """Whether the farmer's own summary, what chia-tea tells of it and what it tells of the harvester are one."""
    told = farm.harvesters()[machine]
    chias = told["plots"], told["total_plot_size"], told["total_effective_plot_size"]
    seen = tea.harvester_of_farmer(node_id_of(told))
    return chias == totals(seen) == totals(tea.machine(machine)["harvester"])


def test_plots_of_both_versions_are_seen_with_chias_own_totals(farm: RealFarm, tea: Tea) -> None:
    for machine, n_v1, n_v2 in (("farm", 3, 2), ("barn", 1, 1)):
        until(partial(has_chias_own_totals, farm, tea, machine), 30, f"the totals of {machine}")
        harvester = tea.machine(machine)["harvester"]
        assert (harvester["n_plots_v1"], harvester["n_plots_v2"]) == (n_v1, n_v2)
        assert harvester["is_running"]
        loaded = [plot for plot in tea.machine(machine)["harvester_plots"] if plot["state"] == "LOADED"]
        chias = getattr(farm, machine).ask("harvester", "get_plots")["plots"]
        assert {(plot["id"], plot["file_bytes"]) for plot in loaded} == {
            (plot["filename"], plot["file_size"]) for plot in chias
        }
        assert {(plot["plot_version"], plot["k"]) for plot in loaded} == {(1, 18), (2, 20)}
    assert tea.machine("farm")["farmer"]["n_plots"] == 7
    assert tea.machine("farm")["farmer"]["version"] == farm.farm.ask("farmer", "get_version")["version"]


def test_a_plot_without_our_key_and_a_copy_of_a_plot_are_told(farm: RealFarm, tea: Tea) -> None:
    of_farm, of_barn = (tea.harvester_of_farmer(node_id_of(farm.harvesters()[name])) for name in ("farm", "barn"))
    assert (of_farm["n_duplicates"], of_farm["n_no_key"]) == (1, 0)
    assert (of_barn["n_duplicates"], of_barn["n_no_key"]) == (0, 1)
    assert tea.machine("barn")["harvester"]["n_no_key"] == 1
    assert [plot["state"] for plot in tea.machine("barn")["harvester_plots"]].count("NO_KEY") == 1


def test_points_that_the_node_skipped_are_counted_apart(farm: RealFarm, tea: Tea) -> None:
    until(lambda: sum(point.n_skipped for point in farm.points()), 30, "skipped points")
    until(lambda: tea.machine("farm")["farmer"]["n_skipped_signage_points"] == 3, 30, "three skipped points")
    until(lambda: tea.machine("farm")["farmer"]["n_signage_points"] == len(farm.points()), 30, "all points")
    assert len(tea.notices("farm", "SKIPPED_SIGNAGE_POINTS")) == 1


def test_a_file_that_is_no_plot_failed_to_open(farm: RealFarm, tea: Tea, frozen: Freeze) -> None:
    spoilt = farm.folder / "plots" / "one" / f"plot-k32-2026-01-01-00-00-{'ab' * 32}.plot"
    spoilt.write_bytes(b"no plot at all" * 1000)
    node_id = node_id_of(farm.harvesters()["farm"])
    until(lambda: tea.harvester_of_farmer(node_id)["n_failed_to_open"] == 1, 40, "the farmer's count")
    until(lambda: tea.machine("farm")["harvester"]["n_failed_to_open"] == 1, 40, "the harvester's count")
    assert {plot["id"]: plot["state"] for plot in tea.machine("farm")["harvester_plots"]}[
        str(spoilt)
    ] == "FAILED_TO_OPEN"
    errors = {error["plot_filepath"]: error["text"] for error in tea.notices("farm", "PLOT_ERROR")}
    assert "Invalid plot header magic" in errors.pop(str(spoilt))
    assert all(text.startswith("multiple copies in ") for text in errors.values())


def test_a_plot_that_goes_is_lost_and_one_that_comes_is_added(farm: RealFarm, tea: Tea, frozen: Freeze) -> None:
    plot = min((farm.folder / "plots" / "one").glob("*.plot2"))
    away = farm.folder / plot.name
    before = tea.machine("farm")["harvester"]

    plot.rename(away)
    until(lambda: tea.machine("farm")["harvester"]["n_plots_lost"] == before["n_plots_lost"] + 1, 40, "the loss")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), 20, "the totals after the loss")
    assert str(plot) not in {entry["id"] for entry in tea.machine("farm")["harvester_plots"]}

    away.rename(plot)
    until(lambda: tea.machine("farm")["harvester"]["n_plots_added"] == before["n_plots_added"] + 1, 40, "the gain")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), 20, "the totals after the gain")
    assert str(plot) in {entry["id"] for entry in tea.machine("farm")["harvester_plots"]}
    assert tea.machine("farm")["harvester"]["n_plots_lost"] == before["n_plots_lost"] + 1
    assert totals(tea.machine("farm")["harvester"]) == totals(before)


def test_a_stopped_harvester_is_disconnected_and_owes_nothing_till_it_is_back(
    farm: RealFarm, tea: Tea, frozen: Freeze
) -> None:
    node_id = node_id_of(farm.harvesters()["farm"])
    before = tea.machine("farm")["harvester"]
    farm.until_after_a_point(1.5)
    farm.farm.signal("harvester", signal.SIGTERM)
    until(lambda: tea.harvester_of_farmer(node_id)["state"] == "DISCONNECTED", 30, "the disconnection")
    until(lambda: not tea.machine("farm")["harvester"]["is_connected_to_farmer"], 30, "its own word of that")
    until(lambda: tea.source("farm", "harvester rpc") != "OK", 30, "its RPC is away")
    assert tea.machine("farm")["farmer"]["n_harvesters"] == 1
    assert tea.machine("farm")["farmer"]["n_plots"] == 2

    farm.until_after_a_point(0.5)
    farm.farm.start("harvester")
    until(lambda: tea.harvester_of_farmer(node_id)["state"] == "ANSWERING", 60, "its return")
    until(lambda: tea.machine("farm")["harvester"]["is_connected_to_farmer"], 30, "its own word of that")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), 30, "the totals after its return")

    def owes_what_it_answered() -> bool:
        seen = tea.harvester_of_farmer(node_id)
        n_answered = len(answered(farm.points(), farm.farm))
        return bool(seen["n_challenges_owed"] == seen["n_challenges_answered"] == n_answered)

    until(owes_what_it_answered, 20, "it owes what it answered")
    assert len(answered(farm.points(), farm.farm)) < len(farm.points())
    seen, after = tea.harvester_of_farmer(node_id), tea.machine("farm")["harvester"]
    assert (seen["missed_challenges"], seen["n_timeouts"]) == (0, 0)
    assert (after["n_plots_lost"], after["n_plots_added"]) == (before["n_plots_lost"], before["n_plots_added"])


def test_a_frozen_harvester_misses_exactly_the_challenges_that_it_answers_after_25_seconds(
    farm: RealFarm, tea: Tea, frozen: Freeze
) -> None:
    node_id = node_id_of(farm.harvesters()["barn"])
    begin, end = frozen.wait()
    until(lambda: tea.harvester_of_farmer(node_id)["state"] == "ANSWERING", 20, "the recovery")
    n_due = sum(1 for point in farm.points() if point.time < end)
    until(lambda: len(answered(farm.points(), farm.barn)) >= n_due, 20, "the late answers")
    delays = {point: time - point.time for point, time in answered(farm.points(), farm.barn)}
    assert all(abs(delay - MISSED_AFTER_SECONDS) > 0.5 for delay in delays.values()), "nothing is close to 25 s"
    missed = {point for point, delay in delays.items() if delay > MISSED_AFTER_SECONDS}
    assert all(begin < point.time < end for point in missed)
    assert len(missed) >= 10

    until(lambda: tea.harvester_of_farmer(node_id)["n_challenges_late"] == len(missed), 30, "late answers")
    seen = tea.harvester_of_farmer(node_id)
    assert (seen["missed_challenges"], seen["n_timeouts"]) == (len(missed), 1)
    entries = [entry for entry in tea.machine("farm")["missed_challenges"] if entry["harvester_id"] == node_id]
    assert {entry["challenge_hash"][:10] for entry in entries} == {point.challenge for point in missed}
    assert all(entry["late_answer_time"] for entry in entries)
    assert tea.sql("SELECT count(DISTINCT id) AS n FROM MissedChallengeEvents") == [{"n": len(missed)}]
    for kind in ("HARVESTER_TIMED_OUT", "HARVESTER_RECOVERED"):
        assert [notice["harvester_id"] for notice in tea.notices("farm", kind)] == [node_id]

    states = [entry["state"] for entry in tea.history("farm", "farmer_harvester") if entry["id"] == node_id]
    assert [state for state, _ in groupby(states)][-3:] == ["ANSWERING", "TIMED_OUT", "ANSWERING"]
    until(lambda: tea.source("barn", "harvester rpc") == "OK", 60, "its RPC answers again")
    rpc = [entry["state"] for entry in tea.history("barn", "source") if entry["id"] == "harvester rpc"]
    assert [state for state, _ in groupby(rpc)][-3:] == ["OK", "FAILING", "OK"]


def test_every_proof_that_the_farmer_declared_is_counted(farm: RealFarm, tea: Tea) -> None:
    until(lambda: farm.n_proofs_declared() > 0, 60, "a proof")
    until(lambda: tea.machine("farm")["farmer"]["n_proofs"] == farm.n_proofs_declared(), 30, "the farmer's proofs")


def has_counted_every_lookup_once(tea: Tea, machine: str, root: ChiaRoot) -> bool:
    """Whether the counters of a harvester are the sums over the lookups that its own log tells of."""
    harvester, lookups = tea.machine(machine)["harvester"], root.lookups()
    counters = tuple(harvester[name] for name in ("n_challenges", "n_eligible_plots", "n_proofs", "n_v2_qualities"))
    sums = (sum(column) for column in zip(*(lookup[2:] for lookup in lookups), strict=True))
    return counters == (len(lookups), *sums)


def test_a_killed_collector_goes_on_and_counts_nothing_twice(farm: RealFarm, tea: Tea) -> None:
    node_id = node_id_of(farm.harvesters()["barn"])
    before = tea.harvester_of_farmer(node_id)
    n_points = len(farm.points())
    for machine in ("farm", "barn"):
        tea.kill_collector(machine)
    until(lambda: len(farm.points()) >= n_points + 2, 20, "two signage points that nobody watches")
    for machine in ("farm", "barn"):
        tea.collect(machine)
    for machine, root in (("farm", farm.farm), ("barn", farm.barn)):
        until(partial(has_counted_every_lookup_once, tea, machine, root), 20, f"every lookup of {machine}")
    until(lambda: tea.harvester_of_farmer(node_id)["state"] == "ANSWERING", 20, "the harvester is heard again")
    after = tea.harvester_of_farmer(node_id)
    assert (after["missed_challenges"], after["n_timeouts"]) == (before["missed_challenges"], before["n_timeouts"])
    assert before["n_challenges_owed"] <= after["n_challenges_owed"] <= len(answered(farm.points(), farm.barn)) + 1


def has_noticed_every_proof(tea: Tea, machine: str, root: ChiaRoot) -> bool:
    """Whether there is a notice for each lookup that found proofs. Signage points go on coming meanwhile."""
    found = [lookup.proofs for lookup in root.lookups() if lookup.proofs]
    return sorted(notice["count"] for notice in tea.notices(machine, "PROOF_FOUND")) == sorted(found)


def test_the_log_alone_tells_the_same_lookups_and_proofs(farm: RealFarm, tea: Tea) -> None:
    until(lambda: has_counted_every_lookup_once(tea, "log", farm.farm), 20, "every lookup of the log")
    assert tea.source("log", "chia log") == "OK"
    assert tea.source("log", "chia daemon") == "ABSENT"
    assert any(lookup.proofs for lookup in farm.farm.lookups())
    for machine in ("log", "farm"):
        until(lambda: has_noticed_every_proof(tea, machine, farm.farm), 20, f"every proof of {machine}")  # noqa: B023
    seen, told = (tea.machine(machine)["harvester"] for machine in ("log", "farm"))
    assert seen["n_plots"] == told["n_plots"]
    assert tea.machine("log")["farmer"] is None or not tea.machine("log")["farmer"]["n_signage_points"]
