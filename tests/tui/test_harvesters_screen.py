"""Harvesters as they and their farmers see them: who is who, where they differ, and the screens that show it."""

from typing import Any

import pytest
from textual.pilot import Pilot

from chiatea.protobuf.chia_pb2 import ChiaNotice, HarvesterViewedFromFarmer, PlotFolder
from chiatea.protobuf.hardware_pb2 import System
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import ListEntriesRequest
from chiatea.state.farm_state import FarmState
from chiatea.tui.harvester_pairs import pairs_of
from chiatea.tui.lists.harvesters import disagreements
from chiatea.tui.table_view import TableView
from chiatea.tui.view import FarmView

from .plot_server import PlotServer
from .sample_farm import NOW, SampleFeed, harvester, put, sample_farm
from .test_app import HOSTILE, LARGE, SMALL, dashboard, number_of, static, until

Seen = HarvesterViewedFromFarmer


def seen(node_id: str, host: str, n_plots: int = 100, state: int = Seen.ANSWERING, **more: Any) -> Seen:
    more = {"total_plot_bytes": harvester(n_plots, 0.2).total_plot_bytes, "last_answer_time": NOW - 5, **more}
    return Seen(id=node_id, host=host, n_plots=n_plots, state=state, **more)  # type: ignore[arg-type]


def farm_of(addresses: dict[str, str], *views: Seen, n_plots: int = 100, **hostnames: str) -> FarmState:
    """Machines by id with the addresses of their collectors; "f" is the farmer's, and the others have harvesters."""
    farm = FarmState()
    for machine_id, address in addresses.items():
        farm.apply_info(
            MachineInfo(
                machine_id=machine_id, name=f"house-{machine_id}", ip_address=address, last_seen=NOW, online=True
            )
        )
        if machine_id != "f":
            put(farm, machine_id, "harvester", harvester(n_plots, 0.2))
        if machine_id in hostnames:
            put(farm, machine_id, "system", System(hostname=hostnames[machine_id]))
    put(farm, "f", "farmer_harvester", *views)
    return farm


def matched(farm: FarmState) -> dict[str, str]:
    """Of each harvester: its machine's name or host, and the node id that its farmer knows it by."""
    pairs = pairs_of(FarmView(farm, NOW))
    return {pair.name: pair.theirs.id if pair.theirs is not None else "" for pair in pairs}


def test_they_are_matched_by_the_address_that_both_connect_from() -> None:
    farm = farm_of(
        {"f": "10.0.0.1", "x": "10.0.0.2", "y": "10.0.0.3"}, seen("n3", "10.0.0.3"), seen("n2", "::ffff:10.0.0.2")
    )
    assert matched(farm) == {"house-x": "n2", "house-y": "n3"}


def test_a_harvester_beside_its_farmer_comes_from_a_loopback_address() -> None:
    farm = farm_of({"f": "10.0.0.1", "x": "10.0.0.2"}, seen("n1", "127.0.0.1"), seen("n2", "10.0.0.2"))
    put(farm, "f", "harvester", harvester(100, 0.2))
    assert matched(farm) == {"house-f": "n1", "house-x": "n2"}


def test_where_addresses_do_not_tell_the_host_name_does() -> None:
    farm = farm_of({"f": "10.0.0.1", "x": "172.17.0.2"}, seen("n2", "CELLAR.lan"), x="cellar.lan")
    assert matched(farm) == {"house-x": "n2"}


def test_the_collector_beside_the_server_gets_the_one_harvester_of_an_unknown_address() -> None:
    one = farm_of({"f": "10.0.0.1", "x": "127.0.0.1"}, seen("n2", "10.0.0.9"))
    assert matched(one) == {"house-x": "n2"}
    two = farm_of({"f": "10.0.0.1", "x": "127.0.0.1"}, seen("n2", "10.0.0.9"), seen("n3", "10.0.0.8"))
    assert matched(two) == {"house-x": "", "10.0.0.8 n3": "n3", "10.0.0.9 n2": "n2"}


def test_of_two_node_ids_of_one_machine_the_connected_one_is_its_harvester() -> None:
    farm = farm_of(
        {"f": "10.0.0.1", "x": "10.0.0.2"},
        seen("old", "10.0.0.2", state=Seen.DISCONNECTED, last_answer_time=NOW),
        seen("new", "10.0.0.2", last_answer_time=NOW - 50),
    )
    assert matched(farm) == {"house-x": "new", "10.0.0.2 old": "old"}


def test_of_several_machines_of_one_address_the_number_of_plots_decides_or_nothing_does() -> None:
    farm = farm_of({"f": "10.0.0.1", "x": "10.0.0.2", "y": "10.0.0.2"}, seen("n2", "10.0.0.2", n_plots=70))
    assert matched(farm) == {"house-x": "", "house-y": "", "10.0.0.2 n2": "n2"}
    put(farm, "y", "harvester", harvester(70, 0.2))
    assert matched(farm) == {"house-x": "", "house-y": "n2"}


@pytest.mark.parametrize("host", ["", *HOSTILE])
def test_a_host_that_is_none_matches_nothing(host: str) -> None:
    farm = farm_of({"f": "", "x": ""}, seen("n2", host))
    assert len(matched(farm)) == 2


def differing(view: Seen, **own: Any) -> list[str]:
    farm = farm_of({"f": "10.0.0.1", "x": "10.0.0.2"}, view)
    put(farm, "x", "harvester", harvester(100, 0.2, **own))
    (pair,) = pairs_of(FarmView(farm, NOW))
    return disagreements(pair)


def test_what_both_tell_differently_is_named() -> None:
    host = "10.0.0.2"
    assert differing(seen("n", host)) == []
    assert differing(seen("n", host, n_plots=98)) == ["plots", "size"]
    assert differing(seen("n", host), n_failed_to_open=2, n_duplicates=1) == ["failed", "duplicates"]
    assert differing(seen("n", host, state=Seen.DISCONNECTED)) == ["state"]
    assert differing(seen("n", host), is_connected_to_farmer=False) == ["state"]
    assert differing(seen("n", host, n_plots=98, is_syncing=True)) == []
    assert differing(Seen(id="n", host=host, state=Seen.ANSWERING)) == [], "its plots were not told yet"


def test_an_old_word_does_not_disagree_with_a_new_one() -> None:
    farm = farm_of({"f": "10.0.0.1", "x": "10.0.0.2"}, seen("n", "10.0.0.2", state=Seen.DISCONNECTED))
    farm.infos["x"].online = False
    (pair,) = pairs_of(FarmView(farm, NOW))
    assert disagreements(pair) == []


def sample() -> FarmState:
    farm = sample_farm()
    for machine_id, address in (("a", "192.168.1.10"), ("b", "192.168.1.20"), ("c", "192.168.1.40")):
        farm.infos[machine_id].ip_address = address
    put(farm, "a", "farmer_harvester", seen("49b169855067", "192.168.1.20", n_plots=149, state=Seen.TIMED_OUT))
    put(farm, "b", "plot_folder", PlotFolder(id="/mnt/plots1", n_plots=81), PlotFolder(id="/mnt/[x]", n_plots=70))
    own = ChiaNotice(id="1", kind=ChiaNotice.SLOW_LOOKUP, time=NOW - 70, service="harvester", text="lookup took 31.2 s")
    put(farm, "b", "chia_notice", own)
    theirs = ChiaNotice(id="2", time=NOW - 50, service="farmer", harvester_id="49b169855067", text="no answer for 60 s")
    others = ChiaNotice(id="3", time=NOW - 40, service="farmer", harvester_id="12c5b7d6114b", text="of another one")
    put(farm, "a", "chia_notice", theirs, others)
    return farm


def rows(pilot: Pilot[None], name: str = "harvesters") -> list[str]:
    return pilot.app.screen.query_one(f"#{name}", TableView).shown_text


async def to_harvesters(pilot: Any) -> None:
    await pilot.press(number_of("harvesters"))
    await until(pilot, lambda: pilot.app.current_mode == "harvesters" and len(rows(pilot)) == 5)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_both_words_stand_in_one_row_and_what_is_missing_is_said(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample()), size) as pilot:
        await to_harvesters(pilot)
        barn, cellar, loft, stranger = rows(pilot)[1:]
        assert "● farming" in barn
        assert "● answering" in barn
        assert "✗ timed out" in cellar
        assert "151 ≠ 149" in cellar
        assert "○ silent 3 h" in loft
        assert "○ not seen" in loft
        assert "○ not watched" in stranger
        assert "✗ disconnected" in stranger
        assert all(len(line) <= size[0] for line in rows(pilot))


async def test_enter_opens_a_harvester_with_both_sides_its_folders_and_what_was_said_of_it() -> None:
    async with dashboard(SampleFeed(sample()), LARGE) as pilot:
        await to_harvesters(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Harvesters ▸ cellar" in static(pilot, "header") and len(rows(pilot, "facts")) > 20)
        (plots,) = [line for line in rows(pilot, "facts") if line.split()[:1] == ["Plots"] and "≠" in line]
        assert plots.split() == ["Plots", "151", "≠", "149"]
        assert "/mnt/plots1" in "".join(rows(pilot, "folders"))
        told = rows(pilot, "notices")[1:]
        assert ["no answer" in told[0], "31.2 s" in told[1], len(told)] == [True, True, 2]
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


async def test_a_folder_opens_its_plots_and_p_all_of_them() -> None:
    server = PlotServer(300)
    async with dashboard(SampleFeed(sample()), SMALL, server=server) as pilot:
        await to_harvesters(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "cellar" in static(pilot, "header") and pilot.app.screen.query("#folders"))
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: "Plots of cellar" in static(pilot, "header") and server.asked)
        request = server.asked[0]
        assert isinstance(request, ListEntriesRequest)
        assert (list(request.machine_ids), request.text) == (["b"], "/mnt/plots1")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "Plots" not in static(pilot, "header"))
        await pilot.press("p")
        await until(pilot, lambda: "Plots of cellar" in static(pilot, "header"))


async def test_p_in_the_list_opens_plots_and_says_where_nobody_tells_of_them() -> None:
    server = PlotServer(300)
    async with dashboard(SampleFeed(sample()), SMALL, server=server) as pilot:
        await to_harvesters(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "Plots of barn" in static(pilot, "header"))
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        await pilot.press("end", "p")
        await pilot.pause(0.1)
        assert len(pilot.app.screen_stack) == 1


async def test_each_column_sorts_and_the_filter_finds_words_of_both_sides() -> None:
    async with dashboard(SampleFeed(sample()), LARGE) as pilot:
        await to_harvesters(pilot)
        table = pilot.app.screen.query_one(TableView)
        for index in range(len(table.model.columns)):
            table.model.set_sort(index, is_reversed=False)
            assert table.model.n_rows == 4
        await pilot.press("slash", *"timed 49b1")
        await until(pilot, lambda: len(rows(pilot)) == 2)
        assert "cellar" in rows(pilot)[1]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("value", [float("nan"), 1e300])
async def test_hostile_text_and_absurd_numbers_do_not_break_it(text: str, value: float) -> None:
    farm = sample()
    for machine_id in ("a", "b"):
        for topic in ("harvester", "farmer_harvester", "chia_notice", "plot_folder"):
            for entry in farm.machine(machine_id).of(topic).values():
                for field in entry.message.DESCRIPTOR.fields:
                    if field.type == field.TYPE_STRING and field.name != "id":
                        setattr(entry.message, field.name, text)
                    elif field.type == field.TYPE_DOUBLE:
                        setattr(entry.message, field.name, value)
                    elif field.type == field.TYPE_INT64:
                        setattr(entry.message, field.name, -(2**62))
    async with dashboard(SampleFeed(farm), SMALL) as pilot:
        await pilot.press(number_of("harvesters"))
        await until(pilot, lambda: pilot.app.current_mode == "harvesters" and len(rows(pilot)) > 3)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query("#facts") and len(rows(pilot, "facts")) > 3)
        assert all(
            "\x1b" not in line and "\u202e" not in line for name in ("facts", "notices") for line in rows(pilot, name)
        )
