"""Plotting: the plots that are being made."""

from chiatea.tui.lists.plotting import PLOTTING
from chiatea.tui.screens.lists import ListsScreen

__all__ = ["PlottingScreen"]


class PlottingScreen(ListsScreen):
    """Plots in progress, in one list over all machines."""

    title_of_screen = "Plotting"
    contents = (PLOTTING,)
