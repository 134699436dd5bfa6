"""The dashboard in a real terminal, before a real server and a real copier: keys steer what the disk sees."""

import re
import shutil
from pathlib import Path

import pytest

from tests.copier.small_plots import a_plot, plot_name

from .conftest import Home
from .terminal import terminal
from .test_jobs import MIB, Farm

N_BYTES = 64 * MIB

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux: a real terminal is needed")


def copied_mebibytes(source: Path, temporary: Path) -> int:
    """How much of the copy is there: it has its whole size from the start, and is filled bit by bit."""
    with source.open("rb") as whole, temporary.open("rb") as part:
        n = 0
        while (block := part.read(MIB)) and block == whole.read(MIB):
            n += 1
    return n


def seconds_of_clock(screen: str) -> int:
    """The time of day in the dashboard's header."""
    shown = re.search(r"(\d\d):(\d\d):(\d\d)", screen)
    assert shown is not None, screen
    hours, minutes, seconds = map(int, shown.groups())
    return (hours * 60 + minutes) * 60 + seconds


def test_a_running_copy_is_paused_goes_on_and_is_cancelled_by_keys(home: Home) -> None:
    farm = Farm(home)
    farm.configure("  max_bandwidth: 2MB\n")
    farm.start_copier()
    with terminal(home, "tui") as dashboard:
        dashboard.until(lambda screen: "● connected" in screen)
        dashboard.press("5")
        dashboard.until(lambda screen: "● copying" in screen and "p Pause" in screen)
        (temporary,) = [path for folder in farm.targets for path in folder.glob("*.copying")]
        home.until(lambda: copied_mebibytes(farm.source, temporary) > 0)

        dashboard.press("p")
        seen = dashboard.until(lambda screen: "▲ paused" in screen)
        before, then = copied_mebibytes(farm.source, temporary), seconds_of_clock(seen)
        # Two seconds, in which some four MiB would have come.
        dashboard.until(lambda screen: (seconds_of_clock(screen) - then) % 86400 >= 2)
        assert 0 < copied_mebibytes(farm.source, temporary) == before < 64

        dashboard.press("r")
        dashboard.until(lambda screen: "● copying" in screen)
        home.until(lambda: copied_mebibytes(farm.source, temporary) > before)

        dashboard.press("x")
        asked = dashboard.until(lambda screen: "Cancel 1 copy?" in screen)
        assert re.search(r"Lost is what was copied so far: [\d.]+ MiB are thrown away", asked), asked
        assert "The source stays where it is" in asked
        dashboard.press("n")
        dashboard.until(lambda screen: "Cancel 1 copy?" not in screen)
        assert temporary.exists()
        dashboard.press("x")
        dashboard.until(lambda screen: "Cancel 1 copy?" in screen)
        dashboard.press("y")
        dashboard.until(lambda screen: "No copy is under way or waits" in screen)
        assert farm.in_targets() == []
        assert farm.source.read_bytes() == a_plot(1, N_BYTES)
        dashboard.press("f")
        dashboard.until(lambda screen: "○ cancelled" in screen and plot_name(1)[-14:] in screen)
        dashboard.press("q")
        dashboard.until(lambda screen: screen == "")
    events = farm.history()
    assert [(event["action"], event["state"]) for event in events] == [
        (action, state) for action in ("PAUSE", "RESUME", "CANCEL") for state in ("PENDING", "DONE")
    ]
