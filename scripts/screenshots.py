"""Renders the dashboard to screenshots/, from the real app over a fixed farm: `make screenshots`."""

import asyncio
import os
import sys
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"

import resvg_py

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chiatea.tui.app import ChiaTeaApp
from chiatea.wire.feed import Connection
from tests.tui.sample_farm import NOW, SampleFeed, sample_farm
from tests.tui.sample_server import SampleServer

FOLDER = ROOT / "screenshots"
FONT = "DejaVu Sans Mono"


async def picture(name: str, feed: SampleFeed, size: tuple[int, int], keys: tuple[str, ...] = ()) -> None:
    """Renders one state of the dashboard to SVG and PNG."""
    app = ChiaTeaApp(feed, SampleServer(), clock=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        for n in range(24):
            for machine_id, seconds in (("a", 0.2 + 0.1 * (n % 3)), ("b", 1.0 + n % 7)):
                held = feed.farm.machines[machine_id].of("harvester") if machine_id in feed.farm.machines else {}
                for entry in held.values():
                    entry.message.last_challenge_time = NOW - 4 - (24 - n) * 9  # type: ignore[attr-defined]
                    last = entry.message.last_lookup_seconds  # type: ignore[attr-defined]
                    entry.message.last_lookup_seconds = seconds  # type: ignore[attr-defined]
                    app._recent.observe(feed.farm, [(machine_id, "harvester")])  # noqa: SLF001
                    entry.message.last_lookup_seconds = last  # type: ignore[attr-defined]
                    entry.message.last_challenge_time = NOW - 4  # type: ignore[attr-defined]
        feed.touch()
        await pilot.pause(0.3)
        if keys:
            await pilot.press(*keys)
            await pilot.pause(0.3)
        svg = app.export_screenshot(title=f"chia-tea, {size[0]}x{size[1]}", simplify=True)
    # The terminal's own fonts are fetched from the web by Rich's SVG: the font here is one that is installed.
    svg = svg.replace("Fira Code", FONT)
    begin, end = svg.find("@font-face"), svg.rfind("@font-face")
    if begin >= 0:
        svg = svg[:begin] + svg[svg.index("}", end) + 1 :]
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    png = resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT, monospace_family=FONT)
    (FOLDER / f"{name}.png").write_bytes(bytes(png))
    print(FOLDER / f"{name}.png")


async def main() -> None:
    """All of them."""
    FOLDER.mkdir(exist_ok=True)
    lost = SampleFeed(sample_farm())
    lost.connection = Connection(
        since=NOW - 95,
        attempt=7,
        next_try_time=NOW + 4,
        error="no server answers at barn:43200: start it with `chia-tea serve`",
        address="barn:43200",
    )
    waiting = SampleFeed()
    waiting.connection = Connection(
        since=NOW - 3, attempt=2, next_try_time=NOW + 1, error=lost.connection.error, address="barn:43200"
    )
    await picture("farm-160x50", SampleFeed(sample_farm()), (160, 50))
    await picture("farm-80x24", SampleFeed(sample_farm()), (80, 24))
    await picture("harvesters-80x24", SampleFeed(sample_farm()), (80, 24), ("2",))
    await picture("disconnected-80x24", lost, (80, 24), ("4",))
    await picture("waiting-80x24", waiting, (80, 24))
    await picture("help-80x24", SampleFeed(sample_farm()), (80, 24), ("question_mark",))


asyncio.run(main())
