"""A real farm of Chia's own services, seen through chia-tea's own commands.

The tests run in this order on one farm: what costs time, the freeze, begins early, and others go on meanwhile.
"""

import signal
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from .conftest import Freeze
from .farm import ChiaRoot, RealFarm, until
from .tea import Tea

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

MISSED_AFTER_SECONDS = 25.0


def totals(harvester: Mapping[str, Any]) -> tuple[int, int, int]:
    return harvester["n_plots"], harvester["total_plot_bytes"], harvester["effective_plot_bytes"]


def has_chias_own_totals(farm: RealFarm, tea: Tea, machine: str) -> bool:
    """Whether the farmer's own summary, what chia-tea tells of it and what it tells of the harvester are one."""
    told, seen = farm.harvesters().get(machine), tea.harvester_of_farmer(farm.roots[machine].node_id)
    if not told or not seen:
        return False
    chias = told["plots"], told["total_plot_size"], told["total_effective_plot_size"]
    return chias == totals(seen) == totals(tea.machine(machine)["harvester"])


def test_plots_of_both_versions_are_seen_with_chias_own_totals(farm: RealFarm, tea: Tea) -> None:
    for machine, n_v1, n_v2 in (("farm", 3, 2), ("barn", 1, 1)):
        until(partial(has_chias_own_totals, farm, tea, machine), f"the totals of {machine}")
        harvester = tea.machine(machine)["harvester"]
        assert (harvester["n_plots_v1"], harvester["n_plots_v2"]) == (n_v1, n_v2)
        assert harvester["is_running"]
        loaded = [plot for plot in tea.machine(machine)["harvester_plots"] if plot["state"] == "LOADED"]
        chias = farm.roots[machine].ask("harvester", "get_plots")["plots"]
        assert {(plot["id"], plot["file_bytes"]) for plot in loaded} == {
            (plot["filename"], plot["file_size"]) for plot in chias
        }
        assert {(plot["plot_version"], plot["k"]) for plot in loaded} == {(1, 18), (2, 20)}
    until(lambda: tea.machine("farm")["farmer"]["n_plots"] == 7, "the farmer's own total")
    assert tea.machine("farm")["farmer"]["version"] == farm.farm.ask("farmer", "get_version")["version"]


def test_a_plot_without_our_key_and_a_copy_of_a_plot_are_told(farm: RealFarm, tea: Tea) -> None:
    for name, n_duplicates, n_no_key in (("farm", 1, 0), ("barn", 0, 1)):
        until(lambda: tea.harvester_of_farmer(farm.roots[name].node_id), f"{name}'s harvester")  # noqa: B023
        seen = tea.harvester_of_farmer(farm.roots[name].node_id)
        assert (seen["n_duplicates"], seen["n_no_key"]) == (n_duplicates, n_no_key)
    assert tea.machine("barn")["harvester"]["n_no_key"] == 1
    assert [plot["state"] for plot in tea.machine("barn")["harvester_plots"]].count("NO_KEY") == 1


def test_points_that_the_node_skipped_are_counted_apart(farm: RealFarm, tea: Tea) -> None:
    until(lambda: sum(point.n_skipped for point in farm.points()), "skipped points")
    until(lambda: tea.machine("farm")["farmer"]["n_skipped_signage_points"] == 3, "three skipped points")
    with farm.no_points():
        until(lambda: tea.machine("farm")["farmer"]["n_signage_points"] == len(farm.points()), "all points")
    until(lambda: tea.notices("farm", "SKIPPED_SIGNAGE_POINTS"), "the notice")
    assert len(tea.notices("farm", "SKIPPED_SIGNAGE_POINTS")) == 1


def test_a_file_that_is_no_plot_failed_to_open(farm: RealFarm, tea: Tea, frozen: Freeze) -> None:
    spoilt = farm.folder / "plots" / "one" / f"plot-k32-2026-01-01-00-00-{'ab' * 32}.plot"
    spoilt.write_bytes(b"no plot at all" * 1000)
    node_id = farm.farm.node_id
    until(lambda: tea.harvester_of_farmer(node_id).get("n_failed_to_open") == 1, "the farmer's count")
    until(lambda: tea.machine("farm")["harvester"]["n_failed_to_open"] == 1, "the harvester's count")
    assert {plot["id"]: plot["state"] for plot in tea.machine("farm")["harvester_plots"]}[
        str(spoilt)
    ] == "FAILED_TO_OPEN"

    def told_errors() -> dict[str, str]:
        return {error["plot_filepath"]: error["text"] for error in tea.notices("farm", "PLOT_ERROR")}

    until(lambda: str(spoilt) in told_errors(), "the harvester's own words")
    errors = told_errors()
    assert "Invalid plot header magic" in errors.pop(str(spoilt))
    assert all(text.startswith("multiple copies in ") for text in errors.values())


def test_a_plot_that_goes_is_lost_and_one_that_comes_is_added(farm: RealFarm, tea: Tea, frozen: Freeze) -> None:
    plot = min((farm.folder / "plots" / "one").glob("*.plot2"))
    away = farm.folder / plot.name
    before = tea.machine("farm")["harvester"]

    plot.rename(away)
    until(lambda: tea.machine("farm")["harvester"]["n_plots_lost"] == before["n_plots_lost"] + 1, "the loss")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), "the totals after the loss")
    assert str(plot) not in {entry["id"] for entry in tea.machine("farm")["harvester_plots"]}

    away.rename(plot)
    until(lambda: tea.machine("farm")["harvester"]["n_plots_added"] == before["n_plots_added"] + 1, "the gain")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), "the totals after the gain")
    assert str(plot) in {entry["id"] for entry in tea.machine("farm")["harvester_plots"]}
    assert tea.machine("farm")["harvester"]["n_plots_lost"] == before["n_plots_lost"] + 1
    assert totals(tea.machine("farm")["harvester"]) == totals(before)


def test_a_stopped_harvester_is_disconnected_and_owes_nothing_till_it_is_back(
    farm: RealFarm, tea: Tea, frozen: Freeze
) -> None:
    node_id = farm.farm.node_id
    before = tea.machine("farm")["harvester"]
    with farm.no_points():
        until(lambda: len(farm.farm.answered(farm.points())) == len(farm.points()), "an answer to every point")
        farm.farm.signal("harvester", signal.SIGTERM)
        until(lambda: "farm" not in farm.harvesters(), "the farmer has lost it")
    until(lambda: tea.harvester_of_farmer(node_id).get("state") == "DISCONNECTED", "the disconnection")
    until(lambda: not tea.machine("farm")["harvester"]["is_connected_to_farmer"], "its own word of that")
    until(lambda: tea.source("farm", "harvester rpc") != "OK", "its RPC is away")
    until(lambda: tea.machine("farm")["farmer"]["n_harvesters"] == 1, "one harvester")
    until(lambda: tea.machine("farm")["farmer"]["n_plots"] == 2, "the plots of that one")
    n_points = len(farm.points())
    until(lambda: len(farm.points()) >= n_points + 2, "two signage points that it does not owe")

    with farm.no_points():
        farm.farm.start("harvester")
        until(lambda: farm.is_synced("farm"), "the farmer has it back")
    until(lambda: tea.harvester_of_farmer(node_id).get("state") == "ANSWERING", "its return")
    until(lambda: tea.machine("farm")["harvester"]["is_connected_to_farmer"], "its own word of that")
    until(lambda: has_chias_own_totals(farm, tea, "farm"), "the totals after its return")

    def owes_what_it_answered() -> bool:
        seen = tea.harvester_of_farmer(node_id)
        n_answered = len(farm.farm.answered(farm.points()))
        return bool(seen["n_challenges_owed"] == seen["n_challenges_answered"] == n_answered)

    with farm.no_points():
        until(owes_what_it_answered, "it owes what it answered")
    assert len(farm.farm.answered(farm.points())) < len(farm.points())
    seen, after = tea.harvester_of_farmer(node_id), tea.machine("farm")["harvester"]
    assert (seen["missed_challenges"], seen["n_timeouts"]) == (0, 0)
    assert (after["n_plots_lost"], after["n_plots_added"]) == (before["n_plots_lost"], before["n_plots_added"])


def test_a_frozen_harvester_misses_exactly_the_challenges_that_it_answers_after_25_seconds(
    farm: RealFarm, tea: Tea, frozen: Freeze
) -> None:
    node_id = farm.barn.node_id
    begin, end = frozen.wait()
    until(lambda: tea.harvester_of_farmer(node_id).get("state") == "ANSWERING", "the recovery")
    n_due = sum(1 for point in farm.points() if point.time < end)
    until(lambda: len(farm.barn.answered(farm.points())) >= n_due, "the late answers")
    delays = {point: time - point.time for point, time in farm.barn.answered(farm.points())}
    missed = {point for point, delay in delays.items() if delay > MISSED_AFTER_SECONDS}
    assert all(begin < point.time < end for point in missed)
    assert len(missed) >= 10
    # A busy machine may answer one as close to 25 s as daemon and log differ: whether it is missed, none can say.
    doubtful = {point.challenge for point, delay in delays.items() if abs(delay - MISSED_AFTER_SECONDS) <= 0.5}

    def told_late() -> set[str]:
        entries = [entry for entry in tea.machine("farm")["missed_challenges"] if entry["harvester_id"] == node_id]
        return {entry["challenge_hash"][:10] for entry in entries if entry["late_answer_time"]}

    sure = {point.challenge for point in missed} - doubtful
    until(lambda: sure <= told_late(), "every late answer")
    told = told_late()
    assert told <= sure | doubtful
    seen = tea.harvester_of_farmer(node_id)
    assert (seen["missed_challenges"], seen["n_challenges_late"], seen["n_timeouts"]) == (len(told), len(told), 1)
    entries = [entry for entry in tea.machine("farm")["missed_challenges"] if entry["harvester_id"] == node_id]
    assert {entry["challenge_hash"][:10] for entry in entries} == told
    assert all(entry["late_answer_time"] for entry in entries)
    assert tea.sql("SELECT count(DISTINCT id) AS n FROM MissedChallengeEvents") == [{"n": len(told)}]
    for kind in ("HARVESTER_TIMED_OUT", "HARVESTER_RECOVERED"):
        assert [notice["harvester_id"] for notice in tea.notices("farm", kind)] == [node_id]

    states = [entry["state"] for entry in tea.history("farm", "farmer_harvester") if entry["id"] == node_id]
    assert [state for state, _ in groupby(states)][-3:] == ["ANSWERING", "TIMED_OUT", "ANSWERING"]
    until(lambda: tea.source("barn", "harvester rpc") == "OK", "its RPC answers again")
    rpc = [entry["state"] for entry in tea.history("barn", "source") if entry["id"] == "harvester rpc"]
    assert [state for state, _ in groupby(rpc)][-3:] == ["OK", "FAILING", "OK"]


def test_every_proof_that_the_farmer_declared_is_counted(farm: RealFarm, tea: Tea) -> None:
    until(lambda: farm.n_proofs_declared() > 0, "a proof")
    with farm.no_points():
        until(lambda: tea.machine("farm")["farmer"]["n_proofs"] == farm.n_proofs_declared(), "the farmer's proofs")


def has_counted_every_lookup_once(tea: Tea, machine: str, root: ChiaRoot) -> bool:
    """Whether the counters of a harvester are the sums over the lookups that its own log tells of."""
    harvester, lookups = tea.machine(machine)["harvester"], root.lookups()
    counters = tuple(harvester[name] for name in ("n_challenges", "n_eligible_plots", "n_proofs", "n_v2_qualities"))
    sums = (sum(column) for column in zip(*(lookup[2:] for lookup in lookups), strict=True))
    return counters == (len(lookups), *sums)


def test_a_killed_collector_goes_on_and_counts_nothing_twice(farm: RealFarm, tea: Tea) -> None:
    node_id = farm.barn.node_id
    before = tea.harvester_of_farmer(node_id)
    n_points = len(farm.points())
    for machine in ("farm", "barn"):
        tea.kill_collector(machine)
    until(lambda: len(farm.points()) >= n_points + 2, "two signage points that nobody watches")
    for machine in ("farm", "barn"):
        tea.collect(machine)
    with farm.no_points():
        for machine, root in farm.roots.items():
            until(partial(has_counted_every_lookup_once, tea, machine, root), f"every lookup of {machine}")
    until(lambda: tea.harvester_of_farmer(node_id).get("state") == "ANSWERING", "the harvester is heard again")
    with farm.no_points():
        until(lambda: len(farm.barn.answered(farm.points())) == len(farm.points()), "an answer to every point")
        after = tea.harvester_of_farmer(node_id)
    assert (after["missed_challenges"], after["n_timeouts"]) == (before["missed_challenges"], before["n_timeouts"])
    assert before["n_challenges_owed"] <= after["n_challenges_owed"] <= len(farm.points())


def has_noticed_every_proof(tea: Tea, machine: str, root: ChiaRoot) -> bool:
    """Whether there is a notice for each lookup that found proofs."""
    found = [lookup.proofs for lookup in root.lookups() if lookup.proofs]
    return sorted(notice["count"] for notice in tea.notices(machine, "PROOF_FOUND")) == sorted(found)


def test_the_log_alone_tells_the_same_lookups_and_proofs(farm: RealFarm, tea: Tea) -> None:
    with farm.no_points():
        until(lambda: has_counted_every_lookup_once(tea, "log", farm.farm), "every lookup of the log")
    assert tea.source("log", "chia log") == "OK"
    assert tea.source("log", "chia daemon") == "ABSENT"
    assert any(lookup.proofs for lookup in farm.farm.lookups())
    with farm.no_points():
        for machine in ("log", "farm"):
            until(partial(has_noticed_every_proof, tea, machine, farm.farm), f"every proof of {machine}")
    seen, told = (tea.machine(machine)["harvester"] for machine in ("log", "farm"))
    assert seen["n_plots"] == told["n_plots"]
    assert tea.machine("log")["farmer"] is None or not tea.machine("log")["farmer"]["n_signage_points"]
