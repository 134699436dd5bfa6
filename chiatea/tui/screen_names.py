"""The screens by their numbers. Apart from the screens themselves, so that each of them can name the others."""

from typing import Final, NamedTuple

__all__ = ["SCREEN_NAMES", "ScreenName"]


class ScreenName(NamedTuple):
    """One screen: its mode in the app, its title, and a short one for narrow terminals."""

    mode: str
    title: str
    short: str


SCREEN_NAMES: Final = (
    ScreenName("farm", "Farm", "Farm"),
    ScreenName("harvesters", "Harvesters", "Harv"),
    ScreenName("missed", "Missed", "Miss"),
    ScreenName("hardware", "Hardware", "Hard"),
    ScreenName("copies", "Copies", "Copy"),
    ScreenName("plotting", "Plotting", "Plot"),
    ScreenName("events", "Events", "Evnt"),
)
"""In the order of their numbers."""
