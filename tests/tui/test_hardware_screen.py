"""Machines, their disks and processes; one machine; down to the plots of a disk."""

from dataclasses import replace

import pytest
from textual.widgets import Static

from chiatea.protobuf.hardware_pb2 import NetworkInterface, Sensor
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import HistoryReply, HistoryRequest, Step
from chiatea.state.farm_state import FarmState
from chiatea.tui.app import ChiaTeaApp
from chiatea.tui.line_view import LineView
from chiatea.tui.list_pane import ListPane
from chiatea.tui.options import Options
from chiatea.tui.screens.help import HelpScreen
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS, Limits
from tests.tui.sample_farm import GIB, NOW, SampleFeed, put, sample_farm
from tests.tui.sample_server import SampleServer
from tests.tui.test_app import HOSTILE, LARGE, SMALL, Clock, dashboard, number_of, rows, static, until


class GrowingServer(SampleServer):
    """All disks that are asked for grow by 2 GiB an hour; the processor is at 40 %."""

    async def history(self, request: HistoryRequest) -> HistoryReply:
        self._ask(request)
        reply = HistoryReply()
        for disk_id in ("/", "/mnt/plots1") if request.topic == "disk" else ("",):
            for field in request.fields:
                series = reply.series.add(entry_id=disk_id, field=field)
                for index in range(request.n_steps):
                    value = index * 4.0 * GIB if field == "used_bytes" else 40.0
                    series.steps.append(Step(index=index, least=value, mean=value, greatest=value, last=value))
        return reply

    @property
    def asked_of_disks(self) -> list[str]:
        return [q.machine_id for q in self.asked if isinstance(q, HistoryRequest) and q.topic == "disk"]


async def test_machines_stand_above_their_disks_and_processes() -> None:
    async with dashboard(SampleFeed(sample_farm()), server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"))
        await until(pilot, lambda: any("loft" in line for line in rows(pilot, "machines")))
        barn, cellar, loft = rows(pilot, "machines")[1:]
        assert barn.split()[:3] == ["barn", "●", "online"]
        assert cellar.endswith("✗ 1 of 4 not fine")
        assert "✗ offline" in loft
        assert any("chia_harvester" in line for line in rows(pilot, "processes"))


async def test_disks_tell_when_they_will_be_full_and_each_machine_is_asked_once() -> None:
    feed, server = SampleFeed(sample_farm()), GrowingServer()
    async with dashboard(feed, server=server) as pilot:
        await pilot.press(number_of("hardware"))
        await until(pilot, lambda: sorted(server.asked_of_disks) == ["a", "b", "c"])
        await until(pilot, lambda: "+48.0 GiB/d" in "".join(rows(pilot, "disks")))
        disks = {tuple(line.split()[:2]): line for line in rows(pilot, "disks")[1:]}
        assert "10 d 10 h" in disks["barn", "/mnt/plots1"], "500 GiB at 2 GiB an hour"
        assert " - " in disks["cellar", "/mnt/usb-c"], "nothing is known of it"
        feed.touch("a", "disk")
        await pilot.pause(0.6)
        assert len(server.asked_of_disks) == 3


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_from_the_farm_down_to_the_plots_of_a_disk_and_back(size: tuple[int, int]) -> None:
    async with dashboard(SampleFeed(sample_farm()), size, server=GrowingServer()) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: static(pilot, "header").startswith(" Farm ▸ barn "))
        await pilot.press("tab", "tab")
        await until(pilot, lambda: pilot.app.screen.query_one("#machine-disks").has_focus)
        await until(pilot, lambda: "/mnt/plots1" in "".join(rows(pilot, "machine-disks")))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Farm ▸ barn ▸ Disk ▸ /mnt/plots1" in static(pilot, "header"))
        await pilot.press("p")
        await until(pilot, lambda: "Plots of barn" in static(pilot, "header"))
        # The first takes the plots' filter away.
        for depth in (4, 3, 2, 1):
            await pilot.press("escape")
            await until(pilot, lambda depth=depth: len(pilot.app.screen_stack) == depth)


async def test_p_on_a_disk_lists_its_plots() -> None:
    async with dashboard(SampleFeed(sample_farm()), server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "tab", "down")
        await until(pilot, lambda: pilot.app.screen.query_one("#disks").has_focus)
        await pilot.press("p")
        await until(pilot, lambda: "Plots of barn" in static(pilot, "header"))
        assert pilot.app.screen.query_one(ListPane).model.filter_text == "/mnt/plots1"


async def test_a_machine_shows_its_parts_sensors_network_and_load() -> None:
    farm = sample_farm()
    put(farm, "b", "sensor", Sensor(id="cpu/core", kind=Sensor.TEMPERATURE_CELSIUS, value=91, high_value=85))
    put(farm, "b", "network_interface", NetworkInterface(id="eth0", is_up=True, speed_megabits_per_second=1000))
    async with dashboard(SampleFeed(farm), server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "down", "enter")
        await until(pilot, lambda: "Hardware ▸ cellar" in static(pilot, "header"))
        await until(pilot, lambda: any("harvester" in line for line in rows(pilot, "parts")))
        parts = "\n".join(rows(pilot, "parts"))
        assert "▲ 88 % and 1 more" in parts
        assert "✗ p99 lookup 17.2 s" in parts
        assert "91 °C" in rows(pilot, "sensors")[1]
        assert "1,000 Mbit/s" in rows(pilot, "network")[1]
        assert "▲ failing" in rows(pilot, "sources")[1]
        charts = pilot.app.screen.query_one("#machine-charts", LineView)
        await until(pilot, lambda: any("CPU load  now 40 %" in line.text for line in charts.lines))
        assert not pilot.app.screen.query_one("#machine-silence").display
        await pilot.press("enter")
        await until(pilot, lambda: "Cpu" in static(pilot, "header"))


async def test_a_machine_that_is_away_says_so_on_top() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "end", "enter")
        await until(pilot, lambda: "Hardware ▸ loft" in static(pilot, "header"))
        assert static(pilot, "machine-silence").startswith("✗ offline, nothing heard for 3 h.")


async def test_in_a_small_terminal_the_focused_list_of_a_machine_is_open() -> None:
    async with dashboard(SampleFeed(sample_farm()), SMALL, server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "enter")
        await until(pilot, lambda: "Hardware ▸ barn" in static(pilot, "header"))
        seen = []
        for _ in range(7):
            await pilot.pause()
            heights = {str(pane.id): pane.size.height for pane in pilot.app.screen.query(".list-pane, #machine-charts")}
            (open_one,) = [name for name, height in heights.items() if height > 3]
            seen.append(open_one)
            await pilot.press("tab")
        assert len(set(seen)) == 7


async def test_an_unreachable_server_leaves_growth_unknown() -> None:
    server, clock = GrowingServer(), Clock()
    server.is_gone = True
    async with dashboard(SampleFeed(sample_farm()), LARGE, clock, server=server) as pilot:
        await pilot.press(number_of("hardware"))
        await until(pilot, lambda: any("/mnt/plots1" in line for line in rows(pilot, "disks")))
        assert "GiB/d" not in "".join(rows(pilot, "disks"))
        assert pilot.app.is_running


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_names_cannot_break_it(text: str) -> None:
    farm = sample_farm()
    farm.apply_info(MachineInfo(machine_id="a", name=text, last_seen=NOW, online=True))
    put(farm, "a", "sensor", Sensor(id=text, kind=Sensor.FAN_RPM, value=1e300))
    put(farm, "a", "network_interface", NetworkInterface(id=text))
    async with dashboard(SampleFeed(farm), SMALL, server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "home")
        for _ in range(3):
            await pilot.press("enter", "tab", "tab", "tab")
        assert pilot.app.is_running


async def test_an_empty_farm_says_what_to_do() -> None:
    async with dashboard(SampleFeed(FarmState()), SMALL, server=GrowingServer()) as pilot:
        await pilot.press(number_of("hardware"), "enter", "p", "s")
        assert pilot.app.is_running
        assert "chia-tea collect" in str(pilot.app.screen.query_one("#machines-pane .nothing").render())


async def test_help_tells_the_configured_numbers() -> None:
    thresholds = replace(DEFAULT_THRESHOLDS, disk_busy_percent=Limits(33, 44))
    app = ChiaTeaApp(SampleFeed(sample_farm()), GrowingServer(), options=Options(thresholds), clock=Clock())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press(number_of("hardware"), "tab", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        told = str(app.screen.query_one("#help-text", Static).content)
        assert "yellow from 33 %, red from 44 %" in told
        assert "{" not in told
