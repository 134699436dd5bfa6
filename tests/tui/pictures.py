"""What the dashboard looks like: each screen, wide and narrow, in good and in bad times.

`make screenshots` writes the pictures to screenshots/, and a test compares those with what the app draws.
"""

from collections.abc import Callable
from dataclasses import dataclass

from textual.pilot import Pilot

from chiatea.state.farm_state import FarmState
from chiatea.tui.app import ChiaTeaApp
from chiatea.tui.options import Options
from chiatea.wire.feed import Connection

from .sample_copies import copies_farm
from .sample_farm import NOW, SampleFeed, sample_farm
from .sample_past import PastServer

__all__ = ["PICTURES", "SIZES", "Picture", "draw"]

SIZES = {"160x50": (160, 50), "80x24": (80, 24)}
FONT = "DejaVu Sans Mono"
_ERROR = "no server answers at barn:43200: start it with `chia-tea serve`"


def _feed() -> SampleFeed:
    return SampleFeed(sample_farm())


def _copies() -> SampleFeed:
    return SampleFeed(copies_farm())


def _empty() -> SampleFeed:
    return SampleFeed(FarmState())


def _lost() -> SampleFeed:
    feed = _feed()
    feed.connection = Connection(since=NOW - 95, attempt=7, next_try_time=NOW + 4, error=_ERROR, address="barn:43200")
    for info in feed.farm.infos.values():
        info.last_seen = min(info.last_seen, NOW - 95)
    return feed


def _waiting() -> SampleFeed:
    feed = SampleFeed()
    feed.connection = Connection(since=NOW - 3, attempt=2, next_try_time=NOW + 1, error=_ERROR, address="barn:43200")
    return feed


def _viewer() -> SampleFeed:
    feed = _copies()
    feed.role = "viewer"
    return feed


@dataclass(frozen=True, slots=True)
class Picture:
    """What is seen after some keys."""

    name: str
    keys: tuple[str, ...] = ()
    feed: Callable[[], SampleFeed] = _feed
    theme: str = ""


PICTURES = (
    Picture("farm"),
    Picture("harvesters", ("2",)),
    Picture("harvester", ("2", "down", "enter")),
    Picture("plots", ("2", "p")),
    Picture("missed", ("3",)),
    Picture("miss", ("3", "tab", "enter")),
    Picture("hardware", ("4",)),
    Picture("machine", ("4", "enter")),
    Picture("disk-why", ("4", "tab", "down", "down", "down", "enter")),
    Picture("copies", ("5",), _copies),
    Picture("copies-confirm", ("5", "x"), _copies),
    Picture("copies-read-only", ("5",), _viewer),
    Picture("plotting", ("6",), _copies),
    Picture("events", ("7",)),
    Picture("help", ("4", "question_mark")),
    Picture("filter", ("4", "tab", "slash", "b", "a", "r", "n")),
    Picture("frozen", ("z",)),
    Picture("empty", (), _empty),
    Picture("empty-copies", ("5",), _empty),
    Picture("disconnected", ("4",), _lost),
    Picture("waiting", (), _waiting),
    Picture("colour-blind", (), theme="chia-tea-colour-blind"),
    Picture("light", ("4",), theme="chia-tea-light"),
)


async def draw(picture: Picture, size: tuple[int, int]) -> str:
    """The picture as SVG, with the font that is named in it installed rather than fetched from the web."""
    feed = picture.feed()
    app = ChiaTeaApp(feed, PastServer(feed.farm), options=Options(theme=picture.theme), clock=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        _look_back(app, feed)
        await _settle(pilot, app, feed)
        for key in picture.keys:
            await pilot.press(key)
            await _settle(pilot, app, feed)
        svg = app.export_screenshot(title=f"chia-tea, {size[0]}x{size[1]}", simplify=True)
    svg = svg.replace("Fira Code", FONT)
    begin, end = svg.find("@font-face"), svg.rfind("@font-face")
    return svg[:begin] + svg[svg.index("}", end) + 1 :] if begin >= 0 else svg


async def _settle(pilot: Pilot[None], app: ChiaTeaApp, feed: SampleFeed) -> None:
    """Until what was asked of the server is there and drawn: an answer may lead to further questions."""
    for _ in range(6):
        feed.touch()
        app.tick()
        await pilot.pause()


def _look_back(app: ChiaTeaApp, feed: SampleFeed) -> None:
    """Lookups of the last minutes, as if they had come one by one: sparklines have something to draw."""
    for n in range(24):
        for machine_id, seconds in (("a", 0.2 + 0.1 * (n % 3)), ("b", 1.0 + n % 7)):
            state = feed.farm.machines.get(machine_id)
            for entry in state.of("harvester").values() if state is not None else ():
                last, when = entry.message.last_lookup_seconds, entry.message.last_challenge_time  # type: ignore[attr-defined]
                entry.message.last_challenge_time = NOW - 4 - (24 - n) * 9  # type: ignore[attr-defined]
                entry.message.last_lookup_seconds = seconds  # type: ignore[attr-defined]
                app.recent.observe(feed.farm, [(machine_id, "harvester")])
                entry.message.last_lookup_seconds, entry.message.last_challenge_time = last, when  # type: ignore[attr-defined]
